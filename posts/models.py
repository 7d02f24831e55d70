"""Posts, and who may see them."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import FilteredRelation, Q
from django.db.models.functions import Length, Now, Upper
from django.db.models.lookups import LessThanOrEqual

from accounts.models import User
from socialapi.statements import Parameter

TITLE_MAX = 300
CONTENT_MAX = 40_000
# A text with something in it that is not white space.
NOT_BLANK = r"\S"


class PostQuerySet(models.QuerySet["Post"]):
    """Posts by who may see them, and in the form that the API shows.

    A user may also be the parameter of a statement.
    """

    def published(self) -> PostQuerySet:
        """What everyone may see."""
        return self.filter(published=True)

    def drafts_of(self, user: User | Parameter) -> PostQuerySet:
        """What only its author may see, for the author."""
        return self.filter(published=False, owner=user)

    def visible_to(self, user: User | Parameter) -> PostQuerySet:
        """What is published, and the user's own drafts."""
        return self.filter(Q(published=True) | Q(owner=user))

    def matching(self, text: str) -> PostQuerySet:
        r"""Posts whose title contains the text in any case; on `posts_post_title_search`.

        `icontains` compares in upper case and takes `%`, `_` and `\` as themselves.
        """
        return self.filter(title__icontains=text)

    def seen_by(self, user: User | Parameter) -> PostQuerySet:
        """What the API shows, in one query.

        A post's own columns, its owner's `id`, `username` and `created_at`, and `voted`: whether
        this user has voted for it (one look-up in the votes' unique index for each row). Reading
        anything else raises FieldFetchBlocked, rather than costing a query for each row.
        """
        own_vote = FilteredRelation("votes", condition=Q(votes__user=user))
        return (
            self.annotate(own_vote=own_vote)
            .annotate(voted=Q(own_vote__isnull=False))
            .select_related("owner")
            .only(*SHOWN, "owner__username", "owner__created_at")
            .fetch_mode(models.FETCH_RAISE)
        )


SHOWN = ("title", "content", "published", "created_at", "updated_at", "vote_count", "owner_id")


class Post(models.Model):
    """A text that its owner published, or keeps as a draft."""

    # Two of the indexes below begin with it.
    owner = models.ForeignKey(
        User, on_delete=models.DB_CASCADE, related_name="posts", db_index=False
    )
    title = models.CharField(max_length=TITLE_MAX)
    content = models.TextField(max_length=CONTENT_MAX)
    published = models.BooleanField(
        default=True, db_default=True, help_text="Off for a draft, which its owner alone can see."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(
        db_default=Now(),
        editable=False,
        help_text="When title, content or published last changed; kept by a trigger.",
    )
    vote_count = models.IntegerField(
        "votes",
        default=0,
        db_default=0,
        editable=False,
        help_text="The votes there are; kept by the triggers of the votes app.",
    )

    objects = PostQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(title__regex=NOT_BLANK), name="posts_post_title_not_blank"
            ),
            models.CheckConstraint(
                condition=Q(content__regex=NOT_BLANK), name="posts_post_content_not_blank"
            ),
            models.CheckConstraint(
                condition=LessThanOrEqual(Length("content"), CONTENT_MAX),
                name="posts_post_content_length",
            ),
            models.CheckConstraint(
                condition=Q(vote_count__gte=0), name="posts_post_vote_count_not_negative"
            ),
        ]
        # One for each order of the list, with the id as its unique tail. Those of everyone hold
        # what everyone sees; the owner's also serves the drafts and the cascade.
        indexes = [
            models.Index(
                "created_at", "id", condition=Q(published=True), name="posts_post_by_time"
            ),
            models.Index(
                "vote_count", "id", condition=Q(published=True), name="posts_post_by_votes"
            ),
            models.Index("owner", "published", "created_at", "id", name="posts_post_by_owner"),
            models.Index(
                "owner", "published", "vote_count", "id", name="posts_post_by_owner_votes"
            ),
            GinIndex(OpClass(Upper("title"), name="gin_trgm_ops"), name="posts_post_title_search"),
        ]

    def __str__(self) -> str:
        # The admin's history keeps it for good, which must not keep what a user wrote.
        return f"post {self.pk}"

    def edit(self, **changes: Any) -> None:
        """Save these fields alone, and read `updated_at` as the database set it. Two queries."""
        for field, value in changes.items():
            setattr(self, field, value)
        self.save(update_fields=changes)
        self.refresh_from_db(fields=["updated_at"])
