"""The way in."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

ROUTES = {
    "sign_up": "user-list",
    "login": "login",
    "account": "account",
    "sessions": "session-list",
    "posts": "post-list",
    "vote": "vote",
    "docs": "docs",
    "redoc": "redoc",
    "openapi": "openapi",
    "admin": "admin:index",
}


class RootSerializer(serializers.Serializer[dict[str, str]]):
    """A greeting, and links."""

    message = serializers.CharField()

    def get_fields(self) -> dict[str, serializers.Field[str, str, str, dict[str, str]]]:
        """One link for each route."""
        return super().get_fields() | {name: serializers.URLField() for name in ROUTES}


class RootView(APIView):
    """Links to the resources and the documentation."""

    permission_classes = [AllowAny]

    @extend_schema(
        operation_id="get_root",
        tags=["service"],
        summary="Find the way",
        description="A greeting, and links to the resources and the documentation.",
        responses=RootSerializer,
    )
    def get(self, request: Request) -> Response:
        """Greet."""
        links = {name: reverse(route, request=request) for name, route in ROUTES.items()}
        return Response({"message": "Welcome to the Social API."} | links)
