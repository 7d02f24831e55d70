"""POST /token/refresh."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import jwt
import pytest
import time_machine
from django.conf import settings
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import tokens
from accounts.models import Session, User
from accounts.tests.factories import UserFactory


@pytest.fixture
def pair(author: User) -> dict[str, Any]:
    """The tokens of a login."""
    return tokens.log_in(author)


def refresh(client: APIClient, token: Any) -> Any:
    return client.post("/token/refresh", {"refresh_token": token}, format="json")


def may_enter(pair: dict[str, Any]) -> bool:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access_token']}")
    return bool(client.get("/users/me").status_code == 200)


def test_p08_exchanges_a_refresh_token_for_new_tokens(
    anonymous: APIClient, pair: dict[str, Any]
) -> None:
    response = refresh(anonymous, pair["refresh_token"])

    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    new = response.json()
    assert set(new) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert may_enter(new)
    assert refresh(anonymous, new["refresh_token"]).status_code == 200


def test_p05_refuses_the_old_token_and_ends_the_session(
    anonymous: APIClient, pair: dict[str, Any]
) -> None:
    new = refresh(anonymous, pair["refresh_token"]).json()

    response = refresh(anonymous, pair["refresh_token"])

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert not may_enter(new)
    assert refresh(anonymous, new["refresh_token"]).status_code == 401


def test_leaves_the_users_other_sessions_alone(
    anonymous: APIClient, author: User, pair: dict[str, Any]
) -> None:
    other = tokens.log_in(author)
    refresh(anonymous, pair["refresh_token"])

    refresh(anonymous, pair["refresh_token"])

    assert may_enter(other)


def test_looks_at_no_access_token(anonymous: APIClient, pair: dict[str, Any]) -> None:
    anonymous.credentials(HTTP_AUTHORIZATION="Bearer expired-or-nonsense")

    assert refresh(anonymous, pair["refresh_token"]).status_code == 200


def test_p03_refuses_an_access_token(anonymous: APIClient, pair: dict[str, Any]) -> None:
    assert refresh(anonymous, pair["access_token"]).status_code == 401


def test_p03_opens_nothing_itself(anonymous: APIClient, pair: dict[str, Any]) -> None:
    assert not may_enter({"access_token": pair["refresh_token"]})


def test_is_refused_to_a_suspended_user(
    anonymous: APIClient, author: User, pair: dict[str, Any]
) -> None:
    author.suspend()
    assert refresh(anonymous, pair["refresh_token"]).status_code == 401

    author.restore()
    assert refresh(anonymous, pair["refresh_token"]).status_code == 401


def test_is_refused_to_a_deleted_user(
    anonymous: APIClient, author: User, pair: dict[str, Any]
) -> None:
    author.delete()

    assert refresh(anonymous, pair["refresh_token"]).status_code == 401


def test_p04_is_refused_when_the_token_was_not_used_for_14_days(
    anonymous: APIClient, pair: dict[str, Any]
) -> None:
    with time_machine.travel(timezone.now() + timedelta(days=14, minutes=1), tick=False):
        assert refresh(anonymous, pair["refresh_token"]).status_code == 401


def test_p04_prolongs_no_session_beyond_90_days(anonymous: APIClient, author: User) -> None:
    session = Session.objects.start(author)
    assert session.expires_at - timezone.now() <= timedelta(days=90)
    Session.objects.filter(pk=session.pk).update(expires_at=timezone.now() + timedelta(minutes=5))
    session.refresh_from_db()

    pair = refresh(anonymous, str(tokens.RefreshToken.of(session))).json()

    assert pair["expires_in"] <= 300
    claims = jwt.decode(pair["refresh_token"], options={"verify_signature": False})
    assert claims["exp"] <= session.expires_at.timestamp()


def test_is_refused_once_the_session_has_expired(
    anonymous: APIClient, author: User, pair: dict[str, Any]
) -> None:
    author.sessions.update(expires_at=timezone.now())

    assert refresh(anonymous, pair["refresh_token"]).status_code == 401
    assert not may_enter(pair)


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "x" * 5000])
@pytest.mark.django_db
def test_refuses_what_is_not_ours(anonymous: APIClient, token: str) -> None:
    assert refresh(anonymous, token).status_code == 401


@pytest.mark.django_db
def test_refuses_a_token_that_another_key_signed(anonymous: APIClient) -> None:
    forged = jwt.encode({"sub": "1", "sid": 1, "token_type": "refresh"}, "k" * 50, "HS256")

    assert refresh(anonymous, forged).status_code == 401


@pytest.mark.django_db
@pytest.mark.parametrize("body", [{}, {"refresh_token": ""}, {"refresh_token": None}])
def test_asks_for_what_is_missing(anonymous: APIClient, body: dict[str, Any]) -> None:
    response = anonymous.post("/token/refresh", body, format="json")

    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["refresh_token"]


def test_p05_of_50_parallel_uses_of_one_token_exactly_one_succeeds(committed: None) -> None:
    def use(token: str) -> int:
        try:
            return int(refresh(APIClient(), token).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(50) as threads:
        for _ in range(2):
            token = tokens.log_in(UserFactory.create())["refresh_token"]

            assert Counter(threads.map(use, [token] * 50)) == {200: 1, 401: 49}


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_p01_takes_tokens_of_the_configured_algorithm_alone(
    anonymous: APIClient, pair: dict[str, Any]
) -> None:
    claims = jwt.decode(pair["refresh_token"], options={"verify_signature": False})

    other = jwt.encode(claims, settings.SECRET_KEY, "HS512")

    assert refresh(anonymous, other).status_code == 401
    assert refresh(anonymous, jwt.encode(claims, None, "none")).status_code == 401
