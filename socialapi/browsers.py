"""Middleware that browsers need, and that clients with a token pass by.

Sessions and messages rest on cookies. Who sends a token and no cookie has no use for them, and
gets the answer sooner.
"""

from typing import Any

from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.http import HttpRequest
from django.http.response import HttpResponseBase

# What programs send that take JSON, axios the last. Of any other `Accept`, DRF is the judge.
ACCEPTS = {"*/*", "application/json", "application/json, text/plain, */*"}
# These pages cannot do without a session, whoever asks.
PAGES = ("/admin/", "/session/")


def is_client(request: HttpRequest) -> bool:
    """Whether a request comes from a program with a token, and not from a browser."""
    meta = request.META
    return (
        "HTTP_AUTHORIZATION" in meta
        and not meta.get("HTTP_COOKIE")
        and meta.get("HTTP_ACCEPT", "*/*") in ACCEPTS
        and not request.path_info.startswith(PAGES)
    )


class ForBrowsers:
    """Lets clients pass by the middleware that it is mixed into."""

    get_response: Any

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Run the middleware for browsers alone."""
        if is_client(request):
            return self.get_response(request)  # type: ignore[no-any-return]
        return super().__call__(request)  # type: ignore[misc, no-any-return]


class SessionMiddleware(ForBrowsers, sessions.SessionMiddleware):
    """Django's."""


class AuthenticationMiddleware(ForBrowsers, auth.AuthenticationMiddleware):
    """Django's."""


class MessageMiddleware(ForBrowsers, messages.MessageMiddleware):
    """Django's."""
