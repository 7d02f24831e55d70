"""What is broken: a real PostgreSQL and a real gunicorn, at addresses that survive a restart."""

import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import psutil
import psycopg2
from psycopg2.extensions import connection

from script import child, database

ROOT = Path(__file__).resolve().parent.parent
WORKERS = 2
THREADS = 4
# Of PostgreSQL: what the service may open, and a few for the administrator.
CONNECTIONS = 30
# Seconds that gunicorn has to end; it says itself that it needs no more than 10.
PATIENCE = 30


class Database:
    """PostgreSQL on a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"postgresql://postgres@{quote(str(folder), safe='')}/{database.NAME}"
        self.running = ExitStack()

    def start(self) -> None:
        """Start it; each time it has a new socket, to which the old address then leads."""
        settings = {"max_connections": str(CONNECTIONS)}
        server = self.running.enter_context(database.running(self.folder / "postgres", settings))
        name = f".s.PGSQL.{database.PORT}"
        door = self.folder / name
        door.unlink(missing_ok=True)
        door.symlink_to(Path(unquote(urlsplit(server.url).netloc.partition("@")[2])) / name)
        self.is_alive = server.is_alive

    def stop(self) -> None:
        """Stop it as a package upgrade would: connections are broken off."""
        self.running.close()

    @property
    def processes(self) -> list[psutil.Process]:
        """All of its processes."""
        pid = (self.folder / "postgres" / "postmaster.pid").read_text().split()[0]
        postmaster = psutil.Process(int(pid))
        return [postmaster, *postmaster.children(recursive=True)]

    def connect(self) -> connection:
        """Return a connection of the administrator's, each statement a transaction."""
        administrator = psycopg2.connect(self.url, application_name="administrator")
        administrator.autocommit = True
        return administrator

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        """Return the rows of a statement."""
        with closing(self.connect()) as administrator, administrator.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []


class Service:
    """gunicorn, with two workers."""

    def __init__(self, database_url: str, log: Path) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        self.log = log
        self.environment = os.environ | {
            "DATABASE_URL": database_url,
            "DEBUG": "0",
            "ENV_FILE": os.devnull,
            "ALLOWED_HOSTS": "127.0.0.1",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "LOG_LEVEL": "WARNING",
            "THROTTLE": "off",
            "WEB_CONCURRENCY": str(WORKERS),
            "DB_THREADS": str(THREADS),
        }

    def migrate(self) -> None:
        """Make the tables."""
        command = [sys.executable, "manage.py", "migrate", "-v0"]
        subprocess.run(command, cwd=ROOT, env=self.environment, check=True)

    def start(self) -> None:
        """Start it; it accepts connections soon afterwards."""
        with self.log.open("ab") as log:
            self.master = child.start(
                [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{self.port}"],
                signal.SIGTERM,
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def workers(self) -> list[psutil.Process]:
        """The processes that answer."""
        return psutil.Process(self.master.pid).children()

    def stop(self) -> None:
        """Ask it to end, and wait."""
        child.end(self.master, signal.SIGTERM, PATIENCE)


@contextmanager
def everything(folder: Path) -> Iterator[tuple[Database, Service]]:
    """Run both on a new folder until the block ends."""
    # PostgreSQL's user has to pass through.
    folder.chmod(0o711)
    postgres = Database(folder)
    service = Service(postgres.url, folder / "gunicorn.log")
    with ExitStack() as stack:
        stack.callback(postgres.stop)
        postgres.start()
        service.migrate()
        service.start()
        stack.callback(service.stop)
        yield postgres, service
