"""Every error in one shape: RFC 9457 problem details for API clients, a page for browsers."""

import logging
from contextvars import ContextVar
from http import HTTPStatus
from math import ceil
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, ObjectNotUpdated, PermissionDenied
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.utils.serializer_helpers import ReturnDict

from .database import is_connection_lost, is_reference_lost, is_unavailable
from .exceptions import DatabaseUnavailable, InvalidToken
from .exchange import current_exchange
from .parsing import prefers_html
from .rendering import PROBLEM_TYPE, to_json

log = logging.getLogger(__name__)
# The exchange whose outage is in the log already.
told: ContextVar[str | None] = ContextVar("told", default=None)

# What Django itself answers with, and what that means to a client.
SENTENCES = {
    400: "The request is malformed.",
    403: "You may not do this.",
    404: "There is nothing at this address, or nothing that you may see.",
    405: "This address does not take that method.",
    500: "The server failed to answer. The failure has been logged.",
}


def problem(status: int, detail: str) -> dict[str, Any]:
    """Return RFC 9457's members for an error that its status describes (`about:blank`)."""
    title = HTTPStatus(status).phrase
    return {"type": "about:blank", "title": title, "status": status, "detail": detail}


def to_api_exception(error: Exception) -> exceptions.APIException | None:
    """Return what the client is told of an error, or None for one that is a fault of ours."""
    match error:
        case exceptions.APIException():
            return error
        case Http404() | ObjectDoesNotExist() | ObjectNotUpdated():
            return exceptions.NotFound(SENTENCES[404])
        case IntegrityError() if is_reference_lost(error):
            # A row that exists names the caller who made it, so it is the caller who is gone.
            return InvalidToken()
        case PermissionDenied():
            return exceptions.PermissionDenied()
        case Exception() if is_unavailable(error):
            tell_outage(error)
            return DatabaseUnavailable(error)
    return None


def tell_outage(error: Exception) -> None:
    """Tell the log why the database did not answer: once, however often a request is tried.

    A stack goes along if a statement failed, since where a connection breaks is chance.
    """
    exchange = current_exchange.get()
    if exchange and told.get() == exchange.id:
        return
    told.set(exchange.id if exchange else None)
    reason = (str(error).strip() or error.__class__.__name__).splitlines()[0]
    log.error(
        "The database did not answer: %s",
        reason,
        exc_info=None if is_connection_lost(error) else error,
    )


def headers_of(error: exceptions.APIException) -> dict[str, str]:
    """Return the headers that HTTP asks for beside some statuses."""
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if (wait := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(ceil(wait))
    return headers


def body_of(error: exceptions.APIException) -> dict[str, Any]:
    """Return the problem document for an error; a validation error's has `errors`."""
    if not isinstance(error, exceptions.ValidationError):
        return problem(error.status_code, str(error.detail))
    errors = error.detail if isinstance(error.detail, dict) else {"non_field_errors": error.detail}
    body = problem(error.status_code, f"Not valid: {', '.join(errors)}.")
    body |= {"errors": errors}
    # The browsable API fills its form again with what the serializer was given.
    serializer = getattr(errors, "serializer", None)
    return ReturnDict(body, serializer=serializer) if serializer else body


def handle_exception(error: Exception, _context: dict[str, Any]) -> Response | None:
    """DRF's exception handler. Returns None, so that DRF raises it, for a fault of ours."""
    known = to_api_exception(error)
    if known is None:
        return None
    response = Response(
        body_of(known), status=known.status_code, headers=headers_of(known), exception=True
    )
    response.database_lost = getattr(known, "lost", False)  # type: ignore[attr-defined]
    return response


def write_problem(request: HttpRequest, response: HttpResponse, body: dict[str, Any]) -> None:
    """Put a problem into a response, in the form that the client prefers; headers are kept."""
    if prefers_html(request):
        response.content = render_to_string("error.html", body)
        response["Content-Type"] = "text/html; charset=utf-8"
    else:
        response.content = to_json(body)
        response["Content-Type"] = PROBLEM_TYPE
    if response.has_header("Content-Length"):
        response["Content-Length"] = str(len(response.content))


def problem_response(request: HttpRequest, error: exceptions.APIException) -> HttpResponse:
    """Answer outside of DRF with an error."""
    response = HttpResponse(status=error.status_code, headers=headers_of(error))
    write_problem(request, response, body_of(error))
    response.is_problem = True  # type: ignore[attr-defined]
    response.database_lost = getattr(error, "lost", False)  # type: ignore[attr-defined]
    return response


class ProblemMiddleware:
    """Gives the errors that come from outside of DRF the shape of all others.

    These are Django's own answers (an unknown address, a failed CSRF check, a crash), with DEBUG
    on as well: a stack trace belongs in the log.
    """

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Rewrite an error that has no shape yet."""
        response: HttpResponseBase = self.get_response(request)
        if (
            response.status_code >= 400
            and isinstance(response, HttpResponse)
            and not isinstance(response, Response)
            and not getattr(response, "is_problem", False)
        ):
            detail = SENTENCES.get(response.status_code, f"{response.reason_phrase}.")
            write_problem(request, response, problem(response.status_code, detail))
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer a known error that a plain Django view (the admin, say) let through."""
        if isinstance(error, Http404 | PermissionDenied):
            return None  # Django's own answer, which keeps a message for the log.
        known = to_api_exception(error)
        return problem_response(request, known) if known else None
