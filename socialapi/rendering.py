"""JSON by orjson, and the browsable API."""

from collections.abc import Mapping
from typing import Any

import orjson
from rest_framework import renderers

PROBLEM_TYPE = "application/problem+json"


def to_json(data: Any) -> bytes:
    """Serialize; what JSON has no type for (a lazy translation, a UUID) becomes its text."""
    return orjson.dumps(data, default=str)


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
