"""The accounts app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Users, their logins, and the limits on guessing passwords."""

    name = "accounts"

    def ready(self) -> None:
        """Register what drf-spectacular looks up by itself."""
        from . import schema  # noqa: F401, PLC0415  (it needs the models, and nobody needs it)
