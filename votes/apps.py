"""The votes app."""

from django.apps import AppConfig
from django.conf import settings


class VotesConfig(AppConfig):
    """Votes on posts, and their count."""

    name = "votes"

    def ready(self) -> None:
        """Let each server process know the last recount, if anyone asks for metrics."""
        if settings.METRICS_TOKEN:
            # Models can be imported from now on.
            from socialapi.handler import background  # noqa: PLC0415

            from .recounts import follow  # noqa: PLC0415

            background.append(follow)
