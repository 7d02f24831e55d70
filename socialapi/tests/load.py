"""Clients that write, read and delete without pause, and keep a ledger of what they were told."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from accounts.models import User
from posts.models import Post
from socialapi.tests.live import Server, wait_until
from socialapi.tests.wire import Answer, Wire

CLIENTS = 8


class Client:
    """One of them. Runs until it is stopped, or a request of its gets no answer."""

    def __init__(self, server: Server, user: User, name: str) -> None:
        self.name = name
        self.wire = Wire(server.port, user)
        self.stop = Event()
        # Whether a post with this title is there; None is what nobody knows.
        self.ledger: dict[str, bool | None] = {}
        self.answers: Counter[tuple[str, int]] = Counter()
        # Whether the present connection has given an answer.
        self.is_served = False
        self.error: ConnectionError | None = None

    def run(self) -> None:
        """Take turns."""
        try:
            while not self.stop.is_set():
                self.take_turn()
        except ConnectionError as error:
            self.error = error
        finally:
            self.wire.close()

    def take_turn(self) -> None:
        """Write a post and read it; delete every third one again."""
        title = f"{self.name}-{len(self.ledger)}"
        self.ledger[title] = None
        answer = self.ask("POST", "/posts", {"title": title, "content": "x"})
        if answer.status != 201:
            return
        self.ledger[title] = True
        path = f"/posts/{answer.json()['id']}"
        self.ask("GET", path)
        if len(self.ledger) % 3 == 0:
            self.ledger[title] = None
            if self.ask("DELETE", path).status == 204:
                self.ledger[title] = False

    def ask(self, method: str, path: str, data: Any = None) -> Answer:
        """Send a request; on a new connection, if the server announced the end of the last."""
        if self.wire.is_closed:
            self.is_served = False
            self.wire.connect()
        answer = self.wire.ask(method, path, data)
        self.is_served = True
        self.answers[method, answer.status] += 1
        if answer.headers.get("connection") == "close":
            self.wire.close()
        return answer


def wait_for_turns(clients: list[Client], count: int) -> None:
    """Wait until every client has taken so many turns more."""
    goals = [(client, len(client.ledger) + count) for client in clients]
    wait_until(lambda: all(len(client.ledger) >= goal or client.error for client, goal in goals))


def wait_for_answers(clients: list[Client], count: int) -> None:
    """Wait until the clients have had so many answers more, together."""
    goal = count_answers(clients).total() + count
    wait_until(lambda: count_answers(clients).total() >= goal)


@contextmanager
def load(server: Server, user: User) -> Iterator[list[Client]]:
    """Let clients run during the block; afterwards their ledgers agree with the database."""
    clients = [Client(server, user, f"client{number}") for number in range(CLIENTS)]
    threads = [Thread(target=client.run) for client in clients]
    for thread in threads:
        thread.start()
    try:
        wait_for_turns(clients, 5)
        yield clients
    finally:
        for client in clients:
            client.stop.set()
        for thread in threads:
            thread.join()
    posts = Counter(Post.objects.values_list("title", flat=True))
    for title, is_there in {k: v for client in clients for k, v in client.ledger.items()}.items():
        assert posts[title] in ({0, 1} if is_there is None else {int(is_there)}), title


def count_answers(clients: list[Client]) -> Counter[tuple[str, int]]:
    """Return how many answers there were, by method and status."""
    return sum((client.answers for client in clients), Counter())
