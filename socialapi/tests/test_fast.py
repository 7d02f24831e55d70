"""The fast path: it answers as DRF does, byte for byte, or leaves the request to DRF."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import cycle, product
from random import Random
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
import time_machine
from django.core.signals import request_finished, request_started
from django.db import (
    DataError,
    OperationalError,
    close_old_connections,
    connection,
    transaction,
)
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone
from pytest_django import Settings

from accounts import tokens
from accounts.models import Session, User
from accounts.tests.factories import UserFactory
from posts.models import Post
from posts.pagination import PostListSerializer
from posts.serializers import PostSerializer
from posts.tests.factories import PostFactory
from posts.viewsets import PostViewSet
from socialapi import fast
from socialapi.fast import Answer
from socialapi.handler import Handler
from socialapi.rendering import JSONRenderer
from socialapi.tests.client import LONG_WAY
from votes.models import Vote
from votes.tests.factories import VoteFactory
from votes.viewsets import VoteViewSet

ORIGIN = "https://app.example.org"
NEW = {"title": "New", "content": "Newer"}
JSON = "application/json"
# A time whose fraction of a second is zero.
EVEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
# What an answer tells of when it was made.
PRESENT = {
    "POST": rb'"created_at":"[^"]+","updated_at":"[^"]+"',
    "PUT": rb'"updated_at":"[^"]+"',
}


class WatchedHandler(Handler):
    """The service's, which tells how it answered last."""

    was_fast = False

    def answer(self, request: HttpRequest) -> Answer | None:
        """Answer, and remember whether that was all."""
        answer = super().answer(request)
        self.was_fast = answer is not None
        return answer


@contextmanager
def the_long_way() -> Iterator[None]:
    """Switch the fast path off."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PostViewSet, "fast_actions", {})
        patch.setattr(VoteViewSet, "fast_actions", {})
        yield


@contextmanager
def undone() -> Iterator[None]:
    """Undo what is written, the next post's id included."""
    with connection.cursor() as cursor, transaction.atomic():
        cursor.execute("SELECT nextval('posts_post_id_seq')")
        yield
        cursor.execute("SELECT setval('posts_post_id_seq', %s, false)", cursor.fetchone())
        transaction.set_rollback(True)


class Caller:
    """Someone who sends requests, in the test's own transaction."""

    def __init__(self, handler: WatchedHandler, user: User) -> None:
        self.handler = handler
        pair = tokens.log_in(user)
        self.refresh_token = pair["refresh_token"]
        self.headers = {"host": "testserver", "authorization": f"Bearer {pair['access_token']}"}

    def ask(
        self, method: str, target: str, body: Any = None, headers: dict[str, Any] | None = None
    ) -> Answer:
        """Send a request; bytes are sent as they are, and a header of None is left out."""
        path, _, query = target.partition("?")
        typed = {} if body is None else {"content-type": JSON}
        data = b"" if body is None else body if isinstance(body, bytes) else to_bytes(body)
        together = self.headers | typed | (headers or {})
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(n.encode(), v.encode()) for n, v in together.items() if v is not None],
            "client": ("127.0.0.1", 1),
            "server": ("testserver", 80),
        }
        answer = self.handler.respond(scope, data)
        assert isinstance(answer, Answer)
        return answer

    def ask_twice(self, *request: Any) -> Answer:
        """Ask with and without the fast path, compare all of the answers, and return the first.

        Nothing is left of what they wrote.
        """
        with undone():
            answer = self.ask(*request)
            assert self.handler.was_fast, answer
        with undone(), the_long_way():
            other = self.ask(*request)
            assert not self.handler.was_fast
        assert comparable(answer, request[0]) == comparable(other, request[0])
        return answer


def to_bytes(data: Any) -> bytes:
    return json.dumps(data).encode()


def comparable(answer: Answer, method: str) -> Any:
    """Return all of an answer that two answers to one request share: all but the present time."""
    headers = sorted((name.lower(), value) for name, value in answer.headers)
    return answer.status, headers, re.sub(PRESENT.get(method, b"(?!)"), b"now", answer.body)


def content(answer: Answer) -> Any:
    assert answer.status in {200, 201}, answer
    return json.loads(answer.body)


@cache
def shared_handler() -> WatchedHandler:
    """Return one for all tests here: to load the middleware takes longer than most of them."""
    return WatchedHandler(threads=1, queue=1)


@pytest.fixture
def handler(settings: Settings) -> Iterator[WatchedHandler]:
    """One behind a proxy that receives HTTPS; it keeps the test's connection, and transaction."""
    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SECURE_HSTS_SECONDS = 1000
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    handler = shared_handler()
    handler.kinds = {}
    yield handler
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def caller(handler: WatchedHandler, author: User) -> Caller:
    """The author."""
    return Caller(handler, author)


@pytest.fixture
def other(handler: WatchedHandler, reader: User) -> Caller:
    """The reader."""
    return Caller(handler, reader)


@pytest.fixture
def ids(author: User, post: Post, draft: Post) -> dict[str, int]:
    """The ids of posts of every kind, to the author."""
    Post.objects.filter(pk=post.pk).update(created_at=EVEN)
    voted = VoteFactory.create(user=author, post__title="Voté: 100% 'sure' \"\\ 🐎").post
    VoteFactory.create(post=post)
    VoteFactory.create(user=author, post=draft)
    return {
        "own": post.pk,
        "draft": draft.pk,
        "voted": voted.pk,
        "other": PostFactory.create(title="Other").pk,
        "hidden": PostFactory.create(draft=True).pk,
        "author": author.pk,
    }


class TestAnswersAsDRFDoes:
    @pytest.mark.parametrize(
        ("method", "target", "body"),
        [
            ("GET", "/posts", None),
            ("GET", "/posts?limit=2&skip=1&search=t&published=true&sort=top&x=%C3%A9é&x", None),
            ("GET", "/posts?owner={author}&sort=old&published=false", None),
            ("GET", "/posts/{own}", None),
            ("GET", "/posts/{draft}", None),
            ("GET", "/posts/{voted}", None),
            ("POST", "/posts", NEW),
            ("PUT", "/posts/{own}", NEW),
            ("POST", "/vote", {"post_id": "{own}", "vote_dir": 1}),
            ("POST", "/vote", {"post_id": "{voted}", "vote_dir": 0}),
        ],
        ids=str,
    )
    def test_whatever_a_client_is_and_wherever_it_calls_from(
        self, caller: Caller, ids: dict[str, int], method: str, target: str, body: Any
    ) -> None:
        path, _, query = target.format(**ids).partition("?")
        if body and "post_id" in body:
            body = body | {"post_id": int(body["post_id"].format(**ids))}
        accepts = cycle([None, "*/*", JSON, f"{JSON}, text/plain, */*"])
        origins = [None, ORIGIN, "https://evil.example"]

        for slash, origin, proto in product(["", "/"], origins, [None, "http", "https"]):
            headers = {"accept": next(accepts), "origin": origin, "x-forwarded-proto": proto}
            answer = caller.ask_twice(method, f"{path}{slash}?{query}", body, headers)

            names = {name.lower() for name, _ in answer.headers}
            assert (b"access-control-allow-origin" in names) == (origin == ORIGIN)
            assert (b"strict-transport-security" in names) == (proto == "https")

    def test_whatever_a_list_is_asked(self, caller: Caller, ids: dict[str, int]) -> None:
        for query in [
            *("limit=1", "limit=100", "skip=2", "skip=1&limit=1", "sort=new", "sort=old"),
            *("sort=top", "published=false", "published=TRUE", "owner={author}", "search="),
            *("search=T", "search=%27", "search=%25", "search=%22", "search=%5C", "search=🐎"),
            *("search=VOTÉ&skip=0", "colour=red&limit=2&&=&;a", "limit=5&limit=1"),
            *("%6Cimit=1", "search=t&skip=1&limit=2&sort=top", "a=%ff"),
        ]:
            answer = caller.ask_twice("GET", f"/posts?{query.format(**ids)}")
            assert content(answer)["results"]

    @pytest.mark.parametrize("sort", ["new", "old", "top"])
    @pytest.mark.parametrize("query", ["x=é", "search=t", "owner={author}&published=false"])
    def test_on_every_page_in_both_directions(
        self, caller: Caller, author: User, sort: str, query: str
    ) -> None:
        for number, hours in enumerate([1, 1, 1, 2, 2]):
            created = EVEN + timedelta(hours=hours)
            post = PostFactory.create(owner=author, created_at=created, published=False)
            published = PostFactory.create(created_at=created, title=f"Title {number}")
            VoteFactory.create_batch(number % 2, post=published)
            VoteFactory.create_batch(number % 2, post=post)
        link = f"/posts?limit=2&sort={sort}&{query.format(author=author.pk)}"

        for direction, count in (("next", 3), ("previous", 3)):
            pages = []
            while link:
                pages.append(content(caller.ask_twice("GET", link)))
                came_from, link = link, relative(pages[-1][direction])
            assert [len(page["results"]) for page in pages] == (
                [2, 2, 1] if direction == "next" else [1, 2, 2]
            )
            assert len(pages) == count
            link = came_from

    @pytest.mark.parametrize("own", ["own", "draft", "voted", "other"])
    def test_about_posts_of_any_kind(self, caller: Caller, ids: dict[str, int], own: str) -> None:
        shown = content(caller.ask_twice("GET", f"/posts/{ids[own]}"))

        assert shown["voted"] == (own in {"draft", "voted"})
        assert (shown["owner_id"] == ids["author"]) == (own in {"own", "draft"})

    def test_with_zeros_before_an_id(self, caller: Caller, ids: dict[str, int]) -> None:
        assert content(caller.ask_twice("GET", f"/posts/{ids['own']:019d}"))["id"] == ids["own"]

    @pytest.mark.parametrize(
        "body",
        [
            NEW,
            NEW | {"published": True},
            NEW | {"published": False, "id": 1, "owner_id": 1, "votes": 9, "colour": "red"},
            {"title": " Щегол %s %(pk)s '' \\ \" {} $1 ", "content": "\n 🐎 % \\' \t"},
            {"title": "é" * 300, "content": "\u2028" * 39_999 + "x"},
        ],
        ids=["as told", "published", "a draft", "odd", "long"],
    )
    @pytest.mark.parametrize("target", ["/posts", "/posts/{own}", "/posts/{draft}"])
    def test_to_what_is_written(
        self, caller: Caller, ids: dict[str, int], target: str, body: dict[str, Any]
    ) -> None:
        method = "POST" if target == "/posts" else "PUT"

        shown = content(caller.ask_twice(method, target.format(**ids), body))

        assert shown["content"] == body["content"]
        assert shown["published"] == body.get("published", True)

    @pytest.mark.parametrize("kind", ["Application/JSON", "application/json; charset=utf-8"])
    def test_to_json_by_another_name(self, caller: Caller, kind: str) -> None:
        caller.ask_twice("POST", "/posts", NEW, {"content-type": kind})

    def test_when_nothing_is_changed(self, caller: Caller, post: Post) -> None:
        body = {"title": post.title, "content": post.content}

        shown = content(caller.ask_twice("PUT", f"/posts/{post.pk}", body))

        assert shown["updated_at"] == f"{post.updated_at:%Y-%m-%dT%H:%M:%S.%fZ}"

    def test_to_who_shouts_the_scheme(self, caller: Caller, post: Post) -> None:
        header = caller.headers["authorization"].replace("Bearer", "BEARER ")

        caller.ask_twice("GET", "/posts", None, {"authorization": header, "cookie": ""})


def relative(link: str | None) -> str:
    """Return the path and the query of a link, or nothing."""
    if link is None:
        return ""
    parts = urlsplit(link)
    return f"{parts.path}?{parts.query}"


class TestWrites:
    def test_a_post_of_the_callers(self, caller: Caller, author: User) -> None:
        answer = caller.ask("POST", "/posts", NEW | {"published": False})

        post = Post.objects.get()
        assert caller.handler.was_fast
        assert (post.owner, post.title, post.published) == (author, "New", False)
        assert (b"Location", f"http://testserver/posts/{post.pk}".encode()) in answer.headers

    def test_over_a_post_of_the_callers(self, caller: Caller, post: Post) -> None:
        untouched = PostFactory.create(owner=post.owner)

        caller.ask("PUT", f"/posts/{post.pk}", NEW)

        assert caller.handler.was_fast
        titles = Post.objects.order_by("pk").values_list("title", flat=True)
        assert list(titles) == ["New", untouched.title]

    def test_votes_and_takes_them_back(self, other: Caller, reader: User, post: Post) -> None:
        body = {"post_id": post.pk, "vote_dir": 1}

        assert content(other.ask("POST", "/vote", body)) == {"message": "Vote added."}
        assert other.handler.was_fast
        assert Vote.objects.get().user == reader
        body["vote_dir"] = 0
        assert content(other.ask("POST", "/vote", body)) == {"message": "Vote removed."}
        assert other.handler.was_fast
        assert not Vote.objects.exists()


# Letters of several scripts, and whatever means something to SQL, LIKE, Python's `%` or JSON.
LETTERS = "aAbßéİıЩщΣςア漢🐎e\u0301 %_\\'\"$;{}&?/<\u2028\u00a0\n-"
MOMENTS = [EVEN, EVEN + timedelta(microseconds=1), EVEN - timedelta(days=400), EVEN]


def make_posts(random: Random) -> list[User]:
    """Write random posts, with votes; returns their owners."""
    users = UserFactory.create_batch(4, created_at=EVEN)
    posts = Post.objects.bulk_create(
        Post(
            owner=random.choice(users),
            title=f"x{''.join(random.choices(LETTERS, k=random.randrange(12)))}",
            content=f"{''.join(random.choices(LETTERS, k=30))}x",
            published=random.random() < 0.8,
            created_at=random.choice(MOMENTS),
            updated_at=random.choice(MOMENTS),
        )
        for _ in range(60)
    )
    pairs = random.sample(list(product(users, posts)), 80)
    Vote.objects.bulk_create(Vote(user=user, post=post) for user, post in pairs)
    return users


def make_query(random: Random, users: list[User]) -> dict[str, Any]:
    """Return what a list may be asked."""
    choices: dict[str, Callable[[], Any]] = {
        "limit": lambda: random.choice([1, 3, 10, 11, 20, 50, 100]),
        "skip": lambda: random.choice([0, 1, 5, 40]),
        "search": lambda: "".join(random.choices(LETTERS, k=random.choice([1, 1, 2]))),
        "owner": lambda: random.choice(users).pk,
        "published": lambda: random.choice(["true", "false"]),
        "sort": lambda: random.choice(["new", "old", "top"]),
    }
    names = random.sample(list(choices), random.randrange(5))
    return {name: choices[name]() for name in names}


def expected(user: User, query: dict[str, Any]) -> bytes:
    """Return the results that Django's ORM and DRF's serializer give."""
    posts = Post.objects.seen_by(user)
    drafts = posts.filter(published=False, owner=user)
    posts = drafts if query.get("published") == "false" else posts.published()
    if "owner" in query:
        posts = posts.filter(owner=query["owner"])
    if "search" in query:
        posts = posts.matching(query["search"])
    skip = query.get("skip", 0)
    posts = posts.order_by(*PostListSerializer.orders[query.get("sort", "new")])
    page = posts[skip : skip + query.get("limit", 10)]
    return JSONRenderer().render(PostSerializer(page, many=True).data)


@pytest.mark.parametrize("seed", range(2))
def test_random_lists_are_what_the_orm_and_the_serializer_make(
    handler: WatchedHandler, db: None, seed: int
) -> None:
    random = Random(seed)  # noqa: S311 (no secret)
    users = make_posts(random)
    callers = [(user, Caller(handler, user)) for user in users]
    fast_ones = 0

    for _ in range(50):
        user, caller = random.choice(callers)
        query = make_query(random, users)
        answer = caller.ask("GET", f"/posts?{urlencode(query, quote_via=quote)}")
        results = expected(user, query)
        assert answer.body.startswith(b'{"results":' + results + b',"next":'), query
        assert handler.was_fast == (results != b"[]")
        fast_ones += handler.was_fast
    for user, caller in callers:
        for shown in Post.objects.seen_by(user).visible_to(user)[:5]:
            answer = caller.ask("GET", f"/posts/{shown.pk}")
            assert handler.was_fast
            assert answer.body == JSONRenderer().render(PostSerializer(shown).data)
    assert fast_ones > 25


def test_a_time_without_a_fraction_is_written_with_one(
    caller: Caller, ids: dict[str, int]
) -> None:
    Post.objects.filter(pk=ids["own"]).update(updated_at=EVEN)
    User.objects.filter(pk=ids["author"]).update(created_at=EVEN)

    shown = content(caller.ask_twice("GET", f"/posts/{ids['own']}"))

    assert shown["created_at"] == shown["updated_at"] == "2026-01-02T03:04:05.000000Z"
    assert shown["owner"]["created_at"] == "2026-01-02T03:04:05.000000Z"


def snapshot() -> list[Any]:
    """Return all that there is."""
    models: list[type[Model]] = [User, Session, Post, Vote]
    return [list(model._default_manager.order_by("pk").values()) for model in models]


def left_to_drf(caller: Caller, status: int, *request: Any) -> Answer:
    """Ask for what the fast path does not answer, and see that nothing is written."""
    before = snapshot()
    answer = caller.ask(*request)
    assert not caller.handler.was_fast
    assert answer.status == status, answer
    assert snapshot() == before
    with the_long_way():
        assert comparable(caller.ask(*request), request[0]) == comparable(answer, request[0])
    return answer


@pytest.fixture(
    params=[
        *("GET /posts", "GET /posts/{own}", "POST /posts", "PUT /posts/{own}"),
        *("POST /vote?add", "POST /vote?remove"),
    ]
)
def action(ids: dict[str, int], request: pytest.FixtureRequest) -> tuple[str, str, Any]:
    """A request of the author's that would be answered."""
    method, _, path = request.param.format(**ids).partition(" ")
    bodies = {
        "/vote?add": {"post_id": ids["other"], "vote_dir": 1},
        "/vote?remove": {"post_id": ids["voted"], "vote_dir": 0},
    }
    return method, path, None if method == "GET" else bodies.get(path, NEW)


def delete(caller: Caller, author: User) -> None:
    User.objects.filter(pk=author.pk).delete()


def suspend(caller: Caller, author: User) -> None:
    User.objects.filter(pk=author.pk).update(is_active=False)


def log_out(caller: Caller, author: User) -> None:
    tokens.log_out(caller.refresh_token)


def expire(caller: Caller, author: User) -> None:
    Session.objects.update(expires_at=timezone.now() - timedelta(seconds=1))


def give_away(caller: Caller, author: User) -> None:
    Session.objects.update(user=UserFactory.create())


type Ending = Callable[[Caller, User], None]
type Action = tuple[str, str, Any]

every_ending = pytest.mark.parametrize("ending", [delete, suspend, log_out, expire, give_away])


# For a post or a vote, with what each of them needs.
BAD_BODIES: list[tuple[bytes, str, int]] = [
    (b"", JSON, 400),
    (b"{", JSON, 400),
    (b"null", JSON, 400),
    (b"[]", JSON, 400),
    (b"{}", JSON, 400),
    (b"[" * 100_000, JSON, 400),
    (b'{"title": "a", "content": "\xff"}', JSON, 400),
    (b'{"title": "a", "title": "b", "content": "c"}', JSON, 400),
    (b'{"post_id": 1, "vote_dir": 1, "vote_dir": 0}', JSON, 400),
    (b'{"title": "\\u0000", "content": "c", "post_id": 0, "vote_dir": 1}', JSON, 400),
    (b'{"title": "a", "content": "\\ud800", "post_id": "1", "vote_dir": 1}', JSON, 400),
    (b'{"title": " ", "content": "c", "post_id": 1, "vote_dir": true}', JSON, 400),
    (to_bytes(NEW | {"published": 1, "post_id": 1, "vote_dir": 2}), JSON, 400),
    (to_bytes(NEW | {"published": None, "post_id": 1.5, "vote_dir": 0}), JSON, 400),
    (to_bytes(NEW | {"title": "x" * 301, "post_id": None, "vote_dir": 0}), JSON, 400),
    (b'{"title": 1, "content": "c", "post_id": ' + b"9" * 5000 + b"}", JSON, 400),
    (to_bytes(NEW | {"post_id": 1, "vote_dir": 1}), "text/plain", 415),
    (to_bytes(NEW | {"post_id": 1, "vote_dir": 1}), "application/json+x", 415),
    (b"title=a&content=b&post_id=1&vote_dir=1", "application/x-www-form-urlencoded", 415),
    (b"--a--", "multipart/form-data; boundary=a", 415),
]


class TestLeavesToDRF:
    def test_who_has_no_good_token(self, caller: Caller, action: Action) -> None:
        good = caller.headers["authorization"]

        for bad in [
            *(None, "", "Bearer", "Bearer nonsense", "Basic YTpi", "Token x", "Bearer \xff"),
            *(f"{good}x", f"{good} {good}", good.removeprefix("Bearer "), good[:-4]),
        ]:
            left_to_drf(caller, 401, *action, {"authorization": bad})

    def test_whose_token_has_expired(self, caller: Caller, action: Action) -> None:
        caller.ask("GET", "/posts")
        assert caller.handler.was_fast  # So it has been read, and is remembered.

        with time_machine.travel(timezone.now() + timedelta(minutes=15, seconds=1), tick=False):
            left_to_drf(caller, 401, *action)

    @every_ending
    def test_whose_session_is_over(
        self, caller: Caller, author: User, action: Action, ending: Ending
    ) -> None:
        ending(caller, author)

        left_to_drf(caller, 401, *action)

    @every_ending
    def test_whose_session_ends_in_this_very_moment(
        self, caller: Caller, author: User, action: Action, ending: Ending
    ) -> None:
        left: list[Any] = []

        def end_first(execute: Any, *query: Any) -> Any:
            """Come between the token, which is good, and the first statement."""
            if not left:
                left.append("in progress")
                ending(caller, author)
                left[:] = snapshot()
            return execute(*query)

        with connection.execute_wrapper(end_first):
            answer = caller.ask(*action)

        assert answer.status == 401
        assert snapshot() == left

    def test_who_takes_no_json(self, caller: Caller, action: Action) -> None:
        for accept in ("application/xml", "image/*, text/plain", ""):
            left_to_drf(caller, 406, *action, {"accept": accept})

    def test_who_calls_another_host(self, caller: Caller, action: Action) -> None:
        for _ in range(2):
            left_to_drf(caller, 400, *action, {"host": "evil.example"})
            caller.ask_twice(*action)

    def test_who_calls_without_https_where_it_must_be(
        self, caller: Caller, settings: Settings, action: Action
    ) -> None:
        settings.SECURE_SSL_REDIRECT = True
        caller.handler = WatchedHandler(threads=1, queue=1)

        left_to_drf(caller, 301, *action)
        caller.ask_twice(*action, {"x-forwarded-proto": "https"})

    @pytest.mark.parametrize("target", ["/posts", "/posts/{own}"])
    def test_who_may_be_a_browser_or_is_choosy(
        self, caller: Caller, ids: dict[str, int], target: str
    ) -> None:
        address = target.format(**ids)
        for headers in ({"cookie": "a=b"}, {"accept": "application/json; indent=4"}, LONG_WAY):
            left_to_drf(caller, 200, "GET", address, None, headers)

        for accept in ("text/html", "text/html,application/xhtml+xml,*/*;q=0.8"):
            page = caller.ask("GET", address, None, {"accept": accept})
            assert page.body.lstrip().startswith(b"<!DOCTYPE html>")

    @pytest.mark.parametrize("target", ["/posts", "/posts/{own}"])
    def test_head_and_options(self, caller: Caller, ids: dict[str, int], target: str) -> None:
        address = target.format(**ids)
        left_to_drf(caller, 200, "OPTIONS", address)

        head = left_to_drf(caller, 200, "HEAD", address)

        assert head.body == b""
        assert comparable(caller.ask("GET", address), "GET")[1] == comparable(head, "HEAD")[1]

    @pytest.mark.parametrize(
        ("method", "target"),
        [("PUT", "/posts"), ("POST", "/posts/{own}"), ("GET", "/vote"), ("HEAD", "/vote")],
    )
    def test_methods_that_there_are_not(
        self, caller: Caller, ids: dict[str, int], method: str, target: str
    ) -> None:
        left_to_drf(caller, 405, method, target.format(**ids), {})

    def test_bodies_that_are_no_good(self, caller: Caller, ids: dict[str, int]) -> None:
        writes = [("POST", "/posts"), ("PUT", f"/posts/{ids['own']}"), ("POST", "/vote")]
        for (method, path), (body, kind, status) in product(writes, BAD_BODIES):
            left_to_drf(caller, status, method, path, body, {"content-type": kind})

    def test_queries_that_are_no_good(self, caller: Caller) -> None:
        for query in [
            *("limit=0", "limit=101", "limit=", "limit=x", "skip=-1", "skip=10001", "owner=x"),
            *("published=maybe", "sort=best", "search=%00", "cursor=", "cursor=x"),
            "&".join(f"n{number}" for number in range(1001)),
        ]:
            left_to_drf(caller, 400, "GET", f"/posts?{query}")

    def test_lists_of_nothing(self, caller: Caller, ids: dict[str, int]) -> None:
        for query in ("skip=100", "search=zzz", "owner=0", "owner=" + "9" * 30):
            assert b'"results":[]' in left_to_drf(caller, 200, "GET", f"/posts?{query}").body

    @pytest.mark.parametrize("method", ["GET", "PUT"])
    def test_posts_that_there_are_not(
        self, caller: Caller, ids: dict[str, int], method: str
    ) -> None:
        numbers = [0, ids["hidden"], 10**9, 2**63 - 1, 2**63, 10**18, 10**19, 2**64]

        for number in [*map(str, numbers), "9" * 30, "9" * 5000, "-1", "1.5", "x", "1/x", "٣"]:
            left_to_drf(caller, 404, method, f"/posts/{number}", NEW)

    def test_an_id_with_more_zeros_than_ids_have_digits(
        self, caller: Caller, ids: dict[str, int]
    ) -> None:
        tenfold = PostFactory.create(id=ids["own"] * 10)

        answer = left_to_drf(caller, 200, "GET", f"/posts/{tenfold.pk:021d}")

        assert content(answer)["id"] == tenfold.pk
        left_to_drf(caller, 403, "PUT", f"/posts/{tenfold.pk:021d}", NEW)

    @pytest.mark.parametrize("body", [NEW, {}, b"{"], ids=str)
    def test_posts_of_others_to_change(
        self, caller: Caller, ids: dict[str, int], body: Any
    ) -> None:
        left_to_drf(caller, 403, "PUT", f"/posts/{ids['other']}", body)
        left_to_drf(caller, 404, "PUT", f"/posts/{ids['hidden']}", body)

    @pytest.mark.parametrize(
        ("kind", "direction", "status"),
        [("voted", 1, 409), ("other", 0, 404), ("hidden", 1, 404), ("hidden", 0, 404)],
    )
    def test_votes_that_cannot_be(
        self, caller: Caller, ids: dict[str, int], kind: str, direction: int, status: int
    ) -> None:
        body = {"post_id": ids[kind], "vote_dir": direction}

        left_to_drf(caller, status, "POST", "/vote", body)

    def test_votes_for_nothing(self, caller: Caller) -> None:
        for post_id, direction in product([10**9, 2**63 - 1, 2**63, 10**40], [0, 1]):
            body = {"post_id": post_id, "vote_dir": direction}
            left_to_drf(caller, 404, "POST", "/vote", body)


def test_a_post_that_becomes_a_draft_while_it_is_searched_for_is_not_shown(
    other: Caller, post: Post
) -> None:
    for title in ("Another title", "One title more"):
        PostFactory.create(title=title)
    statements = []

    def unpublish(execute: Any, *query: Any) -> Any:
        """Come between the statement that finds ids, and the one that reads posts."""
        statements.append(query)
        if len(statements) == 2:
            Post.objects.filter(pk=post.pk).update(published=False)
        return execute(*query)

    with connection.execute_wrapper(unpublish):
        answer = other.ask("GET", "/posts?search=title&skip=1")

    assert other.handler.was_fast
    assert [shown["title"] for shown in content(answer)["results"]] == ["Another title"]


def test_headers_are_not_remembered_for_ever(
    caller: Caller, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fast, "KINDS", 2)

    for origin in [ORIGIN, "https://a.example", "https://b.example", ORIGIN, None]:
        caller.ask_twice("GET", "/posts", None, {"origin": origin})
        assert len(caller.handler.kinds) <= 2


def test_an_address_without_a_fast_action_is_not_asked_about(caller: Caller) -> None:
    for target in ("/", "/users/me", "/posts/1/vote", "/nowhere", "/docs"):
        caller.ask("GET", target)
        assert not caller.handler.was_fast
    assert caller.handler.kinds == {}


def test_a_fault_of_ours_is_a_500_that_says_nothing(
    caller: Caller, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(execute: Any, *query: Any) -> Any:
        raise DataError("secret")

    with connection.execute_wrapper(fail):
        answer = caller.ask("POST", "/posts", NEW)

    assert answer.status == 500
    assert b"secret" not in answer.body
    assert "secret" in caplog.text


def test_a_write_that_the_database_fails_is_not_tried_the_long_way(caller: Caller) -> None:
    tries = []

    def fail(execute: Any, sql: str, *query: Any) -> Any:
        tries.append(sql)
        raise OperationalError("canceled")

    with connection.execute_wrapper(fail):
        answer = caller.ask("POST", "/posts", NEW)

    assert answer.status == 503
    assert len(tries) == 1
