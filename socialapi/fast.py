"""The fast path: what clients ask most often is answered by one function and one statement.

A viewset names functions in `fast` for some of its actions, each of which takes the request and
the URL's arguments. One that returns an `Answer` has answered, without middleware and DRF. One
that returns None or raises an APIException leaves the request to them, and has changed nothing.
So these functions know success alone; why something is refused, and how a page looks, is said in
one place.
"""

from collections.abc import Callable
from contextlib import suppress
from copy import copy
from functools import cache, lru_cache
from io import BytesIO
from typing import Any, NamedTuple

from django.core.exceptions import DisallowedHost
from django.core.handlers.base import BaseHandler
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve
from rest_framework.exceptions import APIException, UnsupportedMediaType
from rest_framework.serializers import Serializer

from .browsers import is_client
from .parsing import JSONParser
from .rendering import JSONRenderer, to_json

type Headers = list[tuple[bytes, bytes]]
type Fast = Callable[..., Answer | None]

JSON = JSONRenderer.media_type
# How many kinds of answers are remembered: one for each view, scheme and Origin.
KINDS = 1024
# Hosts that have been checked; with a domain of ours allowed there may be any number.
known_hosts: set[str | None] = set()


class Answer(NamedTuple):
    """A whole response. `is_lost` tells that a database connection broke off meanwhile."""

    status: int
    headers: Headers
    body: bytes
    is_lost: bool = False


def json_answer(data: Any, status: int = 200, **headers: str) -> Answer:
    """Answer with data."""
    own = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Answer(status, own, to_json(data))


def read_id(text: str) -> int:
    """Return the id in a URL; too many digits make one that nothing has, in a short time."""
    return int(text[:20])


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


# Raises Resolver404.
find_view = lru_cache(maxsize=4096)(resolve)


def check_host(request: HttpRequest) -> None:
    """Raise DisallowedHost for a Host that is not ours."""
    host = request.META.get("HTTP_HOST")
    if host not in known_hosts:
        request.get_host()
        if len(known_hosts) >= KINDS:
            known_hosts.clear()
        known_hosts.add(host)


class FastPath(BaseHandler):
    """A handler that knows the fast path."""

    def __init__(self) -> None:
        self.kinds: dict[tuple[Any, ...], Headers | None] = {}

    def answer(self, request: HttpRequest) -> Answer | None:
        """Return the answer of the fast path, or None if the request has to take the long way.

        Raises what the database raises.
        """
        if not is_client(request):
            return None
        try:
            check_host(request)
            view, _, arguments = find_view(request.path_info)
        except (DisallowedHost, Resolver404):
            return None
        fast = self.find(view, str(request.method))
        headers = fast and self.common_headers(request, view)
        if fast is None or headers is None:
            return None
        with suppress(APIException):
            if answer := fast(request, **arguments):
                length = (b"Content-Length", b"%d" % len(answer.body))
                return answer._replace(headers=[*headers, length, *answer.headers])
        return None

    def find(self, view: Any, method: str) -> Fast | None:
        """Return the function for a method of a view, if there is one."""
        viewset = getattr(view, "cls", None)
        if viewset is None or not hasattr(viewset, "fast"):
            return None
        function: Fast | None = viewset.fast.get(view.actions.get(method.lower()))
        return function

    def common_headers(self, request: HttpRequest, view: Any) -> Headers | None:
        """Return the headers that a view and the middleware give to an answer, or None.

        They depend on the view, on whether the request came by HTTPS, and on its Origin (CORS),
        and are learnt by sending an empty response through the middleware. None is for requests
        that the middleware answers itself (by a redirect to HTTPS, say).
        """
        kind = (view, request.scheme, request.META.get("HTTP_ORIGIN"))
        if kind not in self.kinds:
            if len(self.kinds) >= KINDS:
                self.kinds.clear()
            self.kinds[kind] = self.learn_headers(request, view)
        return self.kinds[kind]

    def learn_headers(self, request: HttpRequest, view: Any) -> Headers | None:
        """Return what the middleware makes of an empty response of a view's."""
        probe = copy(request)
        own = viewset_headers(view)
        probe.response = HttpResponse(content_type=JSON, headers=own)  # type: ignore[attr-defined]
        response = self.get_response(probe)
        if response.status_code != 200 or response.cookies:
            return None
        del response["Content-Length"]
        return [(name.encode(), value.encode("latin1")) for name, value in response.items()]

    def _get_response(self, request: HttpRequest) -> Any:
        """Django's innermost step, inside of all middleware: find the view and run it.

        Here a request may also bring the response along that the middleware is asked about.
        """
        if response := getattr(request, "response", None):
            return response
        return super()._get_response(request)  # type: ignore[misc]


def viewset_headers(view: Any) -> dict[str, str]:
    """Return the headers that DRF gives to a viewset's responses."""
    viewset = view.cls(**view.initkwargs)
    for method, action in ({"head": view.actions.get("get")} | view.actions).items():
        if action:
            setattr(viewset, method, getattr(viewset, action))
    headers: dict[str, str] = viewset.default_response_headers
    return headers
