"""GET /posts: walking its pages."""

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tests.factories import UserFactory
from posts.models import Post
from posts.pagination import PostListSerializer
from posts.tests.factories import PostFactory
from socialapi.tests.client import LONG_WAY
from votes.models import Vote
from votes.tests.factories import VoteFactory


@pytest.fixture
def twelve(author: User) -> list[Post]:
    """Twelve posts in the order they were written, some at the same time, some with votes."""
    start = timezone.now() - timedelta(days=1)
    posts = [
        PostFactory.create(owner=author, created_at=start + timedelta(hours=n // 3))
        for n in range(12)
    ]
    for number, post in enumerate(posts):
        VoteFactory.create_batch(number % 2, post=post)
    return posts


def walk(
    client: APIClient,
    url: str | None,
    direction: str = "next",
    headers: dict[str, str] | None = None,
) -> Iterator[dict[str, Any]]:
    while url:
        response = client.get(url, headers=headers)
        assert response.status_code == 200, response.content
        yield response.json()
        url = response.json()[direction]


def ids(pages: Iterator[dict[str, Any]]) -> list[list[int]]:
    return [[post["id"] for post in page["results"]] for page in pages]


def flat(pages: list[list[int]]) -> list[int]:
    return [post_id for page in pages for post_id in page]


@pytest.mark.parametrize("sort", ["new", "old", "top"])
@pytest.mark.parametrize("limit", [1, 5, 6, 12, 100])
def test_forward_shows_every_post_once_in_order(
    as_reader: APIClient, twelve: list[Post], sort: str, limit: int
) -> None:
    in_order = flat(ids(walk(as_reader, f"/posts?sort={sort}&limit=100")))

    pages = ids(walk(as_reader, f"/posts?sort={sort}&limit={limit}"))

    assert flat(pages) == in_order
    assert {len(page) for page in pages[:-1]} <= {limit}
    assert all(pages)
    assert len(in_order) == 12


@pytest.mark.parametrize("sort", ["new", "old", "top"])
def test_backward_shows_the_same_pages(
    as_reader: APIClient, twelve: list[Post], sort: str
) -> None:
    forward = list(walk(as_reader, f"/posts?sort={sort}&limit=5"))
    assert forward[0]["previous"] is None
    assert forward[-1]["next"] is None

    backward = ids(walk(as_reader, forward[-1]["previous"], "previous"))

    assert backward == ids(iter(forward[:-1]))[::-1]


def test_links_are_absolute_and_keep_the_other_parameters(
    as_reader: APIClient, author: User, twelve: list[Post]
) -> None:
    page = as_reader.get(f"/posts?limit=3&owner={author.pk}&search=TITLE&sort=old&x=1").json()

    assert page["next"].startswith("http://testserver/posts?")
    for parameter in ("limit=3", f"owner={author.pk}", "search=TITLE", "sort=old", "x=1"):
        assert parameter in page["next"]


def test_skip_leaves_posts_out_and_next_continues_from_there(
    as_reader: APIClient, twelve: list[Post]
) -> None:
    newest_first = [post.pk for post in reversed(twelve)]

    pages = list(walk(as_reader, "/posts?limit=3&skip=4"))

    assert flat(ids(iter(pages))) == newest_first[4:]
    assert "skip" not in pages[0]["next"]
    before = as_reader.get(pages[0]["previous"]).json()
    assert [post["id"] for post in before["results"]] == newest_first[1:4]


def test_skip_beyond_the_end_is_empty(as_reader: APIClient, twelve: list[Post]) -> None:
    page = as_reader.get("/posts?skip=10000").json()

    assert page == {"results": [], "next": None, "previous": None}


def test_posts_written_meanwhile_neither_repeat_nor_hide_any(
    as_reader: APIClient, twelve: list[Post]
) -> None:
    seen: list[int] = []
    for page in walk(as_reader, "/posts?limit=3"):
        seen += [post["id"] for post in page["results"]]
        PostFactory.create_batch(2)

    assert seen == [post.pk for post in reversed(twelve)]


def test_a_cursor_survives_the_deletion_of_its_post(
    as_reader: APIClient, twelve: list[Post]
) -> None:
    newest_first = [post.pk for post in reversed(twelve)]
    page = as_reader.get("/posts?limit=3").json()
    Post.objects.filter(pk=newest_first[2]).delete()

    following = as_reader.get(page["next"]).json()

    assert [post["id"] for post in following["results"]] == newest_first[3:6]


def test_an_emptied_page_still_leads_back(as_reader: APIClient, twelve: list[Post]) -> None:
    newest_first = [post.pk for post in reversed(twelve)]
    page = as_reader.get("/posts?limit=10").json()
    Post.objects.filter(pk__in=newest_first[10:]).delete()

    empty = as_reader.get(page["next"]).json()

    assert (empty["results"], empty["next"]) == ([], None)
    back = as_reader.get(empty["previous"]).json()
    assert [post["id"] for post in back["results"]] == newest_first[:10]


ORDERS = PostListSerializer.orders
WAYS = [{}, LONG_WAY]


@pytest.fixture
def many(author: User) -> None:
    """A hundred posts and five, many of the same time or as many votes, some with an A."""
    start = timezone.now() - timedelta(days=9)
    posts = Post.objects.bulk_create(
        Post(
            owner=author,
            title=f"{'AB'[n % 3 == 0]} {n}",
            content="x",
            created_at=start + timedelta(hours=n * 7919 % 105 // 4),
        )
        for n in range(105)
    )
    voters = UserFactory.create_batch(3)
    Vote.objects.bulk_create(
        Vote(user=voter, post=post)
        for number, post in enumerate(posts)
        for voter in voters[: number % 4]
    )


@pytest.mark.parametrize("limit", [1, 10, 11, 20, 50, 99, 100])
def test_a_page_has_as_many_posts_as_were_asked_for_and_the_next_one_follows(
    as_reader: APIClient, many: None, limit: int
) -> None:
    for (sort, order), headers in product(ORDERS.items(), WAYS):
        in_order = list(Post.objects.order_by(*order).values_list("pk", flat=True))

        page = as_reader.get(f"/posts?limit={limit}&sort={sort}", headers=headers).json()
        assert [post["id"] for post in page["results"]] == in_order[:limit]
        assert page["previous"] is None
        following = as_reader.get(page["next"], headers=headers).json()
        assert [post["id"] for post in following["results"]] == in_order[limit : 2 * limit]
        assert (following["next"] is None) == (2 * limit >= len(in_order))
        before = as_reader.get(following["previous"], headers=headers).json()
        assert before["results"] == page["results"]
        assert before["previous"] is None


@pytest.mark.parametrize("limit", [10, 20, 35])
def test_the_last_page_may_be_a_full_one(
    as_reader: APIClient, many: None, author: User, limit: int
) -> None:
    Post.objects.filter(title__startswith="B").delete()
    assert Post.objects.count() == 70

    pages = list(walk(as_reader, f"/posts?limit={limit}"))

    assert [len(page["results"]) for page in pages] == [limit] * (70 // limit) + (
        [70 % limit] if 70 % limit else []
    )


@pytest.mark.parametrize("sort", ORDERS)
@pytest.mark.parametrize(
    "query", ["search=a", "skip=7", "search=A%20&skip=7", "search=1&owner={}"]
)
def test_pages_of_a_search_and_after_a_skip_are_those_of_the_plain_list(
    as_reader: APIClient, many: None, author: User, sort: str, query: str
) -> None:
    posts = Post.objects.order_by(*ORDERS[sort])
    if "search" in query:
        posts = posts.filter(title__icontains=query[7])
    skipped = 7 if "skip" in query else 0
    in_order = list(posts.values_list("pk", flat=True))[skipped:]
    address = f"/posts?limit=20&sort={sort}&{query.format(author.pk)}"

    for headers in WAYS:
        pages = list(walk(as_reader, address, headers=headers))
        assert flat(ids(iter(pages))) == in_order
        assert {len(page["results"]) for page in pages[:-1]} == {20}
        back = flat(ids(walk(as_reader, pages[-1]["previous"], "previous", headers))[::-1])
        # On the way back what was skipped comes last.
        assert back[skipped:] == in_order[: -len(pages[-1]["results"])]


def test_links_of_a_search_keep_it(as_reader: APIClient, many: None) -> None:
    page = as_reader.get("/posts?search=%61%20&limit=3&skip=1").json()

    assert "?search=%61%20&limit=3&cursor=" in page["next"]
    assert "?search=%61%20&limit=3&cursor=" in page["previous"]


@pytest.mark.parametrize("sort", ["old", "top"])
def test_a_cursor_is_refused_under_another_sort(
    as_reader: APIClient, twelve: list[Post], sort: str
) -> None:
    following = as_reader.get("/posts?limit=3&sort=new").json()["next"]

    response = as_reader.get(following.replace("sort=new", f"sort={sort}"))

    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["cursor"]


def forged(*content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "é",
        "A",
        "%00",
        forged(),
        forged("new", False),
        forged("new", False, []),
        forged("new", False, ["2026-01-01T00:00:00Z"]),
        forged("new", False, ["yesterday", 1]),
        forged("new", False, ["2026-01-01T00:00:00Z", "x"]),
        forged("new", False, [None, None]),
        forged("new", False, [["x"], {}]),
        forged("new", True, ["2026-01-01T00:00:00Z", 2**64 - 1]),
        forged("new", False, ["0001-01-01T00:00:00Z", -(2**63)]),
        forged("new", True, ["0001-01-01T00:00:00+23:59", 1]),
        forged("new", False, ["9999-12-31T23:59:59-23:59", 1]),
        forged("new", False, ["1970-01-01T00:00:00Z", "1"]),
        forged("new", False, ["2026-01-01T00:00:00Z", True]),
        forged("new", False, ["2026-01-01T00:00:00Z", 1.5]),
        forged("new", False, ["2026-01-01T00:00:00Z", 10**300]),
        forged("top", False, [2**31 - 1, 1]),
        forged("top", True, [-(2**31) - 1, 1]),
        forged("top", False, [2**62, 1]),
        forged("new", "yes", ["2026-01-01T00:00:00Z", 1]),
        forged({"new": 1}, False, ["2026-01-01T00:00:00Z", 1]),
    ],
)
def test_a_cursor_not_made_here_is_refused(as_reader: APIClient, cursor: str) -> None:
    for sort in ORDERS:
        response = as_reader.get(f"/posts?sort={sort}&cursor={cursor}")

        assert response.status_code == 400
        assert list(response.json()["errors"]) == ["cursor"]
