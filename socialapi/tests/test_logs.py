"""The log: a line of JSON for each request and each event, and never a secret."""

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest
from django.db import IntegrityError
from django.test import Client

from posts.models import Post
from socialapi.exchange import CLIENT_LEFT, Exchange, current_exchange, template
from socialapi.fast import find_view
from socialapi.logs import AccessLog, Formatter, ReadableFormatter, event
from socialapi.schema import describe_api
from socialapi.tests.backends import find_waiting, locked_posts
from socialapi.tests.canaries import EMAIL, PASSWORD, TOKEN
from socialapi.tests.live import Dial, Server, wait_until

pytestmark = [pytest.mark.xdist_group("watched"), pytest.mark.usefixtures("committed")]

FIELDS = {
    "time",
    "level",
    "logger",
    "message",
    "request_id",
    "user_id",
    "method",
    "route",
    "status",
    "duration_ms",
    "database_ms",
    "queries",
    "wait_ms",
}
LONG_WAY = "application/json, */*"


def line_of(server: Server, request_id: str) -> dict[str, Any]:
    """Return the one line of a request."""
    (line,) = wait_until(lambda: server.lines(request_id=request_id, logger="socialapi.access"))
    return line


@pytest.mark.parametrize(("accept", "queries"), [("*/*", 1), (LONG_WAY, 2)])
def test_p39_a_request_is_one_line(
    watched_server: Server, dial: Dial, post: Post, accept: str, queries: int
) -> None:
    request_id = f"line-{queries}"
    before = datetime.now(UTC) - timedelta(seconds=1)
    wire = dial(watched_server, post.owner)
    answer = wire.ask("GET", f"/posts/{post.pk}?x=1", Accept=accept, X_Request_ID=request_id)
    line = line_of(watched_server, answer.headers["x-request-id"])

    assert set(line) == FIELDS
    assert line["request_id"] == request_id
    assert (line["level"], line["method"], line["status"]) == ("INFO", "GET", 200)
    assert (line["route"], line["user_id"]) == ("/posts/{pk}", post.owner.pk)
    assert line["time"].endswith("Z")
    assert before < datetime.fromisoformat(line["time"]) < datetime.now(UTC)
    assert line["queries"] == queries
    assert 0 < line["database_ms"] < line["duration_ms"]
    assert 0 < line["wait_ms"] < line["duration_ms"]


@pytest.mark.parametrize(
    ("given", "is_taken"),
    [("a", True), ("A-b_c.9" * 18, True), ("x" * 129, False), ("a b", False), ("é", False)],
)
def test_a_request_keeps_a_good_id_and_gets_one_instead_of_another(
    watched_server: Server, dial: Dial, given: str, is_taken: bool
) -> None:
    named = dial(watched_server).ask("GET", "/health/live", X_Request_ID=given)
    assert (named.headers["x-request-id"] == given) == is_taken


def test_every_answer_has_an_id_of_its_own(watched_server: Server, dial: Dial, post: Post) -> None:
    wire, other = dial(watched_server, post.owner), dial(watched_server)
    stream = dial(watched_server, post.owner)
    stream.send("GET", "/posts/stream")
    other.send_head("POST", "/users", Content_Length="2000000")
    answers = [
        wire.ask("GET", f"/posts/{post.pk}"),
        wire.ask("GET", "/posts/0"),
        wire.ask("GET", "/nowhere"),
        wire.ask("GET", "/crash?email=y&token=z"),
        wire.ask("OPTIONS", "/posts", Origin="https://app.example.org"),
        other.receive_head(),
        stream.receive_head(),
    ]
    assert [answer.status for answer in answers] == [200, 404, 404, 500, 200, 413, 200]
    ids = {answer.headers["x-request-id"] for answer in answers}
    assert len(ids) == len(answers)
    assert all(len(each) == 32 for each in ids)


def test_a_stream_is_a_line_when_it_ends(watched_server: Server, dial: Dial, post: Post) -> None:
    wire = dial(watched_server, post.owner)
    wire.send("GET", "/posts/stream", X_Request_ID="stream")
    wire.receive_head()
    assert not watched_server.lines(request_id="stream")
    wire.close()
    line = line_of(watched_server, "stream")
    assert line["streamed_ms"] > 0
    assert (line["route"], line["user_id"]) == ("/posts/stream", post.owner.pk)


def test_who_does_not_wait_for_the_answer_is_a_line_too(
    watched_server: Server, dial: Dial, post: Post
) -> None:
    wire = dial(watched_server, post.owner)
    with locked_posts():
        wire.send("GET", f"/posts/{post.pk}", X_Request_ID="gone")
        wait_until(find_waiting)
        wire.close()
    assert line_of(watched_server, "gone")["status"] == CLIENT_LEFT


def test_an_error_says_which_request_it_broke(
    watched_server: Server, dial: Dial, post: Post
) -> None:
    path = f"/crash?email={EMAIL}&token={TOKEN}"
    dial(watched_server).ask("GET", path, X_Request_ID="broken")
    line_of(watched_server, "broken")
    (error,) = watched_server.lines(request_id="broken", level="ERROR")
    assert (error["route"], error["message"]) == ("/crash", "Internal Server Error")
    assert error["exception"].startswith("Traceback")
    assert error["exception"].endswith("ValueError: no account for <email>, <token>")


def test_a_host_that_is_not_ours_is_a_short_warning(watched_server: Server, dial: Dial) -> None:
    evil = "evil.example" + "x" * 2000
    for host, request_id in (("evil.example", "host"), (evil, "long-host")):
        answer = dial(watched_server).ask("GET", "/", Host=host, X_Request_ID=request_id)
        assert answer.status == 400
        line_of(watched_server, request_id)
        (told,) = watched_server.lines(request_id=request_id, level="WARNING")
        assert told["message"].startswith("Invalid HTTP_HOST header: 'evil.example")
        assert len(told["message"]) <= 200
        assert "exception" not in told


@pytest.mark.usefixtures("committed")
def test_p38_no_secret_reaches_it(watched_server: Server, dial: Dial) -> None:
    wire = dial(watched_server)
    secrets = {"email": EMAIL, "password": PASSWORD, "refresh_token": TOKEN}
    answers = [
        wire.ask("POST", path, secrets).status
        for path in ("/users", "/users", "/login", "/token/refresh", "/logout", "/vote")
    ]
    assert answers == [201, 400, 200, 401, 401, 401]
    wrong = secrets | {"password": f"not-{PASSWORD}"}
    assert wire.ask("POST", "/login", wrong).status == 401
    assert wire.ask("GET", "/posts", Authorization=f"Bearer {TOKEN}").status == 401
    assert wire.ask("GET", "/metrics", Authorization=f"Basic {PASSWORD}").status == 401
    assert wire.ask("GET", f"/posts/{EMAIL}?token={TOKEN}&password={PASSWORD}").status == 404
    assert wire.ask("GET", "/", Host=EMAIL, Cookie=f"sessionid={TOKEN}").status == 400
    assert wire.ask("GET", "/", X_Request_ID=EMAIL, User_Agent=PASSWORD).status == 200
    form = {"username": EMAIL, "password": PASSWORD}
    assert wire.ask("POST", "/admin/login/", form, Referer=f"/{TOKEN}").status == 403
    for packet in (
        f"GET /{PASSWORD} NONSENSE\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization {PASSWORD} {TOKEN}\r\n\r\n",
        f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {PASSWORD}\r\n\r\n",
    ):
        other = dial(watched_server)
        other.socket.sendall(packet.encode())
        assert other.receive_head().status == 400

    (refused,) = watched_server.lines(logger="django.security.csrf")
    assert refused["message"] == "Forbidden (CSRF cookie not set.)"
    assert watched_server.lines(event="login")
    assert watched_server.lines(event="login.refused", reason="password")
    for canary in (EMAIL, PASSWORD, TOKEN, "canary"):
        assert canary not in watched_server.log


def formatted(formatter: logging.Formatter, message: str, **more: Any) -> str:
    record = logging.LogRecord("name", logging.ERROR, __file__, 1, message, (), None)
    vars(record).update(more)
    return formatter.format(record)


def test_p38_what_an_error_of_the_database_quotes_is_left_out() -> None:
    quoted = f"DETAIL:  Key (title)=(two lines\n{PASSWORD}) already exists."
    cause = psycopg2.Error(f"wrong\nLINE 1: {PASSWORD}\n        ^")
    try:
        raise IntegrityError(f"not unique\n{quoted}") from cause
    except IntegrityError as error:
        text = formatted(Formatter(), "It failed.", exc_info=(type(error), error, None))
    assert PASSWORD not in text
    told = json.loads(text)["exception"]
    assert "Error: wrong\nLINE 1: …\n" in told
    assert told.endswith("IntegrityError: not unique\nDETAIL: …")


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (f"to {EMAIL}, twice", "to <email>, twice"),
        (f"'{TOKEN}'", "'<token>'"),
        ("Authorization: Bearer abc", "Authorization: Bearer <secret>"),
        ("postgresql://user:pass@host/name", "postgresql://<secret>@host/name"),
        ("half a \ud800", "half a \\ud800"),
        ("nothing to hide: 12:30 @ home", "nothing to hide: 12:30 @ home"),
    ],
)
def test_p38_a_message_is_told_without_secrets(text: str, redacted: str) -> None:
    assert json.loads(formatted(Formatter(), text))["message"] == redacted
    assert redacted in formatted(ReadableFormatter(), text)


def test_an_event_has_a_name_and_more() -> None:
    line = json.loads(formatted(Formatter(), "Done.", **event("test.done", account_id=3)))
    assert (line["event"], line["account_id"]) == ("test.done", 3)
    assert formatted(ReadableFormatter(), "Done.", **event("a", b=1)).endswith("event=a b=1")


def exchange(seconds: float) -> Exchange:
    """Return one that took so long, half of it in the database."""
    done = Exchange("GET", {b"x-request-id": b"mine"})
    done.answer(200)
    done.seconds, done.database = seconds, seconds / 2
    return done


def write(*exchanges: Exchange, is_readable: bool = False) -> None:
    """Write the lines of exchanges, of which those of half a second are slow."""
    AccessLog(500, is_readable=is_readable)(exchanges)


def test_a_slow_request_is_a_warning_that_tells_its_time_in_the_database(
    capfd: pytest.CaptureFixture[str],
) -> None:
    write(exchange(0.4), exchange(0.6))
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [(line["level"], line["message"]) for line in lines] == [
        ("INFO", "Answered"),
        ("WARNING", "Slow: 300 ms of SQL"),
    ]
    assert [line["database_ms"] for line in lines] == [200, 300]


def test_the_log_level_holds_for_requests(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "socialapi.access")
    write(exchange(0.1), exchange(1))
    (line,) = capfd.readouterr().err.splitlines()
    assert "Slow" in line


def test_in_development_people_can_read_it(capfd: pytest.CaptureFixture[str]) -> None:
    write(exchange(0.002), is_readable=True)
    assert "GET None 200 in 2 ms (0 queries, 1 ms), user None, mine\n" in capfd.readouterr().err


def test_a_line_outside_of_requests_tells_none() -> None:
    assert current_exchange.get() is None
    assert "request_id" not in json.loads(formatted(Formatter(), "Alone."))


def test_a_route_is_what_the_api_document_calls_it() -> None:
    paths = describe_api()["paths"]
    assert len(paths) > 10
    for path in paths:
        match = find_view(path.replace("{id}", "1").replace("{pk}", "1"))
        assert template(match.route).replace("{pk}", "{id}") == path.replace("{pk}", "{id}")


def test_a_browsers_user_is_known_too(watched_server: Server, dial: Dial, post: Post) -> None:
    browser = Client()
    browser.force_login(post.owner)
    cookie = f"sessionid={browser.cookies['sessionid'].value}"
    wire = dial(watched_server)
    assert wire.ask("GET", "/users/me", Cookie=cookie, X_Request_ID="known").status == 200
    assert wire.ask("GET", "/health/ready", Cookie=cookie, X_Request_ID="unasked").status == 200
    assert line_of(watched_server, "known")["user_id"] == post.owner.pk
    assert line_of(watched_server, "unasked")["user_id"] is None
