"""GET /posts/{id}."""

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.models import User
from posts.models import Post
from posts.tests.factories import PostFactory
from socialapi.tests.client import LONG_WAY
from votes.tests.factories import VoteFactory


def test_shows_a_post_with_its_votes_and_the_callers(
    as_reader: APIClient, reader: User, post: Post
) -> None:
    VoteFactory.create(post=post)
    assert as_reader.get(f"/posts/{post.pk}").json()["voted"] is False

    VoteFactory.create(post=post, user=reader)

    response = as_reader.get(f"/posts/{post.pk}")
    assert response.status_code == 200
    assert response.json()["votes"] == 2
    assert response.json()["voted"] is True


def test_shows_no_email(as_reader: APIClient, post: Post) -> None:
    assert b"@example.com" not in as_reader.get(f"/posts/{post.pk}").content


def test_shows_a_draft_to_its_owner_alone(
    as_author: APIClient, as_reader: APIClient, draft: Post
) -> None:
    assert as_author.get(f"/posts/{draft.pk}").status_code == 200
    assert as_reader.get(f"/posts/{draft.pk}").status_code == 404


def test_requires_login(anonymous: APIClient, post: Post) -> None:
    assert anonymous.get(f"/posts/{post.pk}").status_code == 401


@pytest.mark.parametrize("pk", ["0", "999999", "9223372036854775808", "9" * 40, "x", "1.5", "-1"])
def test_knows_no_post_that_does_not_exist(as_reader: APIClient, pk: str) -> None:
    response = as_reader.get(f"/posts/{pk}")

    assert response.status_code == 404
    assert response.json()["status"] == 404


def test_costs_one_query_or_two_the_long_way(
    as_reader: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    post = PostFactory.create()
    VoteFactory.create_batch(3, post=post)

    with django_assert_num_queries(1):
        as_reader.get(f"/posts/{post.pk}")
    with django_assert_num_queries(2):  # The caller with their session; the post.
        as_reader.get(f"/posts/{post.pk}", headers=LONG_WAY)
