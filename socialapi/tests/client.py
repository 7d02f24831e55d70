"""Clients for tests, whose requests take the fast path as those to the service do."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.test.client import ClientHandler
from rest_framework import test

from socialapi.fast import Answer, FastPath

# Headers that the fast path leaves to DRF, though DRF answers as ever.
LONG_WAY = {"accept": "application/json, */*"}


class FastHandler(FastPath, ClientHandler):
    """Django's handler for tests, with the fast path in front of the middleware."""

    def __init__(self, *, enforce_csrf_checks: bool) -> None:
        FastPath.__init__(self)
        ClientHandler.__init__(self, enforce_csrf_checks)

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        """Answer as `socialapi.handler.Handler` does."""
        # A probe is the fast path's own question, to the middleware.
        is_probe = hasattr(request, "response")
        answer = None if is_probe else self.answer(request)
        return to_response(answer) if answer else super().get_response(request)


def to_response(answer: Answer) -> HttpResponse:
    """Return what Django's clients expect."""
    headers = {name.decode(): value.decode() for name, value in answer.headers}
    return HttpResponse(answer.body, status=answer.status, headers=headers)


class APIClient(test.APIClient):
    """DRF's, with that handler. Any `Accept` but for JSON makes it take the long way."""

    def __init__(self, enforce_csrf_checks: bool = False, **defaults: Any) -> None:
        # All clients of HTTP/1.1 send it; Django's own leaves it out.
        super().__init__(enforce_csrf_checks, **{"HTTP_HOST": "testserver"} | defaults)
        self.handler = FastHandler(enforce_csrf_checks=enforce_csrf_checks)
