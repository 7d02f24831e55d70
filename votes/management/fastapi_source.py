"""The FastAPI course's database, read as it was at one moment, and never written."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import psycopg2
from django.core.management.base import CommandError
from psycopg2.extensions import connection as Connection  # noqa: N812 (a class)

from posts.models import CONTENT_MAX, TITLE_MAX

# What the source's server calls the one who reads.
NAME = "import_fastapi"
EXAMPLE = "postgresql://user:password@host:5432/fastapi"
# SQLAlchemy names the driver after a plus sign.
SCHEME = r"^postgres(ql)?(\+\w+)?://"
# Of another URL libpq may take a part of the password for the host or the port, and say it.
HOST = r"(\[[^]@/?]*\]|[^][:,@/?]*)(:\d*)?"
URL = re.compile(rf"{SCHEME}([^@/]*@)?{HOST}(,{HOST})*(/[^@?]*)?(\?.*)?$")
MALFORMED = (
    f"The source must be a PostgreSQL URL such as {EXAMPLE}, "
    "with what is special in a value percent-encoded: @ as %40, / as %2F, = as %3D, % as %25."
)
COLUMNS = {
    "users": ("id", "email", "password", "created_at"),
    "posts": ("id", "title", "content", "published", "created_at", "owner_id"),
    "votes": ("user_id", "post_id"),
}
# The types smallint, integer and bigint.
INTEGERS = {21, 23, 20}
# A batch ends with either.
BATCH_ROWS, BATCH_BYTES = 10_000, 16_000_000

# What is too long is not read to its end. The voters of a post are an array of users' ids.
KEYS = "SELECT id, created_at::timestamptz::text FROM {table} ORDER BY id"
USERS = "SELECT id, created_at::timestamptz::text, email, password FROM users ORDER BY id"
POSTS = f"""
    SELECT id, created_at::timestamptz::text, left(title, {TITLE_MAX + 1}),
        left(content, {CONTENT_MAX + 1}), published, owner_id, voters
    FROM posts LEFT JOIN (
        SELECT post_id, array_agg(user_id) AS voters FROM votes GROUP BY post_id
    ) AS vote ON vote.post_id = posts.id
    ORDER BY id
"""  # noqa: S608 (numbers of our own)
# Votes on posts that do not exist, which a foreign key would not have let be.
LOST_VOTES = """
    SELECT user_id, post_id FROM votes
    WHERE NOT EXISTS (SELECT FROM posts WHERE id = post_id)
    ORDER BY post_id, user_id
"""


class Source:
    """An open source that has the course's tables."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        with connection.cursor() as cursor:
            # The role may have settings of its own; ours reads times that are written so.
            cursor.execute("SET LOCAL timezone TO 'UTC'; SET LOCAL datestyle TO 'ISO'")
        for table, columns in COLUMNS.items():
            for column in columns:
                self.check_column(table, column)

    def check_column(self, table: str, column: str) -> None:
        """Raise CommandError unless there is such a column, of integers if it is an id."""
        with self.connection.cursor() as cursor:
            cursor.execute(f"SELECT {column} FROM {table} LIMIT 0")  # noqa: S608 (as above)
            types = {each.type_code for each in cursor.description or ()}
        if column.endswith("id") and not types <= INTEGERS:
            raise CommandError(f"The source's column {table}.{column} is not an integer.")

    def number(self, query: str) -> int:
        """Return the one number that a query gives."""
        with self.connection.cursor() as cursor:
            cursor.execute(query)
            (number,) = cursor.fetchone() or (0,)
            return int(number)

    def size(self, table: str) -> int:
        """Return how many rows a table has."""
        return self.number(f"SELECT count(*) FROM {table}")  # noqa: S608 (as above)

    def last_id(self, table: str) -> int:
        """Return the highest id in a table, or 0."""
        return self.number(f"SELECT coalesce(max(id), 0) FROM {table}")  # noqa: S608 (as above)

    def read(self, query: str, take: Callable[[str], None]) -> None:
        """Hand the rows of KEYS, USERS or POSTS on as COPY writes them, batch by batch."""
        batches = Batches(take)
        with self.connection.cursor() as cursor:
            cursor.copy_expert(f"COPY ({query}) TO STDOUT", batches)
            batches.end()


class Batches:
    """A file for COPY, which writes row by row; cuts them into batches that fit into memory."""

    def __init__(self, take: Callable[[str], None]) -> None:
        self.take = take
        self.rows: list[bytes] = []
        self.bytes = 0

    def write(self, row: bytes) -> None:
        """Take one row."""
        self.rows.append(row)
        self.bytes += len(row)
        if len(self.rows) >= BATCH_ROWS or self.bytes >= BATCH_BYTES:
            self.end()

    def end(self) -> None:
        """Hand the batch on, if there is anything in it."""
        rows, self.rows, self.bytes = self.rows, [], 0
        if rows:
            self.take(b"".join(rows).decode())


@contextmanager
def opened(url: str) -> Iterator[Source]:
    """Open a source; raises CommandError if it cannot be reached or is not the course's.

    The URL may be one of SQLAlchemy's or asyncpg's. What it leaves out, libpq's variables give.
    """
    if not URL.match(url):
        raise CommandError(MALFORMED)
    url = re.sub(r"([?&])ssl=", r"\1sslmode=", re.sub(SCHEME, "postgresql://", url))
    try:
        connection = psycopg2.connect(
            url, connect_timeout=10, client_encoding="UTF8", application_name=NAME
        )
    except psycopg2.ProgrammingError:
        raise CommandError(MALFORMED) from None
    except psycopg2.OperationalError as error:
        raise CommandError(f"The source cannot be reached: {first_line(error)}.") from None
    with closing(connection):
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        yield Source(connection)


def first_line(error: Exception) -> str:
    """Return what an error says, without the statement."""
    return str(error).strip().splitlines()[0]
