"""What the post endpoints take and give."""

from typing import Any

from django.core.validators import RegexValidator
from rest_framework import serializers

from accounts.serializers import ProfileSerializer
from socialapi.fields import BooleanField, StringField

from .models import CONTENT_MAX, NOT_BLANK, TITLE_MAX, Post

not_blank = RegexValidator(NOT_BLANK, "This field may not be blank.")


class PostSerializer(serializers.ModelSerializer[Post]):
    """A post, read and written."""

    title = StringField(min_length=1, max_length=TITLE_MAX, validators=[not_blank])
    content = StringField(
        min_length=1,
        max_length=CONTENT_MAX,
        trim_whitespace=False,
        validators=[not_blank],
        style={"base_template": "textarea.html"},
    )
    published = BooleanField(
        default=True, help_text="`false` for a draft, which its owner alone can see."
    )
    owner = ProfileSerializer(read_only=True)
    votes = serializers.IntegerField(
        source="vote_count", read_only=True, min_value=0, help_text="How many votes there are."
    )
    voted = serializers.BooleanField(
        read_only=True, default=False, help_text="Whether the caller has voted."
    )

    class Meta:
        model = Post
        fields: tuple[str, ...] = (
            "id",
            "title",
            "content",
            "published",
            "created_at",
            "updated_at",
            "owner_id",
            "owner",
            "votes",
            "voted",
        )
        read_only_fields = ("id", "created_at", "updated_at", "owner_id")

    def update(self, instance: Post, validated_data: dict[str, Any]) -> Post:
        """Save only what was sent, so that two requests do not undo each other."""
        if validated_data:
            instance.edit(**validated_data)
        return instance


class PublishedPostSerializer(PostSerializer):
    """A post as everyone sees it alike: without `voted`, which depends on who looks."""

    class Meta(PostSerializer.Meta):
        fields = tuple(name for name in PostSerializer.Meta.fields if name != "voted")


class ExportedPostSerializer(PostSerializer):
    """A user's own post, in what is held about them."""

    class Meta(PostSerializer.Meta):
        fields = tuple(
            name for name in PostSerializer.Meta.fields if name not in {"owner", "voted"}
        )
