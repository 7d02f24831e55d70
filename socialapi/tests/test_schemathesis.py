"""Whatever schemathesis makes up, the API keeps to its OpenAPI document.

SCHEMATHESIS_EXAMPLES is how many requests are made up for each operation, beside those that
follow from the document one by one.
"""

import os
import re
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import hypothesis
import pytest
import requests
import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.core.parameters import ParameterLocation
from schemathesis.openapi.checks import RejectedPositiveData

from accounts import tokens
from accounts.models import Session, User
from accounts.tests.factories import PASSWORD, UserFactory
from posts.tests.factories import PostFactory
from socialapi.pagination import Cursor
from socialapi.schema import describe_api
from votes.tests.factories import VoteFactory

from .live import Server

type Case = schemathesis.Case[Any]

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "5"))
CONFIG = {
    "seed": 1,
    "generation": {"deterministic": True, "max-examples": EXAMPLES, "database": "none"},
}
STORIES = hypothesis.settings(
    max_examples=EXAMPLES,
    stateful_step_count=10,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
# What no schema can say: that someone else has a name, or that many have a password. And of a
# header, schemathesis now and then takes a value for valid that breaks its pattern ("0").
REFUSALS = re.compile(
    rb"This (email|username) is taken|This password is too common|Last-Event-ID is not the id"
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(60 + 10 * EXAMPLES)]

api = schemathesis.openapi.from_dict(describe_api(), config=schemathesis.Config.from_dict(CONFIG))
# Its answers end, but for one: that one is left as soon as it has begun.
STREAM = "stream_posts"


@api.hook
def filter_failure(
    context: schemathesis.HookContext,
    failure: Failure,
    case: Case,
    response: schemathesis.Response,
) -> bool:
    """Let pass that a good request was refused for one of those reasons."""
    is_refusal = isinstance(failure, RejectedPositiveData)
    return not (is_refusal and REFUSALS.search(response.content))


class Scene:
    """A user who has logged in and written a post, and another post with their vote on it."""

    def __init__(self, server: Server) -> None:
        User.objects.all().delete()
        self.server = server
        self.caller = UserFactory.create()
        self.tokens = tokens.log_in(self.caller)
        self.headers = {"Authorization": f"Bearer {self.tokens['access_token']}"}
        self.posts = [
            VoteFactory.create(user=self.caller).post,
            PostFactory.create(owner=self.caller),
        ]
        owners = (self.posts[0].owner, self.caller)
        self.sessions = [Session.objects.start(user).pk for user in owners]

    def aim(self, case: Case) -> None:
        """Make a valid request one for what there is.

        What is made up knows no id and no password, and would see little but 404 and 401.
        """
        for location in (ParameterLocation.PATH, ParameterLocation.BODY):
            members = valid_members(case, location)
            for name in members.keys() & {"id", "post_id"}:
                members[name] = self.some_id(case, members[name])
        self.fill_in(case)

    def fill_in(self, case: Case) -> None:
        """Put in what only this user, or this server, can know."""
        query = valid_members(case, ParameterLocation.QUERY)
        if "cursor" in query:
            own = Cursor("new", backward=False, values=(self.sessions[1],)).encode()
            is_posts = case.path == "/posts"
            query["cursor"] = self.cursor(query.get("sort", "new")) if is_posts else own
        body = valid_members(case, ParameterLocation.BODY)
        for name in body:
            body[name] = self.known(case, name, body[name])

    def some_id(self, case: Case, made_up: str | int) -> int:
        """Return an id, mostly of the caller's own, and now and then of nothing."""
        other, own = [post.pk for post in self.posts]
        if case.path == "/users/{id}":
            other, own = [post.owner_id for post in self.posts]
        elif case.path == "/sessions/{id}":
            other, own = self.sessions
        return [other, own, own, int(made_up)][int(made_up) % 4]

    def known(self, case: Case, name: str, made_up: Any) -> Any:
        """Return what is right for one member of a body."""
        match case.path, name:
            case "/users", _:
                return made_up
            case _, "password" | "current_password":
                return PASSWORD
            case "/login", "email":
                return self.caller.email
            case _, "refresh_token":
                return self.tokens["refresh_token"]
        return made_up

    def cursor(self, sort: str) -> str:
        """Return a cursor of the server's."""
        page = httpx.get(
            f"{self.server.url}/posts", params={"sort": sort, "limit": 1}, headers=self.headers
        )
        return parse_qs(urlsplit(str(page.json()["next"])).query)["cursor"][0]


def valid_members(case: Case, location: ParameterLocation) -> dict[str, Any]:
    """Return a part of a request, to be changed; nothing of one that breaks the document."""
    if case.meta is not None and case.meta.is_negative_at(location):
        return {}
    members = case.get_container(location)
    return members if isinstance(members, dict) else {}


@api.parametrize()
def test_keeps_to_its_document(case: Case, server: Server) -> None:
    scene = Scene(server)
    scene.aim(case)

    if case.operation.definition.raw["operationId"] == STREAM:
        begin_stream(case, server, scene)
    else:
        case.call_and_validate(base_url=server.url, headers=scene.headers)


def begin_stream(case: Case, server: Server, scene: Scene) -> None:
    """Ask for a stream, and validate the answer unless it goes on for ever."""
    request = case.as_transport_kwargs(base_url=server.url, headers=scene.headers)
    with requests.request(**request, stream=True, timeout=10) as response:
        if response.status_code != HTTPStatus.OK:
            case.validate_response(response)


def test_keeps_to_it_from_one_call_to_the_next(server: Server) -> None:
    class Story(api.exclude(operation_id=STREAM).as_state_machine()):  # type: ignore[misc]
        """One user's calls, of which each may use what those before it answered."""

        def setup(self) -> None:
            self.scene = Scene(server)

        def before_call(self, case: Case) -> None:
            self.scene.fill_in(case)

        def get_call_kwargs(self, case: Case) -> dict[str, Any]:
            return {"base_url": server.url, "headers": self.scene.headers}

    Story.run(settings=STORIES)
