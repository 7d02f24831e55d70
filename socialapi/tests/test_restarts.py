"""Stopping and reloading under load: nobody is let down."""

import signal
import time

import pytest

from accounts.models import User
from accounts.tests.factories import UserFactory
from socialapi.tests.live import Dial, Server, serve
from socialapi.tests.load import count_answers, load, wait_for_turns
from socialapi.tests.wire import PATIENCE_SECONDS

# What Docker gives a container, see graceful_timeout.
STOP_SECONDS = 10


@pytest.fixture(autouse=True)
def user(committed: None) -> User:
    """Someone whom the server knows."""
    return UserFactory.create()


def stop(server: Server) -> None:
    """Stop a server as an operator does, in time."""
    began = time.monotonic()
    server.process.terminate()
    assert server.process.wait(PATIENCE_SECONDS) == 0
    assert time.monotonic() - began < STOP_SECONDS
    # None was killed.
    assert server.log.count("Worker exiting") == server.log.count("Booting worker")


def test_a_stop_under_load_fails_no_request(user: User) -> None:
    with serve(WEB_CONCURRENCY="2") as server, load(server, user) as clients:
        stop(server)
    answers = count_answers(clients)
    print(f"answers: {dict(answers)}")
    assert {status for _, status in answers} <= {200, 201, 204}
    # Once it has been told, the server takes no connection, but it leaves none.
    assert [client.error for client in clients if client.is_served] == []


def test_a_reload_under_load_fails_no_request(user: User) -> None:
    with serve(WEB_CONCURRENCY="2") as server, load(server, user) as clients:
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_log(r"(?s)(Booting worker.*){4}")
        server.wait_for_log(r"(?s)(Worker shutting down.*){2}")
        wait_for_turns(clients, 5)
    answers = count_answers(clients)
    print(f"answers: {dict(answers)}")
    assert {status for _, status in answers} <= {200, 201, 204}
    assert [client.error for client in clients if client.error] == []


def test_a_stop_does_not_wait_for_idle_connections(dial: Dial) -> None:
    with serve(WEB_CONCURRENCY="2") as server:
        unused, used = dial(server), dial(server)
        assert used.ask("GET", "/").status == 200
        stop(server)
        unused.close()


def test_a_stop_ends_streams(dial: Dial) -> None:
    with serve("socialapi.tests.streaming:application") as server:
        wire = dial(server)
        wire.send("GET", "/clock")
        wire.receive_head()
        assert wire.read_chunk() == b"tick\n"
        server.process.terminate()
        assert wire.read_chunk() == b""
        server.wait_for_log("The clock stopped.")
        wire.close()
