"""The data: seeded once by the project's own command, then copied row by row to each peer.

Every system has a database of its own on one server. The seeded ones are kept, and never used:
each run works on copies of them.
"""

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2.extensions import parse_dsn

from .systems import ENVIRONMENT, OURS, ROOT, System, prepare

type Connection = psycopg2.extensions.connection

# Beside the seeded users, some who have not voted; a prime number (see `endpoints.cast_votes`).
VOTERS = 1999
SUSPENDED = "suspended@example.com"
ADD_USERS = f"""
INSERT INTO accounts_user (email, username, password, is_superuser)
SELECT 'voter' || number || '@example.com', 'voter' || number, password, false
FROM (SELECT password FROM accounts_user ORDER BY id LIMIT 1) AS first,
     generate_series(1, {VOTERS}) AS number
UNION ALL
SELECT '{SUSPENDED}', 'suspended', password, false
FROM (SELECT password FROM accounts_user ORDER BY id LIMIT 1) AS first
"""
# The peers' tables, ours, and the columns that both have.
COPIES = (
    ("users", "accounts_user", "id, email, username, password, is_active, created_at"),
    (
        "posts",
        "posts_post",
        "id, title, content, published, created_at, updated_at, owner_id, vote_count",
    ),
    ("votes", "votes_vote", "user_id, post_id"),
)
# Django names the algorithm before what the hash itself says.
PLAIN_HASH = "replace(password, 'argon2$argon2id', '$argon2id')"


@dataclass(frozen=True)
class Size:
    """How much there is of everything."""

    name: str
    users: int
    posts: int
    votes: int

    @property
    def title(self) -> str:
        """The amounts in words."""
        return f"{self.posts:,} posts, {self.votes:,} votes"

    def template(self, system: System) -> str:
        """Return the name of the database that is copied for each run."""
        return f"{self.name}_{system.name}"


SMALL = Size("small", 2_000, 20_000, 100_000)
LARGE = Size("large", 20_000, 500_000, 2_000_000)


@dataclass(frozen=True)
class Cluster:
    """A PostgreSQL server, at the address of one of its databases."""

    url: str

    def connect(self, name: str) -> Connection:
        """Connect to a database, without transactions."""
        connection = psycopg2.connect(self.url, dbname=name)
        connection.autocommit = True
        return connection

    def execute(self, name: str, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements in a database, and return the rows of the last."""
        with closing(self.connect(name)) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    @property
    def version(self) -> str:
        """The version of PostgreSQL."""
        ((version,),) = self.execute("postgres", "SHOW server_version")
        return str(version)

    def exists(self, name: str) -> bool:
        """Whether there is a database of this name."""
        return bool(
            self.execute("postgres", f"SELECT 1 FROM pg_database WHERE datname = '{name}'")
        )

    def drop(self, name: str) -> None:
        """Remove a database."""
        self.execute("postgres", f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def copy(self, template: str, name: str) -> None:
        """Make a database that is equal to another to the last page."""
        self.drop(name)
        self.execute(
            "postgres", f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy'
        )

    def environment(self, name: str) -> dict[str, str]:
        """Return the variables by which each system finds its database."""
        parts = parse_dsn(self.url)
        return {
            "DATABASE_URL": self.url.rpartition("/")[0] + f"/{name}",
            "PGHOST": parts["host"],
            "PGUSER": parts["user"],
            "PGDATABASE": name,
        }


@contextmanager
def built(cluster: Cluster, name: str) -> Iterator[str]:
    """Make a database under another name, and give it its own when all is done."""
    new = f"{name}_new"
    cluster.drop(new)
    cluster.execute("postgres", f'CREATE DATABASE "{new}"')
    yield new
    cluster.execute(new, "VACUUM (ANALYZE)")
    cluster.execute("postgres", f'ALTER DATABASE "{new}" RENAME TO "{name}"')


def seed(cluster: Cluster, size: Size, systems: Sequence[System], *, fresh: bool) -> None:
    """Make the databases that do not exist yet, or all of them anew."""
    for system in (OURS, *(each for each in systems if each != OURS)):
        name = size.template(system)
        if fresh:
            cluster.drop(name)
        if cluster.exists(name):
            continue
        print(f"Seeding {name}", flush=True)
        with built(cluster, name) as new:
            if system == OURS:
                seed_ours(cluster, size, new)
            else:
                copy_rows(cluster, size, system, new)


def seed_ours(cluster: Cluster, size: Size, name: str) -> None:
    """Fill a database by the project's own means."""
    environment = ENVIRONMENT | cluster.environment(name)
    amounts = [f"--users={size.users}", f"--posts={size.posts}", f"--votes={size.votes}"]
    for arguments in (["migrate", "-v0"], ["seed", "-v0", *amounts]):
        subprocess.run(
            [OURS.python, "manage.py", *arguments], cwd=ROOT, env=environment, check=True
        )
    cluster.execute(name, ADD_USERS)


def copy_rows(cluster: Cluster, size: Size, system: System, name: str) -> None:
    """Fill a peer's database with the rows of ours."""
    prepare(system, "schema", cluster.environment(name))
    with (
        closing(cluster.connect(size.template(OURS))) as source,
        closing(cluster.connect(name)) as target,
        source.cursor() as reader,
        target.cursor() as writer,
    ):
        for theirs, ours, columns in COPIES:
            kept = columns if system.counts_votes else columns.removesuffix(", vote_count")
            read = kept if system.is_django else kept.replace("password", PLAIN_HASH)
            with tempfile.TemporaryFile() as file:
                reader.copy_expert(f"COPY (SELECT {read} FROM {ours} ORDER BY id) TO STDOUT", file)
                file.seek(0)
                writer.copy_expert(f"COPY {theirs} ({kept}) FROM STDIN", file)
        for table in ("users", "posts"):
            writer.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"
            )
