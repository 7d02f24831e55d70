"""The votes app."""

from django.apps import AppConfig


class VotesConfig(AppConfig):
    """Votes on posts, and their count."""

    name = "votes"
