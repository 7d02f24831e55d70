"""Who calls: a bearer token, checked against the session it belongs to."""

from functools import lru_cache
from time import time
from typing import cast

from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import TokenError

from socialapi.exceptions import InvalidToken
from socialapi.statements import Statement, identifier

from .models import USER_COLUMNS, Session, SessionQuerySet, User
from .tokens import AccessToken


def open_session() -> SessionQuerySet:
    """Return, for a statement, the session of a token's ids `user` and `session`, while open."""
    return Session.objects.open().filter(pk=identifier("session"), user=identifier("user"))


CALLER = Statement(lambda: open_session().values_list(*(f"user__{name}" for name in USER_COLUMNS)))


@lru_cache(maxsize=4096)
def read_token(text: str) -> AccessToken:
    """Check all of a token but its end, which is the only part that time changes.

    Raises TokenError. What is returned is shared, so it must not be written to.
    """
    return AccessToken(text)  # type: ignore[arg-type]  # It takes text, whatever it declares.


def bearer_token(request: HttpRequest) -> AccessToken | None:
    """Return the token in a request's header, which has not expired, or None if there is none.

    Whether it is still good is for the database to say. Raises InvalidToken for one that was not
    made here, or has expired.
    """
    scheme, _, text = request.META.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
    if scheme.lower() != "bearer":
        return None
    try:
        token = read_token(text.strip())
    except TokenError:
        raise InvalidToken from None
    if token["exp"] <= time():
        raise InvalidToken
    return token


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer …`, in any case (RFC 9110, section 11.1)."""

    def authenticate(self, request: Request) -> tuple[User, AccessToken] | None:
        """Return the caller and the token, or None without one. One query.

        Raises InvalidToken as `bearer_token` does, and for a token whose session has ended or
        whose user is suspended or gone.
        """
        token = bearer_token(request)
        if token is None:
            return None
        for row in CALLER.rows(user=token.user_id, session=token.session_id):
            return User.from_db("default", USER_COLUMNS, row), token
        raise InvalidToken

    def authenticate_header(self, request: Request) -> str:
        """The challenge of a 401."""
        return "Bearer"


def caller(request: Request) -> User:
    """Return the user of a request that a permission has let through."""
    return cast(User, request.user)


def current_session(request: Request) -> int | None:
    """Return the id of the session that a request's token belongs to; a browser has no token."""
    return request.auth.session_id if isinstance(request.auth, AccessToken) else None
