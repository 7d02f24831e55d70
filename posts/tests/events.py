"""A client of the stream that does what a browser's EventSource does."""

import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from accounts.models import User
from socialapi.tests.live import Server
from socialapi.tests.wire import PATIENCE_SECONDS, Answer, Wire

PATH = "/posts/stream"


class Event(NamedTuple):
    """One that was told."""

    name: str
    id: str
    data: Any


class Source:
    """An open stream; `last_id` is where another one can go on."""

    def __init__(self, wire: Wire, last_id: str = "", **headers: str) -> None:
        self.wire = wire
        self.last_id = last_id
        self.comments: list[str] = []
        self.is_over = False
        self.blocks: list[str] = []
        self.rest = ""
        if last_id:
            headers["Last_Event_ID"] = last_id
        wire.send("GET", PATH, **headers)
        self.answer = wire.receive_head()

    def read(self) -> list[Event]:
        """Return the events of the next part, maybe none; remember that it was the last one."""
        assert not self.is_over
        chunk = self.wire.read_chunk()
        self.is_over = not chunk
        *blocks, self.rest = (self.rest + chunk.decode()).split("\n\n")
        return [event for block in blocks for event in self.parse(block)]

    def parse(self, block: str) -> list[Event]:
        """Take in what stands between two empty lines; an event, if it has data."""
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        self.last_id = fields.get("id", self.last_id)
        if "" in fields:
            self.comments.append(fields[""])
        if "data" not in fields:
            return []
        return [Event(fields["event"], fields["id"], json.loads(fields["data"]))]

    def take(self, count: int) -> list[Event]:
        """Return at least so many events, as soon as there are."""
        return self.read_until(lambda events: len(events) >= count)

    def wait_for_end(self) -> list[Event]:
        """Return what is still told before the stream ends as it should."""
        return self.read_until(lambda _: self.is_over)

    def read_until(self, is_enough: Callable[[list[Event]], bool]) -> list[Event]:
        """Return the next events, until there are enough."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        events: list[Event] = []
        while not is_enough(events):
            assert time.monotonic() < deadline, events
            events += self.read()
        return events

    def close(self) -> None:
        """Leave."""
        self.wire.close()


def listen(server: Server, user: User, last_id: str = "") -> Source:
    """Open a stream of a user's, who has logged in for it."""
    return Source(Wire(server.port, user), last_id)


def refusal(source: Source) -> Answer:
    """Return the answer to a request for a stream that was refused."""
    return source.answer._replace(body=source.wire.read_body(source.answer.headers))
