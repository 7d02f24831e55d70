"""POST /posts."""

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.models import User
from posts.models import Post
from socialapi.tests.client import LONG_WAY

BODY = {"title": "A title", "content": "Some content"}


def test_publishes_a_post_of_the_callers(as_author: APIClient, author: User) -> None:
    response = as_author.post("/posts", BODY, format="json")

    assert response.status_code == 201
    post = Post.objects.get()
    assert response["Location"] == f"http://testserver/posts/{post.pk}"
    assert response.json() == {
        "id": post.pk,
        "title": "A title",
        "content": "Some content",
        "published": True,
        "created_at": post.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "updated_at": post.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "owner_id": author.pk,
        "owner": {
            "id": author.pk,
            "username": "author",
            "created_at": author.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        },
        "votes": 0,
        "voted": False,
    }


def test_costs_one_query_or_two_the_long_way(
    as_author: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        as_author.post("/posts", BODY, format="json")
    with django_assert_num_queries(2):  # The caller with their session; the post.
        as_author.post("/posts", BODY, format="json", headers=LONG_WAY)


def test_keeps_a_draft_when_asked_to(as_author: APIClient) -> None:
    response = as_author.post("/posts", BODY | {"published": False}, format="json")

    assert response.json()["published"] is False
    assert not Post.objects.get().published


def test_keeps_the_content_as_it_was_sent(as_author: APIClient) -> None:
    content = "    indented\n\n\ttext 🐎\n"

    response = as_author.post("/posts", BODY | {"content": content}, format="json")

    assert response.json()["content"] == content
    assert Post.objects.get().content == content


def test_ignores_what_is_not_the_callers_to_set(
    as_author: APIClient, author: User, reader: User
) -> None:
    stolen = {"id": 7, "owner": reader.pk, "owner_id": reader.pk, "votes": 99, "vote_count": 99}

    response = as_author.post("/posts", BODY | stolen | {"colour": "red"}, format="json")

    assert response.status_code == 201
    post = Post.objects.get()
    assert (post.owner, post.vote_count) == (author, 0)
    assert post.pk != 7


@pytest.mark.django_db
def test_requires_login(anonymous: APIClient) -> None:
    assert anonymous.post("/posts", BODY, format="json").status_code == 401
    assert not Post.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("title", " \t\n"),
        ("title", "x" * 301),
        ("title", None),
        ("title", 7),
        ("title", ["x"]),
        ("title", "a\x00b"),
        ("content", ""),
        ("content", " \t\n"),
        ("content", "x" * 40_001),
        ("content", {"text": "x"}),
        ("published", "yes"),
        ("published", 1),
        ("published", None),
    ],
)
def test_refuses_bad_input(as_author: APIClient, field: str, value: Any) -> None:
    response = as_author.post("/posts", BODY | {field: value}, format="json")

    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert list(response.json()["errors"]) == [field]
    assert not Post.objects.exists()


@pytest.mark.parametrize("field", ["title", "content"])
def test_asks_for_what_is_missing(as_author: APIClient, field: str) -> None:
    body = {name: value for name, value in BODY.items() if name != field}

    response = as_author.post("/posts", body, format="json")

    assert response.json()["errors"] == {field: ["This field is required."]}


def test_takes_the_longest_title_and_content(as_author: APIClient) -> None:
    body = {"title": "🐎" * 300, "content": "🐎" * 40_000}

    assert as_author.post("/posts", body, format="json").status_code == 201


def test_takes_no_form(as_author: APIClient) -> None:
    form = "title=A&content=B"

    response = as_author.post("/posts", form, content_type="application/x-www-form-urlencoded")

    assert response.status_code == 415
