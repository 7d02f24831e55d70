"""Measures this project and its peers, one process on one core each, on the same data.

PostgreSQL and the load generator have another core. The answers are compared first; an error
while measuring ends everything. What comes out is printed and written to .local/bench.
"""

import argparse
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path

from script import database

from . import crowd, data, floor, profiling, report, verify
from .data import LARGE, SMALL, Cluster, Size
from .endpoints import ENDPOINTS, Client, Endpoint, Run, World
from .load import Measurement, measure
from .systems import (
    BEST,
    LOCAL,
    OURS,
    SYSTEMS,
    BenchError,
    Server,
    System,
    log_file,
    prepare,
    running,
)
from .world import choose_world, suspended_user

# PostgreSQL's own settings but for room: for the data, and for a log that is not recycled while
# something is measured. Every commit is written to the disk.
POSTGRESQL = {"shared_buffers": "512MB", "max_wal_size": "4GB", "checkpoint_timeout": "30min"}
WARM_UP_SECONDS = 2
# What all systems together may work in a fifth of a second, and be idle.
IDLE_SECONDS = 0.02
# Seconds that the profiler takes to begin and to end, twice.
PATIENCE = 5
IDLE, STREAMS = 2_000, 200


def main() -> int:
    """Run the benchmark, and return the exit code."""
    options = read_options()
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        LOCAL.mkdir(parents=True, exist_ok=True)
        with database.exclusive(LOCAL):
            benchmark(options)
    except (BenchError, database.DatabaseError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        "script/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "--only",
        type=some_of(ENDPOINTS),
        default=ENDPOINTS,
        metavar="NAMES",
        help="of endpoints: " + ",".join(endpoint.name for endpoint in ENDPOINTS),
    )
    add(
        "--systems",
        type=some_of(SYSTEMS),
        default=SYSTEMS,
        metavar="NAMES",
        help="of systems: " + ",".join(system.name for system in SYSTEMS),
    )
    add("--large", action="store_true", help="500,000 posts rather than 20,000")
    add("--rounds", type=int, default=3, help="of which the median counts (default: 3)")
    add("--seconds", type=int, default=4, help="of each measurement (default: 4)")
    add("--connections", type=int, default=32, help="that ask at a time (default: 32)")
    add("--quick", action="store_true", help="one round of two seconds each")
    add("--fresh", action="store_true", help="seed the data anew, which is kept otherwise")
    add("--plot", type=Path, metavar="FILE", help="draw the results as well, as a PNG")
    instead = parser.add_mutually_exclusive_group()
    add = instead.add_argument
    add("--profile", action="store_true", help="show where the time goes, instead of measuring")
    add(
        "--idle",
        action="store_true",
        help=f"measure GET /posts/{{id}} amid {IDLE:,} idle connections and {STREAMS} streams",
    )
    add(
        "--streams",
        action="store_true",
        help=f"measure votes on random posts amid {STREAMS} streams",
    )
    options = parser.parse_args()
    if options.idle or options.streams:
        options.systems = [OURS]
    if options.plot and BEST not in options.systems:
        parser.error(f"--plot is drawn against {BEST.title}")
    if options.quick:
        options.rounds, options.seconds = 1, 2
    return options


def some_of[T: (System, Endpoint)](choices: Sequence[T]) -> Callable[[str], Sequence[T]]:
    """Return a parser of names with commas between them; the order remains that of the choices."""

    def parse(text: str) -> Sequence[T]:
        names = text.split(",")
        if unknown := set(names) - {choice.name for choice in choices}:
            raise argparse.ArgumentTypeError(f"there is no {', '.join(sorted(unknown))}")
        return [choice for choice in choices if choice.name in names]

    return parse


@dataclass(frozen=True)
class Running:
    """A system that runs, and what is needed to call it."""

    server: Server
    client: Client


@dataclass(frozen=True)
class Bench:
    """All that runs, and what PostgreSQL alone runs for endpoints, by their names."""

    cluster: Cluster
    world: World
    systems: dict[System, Running]
    suspended: int
    floors: dict[str, floor.Floor]


def benchmark(options: argparse.Namespace) -> None:
    """Start everything, compare the answers, measure and report."""
    size = LARGE if options.large else SMALL
    with start(size, options.systems, fresh=options.fresh) as bench:
        clients = {system: each.client for system, each in bench.systems.items()}
        count = verify.verify(clients, bench.world, bench.suspended)
        print(f"All answers to {count} requests are equal.", flush=True)
        if options.profile:
            profile(bench, options)
            return
        if options.idle or options.streams:
            compare_with_crowd(bench, options)
            return
        if OURS in bench.systems:
            run = Run(bench.world, clients[OURS], 0, WARM_UP_SECONDS)
            bench.floors.update(floor.record(bench.cluster, options.only, run))
        results = report.Results(
            machine=report.describe_machine(bench.cluster.version),
            data=size.title,
            systems=options.systems,
        )
        for endpoint in options.only:
            measure_endpoint(bench, endpoint, options, results)
        for system, each in bench.systems.items():
            results.memory[system.name] = each.server.memory()
    (LOCAL / f"{size.name}.json").write_text(results.to_json())
    text = report.table(results)
    (LOCAL / f"{size.name}.md").write_text(text)
    print(f"\n{text}")
    if options.plot:
        report.plot(results, options.plot)


@contextmanager
def start(size: Size, systems: Sequence[System], *, fresh: bool) -> Iterator[Bench]:
    """Start PostgreSQL and the systems, each on its core and on a new copy of the data."""
    # Idle connections and streams are thousands of open files, on both sides.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == 1:
        raise BenchError("Two cores are needed: one for the service, one for all the rest.")
    folder = LOCAL / "cluster" / "postgres"
    with database.running(folder, POSTGRESQL) as postgresql:
        data.seed(Cluster(postgresql.url), size, systems, fresh=fresh)
    # What this process starts from now on, PostgreSQL and wrk, runs where it does.
    os.sched_setaffinity(0, {cores[0]})
    with ExitStack() as stack:
        cluster = Cluster(stack.enter_context(database.running(folder, POSTGRESQL)).url)
        template = size.template(OURS)
        world, suspended = choose_world(cluster, template), suspended_user(cluster, template)
        bench = Bench(cluster, world, {}, suspended, {})
        for system in systems:
            cluster.copy(size.template(system), system.name)
            stack.callback(cluster.drop, system.name)
            environment = cluster.environment(system.name)
            tokens = make_ready(system, bench, environment)
            if system == OURS:
                cluster.copy(system.name, floor.DATABASE)
                stack.callback(cluster.drop, floor.DATABASE)
            server = stack.enter_context(running(system, cores[1], environment))
            pages = verify.find_deep_pages(system, tokens[world.voters[0]])
            bench.systems[system] = Running(server, Client(tokens, pages))
        yield bench


def make_ready(system: System, bench: Bench, environment: dict[str, str]) -> dict[int, str]:
    """Bring a system's tables up to date, and return tokens of its users; one is suspended."""
    if system == OURS:
        prepare(system, "schema", environment)
    owners = {owner for owner, _ in bench.world.owned}
    users = [*bench.world.voters, *sorted(owners), bench.suspended]
    tokens = prepare(system, "tokens", environment, users)
    table = "accounts_user" if system == OURS else "users"
    bench.cluster.execute(
        system.name,
        f"UPDATE {table} SET is_active = false WHERE id = {bench.suspended}",
        "VACUUM (ANALYZE)",
        "CHECKPOINT",
    )
    return {int(user): token for user, token in tokens.items()}


def measure_endpoint(
    bench: Bench, endpoint: Endpoint, options: argparse.Namespace, results: report.Results
) -> None:
    """Measure one endpoint of all systems, round by round."""
    print(f"{endpoint.title}:", end="", flush=True)
    for number in range(options.rounds + 1):
        seconds = options.seconds if number else WARM_UP_SECONDS
        for system, each in bench.systems.items():
            run = Run(bench.world, each.client, number, seconds)
            wait_until_idle(bench)
            worked = each.server.cpu_seconds()
            try:
                measured = measure(
                    system.port, endpoint.requests(run), seconds, options.connections
                )
            except BenchError as error:
                raise BenchError(
                    f"\n{endpoint.title} of {system.title}: {error} See {log_file(system)}."
                ) from None
            worked = each.server.cpu_seconds() - worked
            if number:
                results.add(endpoint, system, measured, 1000 * worked / measured.requests)
                print(f" {system.name} {measured.rate:.0f}", end="", flush=True)
        if endpoint.name in bench.floors:
            rate = floor.measure(bench.cluster, bench.floors[endpoint.name], seconds)
            if number:
                results.floor.setdefault(endpoint.name, []).append(rate)
                print(f" floor {rate:.0f}", end="", flush=True)
    print(flush=True)


def wait_until_idle(bench: Bench) -> None:
    """Wait until no system works any longer for clients who have left, as on their logins."""

    def worked() -> float:
        return sum(each.server.cpu_seconds() for each in bench.systems.values())

    before = -1.0
    while worked() > before + IDLE_SECONDS:
        before = worked()
        time.sleep(0.2)


def profile(bench: Bench, options: argparse.Namespace) -> None:
    """Sample each system under the load of each endpoint."""
    for endpoint in options.only:
        for system, each in bench.systems.items():
            # Both samples, and the time that each takes to begin.
            seconds = 2 * options.seconds + PATIENCE
            requests = endpoint.requests(Run(bench.world, each.client, 1, seconds))
            with ThreadPoolExecutor(1) as load:
                loading = load.submit(measure, system.port, requests, seconds, options.connections)
                stacks = profiling.record(
                    each.server.worker, system, endpoint.name, options.seconds
                )
                loading.result()
            print(f"\n{endpoint.title} of {system.title} ({stacks}, and .svg beside it)")
            with stacks.open() as lines:
                print("\n".join(profiling.summary(lines)))


def compare_with_crowd(bench: Bench, options: argparse.Namespace) -> None:
    """Measure an endpoint of ours alone and amid idle connections and streams, in turns."""
    endpoint = next(
        each for each in ENDPOINTS if each.name == ("detail" if options.idle else "vote")
    )
    each = bench.systems[OURS]
    tokens = [each.client.tokens[voter] for voter in bench.world.voters]
    idle = list(islice(cycle(tokens), IDLE)) if options.idle else []
    path = f"/posts/{bench.world.posts[0]}"

    def once(number: int, seconds: int) -> Measurement:
        requests = endpoint.requests(Run(bench.world, each.client, number, seconds))
        return measure(OURS.port, requests, seconds, options.connections)

    once(0, WARM_UP_SECONDS)
    alone, amid, crowds = [], [], []
    for number in range(1, 2 * options.rounds, 2):
        alone.append(once(number, options.seconds))
        measured, there = crowd.measure_amid(
            OURS.port, path, idle, tokens[:STREAMS], partial(once, number + 1, options.seconds)
        )
        if options.streams and not there.streams:
            raise BenchError("There is no GET /posts/stream.")
        amid.append(measured)
        crowds.append(there)
        print(f"alone {alone[-1].rate:.0f}, amid {there} {measured.rate:.0f}", flush=True)
    print("\n" + report.crowd_table(endpoint, alone, amid, crowds))


if __name__ == "__main__":
    sys.exit(main())
