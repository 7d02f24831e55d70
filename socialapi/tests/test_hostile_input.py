"""Whatever is sent, the answer is a 4xx that says what is wrong, and nothing is changed."""

import base64
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from django.db.models import Model
from rest_framework.test import APIClient

from accounts import tokens
from accounts.models import Session, User
from accounts.tests.factories import PASSWORD
from posts.models import Post
from votes.models import Vote
from votes.tests.factories import VoteFactory

TEXT, FLAG, NUMBER = "text", "flag", "number"
POST = {"title": TEXT, "content": TEXT, "published": FLAG}


class Endpoint(NamedTuple):
    """Where something may be sent, and of what kind each field is."""

    method: str
    path: str
    fields: dict[str, str]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def take(self, client: APIClient, body: Any, content_type: str = "application/json") -> Any:
        """Send a body as it is; a post in the path is one of the caller's."""
        path = self.path.format(post=Post.objects.get(owner__username="author").pk)
        return client.generic(self.method, path, body, content_type=content_type)


ENDPOINTS = [
    Endpoint("POST", "/users", {"email": TEXT, "password": TEXT, "username": TEXT}),
    Endpoint("PATCH", "/users/me", {"email": TEXT, "username": TEXT, "current_password": TEXT}),
    Endpoint("DELETE", "/users/me", {"password": TEXT}),
    Endpoint("POST", "/users/me/password", {"current_password": TEXT, "new_password": TEXT}),
    Endpoint("POST", "/login", {"email": TEXT, "username": TEXT, "password": TEXT}),
    Endpoint("POST", "/token/refresh", {"refresh_token": TEXT}),
    Endpoint("POST", "/logout", {"refresh_token": TEXT}),
    Endpoint("POST", "/posts", POST),
    Endpoint("PUT", "/posts/{post}", POST),
    Endpoint("PATCH", "/posts/{post}", POST),
    Endpoint("POST", "/vote", {"post_id": NUMBER, "vote_dir": NUMBER}),
]
NO_IDS = [
    *("0", "-1", "1.5", "1e3", "x", "%00", "%FF", "%0A", "1%0A", "%D9%A1"),
    *(str(2**63), "9" * 40, "9" * 5000),
]

every_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)

VALID: dict[str, Any] = {
    "email": "new@example.com",
    "username": "new",
    "password": PASSWORD,
    "current_password": PASSWORD,
    "new_password": "brisk-harbour-31",
    "refresh_token": "none",
    "title": "New",
    "content": "Newer",
    "published": True,
    "post_id": 1,
    "vote_dir": 1,
}
# JSON texts, each of which is no value of that kind.
OTHERS = ["[]", "{}", "[[[]]]", '{"a": 1}', "-1", "1.5", "1e400", "9" * 4000, "9" * 5000]
ODD_TEXT = [r'"\u0000"', r'"a\u0000b"', r'"\ud800"', r'"a\udfffb@example.com"', '"\x00"', '"\n"']
HOSTILE = {
    TEXT: [*OTHERS, *ODD_TEXT, "true", "0"],
    FLAG: [*OTHERS, *ODD_TEXT, "null", "0", "1", '"true"', '"yes"', '""'],
    NUMBER: [*OTHERS, *ODD_TEXT, "null", "true", '"1"', '""', "-9223372036854775809"],
}
BODIES = {
    "an end too soon": b'{"email": ',
    "an end too late": b'{"email": "a"}}',
    "no value": b" ",
    "null": b"null",
    "a list": b"[]",
    "a text": b'"text"',
    "a number": b"1",
    "NaN": b'{"email": NaN}',
    "Infinity": b'{"email": -Infinity}',
    "single quotes": b"{'email': 'a'}",
    "a member twice": b'{"title": "a", "title": "b"}',
    "a member twice within": b'{"title": {"a": 1, "a": 2}}',
    "bytes that are no UTF-8": b'{"email": "\xff"}',
    "UTF-16": '{"email": "a"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"email": "a"}',
    "deep lists": b'{"email": ' + b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "deep and complete": b"[" * 100_000 + b"]" * 100_000,
    "a form": b"email=a",
}


def snapshot() -> list[Any]:
    """Return all that there is."""
    models: list[type[Model]] = [User, Session, Post, Vote]
    return [list(model._default_manager.order_by("pk").values()) for model in models]


@pytest.fixture(autouse=True)
def nothing_changes(client: APIClient) -> Iterator[None]:
    """Compare what there is before and after a test."""
    before = snapshot()
    yield
    assert snapshot() == before


@pytest.fixture
def pair(author: User) -> dict[str, Any]:
    """The author's tokens."""
    return tokens.log_in(author)


@pytest.fixture
def client(pair: dict[str, Any], post: Post) -> APIClient:
    """The author's client, to which a crash is an answer; the post has a vote."""
    VoteFactory.create(post=post)
    client = APIClient(raise_request_exception=False)
    client.default_format = "json"
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access_token']}")
    return client


def assert_refused(response: Any, *statuses: int, sent: object = None) -> None:
    """Fail unless the answer is a problem with one of these statuses."""
    assert response.status_code in statuses, (sent, response.content)
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["status"] == response.status_code


@every_endpoint
def test_refuses_a_body_that_is_no_json_object(client: APIClient, endpoint: Endpoint) -> None:
    for what, body in BODIES.items():
        assert_refused(endpoint.take(client, body), 400, sent=what)


@every_endpoint
def test_refuses_what_is_no_value_of_a_field(client: APIClient, endpoint: Endpoint) -> None:
    valid = {name: json.dumps(VALID[name]) for name in endpoint.fields}
    for name, kind in endpoint.fields.items():
        # An id that no column could hold is of no post.
        statuses = [400, 404] if name == "post_id" else [400]
        for hostile in HOSTILE[kind]:
            members = ", ".join(
                f'"{key}": {text}' for key, text in (valid | {name: hostile}).items()
            )

            response = endpoint.take(client, f"{{{members}}}")

            assert_refused(response, *statuses, sent=(name, hostile))


@pytest.mark.parametrize(
    "operation",
    [
        "GET /users/{}",
        "GET /posts/{}",
        "PUT /posts/{}",
        "PATCH /posts/{}",
        "DELETE /posts/{}",
        "PUT /posts/{}/vote",
        "DELETE /posts/{}/vote",
    ],
)
def test_finds_nothing_under_what_is_no_id(client: APIClient, operation: str) -> None:
    for pk in NO_IDS:
        method, path = operation.format(pk).split()

        assert_refused(Endpoint(method, path, {}).take(client, "{}"), 404, sent=pk)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("limit", ["0", "-1", "101", "1.5", "x", "1e400", "NaN", "%00", "%FF", "9" * 5000]),
        ("skip", ["-1", "10001", "x", "1e400", "%00", "9" * 5000]),
        ("owner", ["x", "1.5", "1e400", "Infinity", "%00", "9" * 5000]),
        ("published", ["maybe", "1", "null", "%00", "%FF"]),
        ("sort", ["newest", "New", "%00", "%FF", "-created_at"]),
        ("search", ["%00", "a%00b"]),
        ("cursor", ["%00", "%FF", "=", "W10", "bnVsbA", "e30", "A" * 5000, "WyJuZXciXQ"]),
    ],
)
def test_refuses_what_is_no_value_of_a_query_parameter(
    client: APIClient, name: str, values: list[str]
) -> None:
    for value in values:
        response = client.get(f"/posts?{name}={value}")

        assert_refused(response, 400, sent=value)
        assert list(response.json()["errors"]) == [name], value


ODD: list[Any] = [None, True, [], {}, "", "x", "\0", 1.5, 1e300, 10**400, -1]
TIME = "2026-01-01T00:00:00Z"
CURSORS = [
    *ODD,
    *([sort, False, [TIME, 1]] for sort in ODD),
    *(["new", backward, [TIME, 1]] for backward in ODD if backward is not True),
    *(["new", False, values] for values in ODD),
    *(["new", False, [time, 1]] for time in [*ODD, "2026-01-01T00:00:00", "2026-01-01"]),
    *(["new", False, [TIME, pk]] for pk in ODD if not isinstance(pk, int | float)),
]


def test_refuses_a_cursor_that_holds_anything_else(client: APIClient) -> None:
    for content in CURSORS:
        cursor = base64.urlsafe_b64encode(json.dumps(content).encode()).decode()

        assert_refused(client.get("/posts", {"cursor": cursor}), 400, sent=content)


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_takes_a_time_at_the_end_of_time(client: APIClient, time: str) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps(["new", False, [time, 1]]).encode()).decode()

    assert client.get("/posts", {"cursor": cursor}).status_code in (200, 400)


def test_refuses_more_parameters_than_anyone_needs(client: APIClient) -> None:
    many = "&".join(f"a{n}=1" for n in range(1001))

    assert_refused(client.get(f"/posts?{many}"), 400)
    form = "application/x-www-form-urlencoded"
    assert_refused(client.generic("POST", "/login", many, content_type=form), 400)


@pytest.mark.parametrize(
    "form",
    [
        "username=%00&password=a",
        "username=a&password=%ED%A0%80%00",
        "username=%FF",
        "=&=&",
        "\xff",
    ],
)
def test_refuses_a_form_that_is_no_login(client: APIClient, form: str) -> None:
    login = Endpoint("POST", "/login", {})

    assert_refused(login.take(client, form.encode(), "application/x-www-form-urlencoded"), 400)


@every_endpoint
def test_takes_no_other_type_of_body(client: APIClient, endpoint: Endpoint) -> None:
    body = json.dumps({name: VALID[name] for name in endpoint.fields})
    for other in ["text/plain", "application/xml", "multipart/form-data", "x", "/", "é"]:
        assert_refused(endpoint.take(client, body, other), 415, sent=other)


@pytest.mark.parametrize("accept", ["application/xml", "text/plain;q=1, image/*", "x", "é"])
def test_gives_no_other_type_of_answer(client: APIClient, accept: str) -> None:
    assert_refused(client.get("/posts", HTTP_ACCEPT=accept), 406)


@pytest.mark.parametrize("host", ["a b", "evil.example", "localhost:x", "é", "[::1", "\0"])
def test_is_nobody_elses_host(client: APIClient, host: str) -> None:
    assert_refused(client.get("/posts", HTTP_HOST=host), 400)


@pytest.mark.parametrize(
    "authorization",
    [
        *("", "x", "{}", "Bearer", "Bearer ", "Bearer\t", "Bearer: {}", "Bearer Bearer {}"),
        *("Bearer {} x", "Bearer {},Bearer {}", 'Bearer "{}"', "Bearer é", "Bearer \0"),
        *("Bearer ..", "Bearer a.b.c", "Bearer " + "A" * 50_000, "Basic YTpi", "Token {}"),
    ],
    ids=lambda text: text[:20],
)
def test_takes_no_other_credentials(
    client: APIClient, pair: dict[str, Any], authorization: str
) -> None:
    client.credentials(HTTP_AUTHORIZATION=authorization.replace("{}", pair["access_token"]))

    assert_refused(client.get("/users/me"), 401)


@pytest.mark.parametrize("cookie", ["sessionid", "csrftoken", "messages"])
@pytest.mark.parametrize("value", [r'"0123456789\000"', r'"\377\376012345"', "é" * 10, "", ";;=;"])
def test_takes_no_cookie_that_is_not_ours(client: APIClient, cookie: str, value: str) -> None:
    client.credentials(HTTP_COOKIE=f"{cookie}={value}")

    assert_refused(client.get("/users/me"), 401)
    assert client.get("/").status_code == 200
