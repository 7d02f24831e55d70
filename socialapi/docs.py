"""The OpenAPI document and its two readers, all served from here."""

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.middleware.csp import get_nonce
from django.utils.csp import CSP
from django.utils.decorators import method_decorator
from django.views.decorators.csp import csp_override
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import (
    SpectacularJSONAPIView,
    SpectacularRedocView,
    SpectacularSwaggerSplitView,
)
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from .errors import problem_response, to_api_exception
from .schema import describe_api

# Redoc writes its styles into the page, which a nonce allows to it alone, and searches in a
# worker that it makes of a text of its own.
REDOC_CSP: dict[str, Any] = {
    **settings.SECURE_CSP,
    "style-src": [CSP.SELF, CSP.NONCE],
    "worker-src": ["blob:"],
}


class DocumentView(APIView):
    """What the three share: their errors are like all others, whatever they themselves render."""

    permission_classes = [AllowAny]
    http_method_names = ["get", "head"]

    def handle_exception(self, exc: Exception) -> HttpResponse:  # type: ignore[override]
        """Answer outside of DRF, which knows only how to render documents here."""
        known = to_api_exception(exc)
        if known is None:
            raise exc
        return problem_response(self.request, known)


class OpenAPIView(DocumentView, SpectacularJSONAPIView):
    """The OpenAPI 3.1 document."""

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        """Give everyone the same, whatever parameters drf-spectacular would look at."""
        return Response(describe_api())


class SwaggerView(DocumentView, SpectacularSwaggerSplitView):
    """Swagger UI, its script apart from its page, so that the page needs no inline script."""

    template_name = "docs/swagger.html"


@method_decorator(csp_override(REDOC_CSP), name="dispatch")
class RedocView(DocumentView, SpectacularRedocView):
    """Redoc."""

    template_name = "docs/redoc.html"

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Show the page, with the nonce for its script to hand on."""
        response: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
        response.data["nonce"] = str(get_nonce(request))
        return response
