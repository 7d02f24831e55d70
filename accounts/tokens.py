"""Access and refresh tokens: SimpleJWT signs and checks them, the session row decides."""

import logging
from typing import Any, Self
from uuid import UUID

import jwt
from django.conf import settings
from django.db import transaction
from django.utils.crypto import salted_hmac
from rest_framework_simplejwt import exceptions, tokens
from rest_framework_simplejwt.backends import TokenBackend

from socialapi.logs import event

from .models import NOWHERE, Origin, Session, User

log = logging.getLogger(__name__)

# What a token's header may have. A key, or where to find one, is not for a token to say.
HEADER = {"alg", "typ", "kid"}


def key_id(key: str) -> str:
    """Name a key without telling it."""
    return salted_hmac("accounts.tokens", "kid", secret=key, algorithm="sha256").hexdigest()[:16]


class KeyRing(TokenBackend):
    """Signs with the first of its keys, and verifies with the one of them that a token names."""

    def __init__(self, *keys: str) -> None:
        options = settings.SIMPLE_JWT
        super().__init__(
            options["ALGORITHM"],
            keys[0],
            audience=options["AUDIENCE"],
            issuer=options["ISSUER"],
        )
        self.keys = {key_id(key): self._prepare_key(key) for key in keys}
        self.headers = {"kid": key_id(keys[0])}

    def encode(self, payload: dict[str, Any]) -> str:
        """Sign a token."""
        claims = payload | {"iss": self.issuer, "aud": self.audience}
        return jwt.encode(claims, self.prepared_signing_key, self.algorithm, self.headers)

    def get_verifying_key(self, token: Any) -> Any:
        """Return the key that a token names, or the first; raises TokenBackendError."""
        header = jwt.get_unverified_header(token)
        key = self.keys.get(header.get("kid", self.headers["kid"]))
        if key is None or not header.keys() <= HEADER:
            raise exceptions.TokenBackendError("Token names no key of ours")
        return key


class SessionToken(tokens.Token):
    """A JWT that belongs to a session: `sub` is the user's id as text, `sid` the session's."""

    _token_backend = KeyRing(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)

    @classmethod
    def of(cls, session: Session) -> Self:
        """Make a token that lives no longer than its session."""
        token = cls()
        token["sub"] = str(session.user_id)
        token["sid"] = session.pk
        token["nbf"] = token["iat"]
        token["exp"] = min(token["exp"], int(session.expires_at.timestamp()))
        return token

    def verify(self) -> None:
        """Check what the signature does not; raises TokenError."""
        super().verify()
        if not (isinstance(self.get("sid"), int) and str(self.get("sub")).isdecimal()):
            raise exceptions.TokenError("Token has no session or no user")
        # Their values have been checked, if they are there.
        if not ("iat" in self and "nbf" in self):
            raise exceptions.TokenError("Token has no beginning")

    @property
    def session_id(self) -> int:
        """The session's id."""
        return int(self["sid"])

    @property
    def user_id(self) -> int:
        """The user's id."""
        return int(self["sub"])


class AccessToken(SessionToken):
    """Opens the API."""

    token_type = "access"
    lifetime = settings.ACCESS_TOKEN_LIFETIME


class RefreshToken(SessionToken):
    """Exchanged, once, for new tokens; its `jti` is the session's `refresh_id`."""

    token_type = "refresh"
    lifetime = settings.REFRESH_TOKEN_LIFETIME

    @classmethod
    def of(cls, session: Session) -> Self:
        """Make the one refresh token that is good for the session now."""
        token = super().of(session)
        token["jti"] = session.refresh_id.hex
        return token

    @classmethod
    def read_expired(cls, text: str) -> Self:
        """Read a token of ours whose time may be over; raises TokenError for any other.

        PyJWT looks at the time after the signature, so an expired one is signed by us.
        """
        try:
            return cls(text)  # type: ignore[arg-type]
        except exceptions.ExpiredTokenError:
            token = cls(text, verify=False)  # type: ignore[arg-type]
            token.verify_token_type()
            return token


def token_pair(session: Session) -> dict[str, Any]:
    """Return what a login or a refresh answers with; `expires_in` counts seconds."""
    access = AccessToken.of(session)
    return {
        "access_token": str(access),
        "refresh_token": str(RefreshToken.of(session)),
        "token_type": "bearer",
        "expires_in": access["exp"] - access["iat"],
    }


def log_in(user: User, origin: Origin = NOWHERE) -> dict[str, Any]:
    """Start a session and return its tokens."""
    return token_pair(Session.objects.start(user, origin))


def refresh(text: str, origin: Origin) -> dict[str, Any] | None:
    """Exchange a refresh token for new tokens, or return None if it is good no more.

    The session's row is locked, so that of parallel uses one succeeds. Any use after that means
    that two parties hold the token, and ends the session (RFC 9700, section 4.14.2).
    Raises TokenError for a token that is not ours.
    """
    token = RefreshToken(text)  # type: ignore[arg-type]
    with transaction.atomic():
        session = (
            Session.objects.open()
            .select_for_update(of=("self",))
            .filter(pk=token.session_id)
            .first()
        )
        if session is None:
            return None
        if session.refresh_id != UUID(token["jti"]):
            session.end()
            fields = event("token.replayed", account_id=session.user_id, session_id=session.pk)
            log.warning("A refresh token was used again, which ended its session.", extra=fields)
            return None
        session.rotate(origin)
        return token_pair(session)


def log_out(text: str) -> None:
    """End the session of a refresh token, however old; raises TokenError for one not ours."""
    token = RefreshToken.read_expired(text)
    Session.objects.filter(pk=token.session_id).end()
