"""GET /posts: walking its pages."""

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from posts.models import Post
from posts.tests.factories import PostFactory
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


def walk(client: APIClient, url: str | None, direction: str = "next") -> Iterator[dict[str, Any]]:
    while url:
        response = client.get(url)
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
        forged("new", "yes", ["2026-01-01T00:00:00Z", 1]),
        forged({"new": 1}, False, ["2026-01-01T00:00:00Z", 1]),
    ],
)
def test_a_cursor_not_made_here_is_refused(as_reader: APIClient, cursor: str) -> None:
    response = as_reader.get(f"/posts?cursor={cursor}")

    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["cursor"]
