"""The request path: waiting on the event loop, work in one hop to a thread.

Django's own handler starts a thread for each request, and hops to it for every synchronous
middleware, signal and close; it can keep no database connection (Django ticket 33497). Here the
whole synchronous chain runs in one hop on a fixed pool of threads, each with its own lasting
connection, and everything that only waits (bodies, slow readers, streams) stays on the loop.
"""

import asyncio
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from http import HTTPMethod
from io import BytesIO
from time import perf_counter
from typing import Any

from django.conf import settings
from django.core import signals
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.db import DEFAULT_DB_ALIAS, close_old_connections, connections
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, set_script_prefix
from rest_framework.exceptions import APIException, ParseError

from .database import drop_lost_connection
from .exceptions import PayloadTooLarge, ServiceUnavailable
from .exchange import Exchange, current_exchange, time_query
from .fast import Answer, FastPath, encode_headers, find_view
from .pool import Pool

type Scope = dict[str, Any]
type Message = Mapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]

# How long a client that sends too much is listened to, so that it reads the answer.
LINGER_SECONDS = 30
# RFC 9110, section 9.2.1: these change nothing, so they may be tried again.
SAFE_METHODS = {HTTPMethod.GET, HTTPMethod.HEAD, HTTPMethod.OPTIONS}
# A read is tried so often, and not again after so long, while its connections break.
ATTEMPTS = 5
RETRY_SECONDS = 5
# How long those wait; a worker that is killed takes them along.
SHOW_SECONDS = 0.05
# Answered on the loop itself, so that a stuck database does not look like a dead process.
LIVE_PATH = "/health/live"
# Answered by a thread of its own, which asks no database, so that a full queue can be seen.
METRICS_PATH = "/metrics"

# What runs on the loop beside the requests, from the process's start to its end. Apps add theirs.
background: list[Callable[[], Coroutine[Any, Any, None]]] = []
# What looks at the exchanges that are over, on the loop, soon afterwards.
observers: list[Callable[[list[Exchange]], None]] = []
# The handler of the request, or of the background, that is being run.
current: ContextVar["Handler"] = ContextVar("current")


async def in_thread[**P, R](function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function that asks the database, from what runs on the loop: one hop to the pool."""
    call = partial(function, *args, **kwargs)
    return await current.get().pool.run(lambda: with_connection(call))  # type: ignore[no-any-return]


def with_connection[R](function: Callable[[], R]) -> R:
    """Call a function with a database connection that is not known to be broken."""
    close_old_connections()
    drop_lost_connection()
    return function()


class Handler(FastPath, ASGIHandler):
    """Runs each request's synchronous chain in one hop to a pool of `threads`.

    At most `queue` requests wait for a thread; one more is answered 503 at once. A client that
    leaves while its request waits takes it along, since the server then cancels this coroutine.
    """

    def __init__(self, *, threads: int, queue: int) -> None:
        FastPath.__init__(self)
        self.load_middleware(is_async=False)
        self.pool = Pool(threads, "request")
        self.scrapes = Pool(1, "scrape")
        self.capacity = threads + queue
        self.streams: set[asyncio.Task[None]] = set()
        self.closing: set[asyncio.Task[None]] = set()
        self.is_leaving = False
        self.over: list[Exchange] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or the server's start and stop."""
        current.set(self)
        match scope["type"]:
            case "http":
                await self.handle(scope, receive, send)
            case "lifespan":
                await self.live(receive, send)
            case _:
                # A WebSocket; there are none.
                await send({"type": "websocket.close"})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read a request, run it, send its response, and show the observers what came of it."""
        exchange = Exchange(scope["method"], dict(scope["headers"]))
        current_exchange.set(exchange)
        try:
            try:
                body = await read_body(exchange.headers, receive)
            except APIException as error:
                refusal = self.refuse(scope, error)
                # What the client still sends is not the next request.
                await send_answer(refusal, exchange, send, closes=True)
                await drain(receive)
                return
            exchange.started = perf_counter()
            path = scope["path"].rstrip("/")
            pool = self.scrapes if path == METRICS_PATH else self.pool
            if path == LIVE_PATH:
                response = self.respond(scope, body)
            elif pool.pending >= self.capacity:
                response = self.refuse(scope, ServiceUnavailable())
            else:
                response = await pool.run(partial(self.respond, scope, body))
            if isinstance(response, Answer):
                await send_answer(response, exchange, send, closes=self.is_leaving)
            else:
                await self.send_stream(response, exchange, receive, send)
        except BaseException as error:
            exchange.fail(error)
            raise
        finally:
            self.show(exchange)

    def show(self, exchange: Exchange) -> None:
        """Let the observers see an exchange, together with others: many at once cost less."""
        if not self.over:
            asyncio.get_running_loop().call_later(SHOW_SECONDS, self.show_all)
        self.over.append(exchange)

    def show_all(self) -> None:
        """Let the observers see the exchanges that are over."""
        over, self.over = self.over, []
        for exchange in over:
            exchange.end()
        for observe in observers:
            observe(over)

    async def send_stream(
        self,
        response: StreamingHttpResponse,
        exchange: Exchange,
        receive: Receive,
        send: Send,
    ) -> None:
        """Send a stream, and close it in a thread, after its last part or its client.

        A stream may be ended by cancelling the task that runs it: its connection is then cut off,
        with all that the client has not read. One that begins while the process leaves is ended
        properly, as the others were.
        """
        exchange.answer(response.status_code)
        response["X-Request-ID"] = exchange.id
        if self.is_leaving:
            response["Connection"] = "close"
        stream = asyncio.create_task(self.send_response(response, send))
        self.streams.add(stream)
        if self.is_leaving:
            asyncio.get_running_loop().call_soon(stream.cancel)
        try:
            await stream
        except asyncio.CancelledError:
            if not self.is_leaving:
                cut_off(receive)
                raise
            await send({"type": "http.response.body"})
        finally:
            exchange.end_stream()
            self.streams.remove(stream)
            # A client that leaves only now cancels this coroutine, which must not keep the
            # response from being closed.
            closing = asyncio.create_task(self.pool.run(response.close))
            self.closing.add(closing)
            closing.add_done_callback(self.closing.discard)
            await asyncio.shield(closing)

    def take_leave(self) -> None:
        """End the streams, and announce with every other response that its connection ends."""
        self.is_leaving = True
        for stream in self.streams:
            stream.cancel()

    def respond(self, scope: Scope, body: bytes) -> Answer | StreamingHttpResponse:
        """Answer a request, in the calling thread; a read whose connection broke is repeated."""
        if exchange := current_exchange.get():
            exchange.begin()
        deadline = time.monotonic() + RETRY_SECONDS
        response = self.attempt(scope, body)
        for _ in range(ATTEMPTS - 1):
            is_lost = isinstance(response, Answer) and response.is_lost
            if not is_lost or scope["method"] not in SAFE_METHODS or time.monotonic() > deadline:
                break
            response = self.attempt(scope, body)
        return response

    def attempt(self, scope: Scope, body: bytes) -> Answer | StreamingHttpResponse:
        """Take the fast path, or else run the middleware and the view."""
        drop_lost_connection()
        try:
            request = ASGIRequest(scope, BytesIO(body))
        except UnicodeDecodeError:
            return self.refuse(scope, ParseError("The query string is not UTF-8."))
        note(request)
        if answer := self.answer(request):
            return answer
        set_script_prefix("/")
        signals.request_started.send(sender=self.__class__, scope=scope)
        # A body that came in chunks has no length of its own, and DRF would not read it.
        request.META["CONTENT_LENGTH"] = str(len(body))
        with connections[DEFAULT_DB_ALIAS].execute_wrapper(time_query):
            return settle(request, self.get_response(request))

    def refuse(self, scope: Scope, error: APIException) -> Answer:
        """Answer with an error without running a view, through the middleware all the same.

        The middleware adds what the client needs to read it (CORS) and asks no database.
        """
        request = ASGIRequest(scope | {"query_string": b""}, BytesIO())
        request.refusal = error  # type: ignore[attr-defined]
        with suppress(Resolver404):
            request.resolver_match = find_view(request.path_info)
        note(request)
        return complete(request, self.get_response(request))

    async def live(self, receive: Receive, send: Send) -> None:
        """Follow the server's life: at its end, stop the background and wait for the threads."""
        await receive()
        tasks = [asyncio.create_task(run()) for run in background]
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for task in tasks:
            task.cancel()
        if self.closing:
            await asyncio.wait(self.closing)
        for pool in (self.pool, self.scrapes):
            await asyncio.to_thread(pool.shutdown)
        self.show_all()
        await send({"type": "lifespan.shutdown.complete"})


def note(request: HttpRequest) -> None:
    """Let the exchange know its request."""
    if exchange := current_exchange.get():
        exchange.request = request


def settle(request: HttpRequest, response: HttpResponseBase) -> Answer | StreamingHttpResponse:
    """Read a response to its end, and close it; a stream for the loop is left as it is."""
    is_head = request.method == HTTPMethod.HEAD
    if isinstance(response, StreamingHttpResponse) and response.is_async and not is_head:
        return response
    return complete(request, response)


def complete(request: HttpRequest, response: HttpResponseBase) -> Answer:
    """Read a response to its end, and close it."""
    headers = encode_headers(response)
    headers += [(b"Set-Cookie", c.OutputString().encode()) for c in response.cookies.values()]
    is_head = request.method == HTTPMethod.HEAD
    body = b"" if is_head else b"".join(response)
    response.close()
    is_lost = getattr(response, "database_lost", False)
    return Answer(response.status_code, headers, body, is_lost)


async def send_answer(answer: Answer, exchange: Exchange, send: Send, *, closes: bool) -> None:
    """Send a whole response, and say in it if the connection ends."""
    exchange.answer(answer.status)
    headers = [*answer.headers, (b"X-Request-ID", exchange.id.encode())]
    if closes:
        headers.append((b"Connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def read_body(headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
    """Return a request's body.

    Raises PayloadTooLarge as soon as it is known to be larger than the settings allow, and
    ParseError if the rest does not arrive.
    """
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if int(headers.get(b"content-length", b"0")) > limit:
        raise PayloadTooLarge
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ParseError("The body is not complete.")
        body += message["body"]
        if len(body) > limit:
            raise PayloadTooLarge
        more = message["more_body"]
    return bytes(body)


def cut_off(receive: Receive) -> None:
    """Close a connection at once.

    ASGI has no word for this, and gunicorn by itself would first wait, for as long as the client
    likes, until it has read what was sent to it.
    """
    protocol = getattr(getattr(receive, "__self__", None), "protocol", None)
    if protocol is None or protocol.transport.is_closing():
        return
    # Nor shall the system keep what it has not yet delivered.
    connection: socket.socket = protocol.transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    protocol.transport.abort()


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
