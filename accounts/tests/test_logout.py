"""POST /logout."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import tokens
from accounts.models import User
from conftest import ClientFor


@pytest.fixture
def pair(author: User) -> dict[str, Any]:
    """The tokens of a login."""
    return tokens.log_in(author)


def log_out(client: APIClient, token: Any) -> Any:
    return client.post("/logout", {"refresh_token": token}, format="json")


def use(pair: dict[str, Any]) -> int:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access_token']}")
    return int(client.get("/users/me").status_code)


def test_p06_ends_the_session_of_the_token(anonymous: APIClient, pair: dict[str, Any]) -> None:
    assert use(pair) == 200

    response = log_out(anonymous, pair["refresh_token"])

    assert response.status_code == 204
    assert use(pair) == 401
    body = {"refresh_token": pair["refresh_token"]}
    assert anonymous.post("/token/refresh", body, format="json").status_code == 401


def test_answers_the_same_again_and_again(anonymous: APIClient, pair: dict[str, Any]) -> None:
    anonymous.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access_token']}")

    statuses = [log_out(anonymous, pair["refresh_token"]).status_code for _ in range(3)]

    assert statuses == [204, 204, 204]


def test_leaves_the_users_other_sessions_alone(
    anonymous: APIClient, author: User, pair: dict[str, Any], client_for: ClientFor
) -> None:
    elsewhere = client_for(author)

    log_out(anonymous, pair["refresh_token"])

    assert elsewhere.get("/users/me").status_code == 200


def test_takes_a_token_that_was_used_or_has_expired(
    anonymous: APIClient, pair: dict[str, Any]
) -> None:
    body = {"refresh_token": pair["refresh_token"]}
    new = anonymous.post("/token/refresh", body, format="json").json()

    assert log_out(anonymous, pair["refresh_token"]).status_code == 204
    assert use(new) == 401
    with time_machine.travel(timezone.now() + timedelta(days=100), tick=False):
        assert log_out(anonymous, pair["refresh_token"]).status_code == 204


def test_takes_a_token_whose_user_is_gone(
    anonymous: APIClient, author: User, pair: dict[str, Any]
) -> None:
    author.delete()

    assert log_out(anonymous, pair["refresh_token"]).status_code == 204


def test_refuses_what_is_not_a_refresh_token_of_ours(
    anonymous: APIClient, pair: dict[str, Any]
) -> None:
    assert log_out(anonymous, "nonsense").status_code == 401
    assert log_out(anonymous, pair["access_token"]).status_code == 401
    with time_machine.travel(timezone.now() + timedelta(days=100), tick=False):
        assert log_out(anonymous, pair["access_token"]).status_code == 401
    assert use(pair) == 200


@pytest.mark.django_db
def test_asks_for_what_is_missing(anonymous: APIClient) -> None:
    assert anonymous.post("/logout", {}, format="json").status_code == 400
