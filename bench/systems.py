"""The systems: how each is prepared, started on a core of its own, and what it takes."""

import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from script import child

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / ".local" / "bench"
HOST = "127.0.0.1"
# Of the first system; the others have the next ones.
PORT = int(os.environ.get("BENCH_PORT", "8100"))
# Seconds that a server has to start, and to stop.
PATIENCE = 30
# What all systems are told, each reading what it knows. Tokens outlast every run.
ENVIRONMENT = {
    "PATH": os.environ.get("PATH", os.defpath),
    "PYTHONPATH": str(ROOT),
    "SECRET_KEY": secrets.token_urlsafe(50),
    "ACCESS_TOKEN_EXPIRE_MINUTES": "1440",
    "ALLOWED_HOSTS": HOST,
    "DEBUG": "off",
    "ENV_FILE": os.devnull,
    "THROTTLE": "off",
    "WEB_CONCURRENCY": "1",
}


class BenchError(Exception):
    """The message is all that needs to be known."""


@dataclass(frozen=True)
class System:
    """One of what is compared.

    `module` has `create_schema()` and `create_token(user_id)`, run by `python`; `server` are the
    arguments of the same Python that start the server, which gets its port after the last one.
    """

    name: str
    title: str
    port: int
    module: str
    server: tuple[str, ...]
    python: str = sys.executable
    is_django: bool = False
    counts_votes: bool = False


OURS = System(
    name="ours",
    title="this project",
    port=PORT,
    module="bench.ours",
    server=("gunicorn", "--bind"),
    python=str(ROOT / ".venv" / "bin" / "python"),
    is_django=True,
)
BEST = System(
    name="best",
    title="FastAPI at its best",
    port=PORT + 1,
    module="bench.peers.fastapi_best",
    server=(
        *("uvicorn", "bench.peers.fastapi_best:app", "--loop", "uvloop", "--http", "httptools"),
        *("--no-access-log", "--port"),
    ),
    counts_votes=True,
)
COURSE = System(
    name="course",
    title="FastAPI, the course's stack",
    port=PORT + 2,
    module="bench.peers.course",
    server=("uvicorn", "bench.peers.course:app", "--no-access-log", "--port"),
)
DRF = System(
    name="drf",
    title="stock DRF",
    port=PORT + 3,
    module="bench.peers.drf.wsgi",
    server=(
        *("gunicorn", "--config", os.devnull, "bench.peers.drf.wsgi"),
        *("--worker-class", "gthread", "--threads", "8", "--bind"),
    ),
    is_django=True,
)
SYSTEMS = (OURS, BEST, COURSE, DRF)


def prepare(
    system: System,
    task: str,
    environment: dict[str, str],
    data: Sequence[int] | Mapping[str, Sequence[Any]] = (),
) -> Any:
    """Run `bench.prepare` with the system's own Python, and return what it prints as JSON."""
    output = subprocess.run(
        [system.python, "-m", "bench.prepare", system.module, task],
        cwd=ROOT,
        # Nobody waits for the disk yet.
        env=ENVIRONMENT | environment | {"PGOPTIONS": "-c synchronous_commit=off"},
        input=json.dumps(data),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    return json.loads(output)


class Server:
    """A system that runs."""

    def __init__(self, system: System, process: subprocess.Popen[bytes]) -> None:
        self.system = system
        self.process = process

    def answers(self) -> bool:
        """Whether it is there yet; raises BenchError if it will never be."""
        if self.process.poll() is not None:
            raise BenchError(f"{self.system.title} did not start: see {log_file(self.system)}.")
        connection = http.client.HTTPConnection(HOST, self.system.port, timeout=5)
        try:
            connection.request("GET", "/posts")
            connection.getresponse()
        except OSError:
            return False
        finally:
            connection.close()
        return True

    def processes(self) -> list[psutil.Process]:
        """Return the server's processes; the last is the worker."""
        process = psutil.Process(self.process.pid)
        return [process, *process.children(recursive=True)]

    @property
    def worker(self) -> int:
        """The process that answers requests."""
        return self.processes()[-1].pid

    def cpu_seconds(self) -> float:
        """Return how long the processes have worked until now."""
        times = [process.cpu_times() for process in self.processes()]
        return sum(time.user + time.system for time in times)

    def memory(self) -> tuple[int, int]:
        """Return the worker's peak and all processes' present share, in bytes."""
        status = Path(f"/proc/{self.worker}/status").read_text()
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        share = sum(process.memory_full_info().pss for process in self.processes())
        return int(peak.split()[1]) * 1024, share


def log_file(system: System) -> Path:
    """Return where a server's output goes."""
    return LOCAL / f"{system.name}.log"


@contextmanager
def running(system: System, core: int, environment: dict[str, str]) -> Iterator[Server]:
    """Run a system's server on one core of the machine until the block ends."""
    with socket.socket() as probe:
        if probe.connect_ex((HOST, system.port)) == 0:
            raise BenchError(f"Port {system.port} is taken: set BENCH_PORT to another first one.")
    address = f"{HOST}:{system.port}" if system.server[-1] == "--bind" else str(system.port)
    pinned = ["taskset", "--cpu-list", str(core), system.python, "-m", *system.server, address]
    with log_file(system).open("wb") as output:
        process = child.start(
            pinned,
            signal.SIGTERM,
            cwd=ROOT,
            env=ENVIRONMENT | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(system, process)
    try:
        deadline = time.monotonic() + PATIENCE
        while not server.answers():
            if time.monotonic() > deadline:
                raise BenchError(f"{system.title} does not answer: see {log_file(system)}.")
            time.sleep(0.1)
        yield server
    finally:
        child.end(process, signal.SIGTERM, PATIENCE)
