"""Votes on one post that meet are made together."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager

import psycopg2
import pytest
from django.db import OperationalError, connection

from accounts.models import Session, User
from accounts.tests.factories import UserFactory
from posts.models import Post
from posts.tests.factories import PostFactory
from socialapi.tests.backends import find_waiting
from socialapi.tests.live import Dial, Server, database_url, wait_until
from votes.fast import CAST, WITHDRAW, Wish, fulfil, meetings
from votes.models import Vote

pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture
def post() -> Post:
    return PostFactory.create()


def wish_of(user: User, post: Post, *, adds: bool = True) -> Wish:
    statement = CAST if adds else WITHDRAW
    return Wish(post.pk, statement, user.pk, Session.objects.start(user).pk)


@contextmanager
def held_up(post: Post) -> Iterator[None]:
    """Hold a post's row, so that votes on it have to wait."""
    with closing(psycopg2.connect(database_url())) as other:
        other.cursor().execute("SELECT FROM posts_post WHERE id = %s FOR UPDATE", [post.pk])
        yield


def meet(pool: ThreadPoolExecutor, wishes: list[Wish]) -> list[Future[bool]]:
    """Let the first wish wait for its post, which is held up, and the others for it."""

    def run(wish: Wish) -> bool:
        try:
            return fulfil(wish)
        finally:
            connection.close()

    results = [pool.submit(run, wishes[0])]
    wait_until(find_waiting)
    results += [pool.submit(run, wish) for wish in wishes[1:]]
    wait_until(lambda: len(meetings[wishes[0].pk].wishes) == len(wishes))
    return results


def fulfil_while_held_up(post: Post, wishes: list[Wish]) -> list[bool]:
    """Let wishes meet, then let go of their post."""
    with ThreadPoolExecutor(len(wishes)) as pool:
        with held_up(post):
            results = meet(pool, wishes)
        return [result.result() for result in results]


def count_commits() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT xmin::text) FROM votes_vote")
        (count,) = cursor.fetchone()
    return int(count)


def test_by_one_statement_for_all_that_waited(post: Post) -> None:
    wishes = [wish_of(user, post) for user in UserFactory.create_batch(6)]

    assert fulfil_while_held_up(post, wishes) == [True] * 6

    assert Vote.objects.count() == 6
    assert count_commits() == 2
    post.refresh_from_db()
    assert post.vote_count == 6


def test_and_are_removed_together(post: Post) -> None:
    users = UserFactory.create_batch(3)
    for user in users:
        Vote.objects.cast(user, post.pk)

    wishes = [wish_of(user, post, adds=False) for user in users]
    assert fulfil_while_held_up(post, wishes) == [True] * 3

    post.refresh_from_db()
    assert post.vote_count == Vote.objects.count() == 0


def test_and_each_user_once(post: Post) -> None:
    first, user = UserFactory.create_batch(2)
    wishes = [wish_of(first, post), *(wish_of(user, post) for _ in range(3))]

    outcomes = fulfil_while_held_up(post, wishes)

    assert sorted(outcomes[1:]) == [False, False, True]
    assert Vote.objects.count() == 2


def test_but_not_for_those_who_may_not(post: Post) -> None:
    first, ended, suspended, good = UserFactory.create_batch(4)
    wishes = [wish_of(user, post) for user in (first, ended, suspended, good)]
    ended.sessions.end()
    suspended.suspend()

    assert fulfil_while_held_up(post, wishes) == [True, False, False, True]

    assert set(Vote.objects.values_list("user", flat=True)) == {first.pk, good.pk}


def test_but_not_on_a_draft_of_somebody_else(post: Post) -> None:
    draft = PostFactory.create(published=False)
    wishes = [wish_of(user, draft) for user in (draft.owner, *UserFactory.create_batch(2))]

    assert fulfil_while_held_up(draft, wishes) == [True, False, False]


@pytest.mark.parametrize("ends_by", ["pg_cancel_backend", "pg_terminate_backend"])
def test_and_all_fail_with_the_statement_they_wait_for(post: Post, ends_by: str) -> None:
    """A statement that takes too long is cancelled, as here."""
    users = UserFactory.create_batch(6)
    wishes = [wish_of(user, post, adds=user is not users[-1]) for user in users]

    with ThreadPoolExecutor(len(wishes)) as pool, held_up(post):
        results = meet(pool, wishes)
        (backend,) = find_waiting()
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {ends_by}(%s)", [backend])
        wait_until(lambda: all(result.done() for result in results))

    (error,) = {result.exception() for result in results}
    assert isinstance(error, OperationalError)
    assert not Vote.objects.exists()
    assert meetings == {}
    assert fulfil(wish_of(users[0], post))


def test_and_on_another_post_without_waiting(server: Server, dial: Dial, post: Post) -> None:
    others = [PostFactory.create(pk=post.pk + distance) for distance in (1, 256, 1024)]
    first, user = (dial(server, user) for user in UserFactory.create_batch(2))

    with held_up(post):
        first.send("POST", "/vote", {"post_id": post.pk, "vote_dir": 1})
        wait_until(find_waiting)
        for other in others:
            answer = user.ask("POST", "/vote", {"post_id": other.pk, "vote_dir": 1})
            assert answer.status == 201
        assert find_waiting()

    assert first.receive().status == 201


@pytest.mark.parametrize("exists", [True, False])
def test_and_no_meeting_outlasts_its_votes(post: Post, exists: bool) -> None:
    users = UserFactory.create_batch(3)
    if not exists:
        Post.objects.all().delete()

    for user in users:
        assert fulfil(wish_of(user, post)) is exists

    assert meetings == {}
