"""Loads the FastAPI course's rows beside those that are there, each batch in one transaction."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import StringIO
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import connection, transaction

from accounts.models import User, neutral_username

from . import fastapi_rules as rules
from .fastapi_source import KEYS, POSTS, USERS, Source

# Connections that load at the same time.
JOBS = 3
TABLES = {"users": "accounts_user", "posts": "posts_post"}
EMAIL_MAX = User._meta.get_field("email").max_length or 0
# Clashing ids that are named.
EXAMPLES = 5

type Report = Callable[[str, dict[str, int], str], None]


class ClashError(Exception):
    """Rows that are not the source's have ids of the source; the message names them."""


@dataclass
class Tally:
    """What became of a table's rows."""

    new: int = 0
    present: int = 0
    misfits: int = 0

    @property
    def total(self) -> int:
        """How many rows were read."""
        return self.new + self.present + self.misfits

    def add(self, other: Tally) -> None:
        """Add another one's rows."""
        self.new += other.new
        self.present += other.present
        self.misfits += other.misfits


def no_rows() -> dict[str, Tally]:
    """Return a tally for each table."""
    return {name: Tally() for name in ("users", "posts", "votes")}


class Load:
    """An import: `check_ids`, then `load_users`, then `load_posts`, which brings the votes.

    `report` is told each row that does not fit: its table, its key, and why. After each batch
    `show` is told its table.
    """

    def __init__(self, source: Source, report: Report, show: Callable[[str], None]) -> None:
        self.source, self.report, self.show = source, report, show
        self.tallies = no_rows()

    def reserve_ids(self) -> None:
        """Give those who sign up or post from now on ids that the source does not have."""
        with connection.cursor() as cursor:
            for name, table in TABLES.items():
                cursor.execute(rules.RESERVE_IDS, [self.source.last_id(name), table])

    def check_ids(self) -> None:
        """Raise ClashError if other rows than the source's have its ids."""
        for name, table in TABLES.items():
            clashing = self.clashing_ids(name, table)
            if clashing:
                examples = ", ".join(map(str, clashing[:EXAMPLES]))
                more = f" and {len(clashing) - EXAMPLES:,} more" if clashing[EXAMPLES:] else ""
                raise ClashError(f"{name} {examples}{more}")

    def clashing_ids(self, name: str, table: str) -> list[int]:
        """Return the ids of rows here that the source has with another `created_at`."""
        clashing: list[int] = []

        def check(rows: str) -> None:
            with staged(rules.KEY_COLUMNS, rows) as cursor:
                cursor.execute(rules.CLASHING.format(table=table))
                clashing.extend(pk for (pk,) in cursor.fetchall())

        with connection.cursor() as cursor:
            cursor.execute(f"SELECT EXISTS (SELECT FROM {table})")  # noqa: S608 (one of ours)
            (has_rows,) = cursor.fetchone()
        if has_rows:
            self.source.read(KEYS.format(table=name), check)
        return clashing

    def load_users(self) -> None:
        """Insert the users who are missing and fit, in order: of one email the first is kept."""
        self.source.read(USERS, lambda rows: self.count("users", Batch.of_users(rows)))
        analyze("accounts_user")

    def load_posts(self) -> None:
        """Insert the posts and the votes that are missing and fit."""
        with shared(Batch.of_posts, lambda batch: self.count("posts", batch)) as load:
            self.source.read(POSTS, load)
        analyze("posts_post, posts_postrank, votes_vote")

    def count(self, name: str, batch: Batch) -> None:
        """Add and report what became of a batch."""
        for table, tally in batch.tallies.items():
            self.tallies[table].add(tally)
        for misfit in batch.misfits:
            self.report(*misfit)
        self.show(name)


class Batch:
    """What became of some rows, which `of_users` or `of_posts` has loaded."""

    def __init__(self) -> None:
        self.tallies = no_rows()
        self.misfits: list[tuple[str, dict[str, int], str]] = []

    @classmethod
    def of_users(cls, rows: str) -> Batch:
        """Load users."""
        batch = cls()
        with staged(rules.USER_COLUMNS, rows) as cursor:
            cursor.execute("SELECT id, email FROM staged")
            named = [
                (pk, neutral_username()) for pk, email in cursor.fetchall() if is_email(email)
            ]
            cursor.execute(
                rules.NAME_USERS, [[pk for pk, _ in named], [name for _, name in named]]
            )
            batch.set_aside(cursor, "users", rules.USER_FLAW)
            cursor.execute(rules.INSERT_USERS)
            batch.tallies["users"].new += cursor.rowcount
            cursor.execute(rules.NOT_INSERTED_USERS)
            batch.add_misfits("users", ["id"], cursor.fetchall())
        return batch

    @classmethod
    def of_posts(cls, rows: str) -> Batch:
        """Load posts, and the votes on them."""
        batch = cls()
        with staged(rules.POST_COLUMNS, rows) as cursor:
            cursor.execute(rules.LIST_VOTES)
            flawed = batch.set_aside(cursor, "posts", rules.POST_FLAW)
            batch.load_votes(cursor, flawed)
            cursor.execute(rules.INSERT_POSTS)
            batch.tallies["posts"].new += cursor.rowcount
        return batch

    def load_votes(self, cursor: Any, flawed_posts: list[int]) -> None:
        """Insert the votes on a batch of posts."""
        tally = self.tallies["votes"]
        cursor.execute(rules.SET_FLAWED_VOTES_ASIDE, {"posts": flawed_posts})
        self.add_misfits("votes", ["user_id", "post_id"], cursor.fetchall())
        cursor.execute("SELECT count(*) FROM vote")
        (wanted,) = cursor.fetchone()
        cursor.execute(rules.INSERT_VOTES)
        tally.new += cursor.rowcount
        tally.present += wanted - cursor.rowcount
        cursor.execute("DROP TABLE vote")

    def set_aside(self, cursor: Any, name: str, flaw: str) -> list[int]:
        """Leave only rows to insert; return the ids of those that do not fit."""
        cursor.execute(rules.SET_PRESENT_ASIDE.format(table=TABLES[name]))
        self.tallies[name].present += cursor.rowcount
        cursor.execute(rules.SET_FLAWED_ASIDE.format(flaw=flaw))
        flawed = cursor.fetchall()
        self.add_misfits(name, ["id"], flawed)
        return [pk for pk, _ in flawed]

    def add_misfits(self, name: str, keys: list[str], rows: list[tuple[Any, ...]]) -> None:
        """Note rows that do not fit, which are their key's values and a reason."""
        self.tallies[name].misfits += len(rows)
        for *values, reason in rows:
            self.misfits.append((name, dict(zip(keys, values, strict=True)), reason))


@contextmanager
def shared(
    load: Callable[[str], Batch], count: Callable[[Batch], None]
) -> Iterator[Callable[[str], None]]:
    """Yield what has rows loaded by JOBS connections, and their batches counted in order.

    All are loaded in the end. Within a transaction its one connection does everything.
    """
    if connection.in_atomic_block:
        yield lambda rows: count(load(rows))
        return

    def load_apart(rows: str) -> Batch:
        with closing(connection):
            return load(rows)

    batches: deque[Future[Batch]] = deque()

    def take(rows: str) -> None:
        # What waits is in memory.
        if len(batches) > JOBS:
            count(batches.popleft().result())
        batches.append(pool.submit(load_apart, rows))

    with ThreadPoolExecutor(JOBS) as pool:
        yield take
        while batches:
            count(batches.popleft().result())


@contextmanager
def staged(columns: str, rows: str) -> Iterator[Any]:
    """Begin a transaction with rows in the temporary table `staged`, and tell no stream of it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL socialapi.log TO off; CREATE TEMP TABLE staged ({columns})")
        cursor.copy_expert("COPY staged FROM STDIN", StringIO(rows))
        yield cursor
        cursor.execute("DROP TABLE staged")


def analyze(tables: str) -> None:
    """Let the planner know what has been loaded."""
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {tables}")


def is_email(text: str | None) -> bool:
    """Whether a sign-up would take this email."""
    try:
        validate_email(text)
    except ValidationError:
        return False
    return text is not None and len(text) <= EMAIL_MAX
