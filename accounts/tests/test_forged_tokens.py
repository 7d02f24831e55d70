"""Tokens that we did not make, or not so: all are refused, wherever they are sent."""

import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from django.conf import settings
from rest_framework.response import Response
from rest_framework.test import APIClient

from accounts import tokens
from accounts.models import User


@pytest.fixture
def pair(author: User) -> dict[str, Any]:
    """The author's tokens."""
    return tokens.log_in(author)


def sign(claims: dict[str, Any], key: str = settings.SECRET_KEY, **options: Any) -> str:
    """Make a token of any content, which PyJWT's own `encode` would not all write."""
    payload = json.dumps(claims).encode()
    return jwt.PyJWS().encode(payload, key, **({"algorithm": "HS256"} | options))


def read(token: str) -> dict[str, Any]:
    """Return a token's claims."""
    return jwt.decode(token, options={"verify_signature": False})


def promote(token: str) -> str:
    """Change a token's user under its old signature."""
    header, _, signature = token.split(".")
    _, claims, _ = sign(read(token) | {"sub": "1"}).split(".")
    return f"{header}.{claims}.{signature}"


FORGERIES: dict[str, Callable[[str], str]] = {
    "no algorithm": lambda token: sign(read(token), "", algorithm="none"),
    "no signature": lambda token: token.rpartition(".")[0] + ".",
    "another algorithm": lambda token: sign(read(token), algorithm="HS384"),
    "another key": lambda token: sign(read(token), "k" * 64),
    "a key of its own": lambda token: sign(read(token), "k" * 64, headers={"kid": "/dev/null"}),
    "a key in its head": lambda token: sign(
        read(token), "k" * 64, headers={"jwk": {"kty": "oct", "k": "a2tr" * 16}}
    ),
    "a key elsewhere": lambda token: sign(
        read(token), "k" * 64, headers={"jku": "https://example.com/keys"}
    ),
    "a certificate elsewhere": lambda token: sign(
        read(token), "k" * 64, headers={"x5u": "https://example.com/key"}
    ),
    "our key, and one in its head": lambda token: sign(
        read(token), headers={"jwk": {"kty": "oct", "k": "a2tr" * 16}}
    ),
    "our key, and one elsewhere": lambda token: sign(
        read(token), headers={"jku": "https://example.com/keys"}
    ),
    "another user": promote,
    "an end too soon": lambda token: token[:-1],
    "an end too late": lambda token: token + ".e30",
    "an empty head": lambda token: "e30." + token.partition(".")[2],
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
@pytest.mark.parametrize("path", ["/users/me", "/token/refresh", "/logout"])
def test_p01_are_refused(
    anonymous: APIClient, pair: dict[str, Any], path: str, forge: Callable[[str], str]
) -> None:
    names = ("access_token", "refresh_token")

    refused = use(anonymous, path, {name: forge(pair[name]) for name in names})

    assert refused.status_code == 401
    assert refused["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert refused["Content-Type"] == "application/problem+json"
    assert use(anonymous, path, pair).status_code < 300


def use(client: APIClient, path: str, pair: dict[str, Any]) -> Response:
    """Send a token where it belongs."""
    if path == "/users/me":
        return client.get(path, HTTP_AUTHORIZATION=f"Bearer {pair['access_token']}")
    return client.post(path, {"refresh_token": pair["refresh_token"]}, format="json")


@pytest.mark.parametrize("claim", ["sub", "sid", "iss", "aud", "token_type"])
@pytest.mark.parametrize(
    "value", [None, True, [], {}, "", "x", "\0", -1, 1.5, 2**70, 1e400], ids=str
)
def test_p03_are_refused_for_an_odd_claim_though_we_signed_it(
    anonymous: APIClient, pair: dict[str, Any], claim: str, value: Any
) -> None:
    token = sign(read(pair["access_token"]) | {claim: value})

    assert use(anonymous, "/users/me", {"access_token": token}).status_code == 401
