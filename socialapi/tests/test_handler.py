"""The handler alone, for what no client can bring about through gunicorn in a short time."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from socialapi.handler import Handler, Message

SCOPE: dict[str, Any] = {
    "type": "http",
    "method": "GET",
    "path": "/",
    "query_string": b"",
    "headers": [(b"host", b"testserver")],
    "client": ("127.0.0.1", 1),
    "server": ("testserver", 80),
}
EMPTY = {"type": "http.request", "body": b"", "more_body": False}
# What gunicorn also says of a client that is silent for as long as its `timeout`.
GONE = {"type": "http.disconnect"}
TOO_LONG = (b"content-length", b"2000000")


@pytest.fixture
def handler() -> Iterator[Handler]:
    """One with a thread of its own."""
    handler = Handler(threads=1, queue=1)
    yield handler
    handler.pool.shutdown()


def exchange(handler: Handler, *messages: Message, **scope: Any) -> list[Message]:
    """Return what the handler sends for a request."""
    sent: list[Message] = []
    waiting = iter(messages)

    async def receive() -> Message:
        for message in waiting:
            return message
        return await asyncio.Future[Message]()

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(handler(SCOPE | scope, receive, send))
    return sent


def ask(handler: Handler, *messages: Message, **scope: Any) -> tuple[int, dict[str, Any]]:
    """Return the status and the content of the answer to a request."""
    start, *parts = exchange(handler, *messages, **scope)
    return start["status"], json.loads(b"".join(part["body"] for part in parts))


def test_a_query_that_is_not_utf_8_is_malformed(handler: Handler) -> None:
    status, problem = ask(handler, EMPTY, query_string=b"search=\xff")
    assert status == problem["status"] == 400
    assert "UTF-8" in problem["detail"]


def test_a_query_that_is_not_utf_8_does_not_hide_a_refusal(handler: Handler) -> None:
    headers = [*SCOPE["headers"], TOO_LONG]
    status, problem = ask(handler, GONE, query_string=b"\xff", headers=headers)
    assert status == problem["status"] == 413


def test_who_sends_too_much_is_not_listened_to_for_ever(
    handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socialapi.handler.LINGER_SECONDS", 0)
    status, _ = ask(handler, headers=[*SCOPE["headers"], TOO_LONG])
    assert status == 413


def test_a_body_that_stops_coming_is_malformed(handler: Handler) -> None:
    begun = {"type": "http.request", "body": b"{", "more_body": True}
    status, problem = ask(handler, begun, GONE, GONE, method="POST", path="/users")
    assert status == problem["status"] == 400


def test_answers_announce_the_end_of_their_connections_once_leave_is_taken(
    handler: Handler,
) -> None:
    goodbye = (b"Connection", b"close")
    assert goodbye not in exchange(handler, EMPTY)[0]["headers"]
    handler.take_leave()
    assert goodbye in exchange(handler, EMPTY)[0]["headers"]
