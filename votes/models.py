"""Votes. The posts' counts are kept by triggers, in `0002_count_votes` and `0005_log_counts`."""

from __future__ import annotations

from django.db import IntegrityError, models, transaction
from django.db.models import Count, F, OuterRef, Subquery
from django.db.models.functions import Coalesce, Now

from accounts.models import User
from posts.models import Post, PostQuerySet
from socialapi.statements import Statement

from .queries import ONE, casting, withdrawing

CAST, WITHDRAW = Statement(lambda: casting(ONE)), Statement(lambda: withdrawing(ONE))


def check_sight(user: User, post_id: int) -> None:
    """Raise Post.DoesNotExist if there is no such post that the user may see."""
    if not Post.objects.visible_to(user).filter(pk=post_id).exists():
        raise Post.DoesNotExist


class VoteQuerySet(models.QuerySet["Vote"]):
    """Voting."""

    def cast(self, user: User, post_id: int) -> bool:
        """Add the user's vote, and return whether it is new. One statement, or two if it is not.

        Raises Post.DoesNotExist if there is no such post that the user may see.
        """
        try:
            is_new = bool(CAST.rows(user=user.pk, pk=post_id))
        except IntegrityError:
            # The post, or the user, was deleted in this very moment.
            raise Post.DoesNotExist from None
        if not is_new:
            check_sight(user, post_id)
        return is_new

    def withdraw(self, user: User, post_id: int) -> bool:
        """Remove the user's vote, and return whether there was one. One statement, or two if not.

        Raises Post.DoesNotExist if there is no such post that the user may see.
        """
        was_there = bool(WITHDRAW.rows(user=user.pk, pk=post_id))
        if not was_there:
            check_sight(user, post_id)
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


class Recount(models.Model):
    """What came of counting all votes once."""

    counted_at = models.DateTimeField(db_default=Now(), editable=False)
    wrong = models.IntegerField(help_text="Posts whose count was wrong.")

    def __str__(self) -> str:
        return f"recount {self.pk}"


class Vote(models.Model):
    """One user's approval of one post."""

    user = models.ForeignKey(User, on_delete=models.DB_CASCADE, related_name="votes")
    # The unique index below begins with the post.
    post = models.ForeignKey(
        Post, on_delete=models.DB_CASCADE, related_name="votes", db_index=False
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = VoteQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["post", "user"], name="votes_vote_once"),
        ]

    def __str__(self) -> str:
        return f"vote {self.pk}"
