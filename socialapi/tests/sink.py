"""Somebody who takes what the service reports to others."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Sink(ThreadingHTTPServer):
    """Takes every POST, and keeps what came, as pairs of path and body."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taker)
        self.received: list[tuple[str, bytes]] = []

    def bodies(self, path: str) -> list[bytes]:
        """Return what came to a path."""
        return [body for place, body in self.received if place == path]


class Taker(BaseHTTPRequestHandler):
    """Answers 200."""

    server: Sink

    def do_POST(self) -> None:
        """Take it."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        match self.headers["Content-Encoding"]:
            case "gzip":
                body = gzip.decompress(body)
            case "deflate":
                body = zlib.decompress(body)
        self.server.received.append((self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def sink() -> Iterator[Sink]:
    """Run one until the block ends."""
    with Sink() as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
