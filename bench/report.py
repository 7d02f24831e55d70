"""What comes out: a table, a plot, and every single measurement."""

import json
import os
import platform
import re
import statistics
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from .crowd import Crowd
from .endpoints import ENDPOINTS, Endpoint
from .load import Measurement
from .systems import BEST, OURS, System

MEBIBYTE = 1024 * 1024


@dataclass
class Results:
    """All that was measured in one run of the benchmark."""

    machine: str
    data: str
    systems: Sequence[System]
    measurements: dict[tuple[str, str], list[Measurement]] = field(default_factory=dict)
    # Of each system: the worker's peak, and all processes' share after the run; bytes.
    memory: dict[str, tuple[int, int]] = field(default_factory=dict)
    # Of each endpoint and round: how many requests' SQL PostgreSQL alone runs in a second.
    floor: dict[str, list[float]] = field(default_factory=dict)

    def add(
        self, endpoint: Endpoint, system: System, measurement: Measurement, cpu: float
    ) -> None:
        """Take one round's measurement, and the milliseconds of work that each request took."""
        rounds = self.measurements.setdefault((endpoint.name, system.name), [])
        rounds.append(replace(measurement, cpu=cpu))

    def measured(self) -> list[Endpoint]:
        """Return the endpoints that were measured."""
        names = {name for name, _ in self.measurements}
        return [endpoint for endpoint in ENDPOINTS if endpoint.name in names]

    def median(self, value: str, endpoint: Endpoint, system: System) -> float:
        """Return the median over the rounds of one of the values of a measurement."""
        rounds = self.measurements[endpoint.name, system.name]
        return float(statistics.median(getattr(measured, value) for measured in rounds))

    def rate(self, endpoint: Endpoint, system: System) -> float:
        """Return the median of requests per second."""
        return self.median("rate", endpoint, system)

    def to_json(self) -> str:
        """Return everything, for other programs."""
        return json.dumps(
            {
                "machine": self.machine,
                "data": self.data,
                "measurements": [
                    {"endpoint": endpoint, "system": system, "rounds": list(map(asdict, rounds))}
                    for (endpoint, system), rounds in self.measurements.items()
                ],
                "memory": self.memory,
                "floor": self.floor,
            },
            indent=1,
        )


def describe_machine(postgresql: str) -> str:
    """Return one line on what this was measured on, and when."""
    cpu = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    wrk = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False)
    version = re.search(r"wrk (?:debian/)?([\d.]+)", wrk.stdout + wrk.stderr)
    return ", ".join(
        (
            f"{datetime.now(UTC):%Y-%m-%d}",
            f"{cpu[1] if cpu else platform.machine()} ({os.cpu_count()} cores)",
            f"Python {platform.python_version()}",
            f"PostgreSQL {postgresql}",
            f"wrk {version[1] if version else '?'}",
        )
    )


def table(results: Results) -> str:
    """Return the results in Markdown, with the ratios of ours to each of the others."""
    return "\n".join(
        [
            f"{results.data}; {results.machine}.",
            "",
            *markdown(rates(results)),
            "",
            *markdown(work(results)),
            "",
        ]
    )


def rates(results: Results) -> Iterator[list[str]]:
    """Yield the rows of how much and how fast, the header first."""
    peers = [system for system in results.systems if system != OURS]
    ours = OURS in results.systems
    yield [
        "requests/s (p99 in ms)",
        *(system.title for system in results.systems),
        *(f"× {peer.title}" for peer in peers if ours),
        *(["PostgreSQL alone"] if results.floor else []),
    ]
    for endpoint in results.measured():
        rate = partial(results.rate, endpoint)
        p99 = partial(results.median, "p99", endpoint)
        alone = results.floor.get(endpoint.name, [])
        yield [
            endpoint.title,
            *(f"{rate(system):,.0f} ({p99(system):,.0f})" for system in results.systems),
            *(f"{rate(OURS) / rate(peer):.2f} ×" for peer in peers if ours),
            *([f"{statistics.median(alone):,.0f}" if alone else ""] if results.floor else []),
        ]


def work(results: Results) -> Iterator[list[str]]:
    """Yield the rows of what it costs, the header first.

    Time of the processor hardly depends on what else the machine does.
    """
    yield ["ms of CPU for a request", *(system.title for system in results.systems)]
    for endpoint in results.measured():
        costs = (results.median("cpu", endpoint, system) for system in results.systems)
        yield [endpoint.title, *(f"{cost:.2f}" for cost in costs)]
    memory = (results.memory[system.name] for system in results.systems)
    yield [
        "MiB, the worker's peak (all processes at the end)",
        *(f"{peak / MEBIBYTE:.0f} ({share / MEBIBYTE:.0f})" for peak, share in memory),
    ]


def crowd_table(
    endpoint: Endpoint,
    alone: Sequence[Measurement],
    amid: Sequence[Measurement],
    crowds: Sequence[Crowd],
) -> str:
    """Return in Markdown what it costs an endpoint that others are there."""

    def row(title: str, value: str) -> list[str]:
        before, after = (
            statistics.median(getattr(each, value) for each in rounds) for rounds in (alone, amid)
        )
        return [title, f"{before:,.0f}", f"{after:,.0f}", f"{after / before:.2f} ×"]

    there = crowds[0]
    among = f"{there.idle:,} idle connections, " if there.idle else ""
    streams = (
        f"{there.streams} streams" if there.streams else "no stream, as there is none to open"
    )
    rows = [
        [endpoint.title, "alone", among + streams, "ratio"],
        row("requests/s", "rate"),
        row("p99 in ms", "p99"),
    ]
    if there.streams:
        events = statistics.median(each.events for each in crowds)
        rows.append(["events that all streams brought in a round", "", f"{events:,.0f}", ""])
    return "\n".join(markdown(iter(rows)))


def markdown(rows: Iterator[list[str]]) -> Iterator[str]:
    """Yield the lines of a table; numbers are aligned to the right."""
    for number, row in enumerate(rows):
        yield "| " + " | ".join(row) + " |"
        if number == 0:
            yield "| --- |" + " ---: |" * (len(row) - 1)


def plot(results: Results, path: Path) -> None:
    """Draw the requests per second of each endpoint, the best FastAPI's being 1."""
    # Only who draws has to wait for it.
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    endpoints = results.measured()
    colours = {"ours": "#0b6e4f", "best": "#7a8793", "course": "#b0b9c1", "drf": "#d9dde1"}
    height = 0.84 / len(results.systems)
    figure, axes = plt.subplots(
        figsize=(10, len(endpoints) * (0.2 * len(results.systems) + 0.15) + 2),
        layout="constrained",
    )
    for number, system in enumerate(results.systems):
        rates = [results.rate(endpoint, system) for endpoint in endpoints]
        ratios = [
            rate / results.rate(endpoint, BEST)
            for rate, endpoint in zip(rates, endpoints, strict=True)
        ]
        places = [
            index + (number - (len(results.systems) - 1) / 2) * height
            for index in range(len(endpoints))
        ]
        bars = axes.barh(places, ratios, height, color=colours[system.name], label=system.title)
        labels = [
            f"{rate:,.0f}/s" + (f" ({ratio:.2f} ×)" if system == OURS else "")
            for rate, ratio in zip(rates, ratios, strict=True)
        ]
        axes.bar_label(bars, labels, padding=3, fontsize=8, color="#333333")
    axes.set_yticks(range(len(endpoints)), [endpoint.title for endpoint in endpoints])
    axes.set_ylim(len(endpoints) - 0.4, -0.6)
    # With room for the labels.
    axes.set_xlim(0, 1.2 * axes.get_xlim()[1])
    axes.axvline(1, color="#333333", linewidth=0.8, linestyle=":", zorder=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(f"requests per second, {BEST.title} = 1")
    rounds = len(results.measurements[endpoints[0].name, BEST.name])
    title = (
        f"Requests per second against {BEST.title}; one process on one core each",
        f"{results.data}; median of {rounds} rounds",
        results.machine,
    )
    figure.suptitle("\n".join(title), x=0.01, ha="left", fontsize=10)
    figure.legend(
        frameon=False, loc="outside lower center", ncols=len(results.systems), fontsize=9
    )
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=150)
