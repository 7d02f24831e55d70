"""Errors for Sentry, if SENTRY_DSN says where it is: what the log has as errors, and no more.

No request, no user, no variables: what is told is where the code failed, and for which request of
the log.
"""

from typing import Any

import sentry_sdk
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.dedupe import DedupeIntegration
from sentry_sdk.integrations.logging import LoggingIntegration

from .exchange import current_exchange
from .logs import redact

# What of an event is sent; its other parts may quote the request or the machine.
PARTS = {
    "event_id",
    "timestamp",
    "platform",
    "level",
    "logger",
    "logentry",
    "exception",
    "release",
    "environment",
    "sdk",
    "tags",
}


def start(dsn: str, revision: str) -> None:
    """Report errors from now on."""
    sentry_sdk.init(
        dsn,
        release=revision or None,
        before_send=scrub,
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[
            LoggingIntegration(level=None),
            DedupeIntegration(),
            # Silent, and only to send what is left.
            AtexitIntegration(callback=lambda _pending, _timeout: None),
        ],
        include_local_variables=False,
        max_breadcrumbs=0,
        send_default_pii=False,
    )


def scrub(event: Any, _hint: Any) -> Any:
    """Return an event without what must not be told."""
    scrubbed = redact_all({name: event[name] for name in PARTS & event.keys()})
    if exchange := current_exchange.get():
        scrubbed["tags"] = {
            "request_id": exchange.id,
            "route": exchange.route or "unknown",
            "method": exchange.method,
        }
    return scrubbed


def redact_all(value: Any) -> Any:
    """Return a value with all its texts redacted."""
    match value:
        case str():
            return redact(value)
        case dict():
            return {key: redact_all(each) for key, each in value.items()}
        case list() | tuple():
            return [redact_all(each) for each in value]
    return value
