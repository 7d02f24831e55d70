"""The shapes of what the API takes and gives."""

from typing import Any

from rest_framework import serializers
from rest_framework_simplejwt.serializers import TokenObtainPairSerializer

from .models import Post, User


class ProfileSerializer(serializers.ModelSerializer):
    """A user as others see them."""

    class Meta:
        model = User
        fields = ("id", "username", "created_at")


class PostSerializer(serializers.ModelSerializer):
    """A post."""

    content = serializers.CharField(max_length=40_000)
    owner = ProfileSerializer(read_only=True)
    votes = serializers.IntegerField(source="vote_count", read_only=True, default=0)
    voted = serializers.BooleanField(read_only=True, default=False)

    class Meta:
        model = Post
        fields = (
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
        read_only_fields = ("created_at", "updated_at", "owner_id")


class VoteSerializer(serializers.Serializer):
    """A vote to add or to remove."""

    post_id = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    vote_dir = serializers.IntegerField(min_value=0, max_value=1)


class LoginSerializer(TokenObtainPairSerializer):
    """Email and password for tokens, under their OAuth2 names."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Rename what SimpleJWT gives."""
        pair = super().validate(attrs)
        return {
            "access_token": pair["access"],
            "refresh_token": pair["refresh"],
            "token_type": "bearer",
        }
