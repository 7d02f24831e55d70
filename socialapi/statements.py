"""Hot queries: SQL that Django compiles once, and that each connection plans once.

To compile a queryset takes a millisecond of Python, to plan it half of one of PostgreSQL, on every
call. A `Statement` keeps both results. What it asks is still said by a queryset, in which a
`Parameter` stands for each value that differs between calls.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from time import perf_counter
from typing import Any
from weakref import WeakKeyDictionary

from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BigAutoField, QuerySet, Value
from psycopg2.errors import (
    DuplicatePreparedStatement,
    FeatureNotSupported,
    InvalidSqlStatementName,
)
from psycopg2.extensions import adapt

from .exchange import current_exchange

type Row = tuple[Any, ...]
type SQL = tuple[str, tuple[Any, ...]]

BIGINT_MAX = 2**63 - 1
# How often a statement that is not prepared as it should be is tried again. Then it runs without.
MENDS = 2
# The names of the statements that each of psycopg2's connections has prepared.
prepared: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()


class Parameter(Value):
    """A value that is known when a statement runs, by its name there."""

    def __init__(self, name: str, field: Any) -> None:
        super().__init__(name, output_field=field)

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Stand in the query's parameters, to be found there."""
        return "%s", [self]


def identifier(name: str) -> Parameter:
    """Return a parameter for what identifies a row."""
    return Parameter(name, BigAutoField())


class Statement:
    """What `build` returns, a queryset or SQL with its parameters, ready to be run often.

    A statement runs outside of transactions, or else on a connection of this process's own.
    """

    def __init__(self, build: Callable[[], QuerySet[Any, Any] | SQL]) -> None:
        self.build = build

    @cached_property
    def query(self) -> tuple[str, list[Any]]:
        """The SQL and its parameters, as Django makes them."""
        query = self.build()
        text, parameters = query.query.sql_with_params() if isinstance(query, QuerySet) else query
        return text, list(parameters)

    @cached_property
    def compiled(self) -> tuple[str, dict[str, str]]:
        """The SQL with numbered parameters, and the parameters' types by their names."""
        named = [p for p in self.query[1] if isinstance(p, Parameter)]
        types = {p.value: str(p.output_field.db_type(connections["default"])) for p in named}
        return self.plain % {name: f"${number}" for number, name in enumerate(types, 1)}, types

    @cached_property
    def name(self) -> str:
        """A name that tells the text, and the parameters' types."""
        return f"s_{hashlib.sha256(str(self.compiled).encode()).hexdigest()[:16]}"

    @cached_property
    def prepare(self) -> str:
        """SQL that prepares it and executes it, with psycopg2's parameters.

        It is planned at once, for no values in particular.
        """
        text, types = self.compiled
        signature = f" ({', '.join(types.values())})" if types else ""
        mode = "SET plan_cache_mode = force_generic_plan"
        prepare = f"PREPARE {self.name}{signature} AS {text}"
        return f"{mode}; {prepare.replace('%', '%%')}; {self.execute}"

    @cached_property
    def execute(self) -> str:
        """SQL that executes it, once prepared, with psycopg2's parameters."""
        values = [f"%({name})s" for name in self.compiled[1]]
        return f"EXECUTE {self.name}{f' ({", ".join(values)})' if values else ''}"

    @cached_property
    def plain(self) -> str:
        """SQL with psycopg2's parameters, to be followed by `LIMIT`."""
        text, parameters = self.query
        connection = connected()
        return text.replace("%%", "%%%%") % tuple(
            f"%({p.value})s"
            if isinstance(p, Parameter)
            else literal(connection.connection, p).replace("%", "%%")
            for p in parameters
        )

    def rows(self, **values: Any) -> list[Row]:
        """Run it as a prepared statement, and return all rows. One round trip.

        It is planned once for each connection, so the plan has to be good for all values
        (https://www.postgresql.org/docs/current/sql-prepare.html).
        """
        if is_beyond_columns(values):
            return []
        connection = connected()
        names = prepared.setdefault(connection.connection, set())
        text = self.execute if self.name in names else self.prepare
        rows = self.attempt(connection, text, values, MENDS)
        names.add(self.name)
        return rows

    def attempt(
        self, connection: BaseDatabaseWrapper, text: str, values: dict[str, Any], mends: int
    ) -> list[Row]:
        """Run SQL, and once more so often if the connection is not in the state that was thought.

        Behind PgBouncer every transaction meets another connection, which somebody else prepared,
        or nobody. A statement whose first execution fails stays prepared. And a migration may
        change the types of what a prepared one returns, which then has to be forgotten. If every
        connection is unlike the one before, it runs unprepared.
        """
        try:
            return fetch(connection, text, values)
        except DatabaseError as error:
            match error.__cause__:
                case InvalidSqlStatementName():
                    text = self.prepare
                case DuplicatePreparedStatement():
                    text = self.execute
                case FeatureNotSupported():
                    text = f"DEALLOCATE {self.name}; {self.prepare}"
                case _:
                    raise
            if not mends:
                return fetch(connection, self.plain, values)
        return self.attempt(connection, text, values, mends - 1)

    def rows_planned_anew(self, *, limit: int, offset: int, **values: Any) -> list[Row]:
        """Run it with a plan for just these values, and return some rows. One round trip."""
        if is_beyond_columns(values):
            return []
        text = f"{self.plain} LIMIT {limit:d} OFFSET {offset:d}"
        return fetch(connected(), text, values)


def connected() -> BaseDatabaseWrapper:
    """Return the calling thread's connection, made if it has none."""
    connection = connections["default"]
    connection.ensure_connection()
    return connection


def fetch(connection: BaseDatabaseWrapper, text: str, values: dict[str, Any]) -> list[Row]:
    """Run SQL and return its rows; raises Django's database errors."""
    if connection.queries_logged or connection.execute_wrappers:
        with connection.cursor() as cursor:
            cursor.execute(text, values)
            return list(cursor.fetchall())
    started = perf_counter()
    try:
        # Django's cursor would cost as much again as psycopg2's.
        with connection.wrap_database_errors, connection.connection.cursor() as cursor:
            cursor.execute(inline(connection.connection, text, values))
            return list(cursor.fetchall())
    finally:
        if exchange := current_exchange.get():
            exchange.count_query(started)


def inline(connection: Any, text: str, values: dict[str, Any]) -> str:
    """Return SQL with its values in it; psycopg2 takes longer to find that an id is a number."""
    return text % {name: literal(connection, value) for name, value in values.items()}


def literal(connection: Any, value: Any) -> str:
    """Return a value in SQL."""
    if type(value) is int:
        return str(value)
    if type(value) is datetime:
        return f"'{value.isoformat()}'"
    adapted = adapt(value)
    if hasattr(adapted, "prepare"):
        adapted.prepare(connection)
    return str(adapted.getquoted(), "utf-8")


def is_beyond_columns(values: dict[str, Any]) -> bool:
    """Whether there is a number among the values that no column can hold, and so no row has."""
    return any(type(value) is int and abs(value) > BIGINT_MAX for value in values.values())
