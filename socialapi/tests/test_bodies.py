"""Request bodies that are too large, too slow, or end too early."""

import pytest

from accounts.models import User
from accounts.tests.factories import UserFactory
from posts.models import Post
from socialapi.tests.live import ORIGIN, Dial, Server
from socialapi.tests.wire import Wire

MIB = 1024 * 1024
HALVES = b'{"title": "Slow', b'ly", "content": "yes"}'


@pytest.fixture(autouse=True)
def user(committed: None) -> User:
    """Someone whom the server knows."""
    return UserFactory.create()


def send_half(wire: Wire) -> None:
    """Begin to write a post."""
    wire.send_head("POST", "/posts", HALVES[0], Content_Length=str(sum(map(len, HALVES))))


def test_a_body_that_announces_its_size_is_refused_unread(
    narrow_server: Server, dial: Dial
) -> None:
    wire = dial(narrow_server)
    wire.send_head("POST", "/users", Content_Length=str(MIB + 1), Origin=ORIGIN)
    answer = wire.receive()
    assert answer.status == 413
    assert answer.is_problem
    assert answer.headers["access-control-allow-origin"] == ORIGIN


def test_nobody_is_asked_for_a_body_that_is_refused(narrow_server: Server, dial: Dial) -> None:
    wire = dial(narrow_server)
    wire.send_head("POST", "/users", Content_Length=str(MIB + 1), Expect="100-continue")
    answer = wire.receive()
    assert answer.status == 413
    assert answer.headers["connection"] == "close"


def test_a_body_that_does_not_end_is_cut_off(narrow_server: Server, dial: Dial) -> None:
    wire = dial(narrow_server)
    wire.send_head("POST", "/users", Transfer_Encoding="chunked", Origin=ORIGIN)
    for _ in range(17):
        wire.send_chunk(bytes(MIB // 16))
    answer = wire.receive()
    assert answer.status == 413
    assert answer.is_problem
    assert answer.headers["access-control-allow-origin"] == ORIGIN


def test_a_body_of_one_mebibyte_is_read(narrow_server: Server, dial: Dial) -> None:
    answer = dial(narrow_server).ask("POST", "/login", {"username": "a" * (MIB - 16)})
    assert answer.status == 400
    assert "password" in answer.json()["errors"]


def test_who_sends_on_and_on_can_read_the_answer_and_fills_no_memory(
    narrow_server: Server, dial: Dial
) -> None:
    probe = dial(narrow_server)
    before = probe.ask("GET", "/peak").json()
    wire = dial(narrow_server)
    wire.send_head("POST", "/users", Content_Length=str(64 * MIB))
    for _ in range(64):
        wire.socket.sendall(bytes(MIB))
    assert wire.receive().status == 413
    assert probe.ask("GET", "/peak").json() < before * 1.2


def test_a_slow_client_costs_no_thread(narrow_server: Server, dial: Dial, user: User) -> None:
    slow = dial(narrow_server, user)
    send_half(slow)
    assert dial(narrow_server, user).ask("GET", "/posts").status == 200
    slow.socket.sendall(HALVES[1])
    assert slow.receive().status == 201


def test_a_client_that_leaves_in_mid_upload_costs_nothing(
    narrow_server: Server, dial: Dial, user: User
) -> None:
    before = len(narrow_server.lines())
    for _ in range(5):
        wire = dial(narrow_server, user)
        send_half(wire)
        wire.close()
    assert dial(narrow_server, user).ask("GET", "/posts").json()["results"] == []
    assert not Post.objects.exists()
    after = narrow_server.lines()[before:]
    assert {line["logger"] for line in after} <= {"socialapi.access"}
