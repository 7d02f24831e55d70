"""GET /posts: what is listed, and in which order."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.models import User
from posts.models import Post
from posts.tests.factories import PostFactory
from socialapi.tests.client import LONG_WAY
from votes.tests.factories import VoteFactory


def titles(client: APIClient, query: str = "", headers: dict[str, str] | None = None) -> list[str]:
    response = client.get(f"/posts{query}", headers=headers)
    assert response.status_code == 200, response.content
    return [post["title"] for post in response.json()["results"]]


def test_shows_posts_as_they_are_shown_alone(as_reader: APIClient, post: Post) -> None:
    VoteFactory.create(post=post)

    response = as_reader.get("/posts")

    assert response.json() == {
        "results": [as_reader.get(f"/posts/{post.pk}").json()],
        "next": None,
        "previous": None,
    }


@pytest.mark.django_db
def test_requires_login(anonymous: APIClient) -> None:
    assert anonymous.get("/posts").status_code == 401


def test_is_ten_posts_long_unless_told_otherwise(as_reader: APIClient) -> None:
    PostFactory.create_batch(12)

    assert len(titles(as_reader)) == 10
    assert len(titles(as_reader, "?limit=12")) == 12


@pytest.mark.parametrize("search", ["", "&search=TITLE"])
def test_costs_as_many_queries_however_long(
    as_reader: APIClient, search: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for votes in range(20):
        VoteFactory.create_batch(votes % 3, post=PostFactory.create())

    for limit in (1, 20):
        query = f"?limit={limit}{search}"
        with django_assert_num_queries(1):
            assert len(titles(as_reader, query)) == limit
        # The caller with their session; the page.
        with django_assert_num_queries(2):
            assert len(titles(as_reader, query, LONG_WAY)) == limit


def test_sorts_by_time_or_by_votes(as_reader: APIClient) -> None:
    now = timezone.now()
    for title, days, votes in [("b", 2, 1), ("a", 3, 2), ("c", 1, 0)]:
        post = PostFactory.create(title=title, created_at=now - timedelta(days=days))
        VoteFactory.create_batch(votes, post=post)

    assert titles(as_reader) == ["c", "b", "a"]
    assert titles(as_reader, "?sort=new") == ["c", "b", "a"]
    assert titles(as_reader, "?sort=old") == ["a", "b", "c"]
    assert titles(as_reader, "?sort=top") == ["a", "b", "c"]


def test_narrows_down_to_an_owner(as_reader: APIClient, author: User, post: Post) -> None:
    PostFactory.create()

    assert titles(as_reader, f"?owner={author.pk}") == ["A title"]


@pytest.mark.parametrize("owner", ["0", "-1", "999999", "9" * 30])
def test_is_empty_for_an_owner_who_does_not_exist(
    as_reader: APIClient, post: Post, owner: str
) -> None:
    assert titles(as_reader, f"?owner={owner}") == []


def test_shows_drafts_to_their_owner_alone(
    as_author: APIClient, as_reader: APIClient, author: User, post: Post, draft: Post
) -> None:
    assert titles(as_author) == ["A title"]
    assert titles(as_author, "?published=false") == [draft.title]
    assert titles(as_author, f"?published=false&owner={author.pk}") == [draft.title]
    assert titles(as_reader, "?published=false") == []
    assert titles(as_reader, f"?published=false&owner={author.pk}") == []


def test_ignores_parameters_that_it_does_not_know(as_reader: APIClient, post: Post) -> None:
    assert titles(as_reader, "?format=xml&page=3&colour=red&search=") == ["A title"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=", "limit"),
        ("limit=x", "limit"),
        ("limit=1.5", "limit"),
        ("skip=-1", "skip"),
        ("skip=10001", "skip"),
        ("owner=x", "owner"),
        ("published=maybe", "published"),
        ("published=", "published"),
        ("sort=best", "sort"),
        ("search=%00", "search"),
        ("cursor=nonsense", "cursor"),
    ],
)
def test_refuses_a_bad_parameter_rather_than_guess(
    as_reader: APIClient, query: str, field: str
) -> None:
    response = as_reader.get(f"/posts?{query}")

    assert response.status_code == 400
    assert list(response.json()["errors"]) == [field]


def test_names_cursor_to_who_skips_too_far(as_reader: APIClient) -> None:
    response = as_reader.get("/posts?skip=10001")

    assert "`cursor`" in response.json()["errors"]["skip"][0]


def test_names_every_bad_parameter_at_once(as_reader: APIClient) -> None:
    response = as_reader.get("/posts?limit=0&owner=x&sort=best")

    assert set(response.json()["errors"]) == {"limit", "owner", "sort"}


class TestSearch:
    def found(self, client: APIClient, text: str) -> Any:
        response = client.get("/posts", {"search": text})
        return [post["title"] for post in response.json()["results"]]

    @pytest.mark.parametrize(
        ("title", "text"),
        [
            ("Learning Django", "django"),
            ("Learning Django", "ING DJ"),
            ("Élan vital", "élAN"),
            ("Привет, мир", "ПРИВЕТ"),
            ("Ὀδυσσεύς", "ὈΔΥΣΣΕΎΣ"),
            ("100% sure", "0%"),
            ("snake_case", "E_C"),
            (r"C:\temp", r"\t"),
            ("It's 'quoted'", "'QUOTED'"),
            ("🐎 horse", "🐎"),
        ],
    )
    def test_finds_text_in_the_title_in_any_case_of_any_script(
        self, as_reader: APIClient, title: str, text: str
    ) -> None:
        PostFactory.create(title=title)
        PostFactory.create(title="Something else")

        assert self.found(as_reader, text) == [title]

    @pytest.mark.parametrize(
        "title", [r"It's 'a' & \b\\ | (!straße:*)", "漢字 🐎 ﬁn İstanbuł ΣΊΣυφος"]
    )
    def test_finds_a_title_by_every_part_of_it(self, author: User, title: str) -> None:
        for each in (title, title[1:], title[:-1], title[:9] + "x" + title[9:]):
            PostFactory.create(owner=author, title=each)
        ends = [(start, end) for end in range(len(title) + 1) for start in range(end)]

        for text in {title[start:end] for start, end in ends}:
            found = Post.objects.matching(text).order_by("id")
            assert list(found) == list(Post.objects.filter(title__icontains=text).order_by("id"))
            assert found

    @pytest.mark.parametrize("text", ["%", "_", "\\", "100%sure", "snakeXcase"])
    def test_takes_wildcards_as_themselves(self, as_reader: APIClient, text: str) -> None:
        PostFactory.create(title="100 sure snake case")

        assert self.found(as_reader, text) == []

    def test_looks_at_the_title_alone(self, as_reader: APIClient) -> None:
        PostFactory.create(title="One", content="needle")

        assert self.found(as_reader, "needle") == []

    def test_finds_no_drafts_of_others(self, as_reader: APIClient, draft: Post) -> None:
        assert self.found(as_reader, draft.title) == []

    def test_goes_with_other_parameters(
        self, as_reader: APIClient, author: User, post: Post
    ) -> None:
        PostFactory.create(title="A title too")

        assert titles(as_reader, f"?search=TITLE&owner={author.pk}&sort=top") == ["A title"]


@pytest.mark.parametrize("way", [{}, LONG_WAY])
def test_searches_the_posts_of_an_owner_whom_no_id_can_name(
    as_reader: APIClient, post: Post, way: dict[str, Any]
) -> None:
    assert titles(as_reader, f"?search={post.title}&owner={10**20}", way) == []


@pytest.mark.parametrize("accept", ["text/*", "TEXT/HTML"])
def test_shows_a_page_to_whom_a_bad_token_keeps_out(
    anonymous: APIClient, db: None, accept: str
) -> None:
    response = anonymous.get("/posts", headers={"accept": accept, "authorization": "Bearer x"})

    assert response.status_code == 401
    assert response["Content-Type"].startswith("text/html")
