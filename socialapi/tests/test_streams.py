"""Streams: sent from the event loop to whoever listens, holding nothing."""

import pytest

from accounts.tests.factories import UserFactory
from socialapi.tests.live import Dial, Server

pytestmark = pytest.mark.usefixtures("committed")


def test_a_stream_arrives_whole_and_the_connection_stays(
    narrow_server: Server, dial: Dial
) -> None:
    wire = dial(narrow_server)
    assert wire.ask("GET", "/numbers").body == b"1\n2\n3\n"
    assert wire.ask("GET", "/").status == 200


def test_a_stream_holds_no_thread_and_ends_with_its_listener(
    narrow_server: Server, dial: Dial
) -> None:
    listener = dial(narrow_server)
    listener.send("GET", "/clock")
    assert listener.receive_head().status == 200
    assert listener.read_chunk() == b"tick\n"
    assert dial(narrow_server, UserFactory.create()).ask("GET", "/posts").status == 200
    listener.close()
    narrow_server.wait_for_log("The clock stopped.")
    narrow_server.wait_for_log("The response was closed.")


def test_head_of_a_stream_does_not_begin_it(narrow_server: Server, dial: Dial) -> None:
    wire = dial(narrow_server)
    assert wire.ask("HEAD", "/clock").body == b""
    assert wire.ask("HEAD", "/numbers").body == b""
    assert "no-body response" not in narrow_server.log
