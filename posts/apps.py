"""The posts app."""

from django.apps import AppConfig


class PostsConfig(AppConfig):
    """Posts: written, listed, searched, streamed."""

    name = "posts"

    def ready(self) -> None:
        """Let each server process look after the log of changes; tell what posts a user has."""
        # Models can be imported from now on.
        from accounts.export import Member, members  # noqa: PLC0415
        from socialapi.handler import background  # noqa: PLC0415

        from .serializers import ExportedPostSerializer  # noqa: PLC0415
        from .stream import keep_house  # noqa: PLC0415

        background.append(keep_house)
        members["posts"] = Member(ExportedPostSerializer, lambda user: user.posts.all())
