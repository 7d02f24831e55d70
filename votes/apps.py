"""The votes app."""

from django.apps import AppConfig
from django.conf import settings


class VotesConfig(AppConfig):
    """Votes on posts, and their count."""

    name = "votes"

    def ready(self) -> None:
        """Tell what votes a user has; let servers know the last recount, if anyone asks for it."""
        # Models can be imported from now on.
        from accounts.export import Member, members  # noqa: PLC0415

        from .serializers import ExportedVoteSerializer  # noqa: PLC0415

        members["votes"] = Member(ExportedVoteSerializer, lambda user: user.votes.all())
        if settings.METRICS_TOKEN:
            from socialapi.handler import background  # noqa: PLC0415

            from .recounts import follow  # noqa: PLC0415

            background.append(follow)
