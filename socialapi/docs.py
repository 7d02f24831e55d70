"""The OpenAPI document and its two readers, all served from here."""

from drf_spectacular.views import (
    SpectacularJSONAPIView,
    SpectacularRedocView,
    SpectacularSwaggerSplitView,
)
from rest_framework.permissions import AllowAny


class OpenAPIView(SpectacularJSONAPIView):
    """The OpenAPI 3.1 document."""

    permission_classes = [AllowAny]


class SwaggerView(SpectacularSwaggerSplitView):
    """Swagger UI, its script apart from its page, so that the page needs no inline script."""

    permission_classes = [AllowAny]


class RedocView(SpectacularRedocView):
    """Redoc."""

    permission_classes = [AllowAny]
