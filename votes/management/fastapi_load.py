"""Loads the FastAPI course's rows beside those that are there, each batch in one transaction."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from io import StringIO
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.core.validators import validate_email
from django.db import connection, transaction

from accounts.models import User, neutral_username

from . import fastapi_rules as rules
from .fastapi_source import KEYS, LOST_VOTES, POSTS, USERS, Source

# Connections that load at the same time.
JOBS = 3
TABLES = {"users": "accounts_user", "posts": "posts_post"}
EMAIL_MAX = User._meta.get_field("email").max_length or 0
CLASH = (
    "Nothing was imported, since there are others with the same ids: {}. "
    "Import into an empty database, and make superusers afterwards."
)
# Clashing ids that are named.
EXAMPLES = 5

# Is told of each batch, and of whose rows it is.
type Take = Callable[[str, Batch], None]


@contextmanager
def alone() -> Iterator[None]:
    """Keep other imports out; raises CommandError if one is running."""
    # The lock is a transaction's and not a session's, which a pooler would give to others.
    with closing(connection.copy()) as other:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute(rules.LOCK)
            (is_alone,) = cursor.fetchone()
        if not is_alone:
            raise CommandError("Another import is running. Nothing was imported.")
        yield


def check_ids(source: Source) -> None:
    """Raise CommandError if other rows than the source's have its ids."""
    for name, table in TABLES.items():
        clashing = clashing_ids(source, name, table)
        if clashing:
            examples = ", ".join(map(str, clashing[:EXAMPLES]))
            more = f" and {len(clashing) - EXAMPLES:,} more" if clashing[EXAMPLES:] else ""
            raise CommandError(CLASH.format(f"{name} {examples}{more}"))


def clashing_ids(source: Source, name: str, table: str) -> list[int]:
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
        source.read(KEYS.format(table=name), check)
    return clashing


def reserve_ids(source: Source) -> None:
    """Give those who sign up or post from now on ids that the source does not have."""
    with connection.cursor() as cursor:
        for name, table in TABLES.items():
            cursor.execute(rules.RESERVE_IDS, [source.last_id(name), table])


def load_users(source: Source, take: Take) -> None:
    """Insert the users who are missing and fit, in order: of one email the first is kept."""
    source.read(USERS, lambda rows: take("users", Batch.of_users(rows)))
    analyze("accounts_user")


def load_posts(source: Source, take: Take) -> None:
    """Insert the posts and the votes that are missing and fit, after the users."""
    with shared(Batch.of_posts, lambda batch: take("posts", batch)) as load:
        source.read(POSTS, load)
    source.read(LOST_VOTES, lambda rows: take("votes", Batch.of_lost_votes(rows)))
    analyze("posts_post, posts_postrank, votes_vote")


class Batch:
    """What became of some rows of each table: how many are new, present or misfits, and which."""

    def __init__(self) -> None:
        self.counts = no_rows()
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
            batch.counts["users"]["new"] += cursor.rowcount
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
            batch.counts["posts"]["new"] += cursor.rowcount
        return batch

    @classmethod
    def of_lost_votes(cls, rows: str) -> Batch:
        """Load no votes on posts that do not exist, but note them."""
        batch = cls()
        with staged(rules.VOTE_COLUMNS, rows) as cursor:
            cursor.execute("SELECT user_id, post_id, 'there is no such post' FROM staged")
            batch.add_misfits("votes", ["user_id", "post_id"], cursor.fetchall())
        return batch

    def load_votes(self, cursor: Any, flawed_posts: list[int]) -> None:
        """Insert the votes on a batch of posts."""
        cursor.execute(rules.SET_FLAWED_VOTES_ASIDE, {"posts": flawed_posts})
        self.add_misfits("votes", ["user_id", "post_id"], cursor.fetchall())
        cursor.execute("SELECT count(*) FROM vote")
        (wanted,) = cursor.fetchone()
        cursor.execute(rules.INSERT_VOTES)
        self.counts["votes"]["new"] += cursor.rowcount
        self.counts["votes"]["present"] += wanted - cursor.rowcount
        cursor.execute("DROP TABLE vote")

    def set_aside(self, cursor: Any, name: str, flaw: str) -> list[int]:
        """Leave only rows to insert; return the ids of those that do not fit."""
        cursor.execute(rules.SET_PRESENT_ASIDE.format(table=TABLES[name]))
        self.counts[name]["present"] += cursor.rowcount
        cursor.execute(rules.SET_FLAWED_ASIDE.format(flaw=flaw))
        flawed = cursor.fetchall()
        self.add_misfits(name, ["id"], flawed)
        return [pk for pk, _ in flawed]

    def add_misfits(self, name: str, keys: list[str], rows: list[tuple[Any, ...]]) -> None:
        """Note rows that do not fit, which are their key's values and a reason."""
        self.counts[name]["misfits"] += len(rows)
        for *values, reason in rows:
            self.misfits.append((name, dict(zip(keys, values, strict=True)), reason))


def no_rows() -> dict[str, Counter[str]]:
    """Return a count for each table, of nothing."""
    return {name: Counter() for name in ("users", "posts", "votes")}


@contextmanager
def shared(
    load: Callable[[str], Batch], take: Callable[[Batch], None]
) -> Iterator[Callable[[str], None]]:
    """Yield what has rows loaded by JOBS connections, and their batches taken in order.

    All are loaded in the end. Within a transaction its one connection does everything.
    """
    if connection.in_atomic_block:
        yield lambda rows: take(load(rows))
        return

    def load_apart(rows: str) -> Batch:
        with closing(connection):
            return load(rows)

    batches: deque[Future[Batch]] = deque()

    def submit(rows: str) -> None:
        # What waits is in memory.
        if len(batches) > JOBS:
            take(batches.popleft().result())
        batches.append(pool.submit(load_apart, rows))

    with ThreadPoolExecutor(JOBS) as pool:
        yield submit
        while batches:
            take(batches.popleft().result())


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
