"""The statements that add votes on a post and remove them. Their rows tell whose they were."""

from posts.models import Post
from socialapi.statements import SQL, Statement, identifier

USER, PK = identifier("user"), identifier("pk")


def casting() -> SQL:
    """Return SQL that adds the user's vote on a post, unless it is there.

    There must be such a post that the user may see.
    """
    post, parameters = seen()
    sql = (
        f"INSERT INTO votes_vote (user_id, post_id) SELECT %s, post.id FROM ({post}) AS post "  # noqa: S608 (Django's SQL)
        "ON CONFLICT DO NOTHING RETURNING user_id"
    )
    return sql, (USER, *parameters)


def withdrawing() -> SQL:
    """Return SQL that removes the user's vote on a post that the user may see.

    The post is locked before its vote, as when posts or users are deleted.
    """
    post, parameters = seen()
    sql = (
        f"WITH post AS ({post} FOR NO KEY UPDATE) "  # noqa: S608 (Django's SQL)
        "DELETE FROM votes_vote USING post WHERE post_id = post.id AND user_id = %s "
        "RETURNING user_id"
    )
    return sql, (*parameters, USER)


def seen() -> SQL:
    """Return SQL for the id of the post, if the user may see it."""
    post = Post.objects.visible_to(USER).filter(pk=PK).values_list("id")
    text, parameters = post.query.sql_with_params()
    return text, tuple(parameters)


CAST, WITHDRAW = Statement(casting), Statement(withdrawing)
