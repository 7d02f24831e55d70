"""Clients that write and read without pause, and keep a ledger of what they were told."""

import http.client
import json
import random
import time
from collections import Counter, defaultdict
from threading import Event, Thread
from typing import Any

# Longer than the service lets a statement run, so that what timed out there is known here.
PATIENCE_SECONDS = 40
RETRY_SECONDS = 0.05
UNANSWERED = 0
UNAVAILABLE = 503


class UnknownError(Exception):
    """Whether a request was carried out is not known."""


class Client:
    """Writes posts of its own, changes and deletes them, and votes on everybody's."""

    def __init__(self, port: int, number: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, PATIENCE_SECONDS)
        self.number = number
        self.chance = random.Random(number)
        self.headers = {"Content-Type": "application/json"}
        self.titles = 0
        # By title: the contents that a post may have; None if it may not be there.
        self.posts: dict[str, set[str | None]] = {}
        # By the post's id: whether this user may have voted on it, or not.
        self.votes: defaultdict[int, set[bool]] = defaultdict(lambda: {False})
        self.answers: Counter[int] = Counter()
        # What should not have been answered, whatever was broken.
        self.violations: list[str] = []
        # When the last turn began in which everything was answered.
        self.well_since = 0.0
        self.is_stopped = Event()
        self.thread = Thread(target=self.run, daemon=True)

    def sign_up(self) -> None:
        """Get a token, while nothing is broken."""
        who = {
            "email": f"client{self.number}@example.org",
            "password": f"correct-horse-{id(self)}",
        }
        self.user_id = self.ask("POST", "/users", 201, who)["id"]
        token = self.ask("POST", "/login", 200, who)["access_token"]
        self.headers["Authorization"] = f"Bearer {token}"

    def run(self) -> None:
        """Take turns, until it is stopped."""
        while not self.is_stopped.is_set():
            began = time.monotonic()
            try:
                self.take_turn()
            except UnknownError:
                time.sleep(RETRY_SECONDS)
            else:
                self.well_since = began

    def take_turn(self) -> None:
        """Write, read, vote, change and perhaps delete.

        What became of a request without an answer may show later. So that no later answer is
        mistaken for it, what it was about is left alone from then on.
        """
        self.titles += 1
        title = f"client{self.number}-{self.titles}"
        states = self.posts[title] = {None, "new"}
        post = self.ask("POST", "/posts", 201, {"title": title, "content": "new"})
        keep(states, "new")
        path = f"/posts/{post['id']}"
        self.ask("GET", path, 200)
        self.vote(self.chance.randint(1, post["id"]))
        states.add("changed")
        self.ask("PATCH", path, 200, {"content": "changed"})
        keep(states, "changed")
        if self.titles % 3 == 0:
            states.add(None)
            self.ask("DELETE", path, 204)
            keep(states, None)

    def vote(self, post_id: int) -> None:
        """Vote on a post of anybody's, or take the vote back; the post may be gone meanwhile."""
        states = self.votes[post_id]
        if len(states) > 1:
            return
        goal = not next(iter(states))
        states.add(goal)
        answer = self.ask(
            "PUT" if goal else "DELETE", f"/posts/{post_id}/vote", 204, or_status=404
        )
        keep(states, goal and answer is None)

    def ask(
        self, method: str, path: str, status: int, data: Any = None, or_status: int | None = None
    ) -> Any:
        """Return the content of the answer, which should have one of these statuses.

        Raises UnknownError if there is no answer, or if it is 503, and after a violation.
        """
        try:
            self.connection.request(method, path, data and json.dumps(data), self.headers)
            response = self.connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException):
            self.answers[UNANSWERED] += 1
            self.connection.close()
            raise UnknownError from None
        self.answers[response.status] += 1
        if response.status in (status, or_status):
            return json.loads(body) if body else None
        if response.status != UNAVAILABLE:
            self.violations.append(f"{method} {path}: {response.status} {body.decode()}")
        raise UnknownError


def keep[T](states: set[T], state: T) -> None:
    """Note which state it is that something has."""
    states.clear()
    states.add(state)
