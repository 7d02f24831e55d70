"""Clients that are merely there: idle connections, and open streams whose events are counted.

They are a process of their own, `python -m bench.crowd`, which is told by JSON what to open, and
says by JSON when all is open; at the end of its input it closes all, and says what has come.
"""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from script import child

from .systems import HOST, ROOT, BenchError

# Connections that are being opened at a time.
OPENING = 32
# Seconds that the process has to end.
PATIENCE = 5
MARK = b"event: "
PIECE = 1024 * 1024


@dataclass(frozen=True)
class Crowd:
    """How many connections are open, and how many events their streams brought."""

    idle: int
    streams: int
    events: int


def measure_amid[T](
    port: int, path: str, idle: Sequence[str], streams: Sequence[str], measure: Callable[[], T]
) -> tuple[T, Crowd]:
    """Measure while there is an idle connection for each token, after one request, and a stream.

    Without a stream to ask for there are none. Raises BenchError if the server closed any.
    """
    process = child.start(
        [sys.executable, "-m", "bench.crowd"],
        signal.SIGTERM,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        print(json.dumps([port, path, idle, streams]), file=process.stdin, flush=True)
        before = read_crowd(process.stdout.readline() if process.stdout else "")
        measured = measure()
        after = read_crowd(process.communicate()[0])
    finally:
        child.end(process, signal.SIGTERM, PATIENCE)
    if (after.idle, after.streams) != (len(idle), before.streams and len(streams)):
        raise BenchError(f"Connections were closed: there were {before}, then {after}.")
    return measured, after


def read_crowd(text: str) -> Crowd:
    """Read what the process says."""
    if not text:
        raise BenchError("Not all of the connections could be opened: see above.")
    return Crowd(**json.loads(text))


class Connections:
    """All that are open."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.gate = asyncio.Semaphore(OPENING)
        self.idle: list[asyncio.StreamReader] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.events = 0

    async def ask(
        self, path: str, token: str, accept: str
    ) -> tuple[asyncio.StreamReader, int, bytes]:
        """Open a connection and send a request; return the status and the headers as well."""
        reader, writer = await asyncio.open_connection(HOST, self.port)
        self.writers.append(writer)
        lines = (
            f"GET {path} HTTP/1.1",
            f"Host: {HOST}",
            f"Accept: {accept}",
            f"Authorization: Bearer {token}",
        )
        writer.write("".join(f"{line}\r\n" for line in (*lines, "")).encode())
        head = await reader.readuntil(b"\r\n\r\n")
        return reader, int(head.split()[1]), head.lower()

    async def rest(self, path: str, token: str) -> None:
        """Open a connection, ask once, and leave it idle."""
        async with self.gate:
            reader, status, head = await self.ask(path, token, "application/json")
            if status != 200:
                raise BenchError(f"GET {path} was answered {status}.")
            _, _, length = head.partition(b"content-length:")
            await reader.readexactly(int(length.split()[0]))
            self.idle.append(reader)

    async def listen(self, token: str) -> None:
        """Open a stream, if there are streams, and count its events from then on."""
        async with self.gate:
            reader, status, _ = await self.ask("/posts/stream", token, "text/event-stream")
        if status == 200:
            self.tasks.append(asyncio.create_task(self.count(reader)))
        elif status != 404:
            raise BenchError(f"GET /posts/stream was answered {status}.")

    async def count(self, reader: asyncio.StreamReader) -> None:
        """Read a stream to its end."""
        rest = b""
        while piece := await reader.read(PIECE):
            text = rest + piece
            self.events += text.count(MARK)
            rest = text[1 - len(MARK) :]

    def crowd(self) -> Crowd:
        """Return what is open now, and has come."""
        idle = sum(not reader.at_eof() for reader in self.idle)
        streams = sum(not task.done() for task in self.tasks)
        return Crowd(idle, streams, self.events)


async def main() -> None:
    """Open what is asked for, and close it at the end of the input."""
    port, path, idle, streams = json.loads(sys.stdin.readline())
    connections = Connections(port)
    async with asyncio.TaskGroup() as opening:
        for token in streams:
            opening.create_task(connections.listen(token))
        for token in idle:
            opening.create_task(connections.rest(path, token))
    print(json.dumps(asdict(connections.crowd())), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    print(json.dumps(asdict(connections.crowd())), flush=True)
    for task in connections.tasks:
        task.cancel()
    for writer in connections.writers:
        writer.close()


if __name__ == "__main__":
    asyncio.run(main())
