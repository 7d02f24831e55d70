"""A real gunicorn for tests, on the test database.

`pytest_plugins` in the root conftest.py names this module, so that every test has its fixtures.
A test that uses a server also needs `committed`, for the server to see what the test writes.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.db import connection

from accounts.models import User
from socialapi.environment import BASE_DIR, environment
from socialapi.tests.sink import Sink, sink
from socialapi.tests.wire import PATIENCE_SECONDS, Wire

# The one whose pages may call.
ORIGIN = "https://app.example.org"
# Of each worker.
THREADS = 4
METRICS_TOKEN = "token-of-prometheus"
# Loading the service takes longer than any answer, on a busy machine even more so.
START_SECONDS = 60

names = map("server{}".format, count())

type Dial = Callable[..., Wire]


def wait_until[T](condition: Callable[[], T]) -> T:
    """Return what `condition` returns, as soon as that is true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (result := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return result


def database_url(door: int | None = None, **options: str) -> str:
    """Return the URL of the test database, or of a door to it, with libpq's options."""
    parts = connection.settings_dict
    assert parts["NAME"].startswith("test_"), "ask for the fixture `committed`, too"
    user, password, host, name = (
        quote(str(parts[part]), safe="") for part in ("USER", "PASSWORD", "HOST", "NAME")
    )
    place = f"127.0.0.1:{door}" if door else f"{host}:{parts['PORT']}"
    return f"postgresql://{user}:{password}@{place}/{name}?{urlencode(options)}"


def server_environment(**overrides: str) -> dict[str, str]:
    """Return every variable of the service, so that none comes from a developer's `.env`.

    As in production, but without rate limits, and with the tests' key and database.
    """
    values = {
        name: ",".join(value) if isinstance(value, list) else str(value)
        for name, value in environment.model_dump().items()
    }
    return {
        **values,
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
        "CORS_ALLOWED_ORIGINS": ORIGIN,
        "DATABASE_URL": database_url(),
        "DB_THREADS": str(THREADS),
        "DEBUG": "off",
        "PYTHONUNBUFFERED": "1",
        "THROTTLE": "off",
        "WEB_CONCURRENCY": "1",
        **overrides,
    }


class Server:
    """A running gunicorn; `name` is what its connections to the database are called."""

    def __init__(self, process: subprocess.Popen[bytes], name: str, log: Path) -> None:
        self.process = process
        self.name = name
        self.log_file = log
        self.port = int(self.wait_for_log(r"Listening at: http://127\.0\.0\.1:(\d+)")[1])
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it has written so far."""
        return self.log_file.read_text()

    def lines(self, **fields: Any) -> list[dict[str, Any]]:
        """What it has written so far, of the lines with these fields."""
        lines = [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]
        return [line for line in lines if fields.items() <= line.items()]

    def wait_for_log(self, pattern: str) -> re.Match[str]:
        """Return the first place in the log that matches, once there is one."""

        def find() -> re.Match[str] | None:
            has_stopped = self.process.poll() is not None
            found = re.search(pattern, self.log)
            assert found or not has_stopped, f"gunicorn stopped:\n{self.log}"
            return found

        match = wait_until(find)
        assert match
        return match


@contextmanager
def serve(
    app: str = "socialapi.asgi:application", *, door: int | None = None, **variables: str
) -> Iterator[Server]:
    """Run gunicorn with these environment variables until the block ends."""
    name = next(names)
    url = database_url(door, application_name=name)
    with TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0", app],
                cwd=BASE_DIR,
                env=os.environ | server_environment(DATABASE_URL=url, **variables),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            server = Server(process, name, log)
            with closing(Wire(server.port)) as wire:
                wire.socket.settimeout(START_SECONDS)
                assert wire.ask("GET", "/health/live").status == 200
            yield server
        finally:
            process.terminate()
            process.wait(PATIENCE_SECONDS)


@pytest.fixture(scope="session")
def server(django_db_setup: None) -> Iterator[Server]:
    """A server that all tests share: one worker, four threads."""
    with serve() as running:
        yield running


@pytest.fixture(scope="session")
def narrow_server(django_db_setup: None) -> Iterator[Server]:
    """One that runs one request at a time, while two may wait; it has `streaming`'s addresses."""
    app = "socialapi.tests.streaming:application"
    with serve(app, DB_THREADS="1", QUEUE_SIZE="2") as running:
        yield running


@pytest.fixture(scope="session")
def reports() -> Iterator[Sink]:
    """Who takes the errors and traces of `watched_server`."""
    with sink() as server:
        yield server


@pytest.fixture(scope="session")
def watched_server(django_db_setup: None, reports: Sink) -> Iterator[Server]:
    """One with two workers and all that watches them; it has `crashing`'s address."""
    place = f"127.0.0.1:{reports.server_port}"
    with serve(
        "socialapi.tests.crashing:application",
        METRICS_TOKEN=METRICS_TOKEN,
        SENTRY_DSN=f"http://key@{place}/1",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{place}",
        OTEL_BSP_SCHEDULE_DELAY="100",
        REVISION="0123abc",
        WEB_CONCURRENCY="2",
    ) as running:
        yield running


@pytest.fixture
def dial() -> Iterator[Dial]:
    """Connect to a server, for a user or for nobody; all hang up when the test ends."""
    with ExitStack() as wires:

        def connect(server: Server, user: User | None = None) -> Wire:
            return wires.enter_context(closing(Wire(server.port, user)))

        yield connect
