"""GET /posts/stream: by a real gunicorn, with two workers of one thread each."""

import asyncio
import random
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from threading import Barrier
from threading import Event as Flag
from typing import Any

import psycopg2
import pytest
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from accounts import tokens
from accounts.credentials import Credential
from accounts.models import Session, User
from accounts.tests.factories import UserFactory
from accounts.tokens import AccessToken
from posts.models import PAGE, Change, Listener, Mark, Position, Post
from posts.serializers import PublishedPostSerializer
from posts.stream import BACKLOG, LARGEST, PART, SLICE, Hub, Stream, hub, read
from posts.tests.events import PATH, Event, Source, listen, refusal
from posts.tests.factories import PostFactory
from socialapi.tests.backends import Door, cut_and_wait, find_named
from socialapi.tests.live import Dial, Server, database_url, serve, wait_until
from socialapi.tests.wire import Wire
from votes.models import Vote
from votes.tests.factories import VoteFactory

# Always the same numbers.
RANDOM = random.Random(1)  # noqa: S311 (nothing is to be kept secret)
TICK = 0.1

type Listen = Callable[..., Source]


def serve_streams(**options: Any) -> AbstractContextManager[Server]:
    """Run two workers, whose streams are hasty."""
    app = "posts.tests.streaming:application"
    return serve(app, WEB_CONCURRENCY="2", DB_THREADS="1", **options)


# One process runs the tests that share a server.
shared = pytest.mark.xdist_group("stream")


@pytest.fixture(scope="module")
def stream_server(django_db_setup: None) -> Iterator[Server]:
    """One for all the tests that do not stop theirs."""
    with serve_streams() as running:
        yield running


@pytest.fixture
def user(committed: None) -> User:
    """Someone who listens."""
    return UserFactory.create()


@pytest.fixture
def stream(stream_server: Server, user: User) -> Iterator[Listen]:
    """Open streams, which are closed when the test ends."""
    with ExitStack() as sources:

        def open_stream(last_id: str = "", as_user: User | None = None) -> Source:
            source = listen(stream_server, as_user or user, last_id)
            sources.enter_context(closing(source))
            return source

        yield open_stream
    # Until then a process may read what is removed next.
    wait_until(lambda: not Listener.objects.exists())


def shown(post: Post, client: APIClient) -> Any:
    """Return a post as the API shows it, but for what depends on the reader."""
    post_shown = client.get(f"/posts/{post.pk}").json()
    del post_shown["voted"]
    return post_shown


@shared
def test_tells_of_new_changed_and_deleted_posts_and_of_votes(
    stream: Listen, user: User, client_for: Callable[[User], APIClient]
) -> None:
    source = stream()
    post = PostFactory.create(title="Ü", content="Two\nlines")
    (created,) = source.take(1)
    assert created[::2] == ("created", shown(post, client_for(user)))
    post.edit(title="Other")
    (updated,) = source.take(1)
    assert updated[::2] == ("updated", shown(post, client_for(user)))
    Vote.objects.cast(user, post.pk)
    assert source.take(1)[0][::2] == ("votes", {"id": post.pk, "votes": 1})
    Vote.objects.withdraw(user, post.pk)
    assert source.take(1)[0][::2] == ("votes", {"id": post.pk, "votes": 0})
    pk = post.pk
    post.delete()
    assert source.take(1)[0][::2] == ("deleted", {"id": pk})


@shared
def test_says_hello_and_that_it_lives(stream: Listen) -> None:
    source = stream()
    assert source.answer.status == 200
    assert source.answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert source.answer.headers["cache-control"] == "no-store"
    assert source.read() == []
    assert source.comments == ["connected"]
    first = source.last_id
    PostFactory.create(draft=True)
    assert source.read_until(lambda _: "still here" in source.comments) == []
    assert source.last_id != first


@shared
class TestDrafts:
    def test_are_never_told_of(self, stream: Listen) -> None:
        source = stream()
        draft = PostFactory.create(draft=True, content="secret")
        draft.edit(title="secret")
        VoteFactory.create(post=draft)
        draft.delete()
        post = PostFactory.create()
        assert [each[::2] for each in source.take(1)] == [("created", told(post))]

    def test_come_and_go(self, stream: Listen) -> None:
        source = stream()
        post = PostFactory.create(draft=True, content="secret")
        post.edit(published=True, content="public")
        assert source.take(1)[0].name == "created"
        post.edit(published=False, content="secret")
        assert source.take(1)[0][::2] == ("deleted", {"id": post.pk})
        VoteFactory.create(post=post)
        post.edit(content="secrets")
        post.edit(published=True, content="public")
        (again,) = source.take(1)
        assert again.name == "created"
        assert again.data["content"] == "public"
        assert again.data["votes"] == 1

    def test_are_not_shown_as_they_were(self, stream: Listen) -> None:
        source = stream()
        for _ in range(20):
            post = PostFactory.create(content="public for a moment")
            post.edit(published=False, content="secret")
        PostFactory.create(title="last")
        events = source.read_until(lambda events: "last" in str(events))
        assert "secret" not in str(events)
        assert "deleted" in str(events)


def told(post: Post) -> dict[str, Any]:
    """Return what is told of a post."""
    post.refresh_from_db()
    return dict(PublishedPostSerializer(post).data)


@shared
def test_tells_at_most_once_in_a_tick_of_a_post(stream: Listen) -> None:
    source = stream()
    post = PostFactory.create()
    source.take(1)
    voters = UserFactory.create_batch(100)
    began = time.monotonic()
    for voter in voters:
        Vote.objects.cast(voter, post.pk)
        Post.objects.filter(pk=post.pk).update(title=f"By {voter.pk}")
    events = source.read_until(lambda told: bool(told) and told[-1].data["votes"] == len(voters))
    ticks = (time.monotonic() - began) / TICK
    assert len(events) <= ticks + 1 < 50


@shared
def test_tells_at_most_once_in_a_tick_of_a_post_however_much_happens(stream: Listen) -> None:
    source, post = stream(), PostFactory.create()
    source.take(1)
    with held_up():
        post.edit(title="Other")
        PostFactory.create_batch(PAGE)
        last = VoteFactory.create(post__title="Last").post
        VoteFactory.create(post=post)
    events = source.read_until(lambda told: ("created", last) in named(told))
    events += source.read()
    assert [told.data["votes"] for told in events if told.data["id"] == post.pk] == [1]


def test_does_not_let_a_stream_join_within_a_batch(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Hub()
    joined: list[bool] = []

    async def call(function: Callable[..., Any], *args: object) -> Any:
        if function is read:
            joined.append(hub.is_at(hub.position or Position(0)))

        def run() -> Any:
            with closing(connection):
                return function(*args)

        return await asyncio.to_thread(run)

    monkeypatch.setattr("posts.stream.in_thread", call)
    hub.position = Change.objects.bounds().horizon
    PostFactory.create_batch(PAGE + 1)
    asyncio.run(hub.tick())
    assert joined == [False, False]
    assert hub.is_at(hub.position)


@pytest.mark.django_db
def test_makes_no_large_part() -> None:
    start, size = Position(0), 160_000
    posts = PostFactory.create_batch(SLICE + 5, content="\N{GRINNING FACE}" * (size // 4))
    end, position, is_last = Position(LARGEST), start, False
    told = b""
    while not is_last:
        part, position, is_last = read(start, position, end)
        assert len(part) < PART + size + 1000
        told += part
    assert told.count(b"event: created") == len(posts)


@contextmanager
def held_up() -> Iterator[None]:
    """Let everything that is written meanwhile be told at once, afterwards."""
    with closing(psycopg2.connect(database_url())) as other:
        other.cursor().execute("SELECT pg_current_xact_id()")
        yield


def named(events: list[Event]) -> list[tuple[str, Post]]:
    """Return what was told of which posts."""
    return [(event.name, Post(pk=event.data["id"])) for event in events]


def begin_log_now() -> None:
    """Sweep away all that there is in the log."""
    end = Change.objects.bounds().end
    Mark.objects.all().delete()
    Mark.objects.create(xid=end.xid)


def skip_resets(source: Source) -> Event:
    """Return the first event that is none."""
    while (event := source.take(1)[0]).name == "reset":
        pass
    return event


@shared
class TestResuming:
    def test_goes_on_after_each_event_on_any_worker(self, stream: Listen) -> None:
        first = stream()
        first.read()
        ids = [first.last_id]
        with held_up():
            one, two, three = PostFactory.create_batch(3)
            VoteFactory.create(post=one)
            two.edit(title="Other")
            three.edit(published=False)
        events = first.take(3)
        assert named(events) == [("created", one), ("created", two), ("deleted", three)]
        ids += [event.id for event in events]
        rest = [
            [("created", one), ("created", two), ("deleted", three)],
            [("created", two), ("votes", one), ("deleted", three)],
            [("votes", one), ("updated", two), ("deleted", three)],
        ]
        for last_id, expected in zip(ids, rest, strict=False):
            again = stream(last_id, UserFactory.create()).take(3)
            assert named(again) == expected
            assert not {event.id for event in again} & set(ids[: ids.index(last_id) + 1])
        post = PostFactory.create()
        for last_id in (ids[3], first.last_id):
            told = stream(last_id, UserFactory.create()).take(1)
            assert named(told) == [("created", post)]

    def test_waits_for_who_commits_late(self, stream: Listen, user: User) -> None:
        source = stream()
        with closing(psycopg2.connect(database_url())) as other:
            other.cursor().execute(
                "INSERT INTO posts_post (owner_id, title, content) VALUES (%s, 'Late', 'x')",
                [user.pk],
            )
            PostFactory.create(title="Early")
            seen = []
            for _ in range(4):
                seen += source.read()
            other.commit()
        seen += source.take(2)
        assert [event.data["title"] for event in seen] == ["Late", "Early"]

    @pytest.mark.parametrize("last_id", ["0-0", f"{2**62}-0", f"{LARGEST}-{LARGEST}"])
    def test_from_out_of_reach_begins_anew(self, stream: Listen, last_id: str) -> None:
        begin_log_now()
        source = stream(last_id)
        (reset,) = source.take(1)
        assert reset == ("reset", source.last_id, {})
        PostFactory.create()
        assert skip_resets(source).name == "created"

    def test_from_what_was_swept_meanwhile_begins_anew(self, stream: Listen) -> None:
        source = stream()
        source.read()
        source.close()
        PostFactory.create()
        begin_log_now()
        assert stream(source.last_id).take(1)[0].name == "reset"


THE_END = "The end"


class Reader:
    """One who leaves and comes back at random, and keeps what was told, until the end of it."""

    def __init__(self, server: Server, user: User) -> None:
        self.wire = Wire(server.port, user)
        self.wire.close()
        self.posts: dict[int, dict[str, Any]] = {}
        self.seen: set[str] = set()
        self.last_id = ""
        self.visits = 0
        self.is_done = False
        self.ready = Flag()

    def run(self) -> None:
        """Listen until the end."""
        while not self.is_done:
            with suppress(ConnectionError):
                self.visit()
            self.wire.close()

    def visit(self) -> None:
        """Listen for a while; hang up in the middle of what is told."""
        self.wire.connect()
        source = Source(self.wire, self.last_id)
        assert source.answer.status == 200
        self.visits += 1
        for _ in range(RANDOM.randrange(2, 10)):
            events = source.read()
            kept = RANDOM.randint(0, len(events))
            for event in events[:kept]:
                self.take(event)
            if kept < len(events) or source.is_over:
                return
            self.last_id = source.last_id
            self.ready.set()

    def take(self, event: Event) -> None:
        """Do what a client does with an event."""
        assert event.id not in self.seen
        self.seen.add(event.id)
        self.last_id = event.id
        pk = event.data["id"]
        if event.name == "deleted":
            self.posts.pop(pk, None)
        elif event.name == "votes":
            if pk in self.posts:
                self.posts[pk]["votes"] = event.data["votes"]
        else:
            self.posts[pk] = event.data
            self.is_done |= event.data["title"] == THE_END

    def known(self) -> dict[int, tuple[str, str, int]]:
        """Return what there is to be seen, by what was told."""
        return {
            pk: (post["title"], post["content"], post["votes"]) for pk, post in self.posts.items()
        }


def published() -> dict[int, tuple[str, str, int]]:
    """Return what there is to be seen."""
    rows = Post.objects.published().values_list("pk", "title", "content", "vote_count")
    return {pk: (title, content, votes) for pk, title, content, votes in rows}


def write_at_random(users: list[User]) -> None:
    """Make a hundred changes."""
    own: list[Post] = []
    for _ in range(100):
        if not own or RANDOM.random() < 0.2:
            own.append(PostFactory.create(owner=users[0], draft=RANDOM.random() < 0.3))
            continue
        post = RANDOM.choice(own)
        match RANDOM.randrange(6):
            case 0:
                post.edit(published=not post.published)
            case 1:
                post.edit(content=f"{RANDOM.random()}")
            case 2:
                own.remove(post)
                post.delete()
            case _:
                user = RANDOM.choice(users)
                with suppress(Post.DoesNotExist):
                    if not Vote.objects.cast(user, post.pk):
                        Vote.objects.withdraw(user, post.pk)
    connection.close()


@shared
def test_who_comes_back_again_and_again_misses_nothing_and_hears_nothing_twice(
    stream_server: Server, committed: None
) -> None:
    users = UserFactory.create_batch(4)
    with ThreadPoolExecutor() as pool:
        readers = [Reader(stream_server, user) for user in users[:3]]
        runs = [pool.submit(reader.run) for reader in readers]
        assert all(reader.ready.wait(10) for reader in readers)
        writers = [pool.submit(write_at_random, users) for _ in range(3)]
        stream_server.process.send_signal(signal.SIGHUP)
        for writer in writers:
            writer.result()
        PostFactory.create(title=THE_END)
        for run in runs:
            run.result()
    stream_server.wait_for_log(r"(?s)(Booting worker.*){4}")
    wait_until(lambda: not Listener.objects.exists())
    assert [reader.known() for reader in readers] == [published()] * 3
    assert all(reader.visits > 3 for reader in readers)


def change_password(user: User) -> None:
    user.set_password("brisk-harbour-31")
    user.save()


@shared
class TestTheEnd:
    def test_comes_with_that_of_the_token(self, stream_server: Server, user: User) -> None:
        session = Session.objects.start(user)
        token = AccessToken.of(session)
        token["exp"] = int(time.time()) + 2
        wire = Wire(stream_server.port)
        wire.headers["Authorization"] = f"Bearer {token}"
        with closing(Source(wire)) as source:
            source.wait_for_end()
            assert 0 <= time.time() - token["exp"] < 0.5
        assert wire.is_closed

    @pytest.mark.parametrize(
        "act",
        [
            lambda user: user.sessions.end(),
            lambda user: user.suspend(),
            lambda user: user.delete(),
            change_password,
        ],
        ids=["logout", "suspension", "deletion", "password"],
    )
    def test_comes_with_that_of_the_login(
        self, stream: Listen, act: Callable[[User], object]
    ) -> None:
        leaver = UserFactory.create()
        source, other = stream("", leaver), stream()
        source.read()
        act(leaver)
        source.wait_for_end()
        PostFactory.create()
        assert other.take(1)[0].name == "created"
        # The connection is good for the next request.
        assert source.wire.ask("GET", "/posts").status == 401

    @pytest.mark.parametrize(
        "act",
        [
            lambda _, browser: browser.logout(),
            lambda user, _: user.suspend(),
            lambda user, _: change_password(user),
        ],
        ids=["logout", "suspension", "password"],
    )
    def test_comes_with_that_of_a_browsers_session(
        self, stream_server: Server, user: User, act: Callable[[User, Client], object]
    ) -> None:
        browser = Client()
        browser.force_login(user)
        cookie = f"sessionid={browser.cookies['sessionid'].value}"
        wire = Wire(stream_server.port)
        with closing(Source(wire, Cookie=cookie, Accept="text/event-stream")) as source:
            PostFactory.create()
            assert source.take(1)
            act(user, browser)
            source.wait_for_end()

    def test_comes_with_that_of_the_server(self, user: User) -> None:
        with serve_streams() as server:
            sources = [listen(server, user) for _ in range(4)]
            server.process.terminate()
            for source in sources:
                source.wait_for_end()
                source.close()
            assert server.process.wait(10) == 0
        assert not Listener.objects.exists()


@shared
class TestLimit:
    def test_is_exact_across_workers(self, stream_server: Server, user: User) -> None:
        wires = [Wire(stream_server.port, user) for _ in range(20)]
        with ThreadPoolExecutor(20) as pool:
            sources = list(pool.map(Source, wires))
        refused = [source for source in sources if source.answer.status != 200]
        assert len(refused) == 15
        for source in refused:
            answer = refusal(source)
            assert answer.status == 429
            assert answer.is_problem
            assert answer.headers["retry-after"] == "30"
        for wire in wires:
            wire.close()
        wait_until(lambda: not Listener.objects.exists())

    def test_is_exact_however_many_ask_at_once(self, user: User) -> None:
        barrier = Barrier(10, timeout=10)

        def join(_number: int) -> bool:
            connection.ensure_connection()
            barrier.wait()
            try:
                return Listener.objects.join(user) is not None
            finally:
                connection.close()

        with ThreadPoolExecutor(10) as pool:
            assert sum(pool.map(join, range(10))) == 5

    def test_counts_what_is_open(self, stream: Listen, user: User) -> None:
        sources = [stream() for _ in range(5)]
        assert stream().answer.status == 429
        assert stream("", UserFactory.create()).answer.status == 200
        Listener.objects.filter(user=user).update(expires_at="2020-01-01T00:00:00Z")
        time.sleep(5 * TICK)  # They are renewed.
        assert stream().answer.status == 429
        sources[0].close()
        wait_until(lambda: Listener.objects.filter(user=user).count() == 4)
        assert stream().answer.status == 200

    def test_forgets_the_dead(self, stream: Listen, user: User) -> None:
        for _ in range(5):
            Listener.objects.join(user)
        assert Listener.objects.join(user) is None
        Listener.objects.update(expires_at="2020-01-01T00:00:00Z")
        assert stream().answer.status == 200
        assert Listener.objects.count() == 1

    def test_ends_a_stream_that_counts_no_more(self, stream: Listen) -> None:
        source = stream()
        Listener.objects.all().delete()
        source.wait_for_end()


class Sloth:
    """A client that asks for a stream and does not read."""

    def __init__(self, server: Server, user: User, last_id: str = "0-0") -> None:
        self.end = socket.socket()
        self.end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.end.connect(("127.0.0.1", server.port))
        token = tokens.log_in(user)["access_token"]
        lines = [f"GET {PATH} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {token}"]
        lines += [f"Last-Event-ID: {last_id}", "", ""]
        self.end.sendall("\r\n".join(lines).encode())

    def read_to_the_end(self) -> None:
        """Wake up."""
        with self.end:
            while self.end.recv(65536):
                pass


@shared
class TestWhoDoesNotRead:
    """Is cut off, after no more than the system's buffers, BACKLOG and a part have been filled."""

    def test_is_cut_off_when_much_happens(
        self, stream: Listen, stream_server: Server, user: User
    ) -> None:
        other = stream("", UserFactory.create())
        sloth = Sloth(stream_server, user)
        wait_until(lambda: Listener.objects.count() == 2)
        told_to_other = 0
        while Listener.objects.filter(user=user).exists():
            PostFactory.create_batch(50, content="x" * 40_000)
            told_to_other += len(other.take(50))
            assert told_to_other < 1000
        with pytest.raises(ConnectionResetError):
            sloth.read_to_the_end()

    def test_goes_on_by_itself_when_too_much_waits(self) -> None:
        stream = Stream(Listener(pk=1), Credential(1), Position(1), b"")
        stream.is_live = True
        stream.put(b"1" * BACKLOG, Position(2))
        assert stream.is_live
        stream.put(b"2", Position(3))
        assert not stream.is_live
        assert (stream.size, stream.position) == (BACKLOG, Position(2))

    def test_is_not_cut_off_for_a_pause(self, stream: Listen) -> None:
        source = stream()
        source.read()
        with held_up():
            # Six bytes each, when they are sent.
            PostFactory.create_batch(60, content="\1" * 39_999 + "x")
        time.sleep(3 * TICK)
        told = source.take(60)
        assert len({event.data["id"] for event in told}) == len(told) == 60

    def test_is_cut_off_while_it_should_catch_up(
        self, stream: Listen, stream_server: Server, user: User
    ) -> None:
        start = str(Change.objects.bounds().horizon)
        PostFactory.create_batch(300, content="x" * 40_000)
        sloth = Sloth(stream_server, user, start)
        wait_until(Listener.objects.exists)
        wait_until(lambda: not Listener.objects.exists())
        with pytest.raises(ConnectionResetError):
            sloth.read_to_the_end()
        assert len(stream(start).take(300)) == 300


@shared
def test_holds_no_thread(stream: Listen, stream_server: Server, user: User) -> None:
    sources = [stream("", user) for user in UserFactory.create_batch(10)]
    for source in sources:
        source.read()
    for _ in range(4):
        with closing(Wire(stream_server.port, user)) as wire:
            assert wire.ask("GET", "/posts").status == 200
    assert len(find_named(stream_server.name)) <= 2
    PostFactory.create()
    assert [source.take(1)[0].name for source in sources] == ["created"] * 10


@shared
def test_goes_on_when_the_database_cuts_its_connections(
    stream: Listen, stream_server: Server
) -> None:
    sources = [stream("", user) for user in UserFactory.create_batch(4)]
    for _ in range(3):
        cut_and_wait(find_named(stream_server.name))
        post = PostFactory.create()
        assert [source.take(1)[0].data["id"] for source in sources] == [post.pk] * 4


def test_waits_for_the_database(user: User) -> None:
    door = Door()
    with serve_streams(door=door.port) as server, closing(listen(server, user)) as source:
        source.read()
        door.shut()
        server.wait_for_log("The streams wait for the database")
        post = PostFactory.create()
        source.comments.clear()
        assert source.read_until(lambda _: "still here" in source.comments) == []
        door = Door(door.port)
        assert source.take(1)[0].data["id"] == post.pk
        assert server.log.count("The streams wait") == 1
        source.close()
    door.shut()


def test_is_refused_by_a_process_that_has_enough(
    as_reader: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("posts.stream.MOST", 0)
    response = as_reader.get(PATH)
    assert response.status_code == 503
    assert response["Retry-After"] == "1"


def test_ends_when_a_fault_of_ours_would_silence_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_args: object) -> None:
        raise ValueError("a fault")

    async def read_all() -> list[bytes]:
        stream = Stream(Listener(pk=1), Credential(1), Position(1), b"Hello")
        return [piece async for piece in stream.pieces()]

    monkeypatch.setattr("posts.stream.in_thread", fail)
    assert asyncio.run(read_all()) == [b"Hello"]
    assert hub.task is None
    assert "a fault" in caplog.text


@pytest.mark.parametrize(
    "last_id", ["x", "1", "-1-0", "1-", "1-2-3", "1.5-2", f"{2**63}-0", "1-" + "9" * 30, "١-٢"]
)
def test_refuses_what_is_no_id(as_reader: APIClient, last_id: str) -> None:
    response = as_reader.get(PATH, HTTP_LAST_EVENT_ID=last_id)
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert not Listener.objects.exists()


def test_is_not_for_strangers(anonymous: APIClient, db: None) -> None:
    assert anonymous.get(PATH).status_code == 401


@pytest.mark.parametrize("path", [PATH, PATH + "/"])
@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("text/event-stream", 200),
        ("*/*", 200),
        ("text/*", 200),
        ("application/json", 406),
        ("application/json, text/event-stream;q=0.5", 200),
        ("text/event-stream;q=0", 406),
        ("application/json, text/event-stream;q=0.0", 406),
    ],
)
def test_is_given_to_who_accepts_it(
    as_reader: APIClient, path: str, accept: str, status: int
) -> None:
    response = as_reader.get(path, HTTP_ACCEPT=accept)
    assert response.status_code == status
    type_of_error = "application/problem+json"
    expected = "text/event-stream; charset=utf-8" if status == 200 else type_of_error
    assert response["Content-Type"] == expected


def test_shows_browsers_a_page(as_reader: APIClient) -> None:
    response = as_reader.get(PATH, HTTP_ACCEPT="text/html,application/xhtml+xml,*/*;q=0.8")
    assert response["Content-Type"] == "text/html; charset=utf-8"
    assert b"not a page" in response.content
    assert not Listener.objects.exists()


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_takes_no_other_method(as_reader: APIClient, method: str) -> None:
    response = getattr(as_reader, method)(PATH)
    assert response.status_code == 405
    assert response["Allow"] == "GET, HEAD, OPTIONS"


@shared
def test_head_and_options_begin_no_stream(stream_server: Server, user: User, dial: Dial) -> None:
    wire = dial(stream_server, user)
    for _ in range(6):
        answer = wire.ask("HEAD", PATH)
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert (answer.status, answer.body) == (200, b"")
    assert wire.ask("OPTIONS", PATH, Accept="application/json").status == 200
    assert not Listener.objects.exists()
