"""What the benchmark prepares this project with, run by the project's own Python."""

import os

import django
from django.core.management import call_command

os.environ["DJANGO_SETTINGS_MODULE"] = "socialapi.settings"
django.setup()


def create_schema() -> None:
    """Bring the tables up to date."""
    call_command("migrate", verbosity=0)


def create_token(user_id: int) -> str:
    """Log a user in, and return the access token."""
    # Models can only be imported after the setup above.
    from accounts.models import User  # noqa: PLC0415
    from accounts.tokens import log_in  # noqa: PLC0415

    return str(log_in(User.objects.get(pk=user_id))["access_token"])
