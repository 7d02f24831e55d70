"""manage.py import_fastapi."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import User, neutral_username
from accounts.tests.factories import UserFactory
from posts.models import Change, Post
from posts.tests.factories import PostFactory
from votes.management import fastapi_load, fastapi_source
from votes.management.commands import import_fastapi
from votes.management.fastapi_source import NAME, opened
from votes.models import Vote

from .course import HASH, LONG_HASH, LONG_PASSWORD, PASSWORD, Course

REGISTERED = datetime(2021, 8, 29, 23, 4, 56, 38967, UTC)
WRITTEN = datetime(2022, 1, 2, 3, 4, 5, 678901, UTC)
STOP = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = %s AND datname = current_database()
"""


@pytest.fixture
def course(db: None) -> Iterator[Course]:
    """The older system's database, empty."""
    course = Course()
    yield course
    course.drop()


@pytest.fixture
def alice(course: Course) -> int:
    """A user there."""
    return course.user("Alice@example.com", created_at=REGISTERED)


@pytest.fixture
def bob(course: Course) -> int:
    """Another one."""
    return course.user("bob@example.com")


@pytest.fixture
def their_post(course: Course, alice: int, bob: int) -> int:
    """Alice's post, for which Bob has voted."""
    post = course.post(alice, created_at=WRITTEN)
    course.vote(bob, post)
    return post


def run(course: Course, *options: str, **keywords: Any) -> str:
    output = StringIO()
    call_command("import_fastapi", course.url, *options, stdout=output, **keywords)
    return output.getvalue()


def sizes() -> tuple[int, int, int]:
    return User.objects.count(), Post.objects.count(), Vote.objects.count()


def log_in(email: str, password: str) -> int:
    credentials = {"email": email, "password": password}
    return APIClient().post("/login", credentials, format="json").status_code


class TestWhatFits:
    def test_keeps_ids_times_owners_and_votes(
        self, course: Course, alice: int, bob: int, their_post: int
    ) -> None:
        output = run(course)

        user, post = User.objects.get(pk=alice), Post.objects.get()
        assert (user.email, user.created_at) == ("Alice@example.com", REGISTERED)
        assert (post.pk, post.owner_id) == (their_post, alice)
        assert post.created_at == post.updated_at == WRITTEN
        assert Vote.objects.values_list("user_id", "post_id").get() == (bob, their_post)
        assert "users: 2 new, 0 there already, 0 that do not fit\n" in output
        assert "posts: 1 new, 0 there already, 0 that do not fit\n" in output
        assert "votes: 1 new, 0 there already, 0 that do not fit\n" in output

    @pytest.mark.parametrize(
        ("stored", "password"),
        [(HASH, PASSWORD), (LONG_HASH, LONG_PASSWORD)],
        ids=["short", "120 bytes"],
    )
    def test_keeps_passwords_and_hashes_them_anew(
        self, course: Course, stored: str, password: str
    ) -> None:
        course.user("carol@example.com", password=stored)

        run(course)

        assert log_in("carol@example.com", "wrong-horse-42") == 401
        assert log_in("carol@example.com", password) == 200
        assert User.objects.get().password.startswith("argon2$argon2id$")
        assert log_in("carol@example.com", password) == 200
        assert log_in("carol@example.com", f"{password}.") == 401

    def test_gives_users_neutral_names(self, course: Course, alice: int, bob: int) -> None:
        run(course)

        names = set(User.objects.values_list("username", flat=True))
        assert len(names) == 2
        assert all(name.startswith("user-") for name in names)

    def test_keeps_every_character(self, course: Course, alice: int) -> None:
        content = " \\. \n\\.\n\\N\t\"quoted\", 'twice'\r\n\b Ünï ☃ 🎉 %s {}\x7f "
        course.post(alice, title="\\N", content=content)

        run(course)

        assert Post.objects.values_list("title", "content").get() == ("\\N", content)

    def test_keeps_drafts_to_their_owners(self, course: Course, alice: int) -> None:
        course.post(alice, published=False)

        run(course)

        assert not Post.objects.get().published

    def test_counts_votes(self, course: Course, alice: int, their_post: int) -> None:
        course.vote(alice, their_post)

        run(course)

        assert Post.objects.get().vote_count == 2
        assert Post.objects.get().rank.vote_count == 2
        assert not Vote.objects.miscounted().exists()

    def test_leaves_later_ids_to_those_who_come(self, course: Course, their_post: int) -> None:
        course.post(course.user("late@example.com", id=1_000), id=2_000)

        run(course)

        assert UserFactory.create().pk > 1_000
        assert PostFactory.create().pk > 2_000

    def test_tells_no_stream(self, course: Course, their_post: int) -> None:
        run(course)

        assert not Change.objects.exists()


ODD_USERS: list[tuple[dict[str, Any], str]] = [
    ({"id": -1}, "the id is not positive"),
    ({"id": 0}, "the id is not positive"),
    ({"email": "nobody"}, "the email is not valid"),
    ({"email": f"a@{'b.' * 130}com"}, "the email is not valid"),
    ({"password": "password123"}, "the password is not a bcrypt hash"),
    ({"password": HASH.replace("$04$", "$03$")}, "the password is not a bcrypt hash"),
    ({"password": f"{HASH}\n"}, "the password is not a bcrypt hash"),
    ({"password": None}, "the password is not a bcrypt hash"),
    ({"created_at": "infinity"}, "created_at is out of range"),
    ({"created_at": None}, "created_at is empty"),
]
ODD_POSTS: list[tuple[dict[str, Any], str]] = [
    ({"id": -1}, "the id is not positive"),
    ({"id": 0}, "the id is not positive"),
    ({"title": ""}, "the title is blank"),
    ({"title": " \n\u2003"}, "the title is blank"),
    ({"title": "ä" * 301}, "the title has more than 300 characters"),
    ({"content": "\t"}, "the content is blank"),
    ({"content": "ä" * 40_001}, "the content has more than 40000 characters"),
    ({"created_at": "-infinity"}, "created_at is out of range"),
    ({"published": None}, "published is empty"),
    ({"owner_id": None}, "owner_id is empty"),
]


class TestWhatDoesNotFit:
    def test_of_the_users_is_listed(self, course: Course, bob: int) -> None:
        for column in ("password", "created_at"):
            course.execute(f"ALTER TABLE users ALTER {column} DROP NOT NULL")
        expected = [
            f"users id {course.user(**{'email': f'odd{number}@example.com', **values})}: {reason}"
            for number, (values, reason) in enumerate(ODD_USERS)
        ]

        output = run(course)

        assert {line for line in output.splitlines() if " id " in line} == set(expected)
        assert "users: 1 new, 0 there already, 10 that do not fit\n" in output
        assert User.objects.get().pk == bob

    def test_of_the_posts_is_listed(self, course: Course, alice: int) -> None:
        for column in ("published", "owner_id"):
            course.execute(f"ALTER TABLE posts ALTER {column} DROP NOT NULL")
        kept = course.post(alice, title="ä" * 300, content="ä" * 40_000)
        expected = [
            f"posts id {course.post(**{'owner_id': alice, **values})}: {reason}"
            for values, reason in ODD_POSTS
        ]

        output = run(course)

        assert [line for line in output.splitlines() if " id " in line] == expected
        assert "posts: 1 new, 0 there already, 10 that do not fit\n" in output
        assert Post.objects.get().pk == kept

    def test_takes_along_what_hangs_on_it(self, course: Course, bob: int) -> None:
        odd = course.user("odd@example.com", password="plain")
        lost, kept = course.post(odd), course.post(bob)
        course.vote(bob, lost)
        course.vote(odd, kept)

        output = run(course)

        assert f"posts id {lost}: user {odd} was not imported\n" in output
        assert f"votes user_id {bob} post_id {lost}: post {lost} was not imported\n" in output
        assert f"votes user_id {odd} post_id {kept}: user {odd} was not imported\n" in output
        assert sizes() == (1, 1, 0)
        assert Post.objects.get().vote_count == 0

    def test_is_a_vote_on_no_post(self, course: Course, bob: int, their_post: int) -> None:
        course.execute("ALTER TABLE votes DROP CONSTRAINT votes_post_id_fkey")
        course.vote(bob, 404)

        output = run(course)

        assert f"votes user_id {bob} post_id 404: there is no such post\n" in output
        assert "votes: 1 new, 0 there already, 1 that do not fit\n" in output

    def test_is_the_later_of_two_emails_that_differ_in_case(
        self, course: Course, alice: int
    ) -> None:
        second = course.user("alice@EXAMPLE.com")

        output = run(course)

        assert f"users id {second}: user {alice} has the same email, but for case\n" in output
        assert User.objects.get().pk == alice

    def test_goes_to_a_file_if_one_is_named(
        self, course: Course, bob: int, tmp_path: Path
    ) -> None:
        odd = course.user("odd", phone_number="1")
        post = course.post(bob)
        course.vote(odd, post)
        file = tmp_path / "report.jsonl"

        output = run(course, f"--report={file}")

        assert "not valid" not in output
        assert [json.loads(line) for line in file.read_text().splitlines()] == [
            {"table": "users", "id": odd, "reason": "the email is not valid"},
            {
                "table": "votes",
                "user_id": odd,
                "post_id": post,
                "reason": f"user {odd} was not imported",
            },
        ]

    def test_goes_to_no_file_that_cannot_be_written(
        self, course: Course, alice: int, tmp_path: Path
    ) -> None:
        with pytest.raises(CommandError, match=r"^--report: .* cannot be written: Is a dir"):
            run(course, f"--report={tmp_path}")

        assert not User.objects.exists()

    def test_comes_when_it_is_mended(self, course: Course, bob: int) -> None:
        odd = course.user("odd")
        course.vote(odd, course.post(bob))
        run(course)
        course.execute("UPDATE users SET email = 'even@example.com' WHERE email = 'odd'")

        output = run(course)

        assert "users: 1 new, 1 there already, 0 that do not fit\n" in output
        assert "votes: 1 new, 0 there already, 0 that do not fit\n" in output
        assert Post.objects.get().vote_count == 1


class TestASecondTime:
    def test_imports_nothing(self, course: Course, their_post: int) -> None:
        run(course)

        output = run(course)

        assert "users: 0 new, 2 there already, 0 that do not fit\n" in output
        assert "posts: 0 new, 1 there already, 0 that do not fit\n" in output
        assert "votes: 0 new, 1 there already, 0 that do not fit\n" in output
        assert Post.objects.get().vote_count == 1

    def test_keeps_what_users_have_changed(
        self, course: Course, alice: int, bob: int, their_post: int
    ) -> None:
        run(course)
        user, post = User.objects.get(pk=alice), Post.objects.get()
        user.email, user.username = "new@example.com", "alice"
        user.set_password("correct-horse-42")
        user.save()
        post.edit(title="A new title", published=False)
        Vote.objects.cast(user, their_post)

        run(course)

        user.refresh_from_db()
        post.refresh_from_db()
        assert (user.email, user.username) == ("new@example.com", "alice")
        assert user.check_password("correct-horse-42")
        assert (post.title, post.published, post.vote_count) == ("A new title", False, 2)

    def test_brings_what_has_come_since(self, course: Course, alice: int, their_post: int) -> None:
        run(course)
        course.vote(alice, their_post)
        carol = course.user("carol@example.com")
        course.vote(carol, course.post(carol))

        run(course)

        assert sizes() == (3, 2, 3)
        assert Post.objects.get(pk=their_post).vote_count == 2
        assert not Vote.objects.miscounted().exists()

    def test_warns_if_users_may_have_deleted_something(self, course: Course, alice: int) -> None:
        run(course)
        log_in("alice@example.com", PASSWORD)
        warnings = StringIO()

        run(course, stderr=warnings)

        assert "what they deleted since an earlier import comes back" in warnings.getvalue()


class TestAnInterruptedImport:
    @pytest.fixture(autouse=True)
    def small_batches(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fastapi_source, "BATCH_ROWS", 2)

    def test_goes_on_when_run_again(
        self, course: Course, their_post: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(3):
            course.user(f"user{number}@example.com")
        names = iter(["one", "two", "three"])

        def interrupt() -> str:
            if name := next(names, None):
                return f"user-{name}"
            raise KeyboardInterrupt

        with monkeypatch.context() as interrupted:
            interrupted.setattr(fastapi_load, "neutral_username", interrupt)
            with pytest.raises(CommandError, match=r"^Interrupted\. What was imported stays; run"):
                run(course)
        assert sizes() == (2, 0, 0)

        assert "users: 3 new, 2 there already, 0 that do not fit\n" in run(course)
        assert sizes() == (5, 1, 1)

    def test_says_that_someone_took_an_id(
        self, course: Course, alice: int, bob: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def sign_up() -> str:
            if not User.objects.exists():
                UserFactory.create(pk=bob)
            return neutral_username()

        monkeypatch.setattr(fastapi_load, "neutral_username", sign_up)

        with pytest.raises(CommandError, match=r"^The database: .*_pkey.*run this again"):
            run(course)

    def test_says_that_the_source_was_lost(
        self, course: Course, their_post: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def stop() -> str:
            course.execute(STOP, [NAME])
            return neutral_username()

        monkeypatch.setattr(fastapi_load, "neutral_username", stop)

        with pytest.raises(CommandError, match=r"^The source cannot be read: .*run this again"):
            run(course)


class TestAnotherImport:
    def test_is_let_finish(self, course: Course, alice: int) -> None:
        with fastapi_load.alone(), pytest.raises(CommandError, match=r"^Another import is run"):
            run(course)

        assert not User.objects.exists()
        assert "users: 1 new" in run(course)


class TestDryRun:
    def test_keeps_nothing(self, course: Course, their_post: int) -> None:
        course.user("odd", id=50)

        output = run(course, "--dry-run")

        assert sizes() == (0, 0, 0)
        assert "users id 50: the email is not valid\n" in output
        assert "votes: 1 new, 0 there already, 0 that do not fit\n" in output
        assert output.endswith("Nothing was kept: this was a dry run.\n")


class TestOthersWithTheSameIds:
    def test_are_not_mixed_with(self, course: Course, their_post: int) -> None:
        for number in range(3, 8):
            course.user(f"user{number}@example.com", id=number)
        for number in range(1, 8):
            UserFactory.create(pk=number)
        course.user("late@example.com", id=1_000_000)

        with pytest.raises(CommandError, match=r"same ids: users 1, 2, 3, 4, 5 and 2 more\. "):
            run(course)

        assert sizes() == (7, 0, 0)
        with connection.cursor() as cursor:
            cursor.execute("SELECT nextval(pg_get_serial_sequence('accounts_user', 'id'))")
            assert cursor.fetchone()[0] < 1_000_000

    def test_are_found_among_posts(self, course: Course, their_post: int) -> None:
        PostFactory.create(pk=their_post, owner=UserFactory.create(pk=500))

        with pytest.raises(CommandError, match=rf"same ids: posts {their_post}\. "):
            run(course)

        assert sizes() == (1, 1, 0)

    def test_do_not_matter_with_other_ids(self, course: Course, alice: int) -> None:
        UserFactory.create(pk=500, email="alice@example.com")

        output = run(course)

        assert f"users id {alice}: user 500 has the same email, but for case\n" in output


class TestTheSource:
    @pytest.mark.parametrize(
        "scheme", ["postgres", "postgresql+psycopg2", "postgresql+asyncpg", "postgresql+psycopg"]
    )
    def test_may_be_named_as_for_sqlalchemy(self, course: Course, alice: int, scheme: str) -> None:
        course.url = course.url.replace("postgresql", scheme, 1) + "&ssl=disable"

        run(course)

        assert User.objects.get().pk == alice

    @pytest.mark.parametrize(
        ("url", "message"),
        [
            ("sqlite:///fastapi.db", r"must be a PostgreSQL URL such as postgresql://user"),
            ("postgresql://u:s3cret%@h/x", r"percent-encoded"),
            ("postgresql://u:p/s3cret@localhost/x", r"percent-encoded"),
            ("postgresql://u:s3cret/p@localhost/x", r"percent-encoded"),
            ("postgresql://u:p@s3cret@localhost/x", r"percent-encoded"),
            ("postgresql://u:s3cret/x", r"percent-encoded"),
            ("postgresql://u@h/x?password=s3cret=", r"percent-encoded"),
            ("postgresql://u:p?s3cret@localhost:1/x", r"cannot be reached: .*localhost"),
            ("postgresql://u:s3cret@[::1]:1,localhost:1/x", r"cannot be reached: .*::1"),
        ],
    )
    def test_is_named_by_a_good_url(self, db: None, url: str, message: str) -> None:
        with pytest.raises(CommandError, match=message) as error:
            call_command("import_fastapi", url)

        assert "s3cret" not in str(error.value)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ("DROP TABLE votes", r'not the course\'s.*: relation "votes" does not exist'),
            ("ALTER TABLE posts DROP published", r'column "published" does not exist'),
            ("ALTER TABLE votes ALTER user_id TYPE text", r"votes\.user_id is not an integer"),
        ],
    )
    def test_has_the_courses_tables(self, course: Course, change: str, message: str) -> None:
        course.execute("ALTER TABLE votes DROP CONSTRAINT votes_user_id_fkey")
        course.execute(change)

        with pytest.raises(CommandError, match=message):
            run(course)

    def test_may_have_times_without_a_zone(self, course: Course, alice: int) -> None:
        course.execute("ALTER TABLE users ALTER created_at TYPE timestamp")
        course.url = course.url.replace("search_path", "timezone%3DAsia/Tokyo%20-csearch_path")

        run(course)

        assert User.objects.get().created_at == REGISTERED

    def test_is_only_read(self, course: Course) -> None:
        with (
            opened(course.url) as source,
            source.connection.cursor() as cursor,
            pytest.raises(psycopg2.errors.ReadOnlySqlTransaction),
        ):
            cursor.execute("DELETE FROM users")


class TestProgress:
    def test_is_shown(
        self, course: Course, their_post: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(import_fastapi, "SHOW_EVERY", 0)

        output = run(course)

        assert "users: 2 of 2\n" in output
        assert "posts: 1 of 1\n" in output

    def test_is_not_shown_when_silent(self, course: Course, their_post: int) -> None:
        assert not run(course, verbosity=0)


def test_a_database_without_tables_is_told_to_be_migrated(course: Course) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_session RENAME TO elsewhere")

    with pytest.raises(CommandError, match=r"does not exist\. Has `manage\.py migrate` been run"):
        run(course)


class TestSeveralConnections:
    @pytest.fixture
    def course(self, committed: None) -> Iterator[Course]:
        """As above, for connections that see only what is committed."""
        course = Course()
        yield course
        course.drop()

    def test_share_the_posts(
        self, course: Course, alice: int, bob: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(fastapi_source, "BATCH_ROWS", 2)
        blank = [course.post(alice, title="") for _ in range(9)]
        for _ in range(9):
            course.vote(bob, course.post(alice))

        output = run(course)

        assert [line for line in output.splitlines() if " id " in line] == [
            f"posts id {post}: the title is blank" for post in blank
        ]
        assert "posts: 9 new, 0 there already, 9 that do not fit\n" in output
        assert "votes: 9 new, 0 there already, 0 that do not fit\n" in output
        assert not Vote.objects.miscounted().exists()


def test_works_in_debug_mode(course: Course, their_post: int) -> None:
    with CaptureQueriesContext(connection):
        run(course)

    assert sizes() == (2, 1, 1)
