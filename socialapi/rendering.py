"""JSON by orjson, and the browsable API."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from django.contrib.auth import get_user
from rest_framework import renderers
from rest_framework.request import override_method

PROBLEM_TYPE = "application/problem+json"


def to_json(data: Any) -> bytes:
    """Serialize; what JSON has no type for (a lazy translation, a UUID) becomes its text."""
    return orjson.dumps(data, default=str, option=orjson.OPT_UTC_Z)


def utc(moment: datetime) -> datetime | str:
    """Return what `to_json` makes a time in UTC of, with its microseconds.

    orjson writes a time itself in a tenth of the time, but leaves out a fraction of zero.
    """
    return moment if moment.microsecond else f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}"


class JSONRenderer(renderers.BaseRenderer):
    """UTF-8 JSON; an error is served as RFC 9457's `application/problem+json`."""

    media_type = "application/json"
    format = "json"
    charset = None
    render_style = "binary"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Return the body; an answer without content has none."""
        response = (renderer_context or {}).get("response")
        if response is not None and response.exception:
            response["Content-Type"] = PROBLEM_TYPE
        return b"" if data is None else to_json(data)


class BrowsableAPIRenderer(renderers.BrowsableAPIRenderer):
    """DRF's pages, with indented JSON in them."""

    def get_default_renderer(self, view: Any) -> renderers.BaseRenderer:
        """Show the content by DRF's own JSON renderer, which indents."""
        return renderers.JSONRenderer()

    def get_context(
        self, data: Any, accepted_media_type: str | None, renderer_context: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Add the fields that a DELETE takes, and who has logged in even where no view asks."""
        context = super().get_context(data, accepted_media_type, renderer_context)
        view, request = context["view"], context["request"]
        if context["delete_form"] and "destroy" in getattr(view, "serializer_classes", ()):
            with override_method(view, request, "DELETE"):
                context["delete_fields"] = self.render_form_for_serializer(view.get_serializer())
        if not request.user.is_authenticated:
            context["user"] = get_user(request)
        return context
