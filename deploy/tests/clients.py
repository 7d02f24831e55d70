"""Clients of a deployed service, through its proxy and TLS, who keep a ledger of what they did."""

import http.client
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

HOST = "api.example.org"
CERTIFICATE = "/etc/socialapi/tls/fullchain.pem"
# Never reached unless something is broken; longer than nginx waits for the service.
PATIENCE_SECONDS = 90
# Of each client. Together they leave time for what is tested beside them.
REQUESTS_PER_SECOND = 10


class Answer(NamedTuple):
    """A response."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        """The body's content."""
        return json.loads(self.body)

    @property
    def is_problem(self) -> bool:
        """Whether it is an error in the shape that all errors have."""
        is_typed = self.headers["Content-Type"] == "application/problem+json"
        return is_typed and self.json()["status"] == self.status


class Caller:
    """Calls the service from an address of this machine; raises OSError or HTTPException."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.headers = {"Content-Type": "application/json"}
        self.connection = self.connect()

    def connect(self) -> http.client.HTTPSConnection:
        """Return a connection to be opened when it is used."""
        return http.client.HTTPSConnection(
            HOST,
            timeout=PATIENCE_SECONDS,
            source_address=(self.address, 0),
            context=ssl.create_default_context(cafile=CERTIFICATE),
        )

    def ask(self, method: str, path: str, data: Any = None, **headers: str) -> Answer:
        """Send a request and return its response."""
        response = self.open(method, path, data, **headers)
        return Answer(response.status, response.headers, response.read())

    def open(
        self, method: str, path: str, data: Any = None, **headers: str
    ) -> http.client.HTTPResponse:
        """Send a request and return its response, the body yet to be read."""
        body = None if data is None else json.dumps(data)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, body, self.headers | given)
        return self.connection.getresponse()

    def log_in(self, name: str) -> None:
        """Sign up and log in."""
        who = {"email": f"{name}@example.org", "password": f"correct-horse-{name}"}
        assert self.ask("POST", "/users", who).status == 201
        token = self.ask("POST", "/login", who).json()["access_token"]
        self.headers["Authorization"] = f"Bearer {token}"


class Client(Caller):
    """Writes, reads, finds, votes for and deletes posts without pause, until it is stopped."""

    def __init__(self, number: int) -> None:
        super().__init__(f"127.0.1.{number}")
        self.name = f"client{number}"
        self.log_in(self.name)
        # Whether a post with this title is there.
        self.ledger: dict[str, bool] = {}
        self.answers = 0
        self.failures: list[str] = []
        self.slowest = 0.0
        self.is_stopped = False

    def run(self) -> None:
        """Take turns."""
        while not self.is_stopped:
            self.take_turn(f"{self.name}-{len(self.ledger)}")

    def take_turn(self, title: str) -> None:
        """Do everything once."""
        post = self.expect(201, "POST", "/posts", {"title": title, "content": "x"})
        if post is None:
            return
        self.ledger[title] = True
        path = f"/posts/{post.json()['id']}"
        self.expect(200, "GET", path)
        self.expect(204, "PUT", f"{path}/vote")
        self.expect(200, "GET", f"/posts?search={title}")
        if len(self.ledger) % 3 == 0 and self.expect(204, "DELETE", path):
            self.ledger[title] = False

    def expect(self, status: int, method: str, path: str, data: Any = None) -> Answer | None:
        """Send a request; note whatever is not the answer it should have."""
        began = time.monotonic()
        try:
            answer = self.ask(method, path, data)
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(f"{method} {path}: {error!r}")
            self.connection = self.connect()
            return None
        took = time.monotonic() - began
        self.slowest = max(self.slowest, took)
        self.answers += 1
        time.sleep(max(0, 1 / REQUESTS_PER_SECOND - took))
        if answer.status == status:
            return answer
        self.failures.append(f"{method} {path}: {answer.status} {answer.body!r}")
        return None


class Watcher(Caller):
    """Watches the stream, and comes back where it ended, for as long as this process lives."""

    def __init__(self) -> None:
        super().__init__("127.0.2.1")
        self.log_in("watcher")
        self.titles: set[str] = set()
        self.streams = 0
        self.failures: list[str] = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        """Watch."""
        last = ""
        while True:
            self.connection = self.connect()
            try:
                response = self.open(
                    "GET", "/posts/stream", **({"Last-Event-ID": last} if last else {})
                )
                if response.status != 200:
                    self.failures.append(f"stream: {response.status} {response.read()!r}")
                    continue
                self.streams += 1
                for line in response:
                    name, _, value = line.decode().rstrip("\n").partition(": ")
                    if name == "id":
                        last = value
                    elif name == "data" and "title" in (post := json.loads(value)):
                        self.titles.add(post["title"])
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"stream: {error!r}")


@contextmanager
def running(clients: list[Client]) -> Iterator[None]:
    """Let clients run during the block."""
    threads = [threading.Thread(target=client.run, daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for client in clients:
            client.is_stopped = True
        for thread in threads:
            thread.join()
