"""Published posts and their votes as they change: server-sent events.

One hub in each process reads the log of changes once a second, while anyone listens, and hands
what it makes of it to all streams. A stream is a coroutine with a queue: it holds no thread and
no connection. https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from itertools import batched
from typing import Any

from django.db import Error as DatabaseError
from django.http import StreamingHttpResponse
from rest_framework.exceptions import ParseError

from accounts.credentials import Credential, still_good
from accounts.limits import throttled
from accounts.models import User
from socialapi.exceptions import InvalidToken, ServiceUnavailable
from socialapi.exchange import current_exchange
from socialapi.handler import in_thread, with_connection
from socialapi.rendering import JSONRenderer, to_json

from .models import LEASE, PAGE, Change, Entry, ExpiredError, Listener, Position, Post
from .serializers import PublishedPostSerializer

log = logging.getLogger(__name__)

MEDIA_TYPE = "text/event-stream"
# Seconds. The first is also the least time between two events of one post.
TICK = 1.0
KEEP_ALIVE = 15.0
RENEW = 10.0
SWEEP = 60.0
# A reader takes so many bytes within so many seconds, or is cut off, and may resume. For one who
# is not that slow no more waits than so much, which all streams share; the rest its stream reads.
PIECE = 64 * 1024
PATIENCE = 30.0
BACKLOG = 4 * 1024 * 1024
# What is made at a time: bytes, but for the last event; and posts, of which each may be large.
PART = 512 * 1024
SLICE = 25
# Open streams of one process.
MOST = 1000
# Milliseconds after which a browser connects again.
RETRY = 1000

POSITION = re.compile(r"([0-9]{1,19})-([0-9]{1,19})")
LARGEST = 2**63 - 1
TOO_MANY = "You have as many streams open as there may be."


class EventStreamRenderer(JSONRenderer):
    """Lets clients ask for events; errors, which alone it renders, are JSON here too."""

    media_type = MEDIA_TYPE
    format = "events"


def parse_position(text: str) -> Position:
    """Read an event's id; raises ParseError for what is none."""
    match = POSITION.fullmatch(text)
    position = Position(*map(int, match.groups())) if match else None
    if position is None or max(position) > LARGEST:
        raise ParseError("Last-Event-ID is not the id of an event.")
    return position


def event(name: str, position: Position, data: Any) -> bytes:
    """Return an event in the form in which it is sent."""
    return f"event: {name}\nid: {position}\ndata: ".encode() + to_json(data) + b"\n\n"


def comment(text: str, position: Position) -> bytes:
    """Return what clients skip, but for the position, which moves their Last-Event-ID."""
    return f": {text}\nid: {position}\n\n".encode()


def describe(entries: list[Entry]) -> Iterator[tuple[Position, bytes]]:
    """Make events of entries, as the posts are now.

    One query, and another one for each SLICE that is taken, if there are posts to be shown in it.
    """
    published = Post.objects.published()
    voted = [position.post for position, kind in entries if kind == Change.Kind.VOTES]
    counts = dict(published.filter(pk__in=voted).values_list("pk", "vote_count"))
    for some in batched(entries, SLICE):
        shown = [position.post for position, kind in some if kind != Change.Kind.VOTES]
        rows = published.filter(pk__in=shown).select_related("owner")
        posts = {row["id"]: row for row in PublishedPostSerializer(rows, many=True).data}
        for position, kind in some:
            pk = position.post
            if pk in counts:
                yield position, event("votes", position, {"id": pk, "votes": counts[pk]})
            elif pk in posts:
                name = "created" if kind == Change.Kind.PRESENCE else "updated"
                yield position, event(name, position, posts[pk])
            elif kind == Change.Kind.PRESENCE:
                yield position, event("deleted", position, {"id": pk})


def read(start: Position, after: Position, end: Position) -> tuple[bytes, Position, bool]:
    """Return a part of a batch, how far the part goes, and whether it is the last one.

    A batch tells what happened after `start` up to `end`, or the first of it, and of each post
    once. The next part comes `after` the one before. At most two queries, and those of its slices.
    One `reset` event, if the log does not reach back so far.
    """
    try:
        entries, position = Change.objects.between(start, end, after)
    except ExpiredError:
        return event("reset", end, {}), end, True
    is_last = len(entries) < PAGE
    if not is_last:
        position = entries[-1].position
    part = bytearray()
    for place, text in describe(entries):
        part += text
        if len(part) >= PART:
            position, is_last = place, False
            break
    if part:
        part += comment("so far", position)
    return bytes(part), position, is_last


class Stream:
    """What one listener is sent, from the loop."""

    def __init__(
        self, listener: Listener, credential: Credential, position: Position, greeting: bytes
    ) -> None:
        self.listener = listener
        self.credential = credential
        self.position = position
        self.greeting = greeting
        # Whether what the hub reads next is what this stream needs next.
        self.is_live = False
        self.waiting: deque[bytes] = deque()
        self.size = 0
        self.filled = asyncio.Event()
        self.task: asyncio.Task[Any] | None = None
        self.sending_since: float | None = None
        self.is_ended = False

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Tell it all, until something ends the stream."""
        self.task = asyncio.current_task()
        with hub.listened_by(self):
            try:
                async for part in self.parts():
                    for place in range(0, len(part), PIECE):
                        self.sending_since = time.monotonic()
                        yield part[place : place + PIECE]
                        self.sending_since = None
            except asyncio.CancelledError:
                if not self.is_ended:
                    raise

    async def parts(self) -> AsyncGenerator[bytes]:
        """Tell what was missed, from the stream's own position; then what the hub hands over."""
        yield self.greeting
        while True:
            while not hub.is_at(self.position):
                await hub.next_tick()
                while self.waiting:
                    yield self.take()
                end = hub.position or self.position
                start, is_over = self.position, self.position >= end
                while not is_over:
                    try:
                        async with hub.turnstile:
                            part, self.position, is_over = await in_thread(
                                read, start, self.position, end
                            )
                    except DatabaseError:
                        break  # The hub says so; the next tick may find it well.
                    yield part
            self.is_live = True
            while self.is_live or self.waiting:
                await self.filled.wait()
                yield self.take()

    def put(self, part: bytes, position: Position) -> None:
        """Send something next, which goes up to a position.

        If too much waits already, the stream goes on by itself once it has sent that.
        """
        if self.waiting and self.size + len(part) > BACKLOG:
            self.is_live = False
            return
        self.waiting.append(part)
        self.size += len(part)
        self.position = position
        self.filled.set()

    def take(self) -> bytes:
        """Return what is to be sent next."""
        part = self.waiting.popleft()
        self.size -= len(part)
        if not self.waiting:
            self.filled.clear()
        return part

    def is_stuck(self) -> bool:
        """Whether the client does not read."""
        since = self.sending_since
        return since is not None and since < time.monotonic() - PATIENCE

    def end(self) -> None:
        """End the stream as it should; if its client is not reading just now, cut it off."""
        self.is_ended = True
        self.cancel()

    def cancel(self) -> None:
        """Stop sending. What is cancelled while it sends is cut off by the handler."""
        if self.task:
            self.task.cancel()


class Hub:
    """Reads for all the streams of a process, while there are some."""

    def __init__(self) -> None:
        self.streams: set[Stream] = set()
        # How far it has read; None before it has.
        self.position: Position | None = None
        self.turn = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self.renewed = 0.0
        self.is_cut_off = False
        # Held while it tells a batch.
        self.telling = asyncio.Lock()
        # However many streams catch up, all threads but one are for others.
        self.turnstile = asyncio.Semaphore(1)

    @contextmanager
    def listened_by(self, stream: Stream) -> Iterator[None]:
        """Serve a stream during the block, and end it when its token ends."""
        self.streams.add(stream)
        if self.task is None:
            self.task = asyncio.create_task(self.run())
        expires_at = stream.credential.expires_at
        timer = expires_at and asyncio.get_running_loop().call_later(
            expires_at - time.time(), stream.end
        )
        try:
            yield
        finally:
            if timer:
                timer.cancel()
            self.streams.remove(stream)
            if not self.streams:
                self.stop()

    def stop(self) -> None:
        """Read no more, until someone listens again."""
        if self.task:
            self.task.cancel()
        self.task = self.position = None

    async def run(self) -> None:
        """Work until stopped."""
        # For all streams, and not for the one that happened to be the first.
        current_exchange.set(None)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.tick_on())
                group.create_task(self.keep_alive())
        except* Exception:
            # A fault of ours. The clients come back, and find a new start.
            log.exception("The streams stopped.")
            self.task = None
            for stream in list(self.streams):
                stream.end()

    async def keep_alive(self) -> None:
        """Send comments, by which proxies and clients see that a quiet stream is not dead.

        Whoever does not take them is cut off.
        """
        while True:
            await asyncio.sleep(KEEP_ALIVE)
            for stream in list(self.streams):
                if stream.is_stuck():
                    stream.cancel()
                elif stream.is_live and self.position:
                    stream.put(comment("still here", self.position), self.position)
                else:
                    stream.put(b": still here\n\n", stream.position)

    async def tick_on(self) -> None:
        """Tick; while the database is away, try again."""
        while True:
            try:
                await self.tick()
                self.is_cut_off = False
            except DatabaseError as error:
                if not self.is_cut_off:
                    log.error("The streams wait for the database: %s", error)
                self.is_cut_off = True
            turn, self.turn = self.turn, asyncio.Event()
            turn.set()
            await asyncio.sleep(TICK)

    async def next_tick(self) -> None:
        """Wait for the end of a tick."""
        await self.turn.wait()

    def is_at(self, position: Position) -> bool:
        """Whether it tells next what comes after a position.

        Not so within a batch, which leaves out what it has told of before.
        """
        return position == self.position and not self.telling.locked()

    async def tick(self) -> None:
        """End the streams that nobody may listen to any more; tell the others one batch."""
        must_renew = time.monotonic() > self.renewed + RENEW
        over, horizon = await in_thread(look_around, list(self.streams), must_renew)
        if must_renew:
            self.renewed = time.monotonic()
        for stream in over:
            stream.end()
        start = position = self.position = self.position or horizon
        is_over = start >= horizon
        async with self.telling:
            while not is_over:
                part, position, is_over = await in_thread(read, start, position, horizon)
                self.position = position
                if part:
                    self.hand_over(part, position)

    def hand_over(self, part: bytes, position: Position) -> None:
        """Put a part into the queue of each stream that has all that came before it."""
        for stream in list(self.streams):
            if stream.is_live:
                stream.put(part, position)


def look_around(streams: list[Stream], must_renew: bool) -> tuple[list[Stream], Position]:
    """Return the streams that are to end, and the log's horizon.

    Two queries to five, however many the streams.
    """
    good = still_good(stream.credential for stream in streams)
    over = [stream for stream in streams if stream.credential not in good]
    if must_renew:
        counted = Listener.objects.renew(stream.listener.pk for stream in streams)
        over += [stream for stream in streams if stream.listener.pk not in counted]
    return over, Change.objects.bounds().horizon


hub = Hub()


class EventStream(StreamingHttpResponse):
    """A stream as a response. The handler closes it in a thread, whatever ended it."""

    def __init__(self, stream: Stream) -> None:
        self.listener = stream.listener
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        content_type = f"{MEDIA_TYPE}; charset=utf-8"
        self.pieces = stream.pieces()
        super().__init__(self.pieces, content_type=content_type, headers=headers)

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        """Send it; whoever stops sending ends it at once, and not when memory is tidied up."""
        async with aclosing(self.pieces):
            async for piece in self.pieces:
                yield piece

    def close(self) -> None:
        """Let the user open another one; without a database, in half a minute."""
        try:
            with_connection(self.listener.delete)
        except DatabaseError:
            log.warning("A stream that was closed counts until its lease ends.")
        super().close()


def open_stream(user: User, credential: Credential, last_id: str) -> EventStream:
    """Begin a stream, after the event with this id or, if that is empty, now. Seven queries.

    Raises ParseError for what is no id, Throttled if the user has as many streams as may be, and
    ServiceUnavailable if the process has.
    """
    position = parse_position(last_id) if last_id else None
    if len(hub.streams) >= MOST:
        raise ServiceUnavailable
    bounds = Change.objects.bounds()
    try:
        listener = Listener.objects.join(user)
    except User.DoesNotExist:
        raise InvalidToken from None
    if listener is None:
        raise throttled("streams", LEASE.total_seconds(), TOO_MANY)
    # Another server's database, or one restored from a backup, may number its transactions anew.
    is_known = position is None or (bounds.start.xid <= position.xid and position <= bounds.end)
    begin = position if position and is_known else bounds.horizon
    greeting = f"retry: {RETRY}\n".encode() + comment("connected", begin)
    if not is_known:
        greeting += event("reset", begin, {})
    return EventStream(Stream(listener, credential, begin, greeting))


async def keep_house() -> None:
    """Remove what the log need not keep, every minute, for as long as the process lives."""
    while True:
        await asyncio.sleep(SWEEP)
        try:
            while not await in_thread(Change.objects.sweep):
                pass
        except DatabaseError as error:
            log.warning("The log of changes was not swept: %s", error)
