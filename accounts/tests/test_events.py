"""What happens to accounts is told to the log."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts import tokens
from accounts.limits import PASSWORD_FAILURES, SIGN_UPS, Limit
from accounts.models import RateLimit, User
from accounts.tests.factories import PASSWORD

type Events = Callable[[], list[dict[str, Any]]]

NETWORK = "127.0.0.1"


@pytest.fixture
def events(caplog: pytest.LogCaptureFixture) -> Events:
    """Return the events that have been told so far."""
    caplog.set_level(logging.INFO)
    return lambda: [vars(r)["event"] for r in caplog.records if "event" in vars(r)]


def log_in(client: Client, password: str = PASSWORD, email: str = "author@example.com") -> Any:
    return client.post("/login", {"email": email, "password": password}, format="json")


def exhaust(limit: Limit, *subject: str) -> None:
    for _ in range(limit.most):
        RateLimit.objects.hit(limit.key(subject), limit.period)


def refusal(reason: str, account_id: int | None) -> dict[str, Any]:
    known = {"reason": reason, "account_id": account_id, "network": NETWORK}
    return {"event": "login.refused"} | known


def test_a_login(anonymous: APIClient, author: User, events: Events) -> None:
    assert log_in(anonymous).status_code == 200
    assert events() == [{"event": "login", "account_id": author.pk}]


def test_a_browsers_login(moderator: User, events: Events) -> None:
    Client().post("/admin/login/", {"username": moderator.email, "password": PASSWORD})
    assert events() == [{"event": "login", "account_id": moderator.pk}]


def test_a_wrong_password(anonymous: APIClient, author: User, events: Events) -> None:
    assert log_in(anonymous, "wrong").status_code == 401
    assert events() == [refusal("password", author.pk)]


def test_an_unknown_address_which_is_not_told(
    anonymous: APIClient, author: User, events: Events
) -> None:
    assert log_in(anonymous, email="nobody@example.com").status_code == 401
    assert events() == [refusal("password", None)]


def test_a_suspended_users_login(anonymous: APIClient, author: User, events: Events) -> None:
    author.suspend()
    assert log_in(anonymous).status_code == 403
    Client().post("/session/login/", {"username": author.email, "password": PASSWORD})
    assert events() == [refusal("suspended", author.pk)] * 2


def test_p32_a_forged_forwarding_header_is_not_told(
    anonymous: APIClient, author: User, events: Events
) -> None:
    anonymous.defaults["HTTP_X_FORWARDED_FOR"] = "203.0.113.7"
    assert log_in(anonymous, "wrong").status_code == 401
    assert events() == [refusal("password", author.pk)]


def test_a_limit_that_is_reached(anonymous: APIClient, author: User, events: Events) -> None:
    exhaust(PASSWORD_FAILURES, author.email, NETWORK)
    exhaust(SIGN_UPS, NETWORK)
    assert log_in(anonymous).status_code == 429
    assert anonymous.post("/users", {}, format="json").status_code == 429
    assert events() == [
        {"event": "throttled", "limit": "password", "network": NETWORK},
        {"event": "throttled", "limit": "sign-up", "network": NETWORK},
    ]


def test_p05_a_refresh_token_that_is_used_again(
    anonymous: APIClient, author: User, events: Events
) -> None:
    pair = tokens.log_in(author)
    body = {"refresh_token": pair["refresh_token"]}
    assert anonymous.post("/token/refresh", body, format="json").status_code == 200
    assert events() == []
    assert anonymous.post("/token/refresh", body, format="json").status_code == 401
    session_id = author.sessions.get().pk
    assert events() == [
        {"event": "token.replayed", "account_id": author.pk, "session_id": session_id}
    ]
