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
from functools import lru_cache
from typing import Any

import orjson

from .exchange import Exchange, current_exchange

# Standard error, as logging.StreamHandler has it.
OUTPUT = 2
# JSON would escape nothing of what an id may have.
LINE = (
    '{"time":"%s.%06dZ","level":"%s","logger":"socialapi.access","message":"%s","request_id":"%s",'
    '"user_id":%s,%s,"duration_ms":%.3f,"database_ms":%.3f,"queries":%d,"wait_ms":%.3f%s}\n'
)
# Characters of a client's fault, which may quote the client.
FAULT_MAX = 200
STREAMED = ',"streamed_ms":%.3f'
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


class Shortener(logging.Filter):
    """Shortens what Django says of a request, whose own line has its route and its status."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Leave out the path, the stack of a client's fault, and what tells a status alone."""
        if record.name == "django.request" and not record.exc_info:
            return False
        # The path is what comes last.
        if record.args and record.msg.endswith(": %s"):
            record.msg, record.args = record.msg.removesuffix(": %s"), tuple(record.args)[:-1]
        if getattr(record, "status_code", 500) < 500:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            record.msg, record.exc_info = record.msg[:FAULT_MAX], None
        return logging.getLogger().isEnabledFor(record.levelno)


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

    Not by way of `logging`, which would take a tenth of a request's time, and not each by itself:
    a write lets a thread have the interpreter, and the loop would wait to get it back.
    """

    def __init__(self, slow_ms: int, *, is_readable: bool) -> None:
        self.slow = slow_ms / 1000
        self.make = readable_line if is_readable else json_line

    def __call__(self, exchanges: Iterable[Exchange]) -> None:
        """Write the lines that LOG_LEVEL lets through."""
        tells_all = access.isEnabledFor(logging.INFO)
        tells_slow = access.isEnabledFor(logging.WARNING)
        lines = []
        for exchange in exchanges:
            is_slow = exchange.seconds >= self.slow
            if tells_all or (is_slow and tells_slow):
                lines.append(self.make(exchange, is_slow))
        # Nobody may be reading the log, which is no reason to fail.
        with suppress(OSError):
            os.write(OUTPUT, "".join(lines).encode())


def json_line(exchange: Exchange, is_slow: bool) -> str:
    """Return the line of an exchange. What lines have in common is made once, and remembered."""
    since = exchange.ended
    level, message = "INFO", "Answered"
    if is_slow:
        level, message = "WARNING", f"Slow: {exchange.database * 1000:.0f} ms of SQL"
    return LINE % (
        second(int(since)),
        since % 1 * 1e6,
        level,
        message,
        exchange.id,
        exchange.user_id or "null",
        subject(exchange.method, exchange.route, exchange.status),
        exchange.seconds * 1e3,
        exchange.database * 1e3,
        exchange.queries,
        exchange.waited * 1e3,
        "" if exchange.streamed is None else STREAMED % (exchange.streamed * 1e3),
    )


@lru_cache(maxsize=4)
def second(since: int) -> str:
    """Return a time, to the second."""
    return f"{datetime.fromtimestamp(since, UTC):%Y-%m-%dT%H:%M:%S}"


@lru_cache(maxsize=1024)
def subject(method: str, route: str | None, status: int) -> str:
    """Return what was asked and answered, as members of a JSON object."""
    return orjson.dumps({"method": method, "route": route, "status": status})[1:-1].decode()


def readable_line(exchange: Exchange, is_slow: bool) -> str:
    """Return the line of an exchange for people."""
    time = datetime.fromtimestamp(exchange.ended, UTC).astimezone()
    return (
        f"{time:%H:%M:%S} {'WARNING' if is_slow else 'INFO':7} "
        f"{exchange.method} {exchange.route} {exchange.status} in {exchange.seconds * 1e3:.0f} ms "
        f"({exchange.queries} queries, {exchange.database * 1e3:.0f} ms), "
        f"user {exchange.user_id}, {exchange.id}\n"
    )


def configuration(level: str, *, is_readable: bool) -> dict[str, Any]:
    """Return the configuration of logging, for Django and gunicorn alike."""
    formatter = "ReadableFormatter" if is_readable else "Formatter"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"short": {"()": "socialapi.logs.Shortener"}},
        "formatters": {"line": {"()": f"socialapi.logs.{formatter}"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            "django": {"handlers": [], "propagate": True},
            # What clients do wrong is not news, unless it is the configuration that is wrong.
            "django.request": {"level": "ERROR", "filters": ["short"]},
            "django.security": {"level": "CRITICAL"},
            "django.security.csrf": {"level": "WARNING", "filters": ["short"]},
            "django.security.DisallowedHost": {"level": "WARNING", "filters": ["short"]},
            "gunicorn.error": {"handlers": [], "propagate": True},
        },
    }
