"""The log: one JSON object a line, or in development one that people read, and nothing secret.

A line that is written while a request is answered tells which. What happens to accounts and to
content is an event, which has a name of its own: `log.info("…", extra=event("login"))`.
"""

import logging
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson

from .exchange import Exchange, current_exchange

# Standard error, as logging.StreamHandler has it.
OUTPUT = 2
JSON = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
LEVELS = {"INFO": logging.INFO, "WARNING": logging.WARNING}
access = logging.getLogger("socialapi.access")

# What an error's message may quote: addresses, tokens, passwords in URLs, and, after its first
# line, values of PostgreSQL's.
SECRETS = [
    (
        re.compile(
            r"(?ms)^(DETAIL|CONTEXT|QUERY|LINE \d+):.*?"
            r"(?=\n\n(?:The above|During handling)|\Z)"
        ),
        r"\1: …",
    ),
    (re.compile(r"[^\s@:/\"'<>()=,;]+@[^\s@:/\"'<>()=,;]+\.\w+"), "<email>"),
    (re.compile(r"\beyJ[\w-]+\.[\w.-]*"), "<token>"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[^\s'\"]+"), r"\1 <secret>"),
    (re.compile(r"://[^\s/@]+@"), "://<secret>@"),
]


def redact(text: str) -> str:
    """Return a text without what must not be told, and without what UTF-8 cannot hold."""
    for pattern, replacement in SECRETS:
        text = pattern.sub(replacement, text)
    return text.encode(errors="backslashreplace").decode()


def event(name: str, **fields: str | int | list[int] | None) -> dict[str, Any]:
    """Return the `extra` of a line that is about an event: its name, and what else is known."""
    return {"event": {"event": name} | fields}


def describe(exchange: Exchange) -> dict[str, Any]:
    """Return what every line says that is written during an exchange."""
    exchange.learn()
    return {
        "request_id": exchange.id,
        "user_id": exchange.user_id,
        "method": exchange.method,
        "route": exchange.route,
    }


class Formatter(logging.Formatter):
    """Lines of the standard library's loggers, as JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a line, without the end of it."""
        exchange = current_exchange.get()
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname,
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        if exchange:
            fields |= describe(exchange)
        fields |= getattr(record, "event", {})
        if record.exc_info:
            fields["exception"] = redact(self.formatException(record.exc_info))
        return orjson.dumps(fields, option=orjson.OPT_UTC_Z).decode()


class ReadableFormatter(logging.Formatter):
    """The same for people."""

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname:7} {name} {message}", "%H:%M:%S", style="{")

    def format(self, record: logging.LogRecord) -> str:
        """Return a line, or more with an exception."""
        fields = getattr(record, "event", {})
        return redact(super().format(record)) + "".join(f" {k}={v}" for k, v in fields.items())


class AccessLog:
    """Writes a line for each exchange that is over; a warning, if it took so long.

    Not by way of `logging`, which would take a tenth of a request's time. Nor each by itself: a
    write lets a thread have the interpreter, and the loop would wait to get it back.
    """

    def __init__(self, slow_ms: int, *, is_readable: bool) -> None:
        self.slow = slow_ms / 1000
        self.make = readable if is_readable else partial(orjson.dumps, option=JSON)

    def __call__(self, exchanges: Iterable[Exchange]) -> None:
        """Write the lines that LOG_LEVEL lets through."""
        told = {name for name in LEVELS if access.isEnabledFor(LEVELS[name])}
        fields = map(self.fields, exchanges)
        lines = [self.make(each) for each in fields if each["level"] in told]
        # Nobody may be reading the log, which is no reason to fail.
        with suppress(OSError):
            os.write(OUTPUT, b"".join(lines))

    def fields(self, exchange: Exchange) -> dict[str, Any]:
        """Return what the line says. Each step in it counts, so it calls as little as it can."""
        is_slow = exchange.seconds >= self.slow
        fields = {
            "time": datetime.fromtimestamp(exchange.ended, UTC),
            "level": "WARNING" if is_slow else "INFO",
            "logger": "socialapi.access",
            "message": f"Slow: {exchange.database * 1000:.0f} ms of SQL"
            if is_slow
            else "Answered",
            "request_id": exchange.id,
            "user_id": exchange.user_id,
            "method": exchange.method,
            "route": exchange.route,
            "status": exchange.status,
            "duration_ms": int(exchange.seconds * 1e6) / 1e3,
            "database_ms": int(exchange.database * 1e6) / 1e3,
            "queries": exchange.queries,
            "wait_ms": int(exchange.waited * 1e6) / 1e3,
        }
        if exchange.streamed is not None:
            fields["streamed_ms"] = int(exchange.streamed * 1e6) / 1e3
        return fields


def readable(fields: dict[str, Any]) -> bytes:
    """Return the line of an exchange for people."""
    return (
        (
            "{time:%H:%M:%S} {level:7} {method} {route} {status} in {duration_ms:.0f} ms, "
            "{queries} queries {database_ms:.0f} ms, user {user_id}, {request_id}\n"
        )
        .format(**fields)
        .encode()
    )


def configuration(level: str, *, is_readable: bool) -> dict[str, Any]:
    """Return the configuration of logging, for Django and gunicorn alike."""
    formatter = "ReadableFormatter" if is_readable else "Formatter"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": f"socialapi.logs.{formatter}"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            "django": {"handlers": [], "propagate": True},
            # Every 4xx would be a warning; what clients do wrong is not news.
            "django.request": {"level": "ERROR"},
            "gunicorn.error": {"handlers": [], "propagate": True},
        },
    }
