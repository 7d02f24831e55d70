"""The log of changes: what is written to it, how it is read, and how it is kept short."""

from contextlib import closing
from datetime import timedelta
from urllib.parse import urlsplit

import psycopg2
import pytest
from django.db import connection
from django.utils import timezone

from accounts.tests.factories import UserFactory
from posts import models
from posts.models import Change, Entry, ExpiredError, Mark, Position, Post
from posts.tests.factories import PostFactory
from socialapi.tests.live import database_url, wait_until

VOTES, CONTENT, PRESENCE = Change.Kind
# No transaction of this server's has so high a number.
FOREIGN = 2**60


def logged() -> list[tuple[int, int]]:
    """Return post and kind of what was logged since this was called last."""
    changes = list(Change.objects.order_by("post_id", "kind").values_list("post_id", "kind"))
    Change.objects.all().delete()
    return changes


def run_sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.django_db
class TestWriting:
    def test_tells_of_what_everyone_sees(self) -> None:
        post = PostFactory.create()
        assert logged() == [(post.pk, PRESENCE)]
        post.edit(title="Other")
        assert logged() == [(post.pk, CONTENT)]
        post.edit(published=False)
        assert logged() == [(post.pk, PRESENCE)]
        post.edit(published=True, content="Other")
        assert logged() == [(post.pk, PRESENCE)]
        pk, _ = post.pk, post.delete()
        assert logged() == [(pk, PRESENCE)]

    def test_tells_nothing_of_drafts(self) -> None:
        draft = PostFactory.create(draft=True)
        draft.edit(title="Other")
        draft.delete()
        assert logged() == []

    def test_tells_nothing_of_what_stays_as_it_is(self) -> None:
        post = PostFactory.create()
        logged()
        post.edit(title=post.title)
        Post.objects.update(vote_count=5)
        assert logged() == []

    def test_tells_of_a_post_once_in_a_transaction(self) -> None:
        post = PostFactory.create()
        for title in "abc":
            post.edit(title=title)
        assert logged() == [(post.pk, CONTENT), (post.pk, PRESENCE)]

    def test_tells_of_what_goes_with_its_owner(self) -> None:
        owner = UserFactory.create()
        posts = PostFactory.create_batch(3, owner=owner)
        PostFactory.create(owner=owner, draft=True)
        logged()
        owner.delete()
        assert logged() == [(post.pk, PRESENCE) for post in posts]

    def test_tells_of_raw_sql(self) -> None:
        UserFactory.create()
        run_sql(
            "INSERT INTO posts_post (owner_id, title, content, published)"
            " SELECT id, 'T', 'C', n > 1 FROM accounts_user, generate_series(1, 3) AS n"
        )
        posts = list(Post.objects.published().order_by("pk").values_list("pk", flat=True))
        assert logged() == [(pk, PRESENCE) for pk in posts]
        run_sql("SET CONSTRAINTS ALL IMMEDIATE")
        run_sql("TRUNCATE posts_post CASCADE")
        assert logged() == [(pk, PRESENCE) for pk in posts]

    def test_is_left_out_on_request(self) -> None:
        run_sql("SET LOCAL socialapi.log TO off")
        post = PostFactory.create()
        assert logged() == []
        run_sql("SET LOCAL socialapi.log TO DEFAULT")
        post.delete()
        assert len(logged()) == 1


def log(*changes: tuple[int, int, int]) -> None:
    """Write changes: transaction, post, kind."""
    Change.objects.bulk_create(Change(xid=x, post_id=post, kind=kind) for x, post, kind in changes)


START, END = Position(0), Position(9)


@pytest.mark.django_db
class TestReading:
    def test_gives_the_weightiest_of_each_post_where_it_was(self) -> None:
        log((1, 7, PRESENCE), (2, 8, VOTES), (3, 7, VOTES), (3, 8, CONTENT), (4, 8, VOTES))
        entries = [Entry(Position(1, 7), PRESENCE), Entry(Position(3, 8), CONTENT)]
        assert Change.objects.between(START, END) == (entries, END)

    def test_goes_on_after_any_entry_with_what_it_did_not_cover(self) -> None:
        log((1, 7, PRESENCE), (2, 8, VOTES), (3, 7, VOTES))
        assert Change.objects.between(Position(1, 7), END)[0] == [
            Entry(Position(2, 8), VOTES),
            Entry(Position(3, 7), VOTES),
        ]

    def test_ends_where_it_is_told_to(self) -> None:
        log((1, 7, VOTES), (2, 7, VOTES), (2, 8, VOTES), (3, 9, VOTES))
        end = Position(2, 7)
        assert Change.objects.between(START, end) == ([Entry(end, VOTES)], end)
        assert Change.objects.between(end, Position(3)) == (
            [Entry(Position(2, 8), VOTES)],
            Position(3),
        )

    def test_is_done_page_by_page(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(models, "PAGE", 2)
        log((1, 7, VOTES), (2, 8, VOTES), (3, 9, VOTES))
        entries = [Entry(Position(1, 7), VOTES), Entry(Position(2, 8), VOTES)]
        assert Change.objects.between(START, END) == (entries, END)
        rest = [Entry(Position(3, 9), VOTES)]
        assert Change.objects.between(START, END, Position(2, 8)) == (rest, END)

    def test_leaves_out_what_an_earlier_page_told(self) -> None:
        log((1, 7, CONTENT), (2, 8, VOTES), (3, 7, VOTES), (4, 9, VOTES))
        rest = [Entry(Position(2, 8), VOTES), Entry(Position(4, 9), VOTES)]
        assert Change.objects.between(START, END, Position(1, 7)) == (rest, END)

    def test_looks_at_so_much_at_a_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(models, "SCAN", 2)
        log((1, 7, VOTES), (2, 7, VOTES), (2, 7, PRESENCE), (3, 7, CONTENT))
        whole = Position(2, 7)
        assert Change.objects.between(START, END) == ([Entry(whole, PRESENCE)], whole)
        rest = [Entry(Position(3, 7), CONTENT)]
        assert Change.objects.between(whole, END) == (rest, END)

    def test_fails_where_the_log_does_not_reach(self) -> None:
        Mark.objects.update(xid=5)
        with pytest.raises(ExpiredError):
            Change.objects.between(Position(4, 9), END)
        assert Change.objects.between(Position(5), END) == ([], END)
        assert Change.objects.between(START, END, Position(5)) == ([], END)


def mark(xid: int, minutes: float) -> None:
    Mark.objects.create(xid=xid, at=timezone.now() - timedelta(minutes=minutes))


def marks() -> list[int]:
    return list(Mark.objects.order_by("pk").values_list("pk", flat=True))


def xids() -> list[int]:
    return list(Change.objects.order_by("xid").values_list("xid", flat=True))


def write_elsewhere(name: str) -> psycopg2.extensions.connection:
    """Begin a transaction in a database of the same server; whoever closes it ends it."""
    parts = urlsplit(database_url())
    other = psycopg2.connect(parts._replace(path=f"/{name}").geturl())
    other.cursor().execute("SELECT pg_current_xact_id()")
    return other


@pytest.mark.usefixtures("committed")
class TestTheHorizon:
    def test_is_held_up_by_who_writes_in_this_database(self) -> None:
        before = Change.objects.bounds()
        with closing(write_elsewhere(connection.settings_dict["NAME"])):
            PostFactory.create()
            during = Change.objects.bounds()
            assert before.horizon <= during.horizon < during.end
        wait_until(lambda: Change.objects.bounds().horizon >= during.end)

    def test_is_not_held_up_by_who_writes_in_another(self) -> None:
        with closing(write_elsewhere("postgres")):
            PostFactory.create()
            end = Change.objects.bounds().end
            wait_until(lambda: Change.objects.bounds().horizon >= end)


@pytest.mark.django_db
class TestSweeping:
    @pytest.fixture(autouse=True)
    def nothing(self) -> None:
        """Begin with nothing."""
        Mark.objects.all().delete()
        Change.objects.all().delete()

    def test_keeps_what_could_be_read_ten_minutes_ago_or_later(self) -> None:
        for xid, minutes in ((1, 30), (3, 12), (5, 9), (7, 0.5)):
            mark(xid, minutes)
        log((1, 7, VOTES), (2, 7, VOTES), (3, 7, VOTES), (4, 7, VOTES))
        assert Change.objects.sweep()
        assert marks() == [3, 5, 7]
        assert xids() == [3, 4]

    def test_marks_where_the_log_is_once_a_minute(self) -> None:
        mark(1, 1.5)
        earliest = Change.objects.bounds().horizon.xid
        Change.objects.sweep()
        Change.objects.sweep()
        assert len(marks()) == 2
        assert earliest <= marks()[1] <= Change.objects.bounds().horizon.xid

    def test_removes_so_much_at_a_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(models, "SWEEP", 2)
        mark(9, 11)
        log((1, 7, VOTES), (2, 7, VOTES), (3, 7, VOTES))
        assert not Change.objects.sweep()
        assert xids() == [3]
        assert Change.objects.sweep()
        assert xids() == []

    def test_removes_what_another_server_has_numbered(self) -> None:
        mark(1, 0)
        mark(FOREIGN, 30)
        log((2, 7, VOTES), (FOREIGN, 7, VOTES))
        assert Change.objects.sweep()
        assert marks() == [1]
        assert xids() == [2]
