"""Who calls: a bearer token, checked against the session it belongs to."""

from typing import cast

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import TokenError

from socialapi.exceptions import InvalidToken

from .models import Session, User
from .tokens import AccessToken


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer …`, in any case (RFC 9110, section 11.1)."""

    def authenticate(self, request: Request) -> tuple[User, AccessToken] | None:
        """Return the caller and the token, or None without one. One query.

        Raises InvalidToken for a token that is malformed, expired, or whose session has ended or
        whose user is suspended or gone.
        """
        scheme, _, text = get_authorization_header(request).strip().partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        try:
            token = AccessToken(text.strip())  # type: ignore[arg-type]
        except TokenError:
            raise InvalidToken from None
        session = (
            Session.objects.open()
            .select_related("user")
            .filter(pk=token.session_id, user_id=token.user_id)
            .first()
        )
        if session is None:
            raise InvalidToken
        return session.user, token

    def authenticate_header(self, request: Request) -> str:
        """The challenge of a 401."""
        return "Bearer"


def caller(request: Request) -> User:
    """Return the user of a request that a permission has let through."""
    return cast(User, request.user)
