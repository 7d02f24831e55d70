"""Whether the process lives, and whether it can serve."""

from collections.abc import Iterable

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from .exceptions import ServiceUnavailable
from .rendering import JSONRenderer

HealthSerializer = inline_serializer("Health", {"status": serializers.ChoiceField(["ok"])})


class AlwaysJSON(BaseContentNegotiation):
    """Probes send odd Accept headers, or none; what they look at is the status."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Take the first renderer."""
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class HealthView(APIView):
    """A probe: public, and asking nobody who calls."""

    authentication_classes = []
    permission_classes = [AllowAny]
    renderer_classes = [JSONRenderer]
    content_negotiation_class = AlwaysJSON


class LiveView(HealthView):
    """The process answers. Runs on the event loop, so it must not wait for anything."""

    @extend_schema(
        operation_id="check_live",
        tags=["service"],
        summary="Does the process answer?",
        description="Asks nothing but the process itself.",
        responses=HealthSerializer,
    )
    def get(self, request: Request) -> Response:
        """Say so."""
        return Response({"status": "ok"})


class ReadyView(HealthView):
    """The database answers and has every migration."""

    @extend_schema(
        operation_id="check_ready",
        tags=["service"],
        summary="Can the service answer?",
        description="503 while the database does not answer, or lacks migrations.",
        responses=HealthSerializer,
    )
    def get(self, request: Request) -> Response:
        """Ask the database; 503 if it is down or behind."""
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            raise ServiceUnavailable("The database lacks migrations.")
        return Response({"status": "ok"})
