"""More requests than threads: a queue with an end, and what a client sees beyond it."""

import select
from itertools import pairwise

import pytest

from accounts.models import User
from accounts.tests.factories import UserFactory
from posts.models import Post
from socialapi.tests.backends import find_named, find_waiting, locked_posts
from socialapi.tests.live import ORIGIN, THREADS, Dial, Server, wait_until
from socialapi.tests.wire import Wire


@pytest.fixture(autouse=True)
def user(committed: None) -> User:
    """Someone whom the server knows."""
    return UserFactory.create()


def fill(server: Server, dial: Dial, user: User) -> list[Wire]:
    """Occupy the one thread and both places in the queue, and see a fourth request refused.

    Returns the connections whose requests run (the first) and wait.
    """
    running, *waiting = [dial(server, user) for _ in range(4)]
    running.send("GET", "/posts")
    wait_until(find_waiting)
    for wire in waiting:
        wire.send("GET", "/posts")
    (refused,) = wait_until(lambda: select.select(waiting, [], [], 0)[0])
    assert refused.receive().status == 503
    waiting.remove(refused)
    return [running, *waiting]


def let_loop_turn(wire: Wire) -> None:
    """Let the server see what other connections did, which takes a few turns of its loop."""
    assert {wire.ask("GET", "/health/live").status for _ in range(5)} == {200}


def test_beyond_the_queue_the_answer_is_503_at_once(
    narrow_server: Server, dial: Dial, user: User
) -> None:
    late = dial(narrow_server)
    with locked_posts():
        wires = fill(narrow_server, dial, user)
        answer = late.ask("GET", "/", Origin=ORIGIN)
        assert late.ask("HEAD", "/").status == 503
        assert late.ask("GET", "/health/live").status == 200
    assert answer.status == 503
    assert answer.is_problem
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert [wire.receive().status for wire in wires] == [200, 200, 200]
    assert "no-body response" not in narrow_server.log


def test_who_leaves_the_queue_takes_the_request_along(
    narrow_server: Server, dial: Dial, user: User
) -> None:
    writer, heir = dial(narrow_server, user), dial(narrow_server, user)
    other = dial(narrow_server)
    assert {wire.ask("GET", "/health/live").status for wire in (writer, heir, other)} == {200}
    with locked_posts():
        running, waiting, reader = fill(narrow_server, dial, user)
        for leaver, successor in ((reader, writer), (writer, heir)):
            leaver.close()
            let_loop_turn(other)
            title = "Stays" if successor is heir else "Leaves"
            successor.send("POST", "/posts", {"title": title, "content": "x"})
            let_loop_turn(other)
            assert other.ask("GET", "/").status == 503
    assert [wire.receive().status for wire in (running, waiting, heir)] == [200, 200, 201]
    assert [post.title for post in Post.objects.all()] == ["Stays"]


def test_a_thread_whose_client_has_left_is_not_free(
    narrow_server: Server, dial: Dial, user: User
) -> None:
    other = dial(narrow_server)
    with locked_posts():
        running, *waiting = fill(narrow_server, dial, user)
        running.close()
        assert other.ask("GET", "/health/live").status == 200
        assert other.ask("GET", "/").status == 503
    assert [wire.receive().status for wire in waiting] == [200, 200]


def test_each_thread_keeps_its_connection(server: Server, dial: Dial, user: User) -> None:
    wires = [dial(server, user) for _ in range(10)]
    seen = []
    for _ in range(20):
        for wire in wires:
            wire.send("GET", "/posts")
        assert {wire.receive().status for wire in wires} == {200}
        seen.append(find_named(server.name))
    assert all(earlier <= later for earlier, later in pairwise(seen))
    assert len(seen[-1]) <= THREADS
