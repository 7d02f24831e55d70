"""What the service tells Prometheus about itself: `GET /metrics`, with a token of its own."""

import asyncio
import logging
import platform
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from hmac import compare_digest
from itertools import accumulate

import django
from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request

from . import tally
from .exceptions import InvalidToken
from .exchange import Exchange
from .handler import Handler, current
from .health import HealthView

log = logging.getLogger(__name__)

# Seconds between two times that a worker writes down what it has counted.
PERIOD = 1.0
# Seconds: up to so many, and in the end more. A histogram is a count for each, and the sum.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SUM = len(BOUNDS) + 1
# What follows the histogram of a request's duration.
DATABASE, QUERIES = SUM + 1, SUM + 2
REQUESTS, WAITS, LOGINS, THROTTLED = "requests", "waits", "logins", "throttled"
# Anyone may invent methods; they are not counted apart.
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
GAUGES = {
    "workers": "Worker processes that live.",
    "threads": "Threads of all workers.",
    "threads_busy": "Threads that are at work.",
    "queue_depth": "Requests that wait for a thread.",
    "streams_open": "Streams that are being sent.",
}
# What is the same for all workers, by the metric's name, and kept by those who know it.
facts: dict[str, tuple[str, float]] = {}


def observe(exchanges: Iterable[Exchange]) -> None:
    """Count exchanges that are over."""
    wait = tally.numbers((WAITS,), SUM + 1)
    for exchange in exchanges:
        method = exchange.method if exchange.method in METHODS else "other"
        key = (REQUESTS, exchange.route or "unknown", method, exchange.status)
        request = tally.numbers(key, QUERIES + 1)
        request[bisect_left(BOUNDS, exchange.seconds)] += 1
        request[SUM] += exchange.seconds
        request[DATABASE] += exchange.database
        request[QUERIES] += exchange.queries
        # What was refused, or answered by the loop, has not waited.
        if exchange.waited:
            wait[bisect_left(BOUNDS, exchange.waited)] += 1
            wait[SUM] += exchange.waited


def measure(handler: Handler) -> dict[str, float]:
    """Return the GAUGES of this worker."""
    queued = handler.pool.jobs.qsize()
    return {
        "workers": 1,
        "threads": len(handler.pool.threads),
        "threads_busy": max(handler.pool.pending - queued, 0),
        "queue_depth": queued,
        "streams_open": len(handler.streams),
    }


def write_down(handler: Handler) -> None:
    """Write down what this worker has counted, for whichever worker is asked."""
    try:
        tally.save(measure(handler))
    except OSError:
        log.exception("The metrics of this worker cannot be written.")


async def publish() -> None:
    """Write down what this worker counts, for as long as it lives."""
    handler = current.get()
    while True:
        write_down(handler)
        try:
            await asyncio.sleep(PERIOD)
        except asyncio.CancelledError:
            tally.save({})
            raise


class Tally(Collector):
    """The sums of all workers, in Prometheus's terms."""

    def collect(self) -> Iterator[Metric]:
        """Return every metric."""
        counts, gauges = tally.total()
        yield from requests(counts)
        yield waits(counts)
        for name, help_text, label in (
            (LOGINS, "Logins by their outcome.", "outcome"),
            (THROTTLED, "Requests that were answered 429, by the limit.", "limit"),
        ):
            family = CounterMetricFamily(f"socialapi_{name}", help_text, labels=[label])
            for key, (value,) in of_kind(counts, name):
                family.add_metric([str(key[1])], value)
            yield family
        for name, help_text in GAUGES.items():
            yield GaugeMetricFamily(f"socialapi_{name}", help_text, gauges.get(name, 0))
        for name, (help_text, value) in facts.items():
            yield GaugeMetricFamily(f"socialapi_{name}", help_text, value)
        yield build()


def of_kind(counts: tally.Counts, kind: str) -> list[tuple[tally.Key, list[float]]]:
    """Return the counts of one kind, in order."""
    return sorted(item for item in counts.items() if item[0][0] == kind)


def requests(counts: tally.Counts) -> Iterator[Metric]:
    """Return what is known of requests."""
    duration = HistogramMetricFamily(
        "socialapi_request_duration_seconds",
        "From a whole request to its answer, or to the beginning of a stream.",
        labels=["route", "method", "status"],
    )
    database = CounterMetricFamily(
        "socialapi_request_database_seconds",
        "Time that requests waited for statements.",
        labels=["route", "method"],
    )
    queries = CounterMetricFamily(
        "socialapi_request_queries", "Statements of requests.", labels=["route", "method"]
    )
    sums: dict[tuple[str, str], list[float]] = {}
    for (_, route, method, status), values in of_kind(counts, REQUESTS):
        labels = [str(route), str(method), str(status)]
        duration.add_metric(labels, buckets(values), values[SUM])
        known = sums.setdefault((str(route), str(method)), [0, 0])
        known[0] += values[DATABASE]
        known[1] += values[QUERIES]
    for place, (seconds, statements) in sums.items():
        database.add_metric(place, seconds)
        queries.add_metric(place, statements)
    yield from (duration, database, queries)


def waits(counts: tally.Counts) -> Metric:
    """Return how long requests waited for a thread."""
    family = HistogramMetricFamily(
        "socialapi_queue_wait_seconds", "How long requests waited for a thread.", labels=[]
    )
    values = counts.get((WAITS,)) or [0] * (SUM + 1)
    family.add_metric([], buckets(values), values[SUM])
    return family


def buckets(values: list[float]) -> list[tuple[str, float]]:
    """Return the buckets of a histogram, each with all that is in those before it."""
    bounds = [*map(str, BOUNDS), "+Inf"]
    return [*zip(bounds, accumulate(values[:SUM]), strict=True)]


def build() -> Metric:
    """Return what runs."""
    facts = {
        "version": settings.SPECTACULAR_SETTINGS["VERSION"],
        "revision": settings.REVISION,
        "python": platform.python_version(),
        "django": django.get_version(),
    }
    return InfoMetricFamily("socialapi_build", "What runs.", facts)


registry = CollectorRegistry(auto_describe=False)
registry.register(Tally())


class MetricsView(HealthView):
    """For Prometheus alone. It asks no database, and waits for no request."""

    def get_authenticate_header(self, request: Request) -> str:
        """The challenge of a 401 to who shows no token."""
        return "Bearer"

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        """Tell all metrics; raises NotAuthenticated or InvalidToken without the METRICS_TOKEN."""
        scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
        if scheme.lower() != "bearer":
            raise NotAuthenticated
        if not compare_digest(token.strip().encode(), settings.METRICS_TOKEN.encode()):
            raise InvalidToken
        # What has been told once is not lost with the worker.
        write_down(current.get())
        encoder, content_type = choose_encoder(request.META.get("HTTP_ACCEPT", ""))
        return HttpResponse(encoder(registry), content_type=content_type)
