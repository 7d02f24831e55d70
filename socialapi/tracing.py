"""Traces for OpenTelemetry, if OTEL_EXPORTER_OTLP_ENDPOINT says where they go.

A request is one span, with the semantic conventions' names, and continues its caller's trace.
https://opentelemetry.io/docs/specs/semconv/http/http-spans/
"""

from collections.abc import Callable, Iterable
from http import HTTPStatus

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from .exchange import Exchange

NANO = 1_000_000_000
PROPAGATOR = TraceContextTextMapPropagator()


def start(endpoint: str, revision: str) -> Callable[[Iterable[Exchange]], None]:
    """Return what sends a span for each exchange that is over, from a thread of its own."""
    resource = Resource.create({SERVICE_NAME: "socialapi", SERVICE_VERSION: revision})
    provider = TracerProvider(resource=resource)
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("socialapi")

    def observe(exchanges: Iterable[Exchange]) -> None:
        for exchange in exchanges:
            make_span(tracer, exchange)

    return observe


def make_span(tracer: Tracer, exchange: Exchange) -> None:
    """Make the span of an exchange that is over."""
    duration = exchange.seconds + (exchange.streamed or 0)
    end = int(exchange.ended * NANO)
    parent = exchange.headers.get(b"traceparent", b"").decode("latin1")
    span = tracer.start_span(
        " ".join(filter(None, (exchange.method, exchange.route))),
        context=PROPAGATOR.extract({"traceparent": parent}),
        kind=SpanKind.SERVER,
        start_time=end - int(duration * NANO),
        attributes={
            "http.request.method": exchange.method,
            "http.route": exchange.route or "",
            "http.response.status_code": exchange.status,
            "socialapi.request_id": exchange.id,
            "socialapi.queue.wait": exchange.waited,
            "socialapi.database.duration": exchange.database,
            "socialapi.database.queries": exchange.queries,
        },
    )
    if exchange.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        span.set_status(Status(StatusCode.ERROR))
    span.end(end_time=end)
