"""The request path: waiting on the event loop, work in one hop to a thread.

Django's own handler starts a thread for each request, and hops to it for every synchronous
middleware, signal and close; it can keep no database connection (Django ticket 33497). Here the
whole synchronous chain runs in one hop on a fixed pool of threads, each with its own lasting
connection, and everything that only waits (bodies, slow readers, streams) stays on the loop.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPMethod
from io import BytesIO
from typing import Any

from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.core.handlers.base import BaseHandler
from django.db import connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix
from rest_framework.exceptions import APIException, ParseError

from .errors import problem_response
from .exceptions import PayloadTooLarge, ServiceUnavailable

type Scope = dict[str, Any]
type Message = Mapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]

BODY_LIMIT = 1024 * 1024
# How long a client that sends too much is listened to, so that it reads the answer.
LINGER_SECONDS = 2
# RFC 9110, section 9.2.1: these change nothing, so they may be tried again.
SAFE_METHODS = {HTTPMethod.GET, HTTPMethod.HEAD, HTTPMethod.OPTIONS}
# Answered on the loop itself, so that a stuck database does not look like a dead process.
LIVE_PATH = "/health/live"


class Handler(ASGIHandler):
    """Runs each request's synchronous chain in one hop to a pool of `threads`.

    At most `queue` requests wait for a thread; one more is answered 503 at once. A client that
    leaves while its request waits takes it along, since the server then cancels this coroutine.
    """

    def __init__(self, *, threads: int, queue: int) -> None:
        BaseHandler.__init__(self)
        self.load_middleware(is_async=False)
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="request")
        self.capacity = threads + queue
        self.pending = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or the server's start and stop."""
        match scope["type"]:
            case "http":
                await self.handle(scope, receive, send)
            case "lifespan":
                await self.live(receive, send)
            case "websocket":
                await send({"type": "websocket.close"})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read a request, run it, send its response; a client that leaves is forgotten."""
        try:
            body = await read_body(scope, receive)
        except RequestAborted:
            return
        if body is None:
            await self.send_response(self.refuse(scope, PayloadTooLarge()), send)
            await drain(receive)
        elif self.pending >= self.capacity:
            await self.send_response(self.refuse(scope, ServiceUnavailable()), send)
        elif scope["path"].rstrip("/") == LIVE_PATH:
            await self.send_response(self.respond(scope, body), send)
        else:
            await self.deliver(await self.hop(self.respond, scope, body), send)

    async def deliver(self, response: HttpResponseBase, send: Send) -> None:
        """Send a response; a stream is closed in a thread, after its last part or its client."""
        if not response.streaming:
            await self.send_response(response, send)
            return
        try:
            await self.send_response(response, send)
        finally:
            await self.hop(response.close)

    async def hop[**P, R](self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a function in a thread of the pool."""
        self.pending += 1
        try:
            return await asyncio.wrap_future(self.pool.submit(function, *args, **kwargs))
        finally:
            self.pending -= 1

    def respond(self, scope: Scope, body: bytes) -> HttpResponseBase:
        """Answer a request, in the calling thread.

        A read whose connection the server had dropped is tried once more, on a fresh one.
        """
        response = self.attempt(scope, body)
        if getattr(response, "database_lost", False) and scope["method"] in SAFE_METHODS:
            connection.close()
            response = self.attempt(scope, body)
        return response

    def attempt(self, scope: Scope, body: bytes) -> HttpResponseBase:
        """Run the middleware and the view; the response is closed, unless it is a stream."""
        set_script_prefix("/")
        signals.request_started.send(sender=self.__class__, scope=scope)
        try:
            request = ASGIRequest(scope, BytesIO(body))
        except UnicodeDecodeError:
            scope = scope | {"query_string": b""}
            return self.refuse(scope, ParseError("The query string is not UTF-8."))
        response = self.get_response(request)
        if isinstance(response, StreamingHttpResponse):
            if response.is_async:
                return response
            response = buffer(response)
        response.close()
        if request.method == HTTPMethod.HEAD and isinstance(response, HttpResponse):
            response.content = b""
        return response

    def refuse(self, scope: Scope, error: APIException) -> HttpResponseBase:
        """Answer with an error without running a view, through the middleware all the same.

        The middleware adds what the client needs to read it (CORS) and asks no database.
        """
        request = ASGIRequest(scope, BytesIO())
        request.refusal = error  # type: ignore[attr-defined]
        return self.get_response(request)

    def _get_response(self, request: HttpRequest) -> HttpResponseBase:
        """Django's innermost step: a refused request has no view."""
        if refusal := getattr(request, "refusal", None):
            return problem_response(request, refusal)
        return super()._get_response(request)  # type: ignore[misc, no-any-return]

    async def live(self, receive: Receive, send: Send) -> None:
        """Follow the server's life: at its end, wait for the threads."""
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await asyncio.to_thread(self.pool.shutdown)
        await send({"type": "lifespan.shutdown.complete"})


def buffer(stream: StreamingHttpResponse) -> HttpResponse:
    """Read a synchronous stream (a static file) to its end, and close it."""
    response = HttpResponse(b"".join(stream), status=stream.status_code)
    response.headers = stream.headers
    response.cookies = stream.cookies
    stream.close()
    return response


async def read_body(scope: Scope, receive: Receive) -> bytes | None:
    """Return a request's body, or None as soon as it is known to be larger than BODY_LIMIT.

    Raises RequestAborted if the client leaves first.
    """
    length = dict(scope["headers"]).get(b"content-length", b"0")
    if int(length) > BODY_LIMIT:
        return None
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestAborted
        body += message["body"]
        if len(body) > BODY_LIMIT:
            return None
        more = message["more_body"]
    return body


async def drain(receive: Receive) -> None:
    """Let a client finish sending what nobody reads, for a while.

    Closing a socket with unread data resets it, and the client would lose the answer
    (RFC 9112, section 9.6).
    """
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while (await receive()).get("more_body"):
                pass
    except TimeoutError:
        pass
