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
def test_are_taken_whatever_the_schemes_case(
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
def test_are_refused_when_spoilt(
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
def test_are_refused_when_a_claim_is_wrong(
    anonymous: APIClient, token: str, change: dict[str, Any]
) -> None:
    claims = jwt.decode(token, options={"verify_signature": False})
    own = jwt.encode(claims, settings.SECRET_KEY, "HS256")
    forged = jwt.encode(claims | change, settings.SECRET_KEY, "HS256")

    assert ask(anonymous, f"Bearer {own}").status_code == 200
    assert ask(anonymous, f"Bearer {forged}").status_code == 401


@pytest.mark.parametrize("claim", ["exp", "iss", "aud", "jti", "sub", "sid", "token_type"])
def test_are_refused_when_a_claim_is_missing(anonymous: APIClient, token: str, claim: str) -> None:
    claims = jwt.decode(token, options={"verify_signature": False})
    del claims[claim]

    forged = jwt.encode(claims, settings.SECRET_KEY, "HS256")

    assert ask(anonymous, f"Bearer {forged}").status_code == 401


def test_die_with_their_time(anonymous: APIClient, token: str) -> None:
    with time_machine.travel(timezone.now() + timedelta(minutes=15, seconds=1), tick=False):
        assert ask(anonymous, f"Bearer {token}").status_code == 401


def test_die_when_the_user_is_suspended_and_stay_dead_when_restored(
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


def test_are_not_taken_from_the_url(anonymous: APIClient, token: str) -> None:
    assert anonymous.get(f"/users/me?access_token={token}").status_code == 401


def test_are_not_the_only_way_in_a_browser_has_sessions(author: User, client: Client) -> None:
    assert client.login(username="AUTHOR@example.com", password=PASSWORD)
    assert client.get("/users/me").json()["id"] == author.pk

    author.suspend()
    assert client.get("/users/me").status_code == 401
