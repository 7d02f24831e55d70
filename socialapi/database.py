"""What happens when the database goes away: waiting at the start, recovering in between."""

import logging
import select
import time

import psycopg2
from django.db import (
    DEFAULT_DB_ALIAS,
    DatabaseError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connections,
)

log = logging.getLogger(__name__)

FOREIGN_KEY_VIOLATION = "23503"
# SQLSTATE class 08 is a broken connection; these three are a server that shuts down or starts.
# https://www.postgresql.org/docs/current/errcodes-appendix.html
SERVER_LEFT = {"57P01", "57P02", "57P03"}
# A server that takes no changes, and class XX, one that fails by itself (files it cannot write).
READ_ONLY, FAILURE = "25006", "XX"


def sqlstate(error: Exception) -> str | None:
    """Return PostgreSQL's code of an error of Django's, or None if it is not PostgreSQL's."""
    state: str | None = getattr(error.__cause__, "pgcode", None)
    return state


def is_unavailable(error: Exception) -> bool:
    """Whether an error tells that the database did not answer, and not that it was asked wrongly.

    psycopg2 has classes for that, and raises their base class itself when the server closes the
    connection in the middle of an answer.
    """
    if isinstance(error, OperationalError | InterfaceError) or type(error) is DatabaseError:
        return True
    state = sqlstate(error)
    return state is not None and (state == READ_ONLY or state.startswith(FAILURE))


def is_connection_lost(error: Exception) -> bool:
    """Whether the database did not answer since the connection broke.

    An error without an SQLSTATE comes from the driver itself, when the server's end is closed.
    """
    if not is_unavailable(error):
        return False
    state = sqlstate(error)
    return state is None or state.startswith("08") or state in SERVER_LEFT


def violated_constraint(error: IntegrityError) -> str:
    """Return the name of the constraint that refused a change."""
    return str(error.__cause__.diag.constraint_name)  # type: ignore[union-attr]


def is_reference_lost(error: IntegrityError) -> bool:
    """Whether a change was refused because a row that it refers to has been deleted."""
    return sqlstate(error) == FOREIGN_KEY_VIOLATION


def drop_lost_connection() -> None:
    """Close the calling thread's connection if the server has closed its end of it.

    The next query then makes a new one. This costs a system call, and no round trip: nothing
    waits to be read on an idle connection except its end.
    """
    wrapper = connections[DEFAULT_DB_ALIAS]
    if wrapper.connection is None:
        return
    poller = select.poll()
    poller.register(wrapper.connection, select.POLLIN)
    if poller.poll(0):
        wrapper.close()


def wait_for_database(url: str, seconds: int) -> None:
    """Return when the database accepts connections, saying so while it does not.

    Stops the program with one line when it still does not after `seconds`.
    """
    deadline = time.monotonic() + seconds
    waiting = False
    while True:
        try:
            psycopg2.connect(url, connect_timeout=5).close()
            return
        except psycopg2.OperationalError as error:
            reason = str(error).strip().splitlines()[0]
        if time.monotonic() >= deadline:
            raise SystemExit(f"DATABASE_URL: no database after {seconds} seconds: {reason}")
        if not waiting:
            log.warning("Waiting up to %s seconds for the database: %s", seconds, reason)
            waiting = True
        time.sleep(0.5)
