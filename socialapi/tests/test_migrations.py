"""Every migration of ours, undone and redone on a database with users, posts and votes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from pytest_django import DjangoDbBlocker

from accounts.tests.factories import UserFactory
from posts.models import Post
from posts.tests.factories import PostFactory
from votes.tests.factories import VoteFactory

# One process runs them all, for the database that they copy.
pytestmark = pytest.mark.xdist_group("migrations")
APPS = ("accounts", "posts", "votes")
TABLES = ("accounts_user", "posts_post", "votes_vote")
SCHEMA = """
    SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable
        || ' ' || coalesce(column_default, '')
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace AND prolang <> 13
    UNION ALL SELECT extname FROM pg_extension
"""
# `prolang` 13 is C: the functions that an extension brings.
MISCOUNTED = """
    SELECT count(*) FROM posts_post
    WHERE vote_count <> (SELECT count(*) FROM votes_vote WHERE post_id = posts_post.id)
"""


def query(statement: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return [value for (value,) in cursor.fetchall()]


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def use_database(name: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = name
    ContentType.objects.clear_cache()


@pytest.fixture(scope="module")
def template(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The name of a database with all migrations applied, to be copied."""
    name = connection.settings_dict["NAME"]
    with django_db_blocker.unblock(), new_database(name, "migrated") as own_name:
        call_command("migrate", verbosity=0)
        use_database(name)
        yield own_name


@pytest.fixture
def own_database(committed: None, template: str) -> Iterator[None]:
    """A database of this test's own, with all migrations applied."""
    with new_database(connection.settings_dict["NAME"], "migrations", template):
        yield


@contextmanager
def new_database(name: str, suffix: str, template: str = "template1") -> Iterator[str]:
    """Make a database and use it, and that of the other tests again when the block ends."""
    own_name = f"{name}_{suffix}"
    execute(f'DROP DATABASE IF EXISTS "{own_name}" WITH (FORCE)')
    execute(f'CREATE DATABASE "{own_name}" TEMPLATE "{template}"')
    use_database(own_name)
    try:
        yield own_name
    finally:
        use_database(name)
        execute(f'DROP DATABASE "{own_name}"')
        connection.close()


@pytest.fixture
def rows(own_database: None) -> dict[str, int]:
    """Users, posts, a draft and votes; returns how many there are in each table."""
    first, second = PostFactory.create_batch(2)
    PostFactory.create(draft=True)
    VoteFactory.create_batch(3, post=first)
    VoteFactory.create(post=second, user=UserFactory.create(suspended=True))
    return count_rows()


def count_rows() -> dict[str, int]:
    """Count the rows of our tables, as far as they exist."""
    present = set(connection.introspection.table_names())
    return {
        table: query(f"SELECT count(*) FROM {table}")[0]  # noqa: S608
        for table in TABLES
        if table in present
    }


def our_migrations() -> list[tuple[str, str]]:
    """Return app and name of each migration of ours, in the order of their application."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes(), clean_start=True)
    return [(step.app_label, step.name) for step, _ in plan if step.app_label in APPS]


def undo(app: str, name: str) -> None:
    """Go back to the app's migration before this one."""
    names = [own_name for own_app, own_name in our_migrations() if own_app == app]
    migrate(app, [None, *names][names.index(name)])


def redo(app: str, name: str) -> None:
    migrate(app, name)


def migrate(app: str, name: str | None) -> None:
    """Do what the command does, without all that follows a deployment's."""
    MigrationExecutor(connection).migrate([(app, name)])


def test_each_is_undone_and_redone_with_nothing_lost(rows: dict[str, int]) -> None:
    # The admin's refer to users, and would be undone along.
    migrate("admin", None)
    for app, name in reversed(our_migrations()):
        schema, counts = set(query(SCHEMA)), count_rows()

        undo(app, name)
        left = count_rows()
        redo(app, name)

        assert left.items() <= counts.items(), f"{app}.{name} loses rows"
        assert count_rows() == dict.fromkeys(counts, 0) | left
        assert set(query(SCHEMA)) == schema, f"{app}.{name} leaves another schema"
        undo(app, name)

    assert count_rows() == {}


def test_votes_are_counted_anew(rows: dict[str, int]) -> None:
    undo("votes", "0002_count_votes")
    assert set(Post.objects.values_list("vote_count", flat=True)) == {0}

    call_command("migrate", verbosity=0)

    assert query(MISCOUNTED) == [0]
    assert sorted(Post.objects.values_list("vote_count", flat=True)) == [0, 1, 3]


def test_all_are_undone_and_redone(rows: dict[str, int]) -> None:
    schema = set(query(SCHEMA))

    call_command("migrate", "accounts", "zero", verbosity=0)
    assert count_rows() == {}
    call_command("migrate", verbosity=0)

    assert set(query(SCHEMA)) == schema
    VoteFactory.create()
    assert query(MISCOUNTED) == [0]
