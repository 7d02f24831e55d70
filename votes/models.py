"""Votes. The posts' counts are kept by triggers, in the migration `0002_count_votes`."""

from __future__ import annotations

from django.core.exceptions import EmptyResultSet
from django.db import IntegrityError, connection, models
from django.db.models import Value
from django.db.models.functions import Now

from accounts.models import User
from posts.models import Post


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
        """Remove the user's vote, and return whether there was one. Two statements.

        Raises Post.DoesNotExist if there is no such post that the user may see.
        """
        if not Post.objects.visible_to(user).filter(pk=post_id).exists():
            raise Post.DoesNotExist
        removed, _ = self.filter(user=user, post=post_id).delete()
        return removed == 1


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
