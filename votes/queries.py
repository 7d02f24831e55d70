"""The statements that add votes on a post and remove them, for one voter or more.

Their rows are the users whose votes they were.
"""

from django.db.models import BigAutoField
from django.db.models.expressions import RawSQL

from posts.models import Post
from socialapi.statements import SQL, identifier

# In these statements, the column of those who vote.
VOTER = RawSQL("voter.user_id", [], BigAutoField())
# The only voter, where there is one.
ONE: SQL = ("SELECT %s AS user_id", (identifier("user"),))


def casting(voters: SQL) -> SQL:
    """Return SQL that adds votes on a post, where they are not there.

    `voters` is SQL for their `user_id`s. There must be such a post that they may see.
    """
    chosen, parameters = votes_of(voters)
    sql = (
        f"INSERT INTO votes_vote (user_id, post_id) {chosen} "
        "ON CONFLICT DO NOTHING RETURNING user_id"
    )
    return sql, parameters


def withdrawing(voters: SQL) -> SQL:
    """Return SQL that removes the voters' votes on a post that they may see.

    The post is locked before its votes, as when posts or users are deleted.
    """
    chosen, parameters = votes_of(voters, lock="FOR NO KEY UPDATE")
    sql = (
        f"WITH chosen (user_id, post_id) AS ({chosen}) DELETE FROM votes_vote AS vote "  # noqa: S608 (as above)
        "USING chosen WHERE (vote.user_id, vote.post_id) = (chosen.user_id, chosen.post_id) "
        "RETURNING vote.user_id"
    )
    return sql, parameters


def votes_of(voters: SQL, lock: str = "") -> SQL:
    """Return SQL for the ids of each voter, and of the post if the voter may see it."""
    text, parameters = voters
    seen = Post.objects.visible_to(VOTER).filter(pk=identifier("pk")).values_list("id")
    post, others = seen.query.sql_with_params()
    sql = (
        f"SELECT voter.user_id, post.id FROM ({text}) AS voter "  # noqa: S608 (as above)
        f"CROSS JOIN LATERAL ({post} {lock}) AS post"
    )
    return sql, (*parameters, *others)
