"""What is reported to Sentry and by OpenTelemetry, where they are wanted."""

import json
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from posts.models import Post
from socialapi.tests.canaries import EMAIL, TOKEN
from socialapi.tests.live import Dial, Server, wait_until
from socialapi.tests.sink import Sink

pytestmark = [pytest.mark.xdist_group("watched"), pytest.mark.usefixtures("committed")]

TRACE = "0af7651916cd43dd8448eb211c80319c"


def test_sentry_is_told_where_the_code_failed_and_nothing_of_the_user(
    watched_server: Server, reports: Sink, dial: Dial, post: Post
) -> None:
    wire = dial(watched_server, post.owner)
    # What a client does wrong is no error.
    assert wire.ask("GET", "/", Host="evil.example").status == 400
    path = f"/crash?email={EMAIL}&token={TOKEN}"
    assert wire.ask("GET", path, X_Request_ID="reported").status == 500

    (envelope,) = wait_until(
        lambda: [b for b in reports.bodies("/api/1/envelope/") if b'"reported"' in b]
    )
    event = json.loads(envelope.splitlines()[2])
    assert event["tags"] == {"request_id": "reported", "route": "/crash", "method": "GET"}
    assert event["release"] == "0123abc"
    (error,) = event["exception"]["values"]
    assert (error["type"], error["value"]) == ("ValueError", "no account for <email>, <token>")
    frames = error["stacktrace"]["frames"]
    assert frames[-1]["function"] == "crash"
    assert not any("vars" in frame for frame in frames)
    assert not {"request", "user", "breadcrumbs", "server_name", "extra"} & set(event)
    assert event["logentry"]["params"] == ["Internal Server Error"]
    assert b"canary" not in envelope
    assert not any(b"evil.example" in body for body in reports.bodies("/api/1/envelope/"))


def spans(reports: Sink) -> dict[str, Span]:
    """Return the spans that have come, by their requests."""
    found = {}
    for body in reports.bodies("/v1/traces"):
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for span in resource.scope_spans[0].spans:
                found[attributes(span)["socialapi.request_id"].string_value] = span
    return found


def attributes(span: Span) -> dict[str, Any]:
    """Return a span's attributes by name."""
    return {each.key: each.value for each in span.attributes}


def test_a_request_is_a_span_of_its_callers_trace(
    watched_server: Server, reports: Sink, dial: Dial, post: Post
) -> None:
    wire = dial(watched_server, post.owner)
    traceparent = f"00-{TRACE}-b7ad6b7169203331-01"
    wire.ask("GET", f"/posts/{post.pk}", X_Request_ID="traced", Traceparent=traceparent)
    wire.ask("GET", "/crash?email=x&token=y", X_Request_ID="failed", Traceparent="nonsense")
    wait_until(lambda: {"traced", "failed"} <= spans(reports).keys())
    traced, failed = spans(reports)["traced"], spans(reports)["failed"]

    assert (traced.name, traced.trace_id.hex()) == ("GET /posts/{pk}", TRACE)
    assert traced.kind == Span.SPAN_KIND_SERVER
    assert traced.status.code == Status.STATUS_CODE_UNSET
    assert traced.start_time_unix_nano < traced.end_time_unix_nano
    told = attributes(traced)
    assert told["http.response.status_code"].int_value == 200
    assert told["http.route"].string_value == "/posts/{pk}"
    assert told["socialapi.database.queries"].int_value == 1
    assert failed.status.code == Status.STATUS_CODE_ERROR
    assert failed.trace_id.hex() != TRACE
