"""What the vote endpoints take and give."""

from typing import Any

from rest_framework import serializers

from socialapi.fields import IntegerField

from .models import Vote


class VoteSerializer(serializers.Serializer[Any]):
    """A vote to add or to remove."""

    post_id = IntegerField(min_value=1, help_text="The post.")
    vote_dir = IntegerField(min_value=0, max_value=1, help_text="1 adds the vote, 0 removes it.")


class MessageSerializer(serializers.Serializer[Any]):
    """What was done."""

    message = serializers.CharField()


class ExportedVoteSerializer(serializers.ModelSerializer[Vote]):
    """A user's own vote, in what is held about them."""

    class Meta:
        model = Vote
        fields = ("post_id", "created_at")
