"""The floor: PostgreSQL alone, asked by pgbench for what the service asks it.

The service answers a few requests in a process that notes its statements, and pgbench runs the
same ones, prepared. So this is what could be reached if neither Python nor HTTP took any time.
"""

import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from script.database import PROGRAMS

from .data import Cluster
from .endpoints import Endpoint, Run, World
from .load import Request
from .systems import ENVIRONMENT, OURS, BenchError, prepare

# A copy of our database, with the same tokens.
DATABASE = "floor"
CLIENTS = 8
# Where parameters belong together: so many requests as they are. Every client plans each once.
SCRIPTS = 40
# A parameter keeps pgbench from planning a statement once and for all.
ANEW = " OFFSET :none::bigint"
PLAN_ANEW = "-c plan_cache_mode=force_custom_plan"


@dataclass(frozen=True)
class Floor:
    """The scripts of an endpoint, of which pgbench runs random ones, each of so many requests."""

    scripts: Sequence[str]
    requests: int = 1


def record(cluster: Cluster, endpoints: Iterable[Endpoint], run: Run) -> dict[str, Floor]:
    """Return the floor of each endpoint, by its name; of a login there is none."""
    chosen = {each: choose(each, run) for each in endpoints if each.name != "login"}
    data = {each.name: list(map(astuple, requests)) for each, requests in chosen.items()}
    noted = prepare(OURS, "sql", cluster.environment(DATABASE), data)
    head = "".join(f"\\set {name} {value}\n" for name, value in variables(cluster, run.world))
    floors = {}
    for endpoint in chosen:
        requests = [
            "".join(write(*statement, free=endpoint.free) for statement in statements)
            for statements in noted[endpoint.name]
        ]
        scripts = ["".join(requests)] if endpoint.is_vote else requests
        floors[endpoint.name] = Floor(
            [head + script for script in scripts], len(requests) // len(scripts)
        )
    return floors


def choose(endpoint: Endpoint, run: Run) -> Sequence[Request]:
    """Return one request if others differ in free parameters alone; a vote is taken back."""
    requests = endpoint.requests(run)
    if endpoint.is_vote:
        vote = next(requests)
        return [vote, replace(vote, body=vote.body.replace('"vote_dir":1', '"vote_dir":0'))]
    return list(islice(requests, 1 if endpoint.free else SCRIPTS))


def variables(cluster: Cluster, world: World) -> Sequence[tuple[str, str]]:
    """Return pgbench's expression for each free parameter.

    A few of the posts are drafts, which nobody else finds.
    """
    first, last = min(world.voters), max(world.voters)
    distances = cluster.execute(
        DATABASE,
        "SELECT DISTINCT id - user_id FROM accounts_session"
        f" WHERE user_id BETWEEN {first} AND {last}",
    )
    if len(distances) != 1 or last - first + 1 != len(world.voters):
        raise BenchError("The ids of voters and their sessions have gaps.")
    return [
        ("none", "0"),
        ("user", f"random({first}, {last})"),
        ("session", f":user + ({distances[0][0]})"),
        ("pk", f"random({min(world.posts)}, {max(world.posts)})"),
    ]


def write(
    text: str, parameters: Sequence[Sequence[str]], is_planned_anew: bool, *, free: frozenset[str]
) -> str:
    """Return a statement for pgbench, with variables for the free parameters alone."""

    def value(number: re.Match[str]) -> str:
        name, kind, noted = parameters[int(number[1]) - 1]
        return f":{name}::{kind}" if name in free else f"{quote(noted)}::{kind}"

    return re.sub(r"\$(\d+)", value, text) + (ANEW if is_planned_anew else "") + ";\n"


def quote(text: str) -> str:
    """Return a constant of SQL; a colon would begin a variable of pgbench's."""
    for character in "\\':":
        text = text.replace(character, f"\\x{ord(character):x}")
    return f"E'{text}'"


def measure(cluster: Cluster, floor: Floor, seconds: int) -> float:
    """Return how many requests PostgreSQL answers in a second."""
    options = PLAN_ANEW if any(ANEW in script for script in floor.scripts) else ""
    with TemporaryDirectory(prefix="bench-") as folder:
        files = [Path(folder) / str(number) for number in range(len(floor.scripts))]
        for file, script in zip(files, floor.scripts, strict=True):
            file.write_text(script)
        command = [
            *(str(PROGRAMS / "pgbench"), "--no-vacuum", "--protocol=prepared"),
            *(f"--client={CLIENTS}", "--jobs=1", f"--time={seconds}"),
            *(f"--file={file}" for file in files),
        ]
        done = subprocess.run(
            command,
            env=ENVIRONMENT | cluster.environment(DATABASE) | {"PGOPTIONS": options},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise BenchError(f"pgbench failed: {done.stdout}{done.stderr}")
    return parse(done.stdout) * floor.requests


def parse(text: str) -> float:
    """Read the rate that pgbench prints; raises BenchError if anything went wrong."""
    rate = re.search(r"^tps = ([\d.]+)", text, re.MULTILINE)
    failed = re.search(r"^number of failed transactions: (\d+)", text, re.MULTILINE)
    if not (rate and float(rate[1]) and failed and failed[1] == "0"):
        raise BenchError(f"pgbench measured nothing:\n{text}")
    return float(rate[1])
