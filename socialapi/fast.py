"""The fast path: what clients ask most often is answered by one function and one statement.

A viewset names functions in `fast_actions` for some of its actions, each of which takes the
request and the URL's arguments. One that returns an `Answer` has answered, without middleware and
DRF. One that returns None or raises an APIException leaves the request to them, and has changed
nothing. One that fails, or that the database fails, is refused: nobody knows what has changed.
So these functions know success alone; why something is refused, and how a page looks, is said in
one place.
"""

from collections.abc import Callable
from contextlib import suppress
from copy import copy
from functools import cache, lru_cache
from http import HTTPMethod
from io import BytesIO
from typing import Any, NamedTuple

from django.core.exceptions import SuspiciousOperation
from django.core.handlers.base import BaseHandler
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve
from rest_framework.exceptions import APIException, NotFound, UnsupportedMediaType
from rest_framework.serializers import Serializer

from .errors import problem_response, to_api_exception
from .parsing import JSONParser
from .rendering import JSONRenderer, to_json

type Headers = list[tuple[bytes, bytes]]
type Fast = Callable[..., Answer | None]

JSON = JSONRenderer.media_type
# What programs send that take JSON, axios the last. Of any other `Accept`, DRF is the judge.
ACCEPTS = {"*/*", JSON, f"{JSON}, text/plain, */*"}
# No id has more digits, and Python reads no number that has thousands.
ID_DIGITS = 19
# How many kinds of answers are remembered: one for each view, scheme, Host and Origin.
KINDS = 1024
# Routes are remembered for paths of so many characters; longer ones are nobody's usual request.
PATH_MAX = 64


class Answer(NamedTuple):
    """A whole response. `is_lost` tells that a database connection broke off meanwhile."""

    status: int
    headers: Headers
    body: bytes
    is_lost: bool = False


def encode_headers(response: HttpResponseBase) -> Headers:
    """Return a response's headers, which are ASCII, as Django sees to."""
    return [(name.encode(), value.encode("latin1")) for name, value in response.items()]


def json_answer(data: Any, status: int = 200, **headers: str) -> Answer:
    """Answer with data."""
    own = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Answer(status, own, to_json(data))


def read_id(text: str) -> int:
    """Return the id in a URL; raises NotFound for too many digits, which may begin with zeros."""
    if len(text) > ID_DIGITS:
        raise NotFound
    return int(text)


def read_body(request: HttpRequest, serializer_class: type[Serializer[Any]]) -> dict[str, Any]:
    """Return a validated JSON body; raises an APIException for any other."""
    if request.content_type != JSON:
        raise UnsupportedMediaType(request.content_type or "")
    data = JSONParser().parse(BytesIO(request.body))
    return dict(shared_serializer(serializer_class).run_validation(data))


@cache
def shared_serializer(serializer_class: type[Serializer[Any]]) -> Serializer[Any]:
    """Return one that validates for everyone: to make its fields costs more than to use them.

    Only `run_validation` may be called, which keeps nothing.
    """
    return serializer_class()


def is_client(request: HttpRequest) -> bool:
    """Whether a request comes from a program with a token, and not from a browser."""
    meta = request.META
    return (
        "HTTP_AUTHORIZATION" in meta
        and not meta.get("HTTP_COOKIE")
        and meta.get("HTTP_ACCEPT", "*/*") in ACCEPTS
    )


# Raises Resolver404.
find_view = lru_cache(maxsize=4096)(resolve)


class FastPath(BaseHandler):
    """A handler that knows the fast path."""

    def __init__(self) -> None:
        self.kinds: dict[tuple[Any, ...], Headers | None] = {}

    def answer(self, request: HttpRequest) -> Answer | None:
        """Return the answer of the fast path, or None if the request has to take the long way.

        What was raised meanwhile is then the request's `refusal`.
        """
        if not is_client(request) or len(request.path_info) > PATH_MAX:
            return None
        try:
            match = find_view(request.path_info)
        except Resolver404:
            return None
        # As Django sets it when it runs a view.
        request.resolver_match = match
        view, _, arguments = match
        fast = self.find(view, str(request.method))
        headers = fast and self.common_headers(request, view)
        if fast is None or headers is None:
            return None
        try:
            with suppress(APIException, SuspiciousOperation):
                if answer := fast(request, **arguments):
                    length = (b"Content-Length", b"%d" % len(answer.body))
                    return answer._replace(headers=[*headers, length, *answer.headers])
        except Exception as error:  # noqa: BLE001 (it is raised again inside of the middleware)
            request.refusal = error  # type: ignore[attr-defined]
        return None

    def find(self, view: Any, method: str) -> Fast | None:
        """Return the function for a method of a view, if there is one."""
        viewset = getattr(view, "cls", None)
        # To DRF, HEAD is the action of GET.
        if method == HTTPMethod.HEAD or viewset is None or "fast_actions" not in vars(viewset):
            return None
        function: Fast | None = viewset.fast_actions.get(view.actions.get(method.lower()))
        return function

    def common_headers(self, request: HttpRequest, view: Any) -> Headers | None:
        """Return the headers that a view and the middleware give to an answer, or None.

        They depend on the view, on whether the request came by HTTPS, and on its Origin (CORS),
        and are learnt by sending an empty response through the middleware. None is for requests
        that the middleware answers itself: by a redirect to HTTPS, or since the Host is not ours.
        """
        meta = request.META
        host = meta.get("HTTP_HOST")
        if host is None:
            return None
        kind = (view, request.scheme, host, meta.get("HTTP_ORIGIN"))
        with suppress(KeyError):
            return self.kinds[kind]
        if len(self.kinds) >= KINDS:
            self.kinds.clear()
        headers = self.kinds[kind] = self.learn_headers(request, view)
        return headers

    def learn_headers(self, request: HttpRequest, view: Any) -> Headers | None:
        """Return what the middleware makes of an empty response of a view's."""
        probe = copy(request)
        own = viewset_headers(view)
        probe.response = HttpResponse(content_type=JSON, headers=own)  # type: ignore[attr-defined]
        response = self.get_response(probe)
        if response.status_code != 200 or response.cookies:
            return None
        del response["Content-Length"]
        return encode_headers(response)

    def _get_response(self, request: HttpRequest) -> Any:
        """Django's innermost step, inside of all middleware: find the view and run it.

        Here a request may also bring the response along that the middleware is asked about, or
        an error that it is refused with.
        """
        if response := getattr(request, "response", None):
            return response
        if refusal := getattr(request, "refusal", None):
            known = to_api_exception(refusal)
            if known is None:
                raise refusal
            return problem_response(request, known)
        return super()._get_response(request)  # type: ignore[misc]


def viewset_headers(view: Any) -> dict[str, str]:
    """Return the headers that DRF gives to a viewset's responses."""
    viewset = view.cls(**view.initkwargs)
    for method, action in ({"head": view.actions.get("get")} | view.actions).items():
        if action:
            setattr(viewset, method, getattr(viewset, action))
    headers: dict[str, str] = viewset.default_response_headers
    return headers
