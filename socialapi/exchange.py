"""A request and its answer, as they are watched: who asked for what, and what it took."""

import re
from asyncio import CancelledError
from collections.abc import Mapping
from contextvars import ContextVar
from functools import cache
from http import HTTPStatus
from random import getrandbits
from time import perf_counter, time
from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

# What a proxy may have named a request. Any other name would be a way to write into the log.
GIVEN_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
# A part of a route that takes a value, in Django's two ways to write one.
VARIABLE = re.compile(r"\(\?P<(\w+)>[^()]*\)|<(?:\w+:)?(\w+)>")
# nginx's word for a client that did not wait for the answer.
CLIENT_LEFT = 499


class Exchange:
    """One request, from when all of it has arrived until its answer is ready.

    Times are in seconds. A stream is ready when it begins; `streamed` is how long it went on.
    """

    __slots__ = (
        "database",
        "ended",
        "headers",
        "id",
        "method",
        "queries",
        "request",
        "route",
        "seconds",
        "started",
        "status",
        "streamed",
        "user_id",
        "waited",
    )

    def __init__(self, method: str, headers: Mapping[bytes, bytes]) -> None:
        given = headers.get(b"x-request-id")
        is_good = given and GIVEN_ID.fullmatch(given)
        self.id = given.decode() if given and is_good else f"{getrandbits(128):032x}"
        self.method = method
        self.headers = headers
        self.request: HttpRequest | None = None
        # The address as a template; None if it is none of ours.
        self.route: str | None = None
        # Who asked, if that is known.
        self.user_id: int | None = None
        self.status = self.queries = 0
        self.database = self.waited = self.seconds = 0.0
        self.streamed: float | None = None
        # Since 1970: when the answer was ready, or the stream at its end.
        self.ended = 0.0
        self.started = perf_counter()

    def learn(self) -> None:
        """Take from the request what is known by now."""
        if self.request is not None:
            match = self.request.resolver_match
            self.route = template(match.route) if match else None
            self.user_id = user_id(self.request)

    def end(self) -> None:
        """Note that it is over. The request, which may be large, need not be kept any longer."""
        self.learn()
        self.request = None

    def begin(self) -> None:
        """Note that a thread has taken it."""
        self.waited = perf_counter() - self.started

    def answer(self, status: int) -> None:
        """Note that the answer is ready."""
        self.status = status
        self.seconds = perf_counter() - self.started
        self.ended = time()

    def fail(self, error: BaseException) -> None:
        """Note that there will be no answer, if there was none."""
        if not self.status:
            is_gone = isinstance(error, CancelledError)
            self.answer(CLIENT_LEFT if is_gone else HTTPStatus.INTERNAL_SERVER_ERROR)

    def end_stream(self) -> None:
        """Note that the answer was a stream, which has ended."""
        self.streamed = perf_counter() - self.started - self.seconds
        self.ended = time()

    def count_query(self, started: float) -> None:
        """Note a statement that has just ended."""
        self.queries += 1
        self.database += perf_counter() - started


current_exchange: ContextVar[Exchange | None] = ContextVar("current_exchange", default=None)


def time_query(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
    """Count a statement of Django's cursors for the current exchange (an `execute_wrapper`)."""
    started = perf_counter()
    try:
        return execute(sql, params, many, context)
    finally:
        if exchange := current_exchange.get():
            exchange.count_query(started)


def user_id(request: HttpRequest) -> int | None:
    """Return the id of who makes a request, without a query."""
    known = vars(request)
    if "user" not in known:
        # The middleware has not run, so it was the fast path that found out.
        caller_id: int | None = known.get("caller_id")
        return caller_id
    user = known["user"]
    if type(user) is SimpleLazyObject:
        # Of a browser whose session nobody has looked at, it is not worth a query.
        user = known.get("_cached_user")
    return getattr(user, "pk", None)


@cache
def template(route: str) -> str:
    """Return a route as OpenAPI writes it: `/posts/{pk}`."""
    path = VARIABLE.sub(lambda found: f"{{{found[1] or found[2]}}}", route)
    return "/" + re.sub(r"[\^$?\\]", "", path).strip("/")
