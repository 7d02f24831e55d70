"""Compares the answers of all systems before anything is timed."""

import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from .endpoints import FORM, PASSWORD, Client, World
from .load import Request
from .systems import HOST, BenchError, System, log_file

TIMES = {"created_at", "updated_at"}


@dataclass(frozen=True)
class Answer:
    """A status, and the content, if any."""

    status: int
    content: Any


def ask(system: System, request: Request) -> Answer:
    """Send one request."""
    headers = {"Accept": "application/json", "Content-Type": request.content_type}
    if request.token:
        headers["Authorization"] = f"Bearer {request.token}"
    with closing(http.client.HTTPConnection(HOST, system.port, timeout=30)) as connection:
        connection.request(request.method, request.path, request.body.encode(), headers)
        response = connection.getresponse()
        body = response.read()
    if response.status >= 500:
        raise BenchError(
            f"{system.title} failed at {request.method} {request.path}: see {log_file(system)}."
        )
    return Answer(response.status, json.loads(body) if body else None)


def find_deep_pages(system: System, token: str) -> Sequence[str]:
    """Walk 5,000 posts down the list, and return the paths of the 20 pages that follow."""
    path = "/posts?limit=100"
    pages = []
    for _ in range(50):
        path = next_page(system, path, token)
    path = path.replace("limit=100", "limit=10")
    for _ in range(20):
        pages.append(path)
        path = next_page(system, path, token)
    return pages


def next_page(system: System, path: str, token: str) -> str:
    """Return the path of the page after this one."""
    link = urlsplit(ask(system, Request("GET", path, token)).content["next"])
    return f"{link.path}?{link.query}"


def questions(world: World, client: Client, suspended: int) -> Iterator[Request]:
    """Yield what every system is asked, one after the other."""
    me, other = world.voters[:2]
    token = client.tokens[me]
    owner, owned = world.owned[0]
    post = world.posts[-1]

    def get(path: str) -> Request:
        return Request("GET", path, token)

    def vote(**data: object) -> Request:
        return client.as_json("POST", "/vote", me, **data)

    def write(**data: object) -> Request:
        return client.as_json("POST", "/posts", me, **data)

    yield from map(get, ["/posts", "/posts?limit=1", "/posts?limit=100", *client.deep_pages])
    for number in world.posts[:200]:
        yield get(f"/posts/{number}")
    for term in [*world.terms, world.terms[0].swapcase(), "%", "_", "\\", "no such title"]:
        yield get(f"/posts?search={quote(term)}&limit=50")
    yield from map(get, [f"/posts/{2**31 - 1}", "/posts?limit=0", "/posts?limit=101"])
    for bad in ("", "nonsense", client.tokens[suspended], token[:-6] + "AAAAAA"):
        yield Request("GET", "/posts", bad)
        yield Request("GET", f"/posts/{post}", bad)
    yield vote(post_id=post, vote_dir=1)
    yield get(f"/posts/{post}")
    yield vote(post_id=post, vote_dir=1)
    yield client.as_json("POST", "/vote", other, post_id=post, vote_dir=1)
    yield get(f"/posts/{post}")
    yield vote(post_id=post, vote_dir=0)
    yield get(f"/posts/{post}")
    yield vote(post_id=post, vote_dir=0)
    yield client.as_json("POST", "/vote", other, post_id=post, vote_dir=0)
    yield get(f"/posts/{post}")
    yield vote(post_id=2**31 - 1, vote_dir=1)
    yield vote(post_id=post, vote_dir=2)
    yield vote(post_id="x", vote_dir=1)
    yield vote(post_id=post)
    yield write(title="Ein neuer Titel", content="Text")
    yield get("/posts?limit=1")
    yield write(title="Ein Entwurf", content="Text", published=False)
    yield get("/posts?limit=1")
    for title, content in [
        ("", "x"),
        (" ", "x"),
        ("x" * 301, "x"),
        ("x", ""),
        ("x", "x" * 40_001),
    ]:
        yield write(title=title, content=content)
    yield write(title="no content")
    yield client.as_json("PUT", f"/posts/{owned}", owner, title="Neu", content="Anders")
    yield get(f"/posts/{owned}")
    yield client.as_json("PUT", f"/posts/{owned}", me, title="Not", content="mine")
    yield client.as_json("PUT", f"/posts/{2**31 - 1}", me, title="Not", content="there")
    yield client.as_json("PUT", f"/posts/{owned}", owner, title=" ", content="Anders")
    yield log_in_with(world.emails[0], PASSWORD)
    yield log_in_with(world.emails[0], "another-password")
    yield log_in_with("nobody@example.com", PASSWORD)


def log_in_with(email: str, password: str) -> Request:
    """Return a login, the email under each name that a system may have for it."""
    form = urlencode({"username": email, "email": email, "password": password})
    return Request("POST", "/login", "", form, FORM)


def comparable(answer: Answer, started: datetime) -> Any:
    """Return what has to be the same for all: not the form of links, nor texts of messages."""
    if answer.status >= 400:
        # FastAPI's answer to bad input is 422.
        return 400 if answer.status == 422 else answer.status
    content = answer.content
    if "results" in content:
        posts = [comparable_post(post, started) for post in content["results"]]
        return posts, content["next"] is None, content["previous"] is None, content.keys()
    if "title" in content:
        return answer.status, comparable_post(content, started)
    # Tokens have names and texts of their own, and so do messages.
    return answer.status, {"message", "access_token"} & content.keys()


def comparable_post(post: Mapping[str, Any], started: datetime) -> dict[str, Any]:
    """Return a post with times that can be compared; what is new has no id, and no time."""
    same = dict(post)
    for name in TIMES:
        time = datetime.fromisoformat(post[name])
        same[name] = "new" if time >= started else time
    if same["created_at"] == "new":
        del same["id"]
    owner = post["owner"]
    same["owner"] = owner | {"created_at": datetime.fromisoformat(owner["created_at"])}
    return same


def verify(clients: Mapping[System, Client], world: World, suspended: int) -> int:
    """Ask every system the same, and return how often; raises BenchError if answers differ."""
    started = datetime.now(UTC)
    count = 0
    asked = {system: questions(world, client, suspended) for system, client in clients.items()}
    for requests in zip(*asked.values(), strict=True):
        answers = {
            system: ask(system, request) for system, request in zip(asked, requests, strict=True)
        }
        contents = [comparable(answer, started) for answer in answers.values()]
        if any(content != contents[0] for content in contents):
            request = requests[0]
            raise BenchError(
                f"Answers to {request.method} {request.path} {request.body[:80]} differ:\n"
                + "\n".join(f"{system.title}: {answer}" for system, answer in answers.items())
            )
        count += 1
    return count
