"""The tables of the FastAPI course's project, as its Alembic migrations leave them."""

from typing import Any

import psycopg2
from psycopg2.sql import SQL, Identifier, Placeholder

from socialapi.tests.live import database_url

# In the database of the tests, where no other test looks.
SCHEMA = "course"
MIGRATED = f"""
    DROP SCHEMA IF EXISTS {SCHEMA} CASCADE;
    CREATE SCHEMA {SCHEMA};
    CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
    CREATE TABLE users (
        id serial PRIMARY KEY,
        email varchar NOT NULL UNIQUE,
        password varchar NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        phone_number varchar
    );
    CREATE TABLE posts (
        id serial PRIMARY KEY,
        title varchar NOT NULL,
        content varchar NOT NULL,
        owner_id integer NOT NULL
            CONSTRAINT post_users_fk REFERENCES users (id) ON DELETE CASCADE,
        published boolean NOT NULL DEFAULT true,
        created_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE TABLE votes (
        user_id integer REFERENCES users (id) ON DELETE CASCADE,
        post_id integer REFERENCES posts (id) ON DELETE CASCADE,
        PRIMARY KEY (user_id, post_id)
    );
"""
# Hashes that passlib made, at bcrypt's lowest cost. It has only read 72 bytes of the long one.
PASSWORD, LONG_PASSWORD = "password123", "ä" * 60
HASH = "$2b$04$0j9ZqXNdUlPZIOO8R7jPAeL.gkO4M7WO.XahudoGxt3tBOOWZ.1AS"
LONG_HASH = "$2b$04$3SVfUu4D5mKHTR0vXJY2euAxk.6BYqAGuFD4WKmv2GR08hwSv3OhK"


class Course:
    """Adds rows, each valid but for what is given, and returns their ids."""

    def __init__(self) -> None:
        self.url = database_url(options=f"-csearch_path={SCHEMA}")
        self.connection = psycopg2.connect(self.url)
        self.connection.autocommit = True
        self.execute(MIGRATED)

    def execute(self, statement: Any, values: Any = None) -> Any:
        """Run a statement, and return the first value of its first row."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values)
            return (cursor.fetchone() or [None])[0] if cursor.description else None

    def insert(self, table: str, **values: Any) -> Any:
        """Insert a row, and return the value of its first column."""
        columns = SQL(", ").join(map(Identifier, values))
        marks = SQL(", ").join(map(Placeholder, values))
        statement = SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING *")
        return self.execute(statement.format(Identifier(table), columns, marks), values)

    def user(self, email: str, **values: Any) -> int:
        """Add a user whose password is PASSWORD."""
        return int(self.insert("users", email=email, **{"password": HASH, **values}))

    def post(self, owner_id: int | None, **values: Any) -> int:
        """Add a post."""
        defaults = {"title": "A title", "content": "Some content"}
        return int(self.insert("posts", owner_id=owner_id, **{**defaults, **values}))

    def vote(self, user_id: int, post_id: int) -> None:
        """Add a vote."""
        self.insert("votes", user_id=user_id, post_id=post_id)

    def drop(self) -> None:
        """Remove it all."""
        self.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
        self.connection.close()
