"""Statements: compiled once, prepared once for each connection, and never in the way."""

import datetime as dt
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from django.contrib.postgres.fields import ArrayField
from django.db import DataError, NotSupportedError, connection, models, transaction
from django.db.models.expressions import RawSQL
from django.test.utils import CaptureQueriesContext
from psycopg2.extensions import cursor as Cursor  # noqa: N812 (a class)

from accounts.models import User
from posts.models import Post
from posts.tests.factories import PostFactory
from socialapi.statements import Parameter, Statement, identifier, prepared

type Column = models.Field[Any, Any]

ODD_TEXTS = [
    *("plain", "", "it's", '"', "100%", "%s", "%(pk)s", "%%", "$1", "{}", "back\\slash", "\\"),
    *("\\'", "\n\t", "Щегол", "漢字", "🐎", "é", "--", "/*", ";", "\x01", "\u2028"),
]


def select(*columns: tuple[str, Column]) -> Statement:
    """Return a statement that gives back its parameters."""
    parameters = tuple(Parameter(name, field) for name, field in columns)
    return Statement(lambda: (f"SELECT {', '.join(['%s'] * len(columns))}", parameters))


def statements_of_server() -> list[str]:
    """Return the names of what the server has prepared on this connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_prepared_statements")
        return [name for (name,) in cursor.fetchall()]


def run_sql(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def forget() -> None:
    """Think that nothing is prepared on this connection."""
    prepared.pop(connection.connection, None)


class TestGives:
    pytestmark = pytest.mark.django_db

    def test_what_its_queryset_gives(self, author: User, post: Post) -> None:
        PostFactory.create_batch(3, owner=author)
        PostFactory.create()
        columns = ("id", "title", "published", "created_at", "owner__username")
        owned = Statement(
            lambda: Post.objects.filter(owner=identifier("owner")).values_list(*columns)
        )
        posts = Post.objects.filter(owner=author).values_list(*columns)

        assert sorted(owned.rows(owner=author.pk)) == sorted(posts)
        assert sorted(owned.rows(owner=author.pk)) == sorted(posts)
        assert owned.rows(owner=0) == []
        some = owned.rows_planned_anew(limit=2, offset=1, owner=author.pk)
        assert len(some) == 2
        assert set(some) < set(posts)

    @pytest.mark.parametrize("is_logged", [False, True])
    def test_text_as_it_is(self, is_logged: bool) -> None:
        echo = select(("text", models.TextField()), ("short", models.CharField(max_length=9)))
        connection.force_debug_cursor = is_logged
        try:
            for text in ODD_TEXTS:
                assert echo.rows(text=text, short=text) == [(text, text)]
                values = {"text": text, "short": text}
                assert echo.rows_planned_anew(limit=1, offset=0, **values) == [(text, text)]
        finally:
            connection.force_debug_cursor = False

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            (models.BooleanField(), True),
            (models.BooleanField(), False),
            (models.TextField(), None),
            (models.IntegerField(), None),
            (models.IntegerField(), -5),
            (models.BigIntegerField(), 2**63 - 1),
            (models.BigIntegerField(), -(2**63) + 1),
            (models.FloatField(), 0.1),
            (models.DateField(), dt.date(1, 2, 3)),
            (models.DateTimeField(), dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)),
            (models.DateTimeField(), dt.datetime(1, 1, 1, tzinfo=dt.UTC)),
            (models.DateTimeField(), dt.datetime.max.replace(tzinfo=dt.UTC)),
            (ArrayField(models.BigIntegerField()), [3, 1, 2**62]),
            (ArrayField(models.BigIntegerField()), []),
            (ArrayField(models.TextField()), ["it's", "100%", "Щегол"]),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("is_logged", [False, True])
    def test_values_of_every_type_as_they_are(
        self, field: Column, value: Any, is_logged: bool
    ) -> None:
        echo = select(("value", field))
        connection.force_debug_cursor = is_logged
        try:
            for _ in range(2):
                assert echo.rows(value=value) == [(value,)]
        finally:
            connection.force_debug_cursor = False

    def test_times_in_whatever_zone_as_the_moments_they_are(self) -> None:
        moment = dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.timezone(dt.timedelta(hours=-7)))

        ((read,),) = select(("moment", models.DateTimeField())).rows(moment=moment)

        assert read == moment
        assert read.utcoffset() == dt.timedelta()

    def test_rows_by_a_list_of_ids(self, post: Post, draft: Post) -> None:
        ids = Parameter("ids", ArrayField(models.BigIntegerField()))
        chosen = RawSQL("SELECT unnest(%s)", [ids])
        statement = Statement(lambda: Post.objects.filter(pk__in=chosen).values_list("pk"))

        assert sorted(statement.rows(ids=[draft.pk, post.pk])) == [(post.pk,), (draft.pk,)]
        assert statement.rows(ids=[0]) == statement.rows(ids=[]) == []

    @pytest.mark.parametrize("lookup", ["title", "title__icontains"])
    def test_rows_by_constants_of_any_script(self, author: User, lookup: str) -> None:
        for title in [text for text in ODD_TEXTS if text.strip()]:
            post = PostFactory.create(owner=author, title=title)
            posts = Post.objects.filter(**{lookup: title}, pk__gte=identifier("pk"))
            statement = Statement(partial(posts.values_list, "pk"))

            assert statement.rows(pk=post.pk) == [(post.pk,)], title
            assert statement.rows_planned_anew(limit=9, offset=0, pk=post.pk) == [(post.pk,)]

    @pytest.mark.parametrize("is_logged", [False, True])
    def test_the_same_parameter_in_two_places_and_percent_signs(self, is_logged: bool) -> None:
        n = identifier("n")
        statement = Statement(lambda: ("SELECT %s %% 4, '%%s', %s", (n, n)))
        connection.force_debug_cursor = is_logged
        try:
            assert statement.rows(n=7) == [(3, "%s", 7)]
            assert statement.rows_planned_anew(limit=1, offset=0, n=7) == [(3, "%s", 7)]
        finally:
            connection.force_debug_cursor = False

    @pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**400])
    def test_nothing_for_a_number_that_no_column_holds(self, post: Post, number: int) -> None:
        posts = Statement(lambda: Post.objects.filter(pk=identifier("pk")).values_list("pk"))

        with CaptureQueriesContext(connection) as queries:
            assert posts.rows(pk=number) == []
            assert posts.rows_planned_anew(limit=1, offset=0, pk=number) == []
        assert len(queries) == 0

    def test_no_answer_to_a_nul(self) -> None:
        with pytest.raises(ValueError, match="NUL"):
            select(("text", models.TextField())).rows(text="a\x00b")


@pytest.mark.django_db
class TestIsPrepared:
    @pytest.fixture
    def echo(self) -> Statement:
        """A statement."""
        run_sql("DEALLOCATE ALL")
        forget()
        return select(("number", models.IntegerField()))

    def test_once_for_a_connection(self, echo: Statement) -> None:
        with CaptureQueriesContext(connection) as queries:
            for number in range(3):
                assert echo.rows(number=number) == [(number,)]

        assert [query["sql"].split()[0] for query in queries] == ["SET", "EXECUTE", "EXECUTE"]
        assert statements_of_server() == [echo.name]

    def test_as_another_one_when_the_types_are_others(self, echo: Statement) -> None:
        bigger = select(("number", models.BigIntegerField()))

        assert echo.rows(number=1) == [(1,)]
        assert bigger.rows(number=2**40) == [(2**40,)]
        assert len(statements_of_server()) == 2

    def test_in_sight_of_who_logs_queries_or_wraps_them(self, echo: Statement) -> None:
        seen: list[str] = []

        def see(execute: Any, sql: str, params: Any, *others: Any) -> Any:
            seen.append(sql % params)
            return execute(sql, params, *others)

        with connection.execute_wrapper(see):
            echo.rows(number=6)
            with CaptureQueriesContext(connection) as queries:
                echo.rows(number=7)
                echo.rows_planned_anew(limit=1, offset=0, number=8)

        assert [sql.rpartition("; ")[2] for sql in seen] == [
            f"EXECUTE {echo.name} (6)",
            f"EXECUTE {echo.name} (7)",
            "SELECT 8 LIMIT 1 OFFSET 0",
        ]
        assert [query["sql"] for query in queries] == seen[1:]


@pytest.fixture
def texts(committed: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is sent to a new connection, outside of transactions, as the service does."""
    connection.close()
    sent: list[str] = []

    class RecordingCursor(Cursor):
        """Remembers what it is told."""

        def execute(self, query: Any, variables: Any = None) -> None:
            sent.append(query)
            super().execute(query, variables)

    connection.ensure_connection()
    connection.connection.cursor_factory = RecordingCursor
    sent.clear()
    yield sent
    connection.close()


def verbs(texts: list[str]) -> list[str]:
    """Return what was sent, by first words; and forget it."""
    sent = [" ".join(part.split()[0] for part in text.split("; ")) for text in texts]
    texts.clear()
    return sent


class TestGoesOn:
    """As behind PgBouncer, where each transaction may meet another connection."""

    @pytest.fixture
    def echo(self, texts: list[str]) -> Statement:
        """A statement that has been prepared."""
        echo = select(("number", models.IntegerField()))
        assert echo.rows(number=1) == [(1,)]
        assert verbs(texts) == ["SET PREPARE EXECUTE"]
        return echo

    def test_on_a_connection_that_lost_it(self, echo: Statement, texts: list[str]) -> None:
        run_sql("DEALLOCATE ALL")
        texts.clear()

        assert echo.rows(number=2) == [(2,)]
        assert verbs(texts) == ["EXECUTE", "SET PREPARE EXECUTE"]
        assert echo.rows(number=3) == [(3,)]
        assert verbs(texts) == ["EXECUTE"]

    def test_on_a_connection_that_somebody_else_prepared(
        self, echo: Statement, texts: list[str]
    ) -> None:
        forget()

        assert echo.rows(number=2) == [(2,)]
        assert verbs(texts) == ["SET PREPARE EXECUTE", "EXECUTE"]
        assert echo.rows(number=3) == [(3,)]
        assert verbs(texts) == ["EXECUTE"]

    def test_on_connections_of_which_each_is_unlike_the_one_before(
        self, echo: Statement, texts: list[str]
    ) -> None:
        class FickleCursor(Cursor):
            """Meets what is not prepared unprepared, and what prepares prepared."""

            def execute(self, query: Any, variables: Any = None) -> None:
                texts.append(query)
                super().execute("DEALLOCATE ALL")
                if "PREPARE" in query:
                    super().execute(echo.prepare.split("; ")[1])
                super().execute(query, variables)

        connection.connection.cursor_factory = FickleCursor

        assert echo.rows(number=2) == [(2,)]
        assert verbs(texts) == ["EXECUTE", "SET PREPARE EXECUTE", "EXECUTE", "SELECT"]

    def test_on_a_new_connection(self, echo: Statement) -> None:
        connection.close()

        assert echo.rows(number=2) == [(2,)]

    def test_when_its_first_execution_failed(self, texts: list[str]) -> None:
        inverse = Statement(
            lambda: ("SELECT 1 / %s", (Parameter("number", models.IntegerField()),))
        )
        with pytest.raises(DataError):
            inverse.rows(number=0)

        assert inverse.rows(number=1) == [(1,)]
        assert inverse.rows(number=1) == [(1,)]
        assert verbs(texts) == ["SET PREPARE EXECUTE", "SET PREPARE EXECUTE", "EXECUTE", "EXECUTE"]

    @pytest.mark.parametrize("is_known", [True, False])
    def test_after_a_migration_of_what_it_returns(self, texts: list[str], is_known: bool) -> None:
        run_sql("CREATE TEMPORARY TABLE things AS SELECT 1 AS number")
        things = Statement(lambda: ("SELECT number FROM things WHERE %s > 0", (identifier("n"),)))
        assert things.rows(n=1) == [(1,)]
        run_sql("ALTER TABLE things ALTER number TYPE text")
        texts.clear()
        if not is_known:
            forget()

        assert things.rows(n=1) == [("1",)]
        first = [] if is_known else ["SET PREPARE EXECUTE"]
        assert verbs(texts) == [*first, "EXECUTE", "DEALLOCATE SET PREPARE EXECUTE"]
        assert things.rows(n=1) == [("1",)]
        assert verbs(texts) == ["EXECUTE"]

    def test_but_not_for_ever(self, texts: list[str]) -> None:
        series = "generate_series(1, %s)"
        sql = f"SELECT FROM {series} FULL JOIN {series} AS other ON random() > 0"
        unsupported = Statement(lambda: (sql, (identifier("n"), identifier("n"))))

        with pytest.raises(NotSupportedError, match="FULL JOIN"):
            unsupported.rows(n=1)

        assert len(texts) <= 4

    def test_in_a_transaction_once_it_is_prepared(self, echo: Statement) -> None:
        with transaction.atomic():
            assert echo.rows(number=2) == [(2,)]
        assert echo.rows(number=3) == [(3,)]
