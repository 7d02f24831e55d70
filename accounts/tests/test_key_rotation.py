"""A new SECRET_KEY, while the one before it is among SECRET_KEY_FALLBACKS."""

from collections.abc import Callable, Iterator

import jwt
import pytest
from django.conf import settings
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts import tokens
from accounts.authentication import read_token
from accounts.models import NOWHERE, User
from accounts.tests.factories import PASSWORD
from accounts.tokens import KeyRing, SessionToken, key_id

type Restart = Callable[..., None]

OLD, NEW, THIRD = settings.SECRET_KEY, "new-key-" * 5, "third-key-" * 4


@pytest.fixture
def restart(monkeypatch: pytest.MonkeyPatch) -> Iterator[Restart]:
    """Do what a restart with other keys does."""

    def with_keys(*keys: str) -> None:
        read_token.cache_clear()
        monkeypatch.setattr(SessionToken, "_token_backend", KeyRing(*keys))

    with_keys(OLD)
    yield with_keys
    read_token.cache_clear()


def statuses(pair: dict[str, str]) -> list[int]:
    """Use an access token, and a refresh token."""
    client = APIClient(HTTP_AUTHORIZATION=f"Bearer {pair['access_token']}")
    body = {"refresh_token": pair["refresh_token"]}
    entered = client.get("/users/me")
    return [entered.status_code, client.post("/token/refresh", body, format="json").status_code]


def test_p07_tokens_of_both_keys_are_good(author: User, restart: Restart) -> None:
    old = tokens.log_in(author)
    restart(NEW, OLD)
    new = tokens.log_in(author)

    assert statuses(old) == statuses(new) == [200, 200]
    kids = [jwt.get_unverified_header(pair["access_token"])["kid"] for pair in (old, new)]
    assert kids == [key_id(OLD), key_id(NEW)]


def test_p07_a_refresh_brings_the_new_key(author: User, restart: Restart) -> None:
    old = tokens.log_in(author)
    restart(NEW, OLD)

    new = tokens.refresh(old["refresh_token"], NOWHERE)

    assert new is not None
    restart(NEW)
    assert statuses(new) == [200, 200]


def test_p07_tokens_of_a_key_that_was_taken_out_are_refused(
    author: User, restart: Restart
) -> None:
    old = tokens.log_in(author)
    restart(NEW, THIRD)

    assert statuses(old) == [401, 401]


def test_p07_a_key_signs_for_no_other(author: User, restart: Restart) -> None:
    restart(NEW, THIRD)
    claims = jwt.decode(tokens.log_in(author)["access_token"], options={"verify_signature": False})

    forged = jwt.encode(claims, THIRD, "HS256", {"kid": key_id(NEW)})

    assert statuses({"access_token": forged, "refresh_token": ""})[0] == 401


def test_p07_a_token_that_names_no_key_is_taken_for_one_of_the_present_key(
    author: User, restart: Restart
) -> None:
    token = tokens.log_in(author)["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    nameless = {"access_token": jwt.encode(claims, OLD, "HS256"), "refresh_token": ""}

    assert statuses(nameless)[0] == 200
    restart(NEW, OLD)
    assert statuses(nameless)[0] == 401


def test_p07_the_keys_are_those_of_the_settings() -> None:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]

    assert list(SessionToken._token_backend.keys) == [key_id(key) for key in keys]


def test_p07_a_browser_stays_logged_in(author: User, settings: Settings) -> None:
    browser = Client()
    assert browser.login(username=author.email, password=PASSWORD)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [OLD]

    assert browser.get("/users/me").status_code == 200
