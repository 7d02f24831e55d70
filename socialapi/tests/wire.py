"""Connections to a server, byte by byte: what an HTTP library would hide is what is tested."""

import json
import socket
from http.client import parse_headers
from typing import Any, NamedTuple

from accounts import tokens
from accounts.models import User

# Never reached unless something is broken, however slow the machine. Less than the server gives
# a statement (see PGOPTIONS), so that one which is stuck does not pass for one that was refused.
PATIENCE_SECONDS = 20


class Answer(NamedTuple):
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body's content."""
        return json.loads(self.body)

    @property
    def is_problem(self) -> bool:
        """Whether it is an error in the shape that all errors have."""
        is_typed = self.headers["content-type"] == "application/problem+json"
        return is_typed and self.json()["status"] == self.status


class Wire:
    """A connection that stays open from request to request, on behalf of a user or of nobody.

    Raises ConnectionError when the server closes it while an answer is awaited.
    """

    def __init__(self, port: int, user: User | None = None) -> None:
        self.port = port
        self.headers = {"Host": "localhost"}
        if user:
            self.headers["Authorization"] = f"Bearer {tokens.log_in(user)['access_token']}"
        self.connect()

    def connect(self) -> None:
        """Open the connection."""
        self.socket = socket.create_connection(("127.0.0.1", self.port), PATIENCE_SECONDS)
        self.file = self.socket.makefile("rb")
        self.methods: list[str] = []

    def close(self) -> None:
        """Leave."""
        self.file.close()
        self.socket.close()

    @property
    def is_closed(self) -> bool:
        """Whether this end has left."""
        return self.file.closed

    def fileno(self) -> int:
        """Let `select` watch for an answer."""
        return self.socket.fileno()

    def ask(self, method: str, path: str, data: Any = None, **headers: str) -> Answer:
        """Send a request and return its response."""
        self.send(method, path, data, **headers)
        return self.receive()

    def send(self, method: str, path: str, data: Any = None, **headers: str) -> None:
        """Send a request, with a JSON body if there is data, in one packet."""
        body = b"" if data is None else json.dumps(data).encode()
        self.send_head(method, path, body, Content_Length=str(len(body)), **headers)

    def send_head(self, method: str, path: str, body: bytes = b"", **headers: str) -> None:
        """Send a request with at most the beginning of its body.

        A header's name is given with `_` for `-`.
        """
        lines = [f"{method} {path} HTTP/1.1"]
        for name, value in (self.headers | {"Content_Type": "application/json"} | headers).items():
            lines.append(f"{name.replace('_', '-')}: {value}")
        head = "\r\n".join(lines) + "\r\n\r\n"
        self.socket.sendall(head.encode() + body)
        self.methods.append(method)

    def send_chunk(self, data: bytes) -> None:
        """Send a part of a body without a length, or, if it is empty, the end."""
        self.socket.sendall(b"%x\r\n%b\r\n" % (len(data), data))

    def receive(self) -> Answer:
        """Return the next response."""
        answer = self.receive_head()
        if answer.status == 100:
            return answer
        has_body = self.methods.pop(0) != "HEAD" and answer.status not in (204, 304)
        return answer._replace(body=self.read_body(answer.headers) if has_body else b"")

    def receive_head(self) -> Answer:
        """Return the next response, its body yet to be read."""
        line = self.file.readline()
        if not line:
            raise ConnectionResetError("the server closed the connection")
        headers = {name.lower(): value for name, value in parse_headers(self.file).items()}
        return Answer(int(line.split()[1]), headers, b"")

    def read_body(self, headers: dict[str, str]) -> bytes:
        """Read a body that its headers frame."""
        if "content-length" in headers:
            return self.read_bytes(int(headers["content-length"]))
        return b"".join(iter(self.read_chunk, b""))

    def read_chunk(self) -> bytes:
        """Read a part of a body without a length; the last one is empty."""
        data = self.read_bytes(int(self.file.readline() or b"0", 16))
        self.read_bytes(len(b"\r\n"))
        return data

    def read_bytes(self, count: int) -> bytes:
        """Read so many bytes."""
        data = self.file.read(count)
        if len(data) < count:
            raise ConnectionResetError("the server closed the connection within a response")
        return data
