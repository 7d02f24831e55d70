"""The OpenAPI document is valid and complete, and the API is as it says."""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from http import HTTPStatus
from typing import Any, NamedTuple

import httpx
import pytest
from django.db import OperationalError, connection
from django.urls import URLPattern, URLResolver, get_resolver
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from openapi_spec_validator import validate
from rest_framework.exceptions import Throttled
from rest_framework.test import APIClient

from accounts import tokens
from accounts.limits import Limit
from accounts.models import User
from accounts.tests.factories import PASSWORD
from posts.models import ListenerQuerySet, Post
from posts.tests.factories import PostFactory
from socialapi.schema import describe_api
from votes.tests.factories import VoteFactory

from .live import Server

DOCUMENT = describe_api()
# Pages for people, and the document itself.
UNDESCRIBED = {"admin/", "session/", "demo", "docs", "redoc", "openapi"}
METHODS = ("get", "post", "put", "patch", "delete")
NOTHING = 2**63 - 1


class Operation(NamedTuple):
    """What the document says of one method of one path."""

    method: str
    path: str
    content: dict[str, Any]

    @property
    def name(self) -> str:
        """Its operationId."""
        return str(self.content["operationId"])

    @property
    def success(self) -> int:
        """The one status that is not an error."""
        (status,) = (int(status) for status in self.content["responses"] if int(status) < 400)
        return status


OPERATIONS = [
    Operation(method, path, content)
    for path, item in DOCUMENT["paths"].items()
    for method, content in item.items()
]
every_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)


def forbid_surprises(document: dict[str, Any]) -> dict[str, Any]:
    """Return a copy whose objects have the documented members alone."""
    strict = deepcopy(document)
    for schema in strict["components"]["schemas"].values():
        schema["additionalProperties"] = False
    return strict


STRICT = forbid_surprises(DOCUMENT)


def assert_fits(value: Any, schema: dict[str, Any]) -> None:
    """Fail unless a value is what a schema of the document says, and no more."""
    whole = schema | {"components": STRICT["components"]}
    errors = OAS31Validator(whole, format_checker=oas31_format_checker).iter_errors(value)
    assert [error.message for error in errors] == []


def resolve(content: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference to a component."""
    if "$ref" not in content:
        return content
    *_, kind, name = content["$ref"].split("/")
    component: dict[str, Any] = STRICT["components"][kind][name]
    return component


def assert_is_as_documented(operation: Operation, response: Any) -> None:
    """Fail unless the document has an answer's status, headers, type and members."""
    documented = resolve(operation.content["responses"][str(response.status_code)])
    for name, header in documented.get("headers", {}).items():
        is_number = header["schema"]["type"] == "integer"
        assert_fits(int(response[name]) if is_number else response[name], header["schema"])
    if "content" not in documented:
        assert response.content == b""
        return
    (media_type,) = documented["content"]
    if response.streaming:
        # It is not awaited here; the tests of the stream, and the export's, look at what comes.
        assert response["Content-Type"].partition(";")[0] == media_type
        if media_type == "application/json":
            response.close()  # It has a file.
        return
    assert response["Content-Type"] == media_type
    assert_fits(response.json(), documented["content"][media_type]["schema"])


class Call:
    """A request that succeeds, made by the author of a post; tests spoil it."""

    def __init__(self, operation: Operation, post: Post) -> None:
        self.operation = operation
        self.post = post
        self.author = post.owner
        self.tokens = tokens.log_in(self.author)
        ids = {"get_user": self.author.pk, "end_session": self.author.sessions.get().pk}
        self.id = ids.get(operation.name, post.pk)
        self.query = ""
        self.body: Any = self.bodies().get(operation.name, {})
        self.content_type = "application/json"
        self.headers = {"HTTP_AUTHORIZATION": f"Bearer {self.tokens['access_token']}"}

    def bodies(self) -> dict[str, dict[str, Any]]:
        """Return what each operation needs to be sent."""
        new_post = {"title": "New", "content": "Newer"}
        return {
            "sign_up": {"email": "new@example.com", "password": "gaily-forward-58"},
            "update_account": {"email": "new@example.com", "current_password": PASSWORD},
            "delete_account": {"password": PASSWORD},
            "change_password": {"current_password": PASSWORD, "new_password": "brisk-harbour-31"},
            "log_in": {"email": self.author.email, "password": PASSWORD},
            "refresh_tokens": {"refresh_token": self.tokens["refresh_token"]},
            "log_out": {"refresh_token": self.tokens["refresh_token"]},
            "create_post": new_post,
            "replace_post": new_post,
            "vote": {"post_id": self.post.pk, "vote_dir": 1},
        }

    def act_as(self, user: User) -> None:
        """Let another user make the call."""
        self.headers["HTTP_AUTHORIZATION"] = f"Bearer {tokens.log_in(user)['access_token']}"

    def send(self) -> Any:
        """Make the call."""
        client: Any = APIClient()
        return client.generic(
            self.operation.method,
            self.operation.path.replace("{id}", str(self.id)) + self.query,
            self.body if isinstance(self.body, str) else json.dumps(self.body),
            content_type=self.content_type,
            **self.headers,
        )


@pytest.fixture
def call(operation: Operation, post: Post) -> Call:
    """The operation, called well."""
    return Call(operation, post)


def routes(patterns: list[Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Walk the URLs: method and path of all that belongs into the document."""
    for pattern in patterns:
        text = prefix + re.sub(r"\(\?P<pk>.*?\)", "{id}", str(pattern.pattern))
        if isinstance(pattern, URLResolver) and text not in UNDESCRIBED:
            yield from routes(pattern.url_patterns, text)
        elif isinstance(pattern, URLPattern) and pattern.name not in UNDESCRIBED:
            view: Any = pattern.callback
            methods = getattr(view, "actions", None) or vars(view.cls)
            path = "/" + re.sub(r"^\^|/\?\$$|\$$", "", text)
            yield from ((method, path) for method in METHODS if method in methods)


def test_is_valid_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    validate(DOCUMENT)


@pytest.mark.parametrize("query", ["", "?version=2", "?version=%00", "?lang=de", "?format=yaml"])
def test_is_the_same_for_everyone(anonymous: APIClient, query: str) -> None:
    response = anonymous.get(f"/openapi.json{query}")

    assert response.json() == DOCUMENT
    assert "\0" not in "".join(response.headers.values())


def test_is_made_once_for_the_process() -> None:
    assert describe_api() is DOCUMENT


def test_names_every_route_and_method_always_in_the_same_order() -> None:
    documented = [(operation.method, operation.path) for operation in OPERATIONS]

    assert documented == list(routes(get_resolver().url_patterns))


def test_names_every_operation_once() -> None:
    names = [operation.name for operation in OPERATIONS]

    assert len(set(names)) == len(names)


@every_operation
def test_tells_what_an_operation_is_for(operation: Operation) -> None:
    (tag,) = operation.content["tags"]

    assert tag in [each["name"] for each in DOCUMENT["tags"]]
    assert operation.content["summary"]
    assert operation.content["description"]


@every_operation
def test_has_examples_that_fit(operation: Operation) -> None:
    answers = map(resolve, operation.content["responses"].values())
    for part in (operation.content.get("requestBody", {}), *answers):
        for content in part.get("content", {}).values():
            for example in content.get("examples", {}).values():
                assert_fits(example["value"], content["schema"])
            if content["schema"].get("$ref", "").endswith("Request"):
                assert content["examples"]


@pytest.mark.parametrize("name", ["LoginRequest", "LoginFormRequest"])
def test_takes_the_email_under_either_name(name: str) -> None:
    schema = DOCUMENT["components"]["schemas"][name]

    for member in ("email", "username"):
        assert_fits({member: "ada@example.com", "password": "gaily-forward-58"}, schema)
    with pytest.raises(AssertionError, match="'username' is a required property"):
        assert_fits({"password": "gaily-forward-58"}, schema)


def test_has_no_defaults_for_what_a_change_leaves_out() -> None:
    members = DOCUMENT["components"]["schemas"]["PostUpdateRequest"]["properties"]

    assert "published" in members
    assert not any("default" in member for member in members.values())


@every_operation
def test_tells_what_is_open_to_everyone(call: Call) -> None:
    is_open = not call.operation.content["security"]
    del call.headers["HTTP_AUTHORIZATION"]

    assert (call.send().status_code != HTTPStatus.UNAUTHORIZED) == is_open


@every_operation
def test_describes_success(call: Call) -> None:
    response = call.send()

    assert response.status_code == call.operation.success
    assert_is_as_documented(call.operation, response)


@pytest.mark.parametrize("skip", [0, 1, 2])
def test_describes_the_links_between_pages(as_author: APIClient, skip: int) -> None:
    PostFactory.create_batch(3)
    (operation,) = (each for each in OPERATIONS if each.name == "list_posts")

    response = as_author.get(f"/posts?limit=1&skip={skip}")

    assert (response.json()["next"] is None) == (skip == 2)
    assert_is_as_documented(operation, response)


def spoil(call: Call, status: int, reader: User, patch: pytest.MonkeyPatch) -> None:
    """Give an operation every reason there is for an error."""
    match status:
        case 400:
            call.body, call.query = "{", "?limit=0"
            call.headers["HTTP_LAST_EVENT_ID"] = "nonsense"
        case 401:
            call.headers["HTTP_AUTHORIZATION"] = "Bearer nonsense"
            call.body |= {"refresh_token": "nonsense"}
        case 403:
            call.act_as(reader)
            call.author.suspend()
        case 404:
            call.id = NOTHING
            call.body |= {"post_id": NOTHING}
        case 406:
            call.headers["HTTP_ACCEPT"] = "application/xml"
        case 409:
            VoteFactory.create(user=call.author, post=call.post)
        case 415:
            call.body, call.content_type = "text", "text/plain"
        case 429:
            patch.setattr(Limit, "check", refuse)
            patch.setattr(Limit, "hit", refuse)
            patch.setattr(ListenerQuerySet, "join", refuse)


def refuse(*_args: str) -> None:
    """Be at the limit."""
    raise Throttled(wait=1.5)


@every_operation
@pytest.mark.parametrize("status", [400, 401, 403, 404, 406, 409, 415, 429])
def test_tells_which_errors_an_operation_gives_and_no_other(
    call: Call, status: int, reader: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(call, status, reader, monkeypatch)

    response = call.send()

    assert (response.status_code == status) == (str(status) in call.operation.content["responses"])
    assert_is_as_documented(call.operation, response)


def test_tells_where_a_body_may_be_too_large(server: Server, committed: None) -> None:
    large = " " * (1024 * 1024 + 1)
    for operation in OPERATIONS:
        if "requestBody" in operation.content:
            response = httpx.request(operation.method, server.url + operation.path, content=large)

            assert response.status_code == 413
            assert response.headers["Content-Type"] == "application/problem+json"
            assert_fits(response.json(), STRICT["components"]["schemas"]["Problem"])
        assert ("413" in operation.content["responses"]) == ("requestBody" in operation.content)


@every_operation
def test_tells_what_needs_the_database(call: Call) -> None:
    def fail(*_args: Any) -> None:
        raise OperationalError

    with connection.execute_wrapper(fail):
        response = call.send()

    assert (response.status_code == 503) == ("503" in call.operation.content["responses"])
    assert_is_as_documented(call.operation, response)
