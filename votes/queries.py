"""The statements that add votes and remove them. Their rows tell what they did."""

from threading import Lock

from django.db.models import QuerySet

from posts.models import Post
from socialapi.statements import Parameter, identifier

type SQL = tuple[str, tuple[Parameter, ...]]

USER, PK = identifier("user"), identifier("pk")
# See `turn`.
turns = [Lock() for _ in range(256)]


def turn(post_id: int) -> Lock:
    """Return what a vote on a post holds while its statement runs, to be the only one here.

    Votes on one post have to wait for each other's commit. They may do so in PostgreSQL, but the
    more of them wait there, the longer each takes: eight at a time are half as fast as one.
    """
    return turns[post_id % len(turns)]


def casting(*conditions: object) -> SQL:
    """Return SQL that adds the user's vote on a post, unless it is there.

    There must be such a post that the user may see, and the conditions on it must hold.
    """
    post, parameters = seen(*conditions).query.sql_with_params()
    sql = (
        f"INSERT INTO votes_vote (user_id, post_id) SELECT %s, post.id FROM ({post}) AS post "  # noqa: S608 (Django's SQL)
        "ON CONFLICT DO NOTHING RETURNING post_id"
    )
    return sql, (USER, *parameters)


def withdrawing(*conditions: object) -> SQL:
    """Return SQL that removes the user's vote on a post, if it is there and all is as above.

    The post is locked before its vote, as when posts or users are deleted.
    """
    post, parameters = seen(*conditions).query.sql_with_params()
    sql = (
        f"WITH post AS ({post} FOR NO KEY UPDATE) "  # noqa: S608 (Django's SQL)
        "DELETE FROM votes_vote USING post WHERE post_id = post.id AND user_id = %s "
        "RETURNING post_id"
    )
    return sql, (*parameters, USER)


def seen(*conditions: object) -> QuerySet[Post, int]:
    """Return the id of the post, if the user may see it."""
    return Post.objects.visible_to(USER).filter(*conditions, pk=PK).values_list("id", flat=True)
