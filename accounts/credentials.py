"""What a request was let in by, and whether it still would be: for answers that go on for long."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.sessions.models import Session as BrowserSession
from django.db.models.functions import Now
from rest_framework.request import Request

from .authentication import caller
from .models import Session, User
from .tokens import AccessToken


@dataclass(frozen=True)
class Credential:
    """A token, as its session's id and its end (seconds since 1970); or a browser's session."""

    user_id: int
    session_id: int | None = None
    expires_at: float | None = None
    session_key: str | None = None
    # Django's hash of the password, so that a new one ends the browser's session.
    password: str | None = None


def credential(request: Request) -> Credential:
    """Return what let a request in, as a user who has logged in."""
    user = caller(request)
    if isinstance(request.auth, AccessToken):
        return Credential(user.pk, request.auth.session_id, float(request.auth["exp"]))
    return Credential(
        user.pk,
        session_key=request.session.session_key,
        password=user.get_session_auth_hash(),
    )


def still_good(credentials: Iterable[Credential]) -> set[Credential]:
    """Return those that would be let in now; a token's own end is the caller's to watch.

    One query, and two more if browsers are among them.
    """
    credentials = set(credentials)
    sessions = [each.session_id for each in credentials if each.session_id]
    browsers = [each for each in credentials if each.session_key]
    is_open = set(Session.objects.open().filter(pk__in=sessions).values_list("pk", flat=True))
    good = {each for each in credentials if each.session_id in is_open}
    return good | browsers_still_good(browsers) if browsers else good


def browsers_still_good(credentials: list[Credential]) -> set[Credential]:
    """Return those whose session is there and whose user is active and has the same password."""
    keys = [each.session_key for each in credentials]
    is_open = set(
        BrowserSession.objects.filter(session_key__in=keys, expire_date__gt=Now()).values_list(
            "session_key", flat=True
        )
    )
    users = User.objects.filter(pk__in={each.user_id for each in credentials}, is_active=True)
    passwords = {user.pk: user.get_session_auth_hash() for user in users.only("password")}
    return {
        each
        for each in credentials
        if each.session_key in is_open and passwords.get(each.user_id) == each.password
    }
