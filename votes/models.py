"""Votes. The posts' counts are kept by triggers, in the migration `0002_count_votes`."""

from __future__ import annotations

from django.core.exceptions import EmptyResultSet
from django.db import IntegrityError, connection, models, transaction
from django.db.models import Count, F, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce, Now

from accounts.models import User
from posts.models import Post, PostQuerySet


class VoteQuerySet(models.QuerySet["Vote"]):
    """Voting."""

    def cast(self, user: User, post_id: int) -> bool:
        """Add the user's vote, and return whether it is new. One statement, or two if it is not.

        Raises Post.DoesNotExist if there is no such post that the user may see.
        """
        post = Post.objects.visible_to(user).filter(pk=post_id)
        try:
            chosen, params = post.values_list(Value(user.pk), "pk").query.sql_with_params()
            with connection.cursor() as cursor:
                cursor.execute(
                    f"INSERT INTO votes_vote (user_id, post_id) {chosen} ON CONFLICT DO NOTHING",
                    params,
                )
                is_new: bool = cursor.rowcount == 1
        except (EmptyResultSet, IntegrityError):
            # No id is that large; or the post, or the user, was deleted in this very moment.
            raise Post.DoesNotExist from None
        if not is_new and not post.exists():
            raise Post.DoesNotExist
        return is_new

    def withdraw(self, user: User, post_id: int) -> bool:
        """Remove the user's vote, and return whether there was one. One statement, or two if not.

        Raises Post.DoesNotExist if there is no such post that the user may see.
        """
        post = Post.objects.visible_to(user).filter(pk=post_id)
        try:
            chosen, params = post.values("pk").query.sql_with_params()
        except EmptyResultSet:
            # No id is that large.
            raise Post.DoesNotExist from None
        with connection.cursor() as cursor:
            # The post is locked before its vote, as when posts or users are deleted.
            cursor.execute(
                f"WITH post AS ({chosen} FOR NO KEY UPDATE) "  # noqa: S608 (Django's SQL)
                "DELETE FROM votes_vote USING post WHERE post_id = post.pk AND user_id = %s",
                [*params, user.pk],
            )
            was_there: bool = cursor.rowcount == 1
        if not was_there and not post.exists():
            raise Post.DoesNotExist
        return was_there

    def miscounted(self) -> PostQuerySet:
        """Posts whose `vote_count` is wrong, with the right one as `counted`.

        Reads both tables whole: a second for a million votes.
        """
        return Post.objects.annotate(counted=Count("votes")).exclude(vote_count=F("counted"))

    def recount(self, post_ids: list[int]) -> None:
        """Set the counts of these posts anew, whoever votes meanwhile. Two statements.

        The first waits for the votes on these posts that are under way, and holds up later ones,
        whose triggers then add to the new count. The second, begun after it, sees the former.
        """
        posts = Post.objects.filter(pk__in=post_ids)
        votes = self.filter(post=OuterRef("pk")).values("post").values(count=Count("*"))
        with transaction.atomic():
            list(posts.select_for_update(no_key=True).order_by("pk").values_list("pk"))
            posts.update(vote_count=Coalesce(Subquery(votes), 0))


class Vote(models.Model):
    """One user's approval of one post."""

    user = models.ForeignKey(User, on_delete=models.DB_CASCADE, related_name="votes")
    # The unique index below begins with the user; the posts' votes are found by this one.
    post = models.ForeignKey(Post, on_delete=models.DB_CASCADE, related_name="votes")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = VoteQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "post"], name="votes_vote_once"),
        ]

    def __str__(self) -> str:
        return f"vote {self.pk}"
