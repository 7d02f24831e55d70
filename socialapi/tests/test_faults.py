"""Connections that break and a database that is away: what a client sees, and what is stored."""

import pytest

from accounts.models import User
from accounts.tests.factories import PASSWORD, UserFactory
from posts.models import Post
from socialapi.tests.backends import (
    Door,
    cut,
    cut_and_wait,
    find_named,
    find_waiting,
    locked_posts,
    read_only,
)
from socialapi.tests.live import Dial, Server, serve, wait_until
from socialapi.tests.load import count_answers, load, wait_for_answers
from socialapi.tests.wire import Answer

NEW_POST = {"title": "A title", "content": "Some content"}
CUTS = 150


@pytest.fixture(autouse=True)
def user(committed: None) -> User:
    """Someone whom the server knows."""
    return UserFactory.create()


def is_unavailable(answer: Answer) -> bool:
    """Whether an answer says that it may go better later."""
    return answer.status == 503 and answer.is_problem and answer.headers["retry-after"] == "1"


def test_connections_that_break_under_load_cost_no_read_and_repeat_no_write(user: User) -> None:
    cuts = 0
    with serve(WEB_CONCURRENCY="2") as server:
        with load(server, user) as clients:
            while cuts < CUTS:
                wait_for_answers(clients, 20)
                cuts += cut(find_named(server.name))
        noticed = server.log.count("The database did not answer")
    answers = count_answers(clients)
    print(f"{cuts} connections cut, {noticed} noticed, {dict(answers)}")
    assert [client.error for client in clients if client.error] == []
    assert {status for method, status in answers if method == "GET"} == {200}
    assert {status for _, status in answers} <= {200, 201, 204, 503}
    assert answers["POST", 201] > answers["POST", 503]


def test_a_connection_that_broke_while_idle_costs_nothing(
    server: Server, dial: Dial, user: User
) -> None:
    wire = dial(server, user)
    for method, path, data, status in (
        ("POST", "/posts", NEW_POST, 201),
        ("POST", "/login", {"username": user.email, "password": PASSWORD}, 200),
        ("GET", "/posts", None, 200),
    ):
        cut_and_wait(find_named(server.name))
        assert wire.ask(method, path, data).status == status
    assert Post.objects.count() == 1


def test_a_read_whose_connection_breaks_is_repeated(
    server: Server, dial: Dial, user: User
) -> None:
    wire = dial(server, user)
    with locked_posts():
        wire.send("GET", "/posts")
        cut_and_wait(wait_until(find_waiting))
        wait_until(find_waiting)
    assert wire.receive().status == 200


def test_a_write_whose_connection_breaks_is_not_repeated(
    server: Server, dial: Dial, user: User
) -> None:
    wire = dial(server, user)
    with locked_posts():
        wire.send("POST", "/posts", NEW_POST)
        cut_and_wait(wait_until(find_waiting))
        assert is_unavailable(wire.receive())
        assert not find_waiting()
    assert wire.ask("GET", "/posts").json()["results"] == []
    assert wire.ask("POST", "/posts", NEW_POST).status == 201


def test_without_a_database_the_service_says_so_and_recovers(dial: Dial, user: User) -> None:
    door = Door()
    with serve(door=door.port) as server:
        wire = dial(server, user)
        assert wire.ask("GET", "/posts").status == 200
        door.shut()
        for method, path, data in (
            ("GET", "/posts/987654321", None),
            ("POST", "/posts", NEW_POST),
            ("POST", "/login", {"username": user.email, "password": PASSWORD}),
            ("GET", "/health/ready", None),
        ):
            assert is_unavailable(wire.ask(method, path, data))
        assert wire.ask("GET", "/health/live").status == 200
        page = wire.ask("GET", "/admin/", Accept="text/html", Cookie=f"sessionid={'a' * 32}")
        assert page.status == 503
        told = [line for line in server.lines(level="ERROR") if "request_id" in line]
        assert len({line["request_id"] for line in told}) == len(told) == 5
        for line in told:
            assert line["message"].startswith("The database did not answer: connection to server")
            assert "exception" not in line
        assert "987654321" not in server.log
        door = Door(door.port)
        assert wire.ask("GET", "/posts").status == 200
        assert wire.ask("POST", "/posts", NEW_POST).status == 201
        assert wire.ask("GET", "/health/ready").status == 200
        wire.close()
        door.shut()


def test_a_database_that_takes_no_changes_is_read_and_not_written(
    server: Server, dial: Dial, user: User
) -> None:
    wire = dial(server, user)
    post = wire.ask("POST", "/posts", NEW_POST).json()
    vote = f"/posts/{post['id']}/vote"
    with read_only():
        for method, path, data in (
            ("POST", "/posts", NEW_POST),
            ("PATCH", f"/posts/{post['id']}", NEW_POST),
            ("PUT", vote, None),
            ("POST", "/login", {"username": user.email, "password": PASSWORD}),
        ):
            assert is_unavailable(wire.ask(method, path, data))
        assert wire.ask("GET", "/posts").status == 200
        assert wire.ask("GET", "/health/live").status == 200
    assert wire.ask("PUT", vote).status == 204
