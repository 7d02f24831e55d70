"""The database's side of a test: locks, broken connections, and a way that can be shut."""

import select
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread

import psycopg2
from django.db import connection

from socialapi.tests.live import database_url, wait_until


@contextmanager
def locked_posts() -> Iterator[None]:
    """Let every query for posts wait."""
    with closing(psycopg2.connect(database_url())) as other:
        other.cursor().execute("LOCK TABLE posts_post")
        yield


@contextmanager
def read_only() -> Iterator[None]:
    """Let PostgreSQL refuse what the service writes, as a standby does."""
    name = connection.ops.quote_name(str(connection.settings_dict["NAME"]))
    with closing(psycopg2.connect(database_url())) as other:
        other.autocommit = True
        cursor = other.cursor()
        cursor.execute("SET default_transaction_read_only = off")
        try:
            cursor.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
            cut_and_wait(find_backends("application_name LIKE 'server%%'"))
            yield
        finally:
            cursor.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
            cut_and_wait(find_backends("application_name LIKE 'server%%'"))


def find_backends(condition: str = "true", *params: str) -> set[int]:
    """Return the connections that others have to the test database, as PostgreSQL's processes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"  # noqa: S608
            f" AND pid <> pg_backend_pid() AND {condition}",
            params,
        )
        return {pid for (pid,) in cursor.fetchall()}


def find_waiting() -> set[int]:
    """Return the connections whose query waits for a lock."""
    return find_backends("wait_event_type = 'Lock'")


def find_named(name: str) -> set[int]:
    """Return the connections of the server whose `application_name` this is."""
    return find_backends("application_name = %s", name)


def cut(backends: set[int]) -> int:
    """Break connections, as PostgreSQL does when it shuts down; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM unnest(%s::integer[]) AS pid", [list(backends)]
        )
        return sum(is_cut for (is_cut,) in cursor.fetchall())


def cut_and_wait(backends: set[int]) -> None:
    """Break connections, and return when they are gone."""
    cut(backends)
    wait_until(lambda: not backends & find_backends())


def connect_to_postgresql() -> socket.socket:
    """Open a connection to where the test database is, for raw bytes."""
    host = connection.settings_dict["HOST"] or "localhost"
    port = connection.settings_dict["PORT"] or 5432
    if not host.startswith("/"):
        return socket.create_connection((host, port))
    end = socket.socket(socket.AF_UNIX)
    end.connect(str(Path(host) / f".s.PGSQL.{port}"))
    return end


class Passage(BaseRequestHandler):
    """One connection through the door, until either end closes it."""

    server: "Door"

    def handle(self) -> None:
        """Carry bytes both ways."""
        with connect_to_postgresql() as other:
            self.server.ends |= {self.request, other}
            targets = {self.request: other, other: self.request}
            while True:
                for end in select.select(targets, [], [])[0]:
                    if not (data := end.recv(65536)):
                        return
                    targets[end].sendall(data)


class Door(ThreadingTCPServer):
    """A way to the database; once it is shut, connections break, and new ones are refused."""

    allow_reuse_address = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Passage)
        self.port = self.server_address[1]
        self.ends: set[socket.socket] = set()
        Thread(target=self.serve_forever, args=[0.01]).start()

    def shut(self) -> None:
        """Break everything."""
        self.shutdown()
        for end in list(self.ends):
            if end.fileno() >= 0:
                end.shutdown(socket.SHUT_RDWR)
        self.server_close()
