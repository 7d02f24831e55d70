"""The list's query parameters, validated like a body."""

from typing import Any

from rest_framework import serializers

from accounts.models import User
from socialapi.fields import BooleanField, IntegerField, StringField
from socialapi.pagination import KeysetPagination, PageSerializer

from .models import PostQuerySet


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

    def filter(self, posts: PostQuerySet, user: User) -> PostQuerySet:
        """Narrow down posts to what was asked for and the user may see."""
        asked: dict[str, Any] = self.validated_data
        posts = posts.published() if asked["published"] else posts.drafts_of(user)
        if (owner := asked.get("owner")) is not None:
            posts = posts.filter(owner=owner)
        if search := asked.get("search"):
            posts = posts.matching(search)
        return posts


class PostPagination(KeysetPagination):
    """Pages of posts."""

    query_class = PostListSerializer
