"""The list's query parameters, validated like a body, and its pages."""

from typing import Any

from django.db.models import TextField
from rest_framework import serializers

from accounts.fast import is_open
from socialapi.fields import BooleanField, IntegerField, StringField
from socialapi.pagination import KeysetPagination, PageSerializer
from socialapi.statements import Parameter, identifier

from .models import Post, PostQuerySet

# Texts of less characters than this are in too many titles to be looked for without a plan.
LETTERS_MIN = 3
COLUMNS = (
    "id",
    "title",
    "content",
    "published",
    "created_at",
    "updated_at",
    "owner_id",
    "owner__username",
    "owner__created_at",
    "vote_count",
    "voted",
)


class PostListSerializer(PageSerializer):
    """What `GET /posts` may be asked."""

    orders = {
        "new": ("-created_at", "-id"),
        "old": ("created_at", "id"),
        "top": ("-vote_count", "-id"),
    }

    search = StringField(
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        help_text="Text that the title contains, in any case of any script.",
    )
    owner = IntegerField(required=False, help_text="The id of the posts' owner.")
    published = BooleanField(
        default=True, help_text="`false` lists the caller's own drafts instead."
    )
    sort = serializers.ChoiceField(
        choices=list(orders), default="new", help_text="Newest, oldest or most voted first."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Every title contains the empty text, so to search for it is to ask for nothing."""
        if attrs.get("search") == "":
            del attrs["search"]
        return super().validate(attrs)


class PostPagination(KeysetPagination):
    """Pages of posts."""

    query_class = PostListSerializer
    model = Post
    columns = COLUMNS
    parameters = {"owner": identifier("owner"), "search": Parameter("search", TextField())}
    paths = {"top": {"vote_count": "rank__vote_count", "id": "rank__post_id"}}

    @classmethod
    def is_narrow(cls, values: dict[str, Any]) -> bool:
        """Whether a text is searched for."""
        return "search" in values

    @classmethod
    def may_be_few(cls, values: dict[str, Any]) -> bool:
        """Whether it is more than a letter or two."""
        return len(values.get("search", "")) >= LETTERS_MIN

    @classmethod
    def select(cls, asked: dict[str, Any], *, is_ordered: bool) -> PostQuerySet:
        """Return what everyone may see, or the user's drafts.

        The order by votes is read from the ranks, and so are the conditions on it.
        """
        place = "rank__" if is_ordered and asked["sort"] == "top" else ""
        posts = Post.objects.filter(**{f"{place}published": asked["published"]})
        if not asked["published"]:
            posts = posts.filter(**{f"{place}owner_id": asked["user"]})
        if "owner" in asked:
            posts = posts.filter(**{f"{place}owner_id": asked["owner"]})
        if "search" in asked:
            posts = posts.matching(asked["search"])
        return posts

    @classmethod
    def show(cls, rows: PostQuerySet, asked: dict[str, Any]) -> PostQuerySet:
        """Return posts as the user sees them; none if a session is named that is over."""
        posts = rows.visible_to(asked["user"]).seen_by(asked["user"])
        return posts.filter(is_open()) if "session" in asked else posts
