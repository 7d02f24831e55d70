"""GET /posts: every list is read from an index, and no more of it than the page.

The plans are those of 40,000 posts; 100,000 have the same. PostgreSQL explains the very SQL that
the API sends.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoDbBlocker
from rest_framework.test import APIClient

from accounts import tokens
from accounts.models import User
from posts.models import Post
from socialapi.pagination import Cursor
from socialapi.tests.client import APIClient as FastClient

type Node = dict[str, Any]

POSTS, USERS, OWNERS = 40_000, 4000, 400
BY_TIME, BY_VOTES = "posts_post_by_time", "posts_postrank_by_votes"
BY_OWNER, BY_OWNER_VOTES = "posts_post_by_owner", "posts_postrank_by_owner"
# What a row of one table finds its other half by.
BY_ID = {"posts_post_pkey", "posts_postrank_pkey"}
BY_TITLE = "posts_post_title_search"
COLUMNS = {"new": "created_at", "old": "created_at", "top": "vote_count"}
# Makes pytest-django wrap each test in a transaction too, within that of the module; and runs
# all in one process, so that the posts are loaded once.
pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("plans")]
# The page, and the row that tells whether there are more.
PAGE = 11

# The votes come before their posts, and are counted by nobody: that would take a minute.
LOAD = f"""
    SET LOCAL socialapi.log = off;

    INSERT INTO accounts_user (id, email, username, password, is_superuser)
    SELECT n, 'u' || n || '@example.com', 'user' || n, '', false
    FROM generate_series(1, {USERS}) AS n;
    ANALYZE accounts_user;

    INSERT INTO votes_vote (user_id, post_id)
    SELECT 1 + n % {USERS}, 1 + n * 7919 % {POSTS} FROM generate_series(1, {POSTS}) AS n;

    INSERT INTO posts_post (id, owner_id, title, content, published, created_at, vote_count)
    SELECT n, 1 + n * 31 % {OWNERS}, word || ' ' || left(md5(n::text), 8), 'Content', n % 33 <> 0,
        now() - make_interval(mins => {POSTS} - n / 3), 1000 / (1 + n * 7919 % {POSTS})
    FROM generate_series(1, {POSTS}) AS n, LATERAL (SELECT CASE
        WHEN n % {POSTS // 5} = 1 THEN 'Zyzzyva' WHEN n % {POSTS // 5} = 2 THEN 'Щегол'
        WHEN n % {POSTS // 5} = 3 THEN '漢字'
        WHEN n % 2 = 0 THEN 'Notes of a day' ELSE 'Заметки о дне' END) AS words (word);

    ANALYZE posts_post, posts_postrank, votes_vote;
    -- Only now: plans made for the few rows of other tests would take minutes.
    SET CONSTRAINTS ALL IMMEDIATE;
    SET CONSTRAINTS ALL DEFERRED;
"""  # noqa: S608 (numbers alone)


@pytest.fixture(scope="module")
def reader(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[User]:
    """One of the users of many posts, which are gone afterwards."""
    with django_db_blocker.unblock(), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(LOAD)
        yield User.objects.get(pk=200)
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def client(reader: User) -> APIClient:
    """A client that is logged in as the user."""
    client = FastClient()
    token = tokens.log_in(reader)["access_token"]
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def run(client: APIClient, **parameters: Any) -> tuple[list[Any], str]:
    """Return a list's posts, and the statement that finds them.

    A prepared one is planned for no values in particular, as it is after it has run five times.
    """
    with CaptureQueriesContext(connection) as queries:
        response = client.get("/posts", parameters)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    first, *others = (query["sql"].rpartition("; ")[2] for query in queries)
    planned = [sql for sql in others if sql.startswith('SELECT "posts_post"."id"')]
    return response.json()["results"], planned[0] if planned else first


def explain(statement: str) -> list[Node]:
    """Run a statement and return the nodes of its plan, the outer before the inner."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}")
        ((plan,),) = cursor.fetchone()
    return list(flatten(plan["Plan"]))


def flatten(node: Node) -> Iterator[Node]:
    yield node
    for child in node.get("Plans", ()):
        yield from flatten(child)


def indexes_of_posts(nodes: list[Node]) -> set[str]:
    """Return the posts' indexes in a plan, none of whose tables is read as a whole."""
    whole = {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"}
    # In these tests there are a few sessions, and no better way to find one of them.
    assert whole <= {"accounts_session"}
    names = {node.get("Index Name", "") for node in nodes} - BY_ID
    return {name for name in names if name.startswith("posts_post")}


def posts_read(nodes: list[Node]) -> int:
    """Return how many posts were looked at, those included that were then left out."""
    scans = [node for node in nodes if node.get("Relation Name") == "posts_post"]
    counts = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
    return sum(int(scan.get(n, 0) * scan["Actual Loops"]) for scan in scans for n in counts)


def cursor_at(post: Post, sort: str, *, backward: bool) -> str:
    value = getattr(post, COLUMNS[sort])
    return Cursor(sort, backward, (value, post.pk)).encode()


@pytest.mark.parametrize(
    ("sort", "index"), [("new", BY_TIME), ("old", BY_TIME), ("top", BY_VOTES)]
)
class TestEveryonesPosts:
    def test_begin_at_an_end_of_the_index(self, client: APIClient, sort: str, index: str) -> None:
        posts, statement = run(client, sort=sort)

        plan = explain(statement)
        assert len(posts) == 10
        assert indexes_of_posts(plan) == {index}
        assert posts_read(plan) == PAGE

    @pytest.mark.parametrize("backward", [False, True])
    def test_go_on_deep_inside_the_index(
        self, client: APIClient, sort: str, index: str, backward: bool
    ) -> None:
        middle = Post.objects.published().get(pk=POSTS // 2)
        cursor = cursor_at(middle, sort, backward=backward)

        posts, statement = run(client, sort=sort, cursor=cursor)

        plan = explain(statement)
        assert len(posts) == 10
        assert indexes_of_posts(plan) == {index}
        assert posts_read(plan) == PAGE

    def test_may_be_skipped_without_sorting(
        self, client: APIClient, sort: str, index: str
    ) -> None:
        posts, statement = run(client, sort=sort, skip=10_000)

        plan = explain(statement)
        assert len(posts) == 10
        assert indexes_of_posts(plan) == {index}
        assert "Sort" not in {node["Node Type"] for node in plan}

    @pytest.mark.parametrize("word", ["zyzzyva", "щегол", "ЩЕГОЛ", "漢字", "字", "Zy"])
    def test_are_found_by_a_rare_word(
        self, client: APIClient, sort: str, index: str, word: str
    ) -> None:
        posts, statement = run(client, sort=sort, search=word)

        plan = explain(statement)
        assert len(posts) == 5
        assert indexes_of_posts(plan) == {BY_TITLE}
        assert posts_read(plan) < 20

    @pytest.mark.parametrize("text", ["notes", "ЗАМЕТКИ", "of", "о"])
    def test_are_found_by_a_common_word_or_a_short_one(
        self, client: APIClient, sort: str, index: str, text: str
    ) -> None:
        posts, statement = run(client, sort=sort, search=text)

        plan = explain(statement)
        assert len(posts) == 10
        assert indexes_of_posts(plan) == {index}
        assert posts_read(plan) < 100

    def test_with_words_that_nobody_wrote_are_none(
        self, client: APIClient, sort: str, index: str
    ) -> None:
        posts, statement = run(client, sort=sort, search="quetzal")

        plan = explain(statement)
        assert posts == []
        assert indexes_of_posts(plan) == {BY_TITLE}
        assert posts_read(plan) == 0


class TestOneOwnersPosts:
    @pytest.mark.parametrize(
        ("sort", "index"), [("new", BY_OWNER), ("old", BY_OWNER), ("top", BY_OWNER_VOTES)]
    )
    def test_are_read_in_order(self, client: APIClient, sort: str, index: str) -> None:
        posts, statement = run(client, sort=sort, owner=32)

        plan = explain(statement)
        assert len(posts) == 10
        assert indexes_of_posts(plan) == {index}
        assert posts_read(plan) == PAGE

    @pytest.mark.parametrize("sort", ["new", "old", "top"])
    def test_are_all_that_is_looked_at(self, client: APIClient, sort: str) -> None:
        _, statement = run(client, sort=sort, owner=32, search="e")

        plan = explain(statement)
        assert indexes_of_posts(plan)
        assert posts_read(plan) <= POSTS / OWNERS

    @pytest.mark.parametrize("sort", ["new", "old", "top"])
    def test_are_nothing_for_nobody(self, client: APIClient, sort: str) -> None:
        posts, statement = run(client, sort=sort, owner=USERS + 1)

        assert posts == []
        assert posts_read(explain(statement)) == 0


class TestOwnDrafts:
    @pytest.mark.parametrize("sort", ["new", "old", "top"])
    def test_are_read_without_the_posts(self, client: APIClient, reader: User, sort: str) -> None:
        posts, statement = run(client, sort=sort, published="false")

        plan = explain(statement)
        assert indexes_of_posts(plan) <= {BY_OWNER, BY_OWNER_VOTES}
        assert (
            len(posts)
            == posts_read(plan)
            == Post.objects.filter(published=False, owner=reader).count()
            > 0
        )
