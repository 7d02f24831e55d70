"""What the server runs, and what the benchmark prepares it with."""

import os

from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "bench.peers.drf.settings"
application = get_wsgi_application()


def create_schema() -> None:
    """Make the tables; there are no migrations."""
    call_command("migrate", run_syncdb=True, verbosity=0)


def create_token(user_id: int) -> str:
    """Return an access token."""
    from rest_framework_simplejwt.tokens import AccessToken  # noqa: PLC0415 - needs the settings

    token = AccessToken()
    token["user_id"] = str(user_id)
    return str(token)
