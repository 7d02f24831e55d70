"""What a client sees of the way a request takes: from bytes on a connection to bytes."""

import pytest

from accounts.models import User
from accounts.tests.factories import UserFactory
from posts.models import Post
from socialapi.tests.live import Dial, Server

BODY = b'{"title": "In parts", "content": "yes"}'


@pytest.fixture(autouse=True)
def user(committed: None) -> User:
    """Someone whom the server knows."""
    return UserFactory.create()


def test_a_connection_serves_one_request_after_another(server: Server, dial: Dial) -> None:
    wire = dial(server)
    assert wire.ask("GET", "/").status == 200
    assert wire.ask("GET", "/nowhere").status == 404
    assert wire.ask("GET", "/health/ready").status == 200


def test_requests_in_one_packet_are_answered_in_order(server: Server, dial: Dial) -> None:
    wire = dial(server)
    request = b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n"
    wire.socket.sendall(request % b"/nowhere" + request % b"/health/live" + request % b"/")
    wire.methods = ["GET", "GET", "GET"]
    assert [wire.receive().status for _ in range(3)] == [404, 200, 200]


def test_a_body_may_come_in_chunks(server: Server, dial: Dial, user: User) -> None:
    wire = dial(server, user)
    wire.send_head("POST", "/posts", Transfer_Encoding="chunked")
    for part in (BODY[:10], BODY[10:], b""):
        wire.send_chunk(part)
    assert wire.receive().status == 201
    assert Post.objects.get().title == "In parts"


def test_a_body_may_wait_to_be_asked_for(server: Server, dial: Dial, user: User) -> None:
    wire = dial(server, user)
    wire.send_head("POST", "/posts", Content_Length=str(len(BODY)), Expect="100-continue")
    assert wire.receive().status == 100
    wire.socket.sendall(BODY)
    assert wire.receive().status == 201


@pytest.mark.parametrize("path", ["/", "/nowhere", "/health/live", "/openapi.json"])
def test_head_is_get_without_its_body(server: Server, dial: Dial, path: str) -> None:
    got = dial(server).ask("GET", path, X_Request_ID="same")
    head = dial(server).ask("HEAD", path, X_Request_ID="same")
    assert (head.status, head.body) == (got.status, b"")
    assert head.headers | {"date": ""} == got.headers | {"date": ""}
    assert "no-body response" not in server.log


def test_static_files_are_served(server: Server, dial: Dial) -> None:
    got = dial(server).ask("GET", "/static/rest_framework/css/default.css")
    head = dial(server).ask("HEAD", "/static/rest_framework/css/default.css")
    assert got.headers["content-type"].startswith("text/css")
    assert head.headers["content-length"] == str(len(got.body))
    assert b"{" in got.body


@pytest.mark.parametrize(
    ("packet", "status"),
    [
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /?search=\xff HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20_000 + b"\r\n\r\n", 431),
    ],
    ids=["line", "length", "hosts", "query", "long line", "long header"],
)
def test_what_is_not_http_is_refused(
    server: Server, dial: Dial, packet: bytes, status: int
) -> None:
    wire = dial(server)
    wire.socket.sendall(packet)
    assert wire.receive_head().status == status


def test_a_websocket_is_refused(server: Server, dial: Dial) -> None:
    wire = dial(server)
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    handshake = {"Sec_WebSocket_Version": "13", "Sec_WebSocket_Key": key}
    answer = wire.ask("GET", "/", Upgrade="websocket", Connection="Upgrade", **handshake)
    assert answer.status == 403


@pytest.mark.parametrize("name", ["%00", "%ed%a0%80", "%ff", "9" * 23])
def test_an_impossible_address_is_not_found(
    server: Server, dial: Dial, user: User, name: str
) -> None:
    answer = dial(server, user).ask("GET", f"/posts/{name}")
    assert answer.status == 404
    assert answer.is_problem


@pytest.mark.parametrize("value", ["%00", "%ed%a0%80", "%ff", "9" * 23])
@pytest.mark.parametrize("name", ["search", "owner", "cursor", "limit", "%00"])
def test_an_odd_query_is_no_fault_of_the_server(
    server: Server, dial: Dial, user: User, name: str, value: str
) -> None:
    answer = dial(server, user).ask("GET", f"/posts?{name}={value}")
    assert answer.status == 200 or (answer.status == 400 and answer.is_problem)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"title": ' * 100_000,
        b'{"title": "\\u0000", "content": "x"}',
        b'{"title": "\\ud800", "content": "x"}',
        b'{"title": "\xff", "content": "x"}',
        b'{"title": 1e400, "content": "x"}',
        b"1" * 100_000,
    ],
    ids=["arrays", "objects", "NUL", "surrogate", "latin-1", "infinity", "digits"],
)
def test_a_body_that_cannot_be_stored_is_malformed(
    server: Server, dial: Dial, user: User, body: bytes
) -> None:
    wire = dial(server, user)
    wire.send_head("POST", "/posts", body, Content_Length=str(len(body)))
    answer = wire.receive()
    assert answer.status == 400
    assert answer.is_problem
    assert not Post.objects.exists()
