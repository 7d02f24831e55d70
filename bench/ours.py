"""What the benchmark prepares this project with, run by the project's own Python."""

import os
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import django
from django.core.management import call_command

os.environ["DJANGO_SETTINGS_MODULE"] = "socialapi.settings"
django.setup()

from accounts.models import User  # noqa: E402 (models need the setup above)
from accounts.tokens import log_in  # noqa: E402 (as above)
from socialapi.asgi import application  # noqa: E402 (as above)
from socialapi.fast import Answer  # noqa: E402 (as above)
from socialapi.statements import Statement  # noqa: E402 (as above)


def create_schema() -> None:
    """Bring the tables up to date."""
    call_command("migrate", verbosity=0)


def create_token(user_id: int) -> str:
    """Log a user in, and return the access token."""
    return str(log_in(User.objects.get(pk=user_id))["access_token"])


def record_sql(requests: list[list[str]]) -> list[list[Any]]:
    """Answer requests, each the fields of a `load.Request`, and return each one's statements.

    Of a statement that is its text with numbered parameters; their names, types and values; and
    whether it is planned anew each time.
    """
    sent: list[list[Any]] = []

    def rows(self: Statement, **values: Any) -> Any:
        note(self, "", values)
        return run(self, **values)

    def rows_planned_anew(self: Statement, *, limit: int, offset: int, **values: Any) -> Any:
        note(self, f" LIMIT {limit}", values)
        return plan_and_run(self, limit=limit, offset=offset, **values)

    def note(statement: Statement, limit: str, values: dict[str, Any]) -> None:
        text, types = statement.compiled
        parameters = [(name, types[name], as_text(values[name])) for name in types]
        sent[-1].append((text + limit, parameters, bool(limit)))

    run, plan_and_run = Statement.rows, Statement.rows_planned_anew
    with (
        patch.object(Statement, "rows", rows),
        patch.object(Statement, "rows_planned_anew", rows_planned_anew),
    ):
        for request in requests:
            sent.append([])
            answer(*request)
    return sent


def as_text(value: Any) -> str:
    """Return a value as PostgreSQL reads it."""
    return f"{{{','.join(map(str, value))}}}" if isinstance(value, list) else str(value)


def answer(method: str, address: str, token: str, body: str, content_type: str) -> None:
    """Answer a request; raises ValueError if it fails."""
    headers = {"host": os.environ["ALLOWED_HOSTS"], "accept": "application/json"}
    headers |= {"authorization": f"Bearer {token}", "content-type": content_type}
    url = urlsplit(address)
    scope = {
        "type": "http",
        "method": method,
        "path": url.path,
        "query_string": url.query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items() if value],
    }
    answered = application.respond(scope, body.encode())
    if not isinstance(answered, Answer) or answered.status >= 300:
        raise ValueError(f"{method} {address} was answered {answered}")
