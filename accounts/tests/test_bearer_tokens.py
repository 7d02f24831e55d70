"""Access tokens, and what makes them die."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
import time_machine
from django.conf import settings
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts import tokens
from accounts.models import User
from accounts.tests.factories import PASSWORD


@pytest.fixture
def token(author: User) -> str:
    """The author's access token."""
    return str(tokens.log_in(author)["access_token"])


def ask(client: APIClient, authorization: str) -> Any:
    return client.get("/users/me", HTTP_AUTHORIZATION=authorization)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_p08_are_taken_whatever_the_schemes_case(
    anonymous: APIClient, token: str, scheme: str
) -> None:
    assert ask(anonymous, f"{scheme} {token}").status_code == 200


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: "",
        lambda _: "nonsense",
        lambda token: f"{token} {token}",
        lambda token: token[:-4] + "AAAA",
        lambda token: ".".join(token.split(".")[:2]) + ".",
        lambda token: f"\xff{token}",
    ],
    ids=["empty", "nonsense", "two", "bad signature", "no signature", "not ASCII"],
)
def test_p08_are_refused_with_rfc_6750s_error_when_spoilt(
    anonymous: APIClient, token: str, spoil: Callable[[str], str]
) -> None:
    response = ask(anonymous, f"Bearer {spoil(token)}")

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "other"},
        {"aud": "other"},
        {"nbf": 9999999999},
        {"iat": 9999999999},
        {"exp": 1},
        {"token_type": "refresh"},
        {"sub": "999999"},
        {"sub": "x"},
        {"sid": 999999},
        {"sid": "1"},
        {"sid": None},
    ],
    ids=str,
)
def test_p03_are_refused_when_a_claim_is_wrong(
    anonymous: APIClient, token: str, change: dict[str, Any]
) -> None:
    claims = jwt.decode(token, options={"verify_signature": False})
    own = jwt.encode(claims, settings.SECRET_KEY, "HS256")
    forged = jwt.encode(claims | change, settings.SECRET_KEY, "HS256")

    assert ask(anonymous, f"Bearer {own}").status_code == 200
    assert ask(anonymous, f"Bearer {forged}").status_code == 401


@pytest.mark.parametrize(
    "claim", ["exp", "iat", "nbf", "iss", "aud", "jti", "sub", "sid", "token_type"]
)
def test_p03_are_refused_when_a_claim_is_missing(
    anonymous: APIClient, token: str, claim: str
) -> None:
    claims = jwt.decode(token, options={"verify_signature": False})
    del claims[claim]

    forged = jwt.encode(claims, settings.SECRET_KEY, "HS256")

    assert ask(anonymous, f"Bearer {forged}").status_code == 401


def test_p04_die_after_15_minutes(anonymous: APIClient, token: str) -> None:
    with time_machine.travel(timezone.now() + timedelta(minutes=15, seconds=1), tick=False):
        assert ask(anonymous, f"Bearer {token}").status_code == 401


ENDS: dict[str, Callable[[APIClient, dict[str, str]], Any]] = {
    "a logout": lambda client, pair: client.post(
        "/logout", {"refresh_token": pair["refresh_token"]}, format="json"
    ),
    "the end of the session": lambda client, _: client.delete(
        f"/sessions/{client.get('/sessions').json()['results'][0]['id']}"
    ),
    "the end of other sessions": lambda client, _: client.delete("/sessions"),
    "a new password": lambda client, _: client.post(
        "/users/me/password",
        {"current_password": PASSWORD, "new_password": "another-horse-43"},
        format="json",
    ),
    "a suspension": lambda *_: User.objects.get().suspend(),
    "a deletion": lambda client, _: client.delete(
        "/users/me", {"password": PASSWORD}, format="json"
    ),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_p06_are_refused_by_the_very_next_request_after(
    anonymous: APIClient,
    as_author: APIClient,
    author: User,
    end: Callable[[APIClient, dict[str, str]], Any],
) -> None:
    pair = tokens.log_in(author)
    bearer = f"Bearer {pair['access_token']}"
    assert ask(anonymous, bearer).status_code == 200

    end(as_author, pair)

    assert ask(anonymous, bearer).status_code == 401
    body = {"refresh_token": pair["refresh_token"]}
    assert anonymous.post("/token/refresh", body, format="json").status_code == 401


def test_p06_die_when_the_user_is_suspended_and_stay_dead_when_restored(
    anonymous: APIClient, author: User, token: str
) -> None:
    author.suspend()
    assert ask(anonymous, f"Bearer {token}").status_code == 401

    author.restore()
    assert ask(anonymous, f"Bearer {token}").status_code == 401


def test_die_when_raw_sql_suspends_the_user(
    anonymous: APIClient, author: User, token: str
) -> None:
    User.objects.filter(pk=author.pk).update(is_active=False)

    assert ask(anonymous, f"Bearer {token}").status_code == 401


def test_cost_one_query(
    anonymous: APIClient, token: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):  # The session, joined with its user.
        ask(anonymous, f"Bearer {token}")


@pytest.mark.parametrize("path", ["/users/me", "/posts", "/sessions"])
def test_p08_are_not_taken_from_the_url(anonymous: APIClient, token: str, path: str) -> None:
    response = anonymous.get(f"{path}?access_token={token}")

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("accept", ["application/json", "application/json, */*"])
def test_p08_are_asked_for_without_an_error_where_there_is_none(
    anonymous: APIClient, db: None, accept: str
) -> None:
    response = anonymous.get("/posts", HTTP_ACCEPT=accept)

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"


def test_are_not_the_only_way_in_a_browser_has_sessions(author: User, client: Client) -> None:
    assert client.login(username="AUTHOR@example.com", password=PASSWORD)
    assert client.get("/users/me").json()["id"] == author.pk

    author.suspend()
    assert client.get("/users/me").status_code == 401
