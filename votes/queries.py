"""The statements that add votes and remove them. Their rows tell what they did."""

from django.db.models import QuerySet

from posts.models import Post
from socialapi.statements import Parameter, identifier

type SQL = tuple[str, tuple[Parameter, ...]]

USER, PK = identifier("user"), identifier("pk")


def casting(*conditions: object) -> SQL:
    """Return SQL that adds the user's vote on a post, unless it is there.

    There must be such a post that the user may see, and the conditions on it must hold.
    """
    post, parameters = seen(*conditions).query.sql_with_params()
    sql = (
        f"INSERT INTO votes_vote (user_id, post_id) SELECT %s, post.id FROM ({post}) AS post "  # noqa: S608
        "ON CONFLICT DO NOTHING RETURNING post_id"
    )
    return sql, (USER, *parameters)


def withdrawing(*conditions: object) -> SQL:
    """Return SQL that removes the user's vote on a post, if it is there and all is as above.

    The post is locked before its vote, as when posts or users are deleted.
    """
    post, parameters = seen(*conditions).query.sql_with_params()
    sql = (
        f"WITH post AS ({post} FOR NO KEY UPDATE) "  # noqa: S608
        "DELETE FROM votes_vote USING post WHERE post_id = post.id AND user_id = %s "
        "RETURNING post_id"
    )
    return sql, (*parameters, USER)


def seen(*conditions: object) -> QuerySet[Post, int]:
    """Return the id of the post, if the user may see it."""
    return Post.objects.visible_to(USER).filter(*conditions, pk=PK).values_list("id", flat=True)
