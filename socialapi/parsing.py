"""Request bodies: strict JSON for clients, forms for the browsable API's pages."""

import json
from collections.abc import Mapping
from typing import IO, Any

from django.http import HttpRequest
from rest_framework import parsers, renderers
from rest_framework.exceptions import ParseError, UnsupportedMediaType

from .rendering import PROBLEM_TYPE


def unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object that says the same thing twice: parsers differ on which one counts."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object has the same member twice")
    return members


def no_constant(name: str) -> None:
    """Refuse NaN and Infinity, which RFC 8259 does not have."""
    raise ValueError(f"{name} is not JSON")


class JSONParser(parsers.BaseParser):
    """RFC 8259, in UTF-8. Whatever is not is a 400, however deep, long or odd."""

    media_type = "application/json"
    # What the browsable API's pages fill raw data in with.
    renderer_class = renderers.JSONRenderer

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the body's content; raises ParseError."""
        try:
            text = stream.read().decode("utf-8")
            return json.loads(text, object_pairs_hook=unique_members, parse_constant=no_constant)
        except RecursionError:
            raise ParseError("The body is nested too deeply.") from None
        except ValueError as error:
            raise ParseError(f"The body is not valid JSON: {error}.") from None


def prefers_html(request: HttpRequest) -> bool:
    """Whether the client is a browser showing a page."""
    kinds = ["application/json", PROBLEM_TYPE, "text/html"]
    return request.get_preferred_type(kinds) == "text/html"


class BrowserOnly(parsers.BaseParser):
    """Takes forms from the browsable API's pages alone; a client is told to send JSON."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the form's data; raises UnsupportedMediaType for anyone but a browser."""
        if not prefers_html((parser_context or {})["request"]):
            raise UnsupportedMediaType(media_type or "")
        return super().parse(stream, media_type, parser_context)


class BrowserFormParser(BrowserOnly, parsers.FormParser):
    """`application/x-www-form-urlencoded`, from a page."""


class BrowserMultiPartParser(BrowserOnly, parsers.MultiPartParser):
    """`multipart/form-data`, from a page."""
