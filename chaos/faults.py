"""What is done to the service, one after another; each function returns when it is over."""

import signal
import socket
import subprocess
import time
from contextlib import ExitStack, closing, suppress

import psutil
import psycopg2

from .services import Database, Service

# How long what is broken stays so, in seconds.
DURATION = 3.0
PAUSE = 5.0
CROWD = 200
# The other connections of the service.
TERMINATE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name <> 'administrator'"
)


def restart_postgresql(database: Database, _service: Service) -> None:
    """PostgreSQL is stopped, and started."""
    database.stop()
    time.sleep(DURATION)
    database.start()


def terminate_connections(database: Database, _service: Service) -> None:
    """Its connections are terminated, ten times a second."""
    deadline = time.monotonic() + DURATION
    while time.monotonic() < deadline:
        database.execute(TERMINATE)
        time.sleep(0.1)


def pause_postgresql(database: Database, _service: Service) -> None:
    """PostgreSQL is paused."""
    processes = database.processes
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    time.sleep(PAUSE)
    for process in processes:
        process.send_signal(signal.SIGCONT)


def fill_connections(database: Database, _service: Service) -> None:
    """Others take all its connections."""
    deadline = time.monotonic() + DURATION
    with ExitStack() as held:
        administrator = held.enter_context(closing(database.connect()))
        while time.monotonic() < deadline:
            administrator.cursor().execute(TERMINATE)
            with suppress(psycopg2.OperationalError):
                while True:
                    held.enter_context(closing(database.connect()))
            time.sleep(0.1)


def refuse_writes(database: Database, _service: Service) -> None:
    """PostgreSQL becomes read-only, as after a failover."""
    set_read_only(database, "on")
    time.sleep(DURATION)
    set_read_only(database, "off")


def set_read_only(database: Database, value: str) -> None:
    """Set it for all connections, the present ones too."""
    with closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = off")
        cursor.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
        cursor.execute("SELECT pg_reload_conf()")


def fill_disk(database: Database, _service: Service) -> None:
    """Its disk refuses all writes."""
    for process in database.processes:
        limit = ["prlimit", f"--pid={process.pid}", "--fsize=0:"]
        # Only its own user may, root included; and with the first of them all give up.
        with suppress(psutil.NoSuchProcess):
            subprocess.run(
                limit,
                user=process.uids().real,
                group=process.gids().real,
                extra_groups=[],
                check=False,
                stderr=subprocess.DEVNULL,
            )
    time.sleep(DURATION)
    # It gives up, and its administrator has to start it when there is room again.
    database.stop()
    database.start()


def kill_worker(_database: Database, service: Service) -> None:
    """A worker is killed."""
    service.workers[0].kill()


def restart_service(_database: Database, service: Service) -> None:
    """The service is stopped by SIGTERM, and started."""
    service.stop()
    service.start()


def crowd_slowly(_database: Database, service: Service) -> None:
    """200 clients send a byte now and then."""
    head = b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n"
    with ExitStack() as stack:
        sockets = [stack.enter_context(dial(service)) for _ in range(CROWD)]
        # Half of them never get to their body.
        for number, each in enumerate(sockets):
            each.sendall(head[: -1 - number % 2])
        deadline = time.monotonic() + DURATION
        while time.monotonic() < deadline:
            for each in sockets[::2]:
                each.sendall(b"x")
            time.sleep(0.5)


def vanish(_database: Database, service: Service) -> None:
    """200 clients leave in the middle of their body."""
    for number in range(CROWD):
        with dial(service) as each:
            each.sendall(
                b"POST /posts HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n"
                + b"x" * number
            )
        time.sleep(DURATION / CROWD)


def dial(service: Service) -> socket.socket:
    """Return a connection."""
    return socket.create_connection(("127.0.0.1", service.port), PAUSE)


FAULTS = [
    restart_postgresql,
    terminate_connections,
    pause_postgresql,
    fill_connections,
    refuse_writes,
    fill_disk,
    kill_worker,
    restart_service,
    crowd_slowly,
    vanish,
]
# While these go on, clients get their answers as ever.
HARMLESS = {crowd_slowly, vanish}
