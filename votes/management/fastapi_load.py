"""Loads the FastAPI course's rows beside those that are there, each batch in one transaction."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import connection, transaction

from accounts.models import User, neutral_username

from . import fastapi_rules as rules
from .fastapi_source import Row, Source

# A batch ends with either.
BATCH_ROWS, BATCH_CHARACTERS = 5000, 16_000_000
TABLES = {"users": "accounts_user", "posts": "posts_post"}
EMAIL_MAX = User._meta.get_field("email").max_length or 0
# COPY's own characters.
ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
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


class Load:
    """An import: `check_ids`, then `load_users`, then `load_posts`, which brings the votes.

    `report` is told each row that does not fit: its table, its key, and why. After each batch
    `show` is told its table.
    """

    def __init__(self, source: Source, report: Report, show: Callable[[str], None]) -> None:
        self.source, self.report, self.show = source, report, show
        self.tallies = {name: Tally() for name in ("users", "posts", "votes")}

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
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT EXISTS (SELECT FROM {table})")  # noqa: S608 (one of ours)
            (has_rows,) = cursor.fetchone()
            for rows in batches(self.source.keys(name)) if has_rows else ():
                with staged(cursor, rules.KEY_COLUMNS, rows):
                    cursor.execute(rules.CLASHING.format(table=table))
                    clashing += [pk for (pk,) in cursor.fetchall()]
        return clashing

    def load_users(self) -> None:
        """Insert the users who are missing and fit."""
        for rows in batches(map(complete_user, self.source.users())):
            with connection.cursor() as cursor, staged(cursor, rules.USER_COLUMNS, rows):
                self.set_aside(cursor, "users", rules.USER_FLAW)
                cursor.execute(rules.INSERT_USERS)
                self.tallies["users"].new += cursor.rowcount
                cursor.execute(rules.NOT_INSERTED_USERS)
                self.tell_misfits("users", ["id"], cursor.fetchall())
            self.show("users")
        analyze("accounts_user")

    def load_posts(self) -> None:
        """Insert the posts and the votes that are missing and fit."""
        for rows in batches(self.source.posts()):
            with connection.cursor() as cursor, staged(cursor, rules.POST_COLUMNS, rows):
                cursor.execute(rules.LIST_VOTES)
                flawed = self.set_aside(cursor, "posts", rules.POST_FLAW)
                self.load_votes(cursor, flawed)
                cursor.execute(rules.INSERT_POSTS)
                self.tallies["posts"].new += cursor.rowcount
            self.show("posts")
        analyze("posts_post, posts_postrank, votes_vote")

    def load_votes(self, cursor: Any, flawed_posts: list[int]) -> None:
        """Insert the votes on a batch of posts."""
        tally = self.tallies["votes"]
        cursor.execute(rules.SET_FLAWED_VOTES_ASIDE, {"posts": flawed_posts})
        self.tell_misfits("votes", ["user_id", "post_id"], cursor.fetchall())
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
        self.tell_misfits(name, ["id"], flawed)
        return [pk for pk, _ in flawed]

    def tell_misfits(self, name: str, keys: list[str], rows: list[Row]) -> None:
        """Count and report rows, which are their key's values and a reason."""
        self.tallies[name].misfits += len(rows)
        for *values, reason in rows:
            self.report(name, dict(zip(keys, values, strict=True)), reason)


@contextmanager
def staged(cursor: Any, columns: str, rows: list[Row]) -> Iterator[None]:
    """Begin a transaction with rows in the temporary table `staged`, and tell no stream of it."""
    with transaction.atomic():
        cursor.execute(f"SET LOCAL socialapi.log TO off; CREATE TEMP TABLE staged ({columns})")
        file = StringIO("".join(map(copy_line, rows)))
        cursor.copy_expert("COPY staged FROM STDIN", file, size=1 << 16)
        yield
        cursor.execute("DROP TABLE staged")


def copy_line(row: Row) -> str:
    """Return a row in COPY's text format."""
    return "\t".join(map(copy_field, row)) + "\n"


def copy_field(value: Any) -> str:
    """Return a value in COPY's text format."""
    if value is None:
        return r"\N"
    return value.translate(ESCAPES) if isinstance(value, str) else str(value)


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Cut rows into batches whose texts fit into memory."""
    batch: list[Row] = []
    characters = 0
    for row in rows:
        batch.append(row)
        characters += sum(len(value) for value in row if isinstance(value, str))
        if len(batch) == BATCH_ROWS or characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def analyze(tables: str) -> None:
    """Let the planner know what has been loaded."""
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {tables}")


def complete_user(row: Row) -> Row:
    """Add a username, and whether the email is one."""
    email = row[2]
    return (*row, neutral_username(), is_email(email))


def is_email(text: str | None) -> bool:
    """Whether a sign-up would take this email."""
    try:
        validate_email(text)
    except ValidationError:
        return False
    return text is not None and len(text) <= EMAIL_MAX
