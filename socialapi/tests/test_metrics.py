"""GET /metrics: what all workers have done, for Prometheus, and what is made of it."""

import json
import os
import re
import signal
from itertools import pairwise
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
from prometheus_client.parser import text_string_to_metric_families as read_text

from accounts.tests.factories import UserFactory
from posts.models import Post
from socialapi import metrics
from socialapi.environment import BASE_DIR
from socialapi.tests.backends import locked_posts
from socialapi.tests.live import METRICS_TOKEN, THREADS, Dial, Server, wait_until
from socialapi.tests.wire import Answer
from votes.recounts import look
from votes.tests.factories import VoteFactory

pytestmark = [pytest.mark.xdist_group("watched"), pytest.mark.usefixtures("committed")]

FOLDER = BASE_DIR / "deploy" / "monitoring"
PREFIX = "socialapi_"


def scrape(server: Server, dial: Dial, **headers: str) -> Answer:
    """Ask for the metrics as Prometheus does."""
    return dial(server).ask("GET", "/metrics", Authorization=f"Bearer {METRICS_TOKEN}", **headers)


def families(server: Server, dial: Dial) -> dict[str, Metric]:
    """Return the metrics by their names."""
    answer = scrape(server, dial)
    assert answer.status == 200
    return {family.name: family for family in read_text(answer.body.decode())}


def value(server: Server, dial: Dial, name: str, **labels: str) -> float:
    """Return the sum of the samples with these labels."""
    samples = [sample for family in families(server, dial).values() for sample in family.samples]
    return sum(
        sample.value
        for sample in samples
        if sample.name == PREFIX + name and labels.items() <= sample.labels.items()
    )


def requests(server: Server, dial: Dial, route: str) -> float:
    """Return how many requests for a route have been counted."""
    return value(server, dial, "request_duration_seconds_count", route=route)


def workers(server: Server) -> set[int]:
    """Return the processes of the workers that have been started."""
    return {
        int(line["message"].rpartition(" ")[2])
        for line in server.lines(logger="gunicorn.error")
        if line["message"].startswith("Booting worker")
    }


def test_are_for_those_who_have_the_token(watched_server: Server, dial: Dial) -> None:
    wire = dial(watched_server)
    for header, challenge in (
        ({}, "Bearer"),
        ({"Authorization": METRICS_TOKEN}, "Bearer"),
        ({"Authorization": "Bearer wrong"}, 'Bearer error="invalid_token"'),
    ):
        answer = wire.ask("GET", "/metrics", **header)
        assert answer.status == 401
        assert answer.is_problem
        assert answer.headers["www-authenticate"] == challenge
    for scheme in ("Bearer", "bearer"):
        answer = wire.ask("GET", "/metrics", Authorization=f"{scheme} {METRICS_TOKEN}")
        assert answer.status == 200


def test_are_nowhere_without_a_token_in_the_configuration(server: Server, dial: Dial) -> None:
    assert dial(server).ask("GET", "/metrics", Authorization="Bearer ").status == 404


def test_are_in_both_of_prometheuss_formats(watched_server: Server, dial: Dial) -> None:
    text = scrape(watched_server, dial)
    assert text.headers["content-type"].startswith("text/plain; version=0.0.4")
    accept = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
    new = scrape(watched_server, dial, Accept=accept)
    assert new.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    names = [
        {family.name.removesuffix("_info") for family in read(answer.body.decode())}
        for read, answer in ((read_text, text), (read_open, new))
    ]
    assert names[0] == names[1]


def test_count_every_request_of_every_worker_once(watched_server: Server, dial: Dial) -> None:
    before = requests(watched_server, dial, "/users/{pk}")
    user = UserFactory.create()
    for wire in [dial(watched_server, user) for _ in range(10)]:
        for _ in range(3):
            assert wire.ask("GET", f"/users/{user.pk}").status == 200
    wait_until(lambda: requests(watched_server, dial, "/users/{pk}") == before + 30)
    assert value(watched_server, dial, "request_queries_total", route="/users/{pk}") >= 30
    assert value(watched_server, dial, "request_database_seconds_total", route="/users/{pk}") > 0
    assert value(watched_server, dial, "queue_wait_seconds_count") >= 30


def test_keep_what_a_killed_worker_had_counted(watched_server: Server, dial: Dial) -> None:
    before = requests(watched_server, dial, "unknown")
    for wire in [dial(watched_server) for _ in range(6)]:
        assert wire.ask("GET", "/nowhere").status == 404
    wait_until(lambda: requests(watched_server, dial, "unknown") == before + 6)
    victim, started = max(workers(watched_server)), len(workers(watched_server))
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(workers(watched_server)) > started)
    wait_until(lambda: value(watched_server, dial, "workers") == 2)
    assert requests(watched_server, dial, "unknown") == before + 6


def test_tell_of_events_before_the_first(watched_server: Server, dial: Dial) -> None:
    told = {
        label
        for name in ("logins", "throttled")
        for sample in families(watched_server, dial)[PREFIX + name].samples
        for label in sample.labels.values()
    }
    assert told >= {"accepted", "refused", "password", "sign-up", "streams"}


def test_have_histograms_that_grow(watched_server: Server, dial: Dial) -> None:
    family = families(watched_server, dial)[f"{PREFIX}queue_wait_seconds"]
    buckets = [s.value for s in family.samples if s.name.endswith("_bucket")]
    (total,) = [s.value for s in family.samples if s.name.endswith("_count")]
    assert all(less <= more for less, more in pairwise(buckets))
    assert buckets[-1] == total


def test_invented_methods_and_addresses_are_counted_together(
    watched_server: Server, dial: Dial
) -> None:
    wire = dial(watched_server)
    for word in ("BREW", "STEEP", "POUR"):
        wire.ask(word, f"/{word}")
    counted = {"route": "unknown", "method": "other", "status": "404"}
    wait_until(
        lambda: value(watched_server, dial, "request_duration_seconds_count", **counted) == 3
    )


def test_tell_of_streams_and_threads(watched_server: Server, dial: Dial) -> None:
    listener = dial(watched_server, UserFactory.create())
    listener.send("GET", "/posts/stream")
    assert listener.receive_head().status == 200
    wait_until(lambda: value(watched_server, dial, "streams_open") == 1)
    listener.close()
    wait_until(lambda: value(watched_server, dial, "streams_open") == 0)
    # The second worker may only be starting.
    wait_until(lambda: value(watched_server, dial, "threads") == 8)


def test_tell_what_runs(watched_server: Server, dial: Dial) -> None:
    info = {"version": "1.0.0", "revision": "0123abc"}
    assert value(watched_server, dial, "build_info", **info) == 1


def test_are_told_while_every_thread_is_busy(watched_server: Server, dial: Dial) -> None:
    user = UserFactory.create()
    wires = [dial(watched_server, user) for _ in range(30)]

    def pending() -> float:
        numbers = families(watched_server, dial)
        names = (f"{PREFIX}queue_depth", f"{PREFIX}threads_busy")
        return sum(numbers[name].samples[0].value for name in names)

    with locked_posts():
        for wire in wires:
            wire.send("GET", "/posts")
        wait_until(lambda: pending() == len(wires))
        assert value(watched_server, dial, "queue_depth") >= len(wires) - 2 * THREADS
    assert {wire.receive().status for wire in wires} == {200}


def test_tell_what_the_last_recount_found(monkeypatch: pytest.MonkeyPatch) -> None:
    facts: dict[str, tuple[str, float]] = {}
    monkeypatch.setattr(metrics, "facts", facts)
    monkeypatch.setattr("votes.recounts.facts", facts)
    look()
    assert facts == {}
    Post.objects.filter(pk=VoteFactory.create().post.pk).update(vote_count=7)
    with pytest.raises(CommandError):
        call_command("recount_votes", "--check")
    look()
    assert facts["miscounted_posts"][1] == 1
    call_command("recount_votes")
    call_command("recount_votes")
    look()
    assert facts["miscounted_posts"][1] == 0


def names_in(text: str) -> set[str]:
    """Return the metrics that a text names."""
    return set(re.findall(rf"\b{PREFIX}\w+", text))


def expressions(panels: list[dict[str, Any]]) -> list[str]:
    """Return all queries of a dashboard."""
    return [target["expr"] for panel in panels for target in panel.get("targets", [])]


def test_are_what_the_dashboard_and_the_alerts_ask_for(watched_server: Server, dial: Dial) -> None:
    VoteFactory.create()
    call_command("recount_votes", "--check")
    look()
    dashboard = json.loads((FOLDER / "dashboard.json").read_text())
    asked = names_in((FOLDER / "alerts.yml").read_text())
    asked |= names_in(" ".join(expressions(dashboard["panels"])))
    told = {
        sample.name
        for family in families(watched_server, dial).values()
        for sample in family.samples
    }
    told |= {sample.name for family in metrics.registry.collect() for sample in family.samples}
    assert len(asked) > 10
    assert asked <= told


def test_each_panel_of_the_dashboard_has_a_place_and_a_query() -> None:
    panels = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["title"]
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        assert panel["type"] == "row" or expressions([panel])
