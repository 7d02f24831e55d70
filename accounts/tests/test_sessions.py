"""GET and DELETE /sessions, and DELETE /sessions/{id}."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DataError, transaction
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from accounts import tokens
from accounts.models import Session, User
from accounts.tests.factories import PASSWORD
from conftest import ClientFor

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:147.0) Gecko/20100101 Firefox/147.0"


class LoggedIn(APIClient):
    """A client that has logged in."""

    refresh_token: str


type LogIn = Callable[..., LoggedIn]


@pytest.fixture
def log_in(author: User) -> LogIn:
    """Let the author log in from some place; returns a client with the tokens."""

    def from_place(agent: str = AGENT, address: str = "192.0.2.77", **headers: Any) -> LoggedIn:
        client = LoggedIn(HTTP_USER_AGENT=agent, REMOTE_ADDR=address, **headers)
        body = {"email": author.email, "password": PASSWORD}
        pair = client.post("/login", body, format="json").json()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access_token']}")
        client.refresh_token = pair["refresh_token"]
        return client

    return from_place


def sessions(client: APIClient) -> list[dict[str, Any]]:
    return list(client.get("/sessions").json()["results"])


def iso(moment: Any) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}"


class TestList:
    def test_shows_the_callers_logins_the_latest_first(
        self, log_in: LogIn, as_reader: APIClient
    ) -> None:
        phone, laptop = log_in("Phone/1.0", "2001:db8:1:2:3::4"), log_in()
        first, second = Session.objects.filter(user__username="author").order_by("pk")

        response = phone.get("/sessions")

        assert response.status_code == 200
        assert response.json() == {
            "results": [
                {
                    "id": second.pk,
                    "created_at": iso(second.created_at),
                    "last_used_at": iso(second.last_used_at),
                    "user_agent": AGENT,
                    "network": "192.0.2.0/24",
                    "current": False,
                },
                {
                    "id": first.pk,
                    "created_at": iso(first.created_at),
                    "last_used_at": iso(first.last_used_at),
                    "user_agent": "Phone/1.0",
                    "network": "2001:db8:1::/48",
                    "current": True,
                },
            ],
            "next": None,
            "previous": None,
        }
        assert [each["current"] for each in sessions(laptop)] == [True, False]

    def test_leaves_out_what_is_over(self, as_author: APIClient, author: User) -> None:
        tokens.log_in(author)
        Session.objects.filter(pk=sessions(as_author)[0]["id"]).end()
        expired = Session.objects.start(author)
        Session.objects.filter(pk=expired.pk).update(expires_at=timezone.now())

        assert [each["current"] for each in sessions(as_author)] == [True]

    def test_has_pages(self, as_author: APIClient, author: User) -> None:
        for _ in range(5):
            tokens.log_in(author)
        found, url = [], "/sessions?limit=2"
        while url:
            page = as_author.get(url).json()
            found += [each["id"] for each in page["results"]]
            url = page["next"]

        assert found == list(author.sessions.order_by("-pk").values_list("pk", flat=True))
        assert as_author.get("/sessions?skip=4&limit=1").json()["results"][0]["id"] == found[4]

    @pytest.mark.parametrize("query", ["limit=0", "limit=101", "skip=-1", "cursor=x"])
    def test_refuses_what_makes_no_sense(self, as_author: APIClient, query: str) -> None:
        response = as_author.get(f"/sessions?{query}")

        assert response.status_code == 400
        assert list(response.json()["errors"]) == [query.partition("=")[0]]

    def test_takes_two_queries_however_many_there_are(
        self,
        as_author: APIClient,
        author: User,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        for _ in range(10):
            tokens.log_in(author)

        with django_assert_num_queries(2):  # The caller, and the page.
            as_author.get("/sessions")

    @pytest.mark.django_db
    def test_requires_login(self, anonymous: APIClient) -> None:
        assert anonymous.get("/sessions").status_code == 401

    def test_shows_a_browser_no_login_as_its_own(self, author: User) -> None:
        tokens.log_in(author)
        browser = Client()
        browser.force_login(author)

        assert [each["current"] for each in browser.get("/sessions").json()["results"]] == [False]


class TestOrigin:
    def test_is_that_of_the_last_refresh(self, log_in: LogIn) -> None:
        client = log_in()
        before = Session.objects.get()

        body = {"refresh_token": client.refresh_token}
        elsewhere = APIClient(HTTP_USER_AGENT="Later/2", REMOTE_ADDR="203.0.113.9")
        elsewhere.post("/token/refresh", body, format="json")

        (session,) = sessions(client)
        assert (session["user_agent"], session["network"]) == ("Later/2", "203.0.113.0/24")
        assert session["created_at"] == iso(before.created_at)
        after = Session.objects.get()
        assert after.refresh_id != before.refresh_id

    def test_is_not_written_by_a_read(
        self, log_in: LogIn, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        client = log_in()
        before = Session.objects.values().get()

        client.get("/users/me", HTTP_USER_AGENT="Other")

        assert Session.objects.values().get() == before

    @pytest.mark.parametrize(
        ("sent", "kept"),
        [("", ""), ("x" * 5000, "x" * 300), ("A\tB\x7f\x01C", "ABC"), ("caf\xe9", "caf\xe9")],
        ids=["none", "long", "control characters", "Latin"],
    )
    def test_keeps_a_user_agent_that_can_be_shown(
        self, log_in: LogIn, sent: str, kept: str
    ) -> None:
        assert sessions(log_in(sent))[0]["user_agent"] == kept

    def test_p32_is_not_what_a_client_says_of_its_address(
        self, log_in: LogIn, settings: Settings
    ) -> None:
        forged = {"HTTP_X_FORWARDED_FOR": "203.0.113.7"}
        assert sessions(log_in(**forged))[0]["network"] == "192.0.2.0/24"

        settings.TRUSTED_PROXIES = 1
        assert sessions(log_in(**forged))[0]["network"] == "203.0.113.0/24"
        forged = {"HTTP_X_FORWARDED_FOR": "nonsense"}
        assert sessions(log_in(**forged))[0]["network"] == ""

    @pytest.mark.parametrize(("column", "most"), [("user_agent", 300), ("network", 43)])
    def test_is_bounded_by_the_database(self, author: User, column: str, most: int) -> None:
        session = Session.objects.start(author)

        with transaction.atomic(), pytest.raises(DataError):
            Session.objects.filter(pk=session.pk).update(**{column: "x" * (most + 1)})
        Session.objects.filter(pk=session.pk).update(**{column: "x" * most})


class TestEnd:
    def test_refuses_a_logins_tokens_from_now_on(self, log_in: LogIn) -> None:
        lost, own = log_in(), log_in()
        path = f"/sessions/{sessions(lost)[1]['id']}"

        response = own.delete(path)

        assert response.status_code == 204
        assert lost.get("/users/me").status_code == 401
        body = {"refresh_token": lost.refresh_token}
        assert own.post("/token/refresh", body, format="json").status_code == 401
        assert own.get("/users/me").status_code == 200
        assert own.delete(path).status_code == 404

    def test_may_be_ones_own(self, log_in: LogIn) -> None:
        client = log_in()

        assert client.delete(f"/sessions/{sessions(client)[0]['id']}").status_code == 204
        assert client.get("/sessions").status_code == 401

    @pytest.mark.parametrize("pk", ["{other}", "0", "9" * 30, "9" * 5000])
    def test_finds_the_callers_own_alone(
        self, as_author: APIClient, as_reader: APIClient, pk: str
    ) -> None:
        path = f"/sessions/{pk.format(other=sessions(as_reader)[0]['id'])}"

        response = as_author.delete(path)

        assert response.status_code == 404
        assert as_reader.get("/users/me").status_code == 200

    @pytest.mark.django_db
    def test_requires_login(self, anonymous: APIClient) -> None:
        assert anonymous.delete("/sessions/1").status_code == 401


class TestEndOthers:
    def test_leaves_the_one_that_asks(
        self, as_author: APIClient, author: User, client_for: ClientFor, as_reader: APIClient
    ) -> None:
        others = [client_for(author) for _ in range(3)]

        response = as_author.delete("/sessions")

        assert response.status_code == 204
        assert response.content == b""
        assert {other.get("/users/me").status_code for other in others} == {401}
        assert as_author.get("/users/me").status_code == 200
        assert as_reader.get("/users/me").status_code == 200
        assert as_author.delete("/sessions").status_code == 204

    def test_of_a_browser_leaves_none(self, author: User, as_author: APIClient) -> None:
        browser = Client(enforce_csrf_checks=False)
        browser.force_login(author)

        assert browser.delete("/sessions").status_code == 204
        assert as_author.get("/users/me").status_code == 401

    @pytest.mark.django_db
    def test_requires_login(self, anonymous: APIClient) -> None:
        assert anonymous.delete("/sessions").status_code == 401


def test_a_login_that_an_older_release_began_is_shown(as_author: APIClient, author: User) -> None:
    expires_at = timezone.now() + timedelta(days=1)
    with transaction.get_connection().cursor() as cursor:
        cursor.execute(
            "INSERT INTO accounts_session (user_id, refresh_id, expires_at)"
            " VALUES (%s, gen_random_uuid(), %s)",
            [author.pk, expires_at],
        )

    shown = sessions(as_author)[0]

    assert (shown["user_agent"], shown["network"]) == ("", "")
