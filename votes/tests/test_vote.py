"""POST /vote."""

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.models import User
from posts.models import Post
from posts.tests.factories import PostFactory
from socialapi.tests.client import LONG_WAY
from votes.models import Vote
from votes.tests.factories import VoteFactory


def vote(
    client: APIClient, post_id: Any, direction: Any, headers: dict[str, str] | None = None
) -> Any:
    body = {"post_id": post_id, "vote_dir": direction}
    return client.post("/vote", body, format="json", headers=headers)


def count(post: Post) -> int:
    post.refresh_from_db()
    return post.vote_count


class TestAdding:
    def test_counts_one_vote(self, as_reader: APIClient, reader: User, post: Post) -> None:
        response = vote(as_reader, post.pk, 1)

        assert response.status_code == 201
        assert response.json() == {"message": "Vote added."}
        assert list(Vote.objects.values_list("user", "post")) == [(reader.pk, post.pk)]
        assert count(post) == 1

    def test_is_a_conflict_the_second_time(self, as_reader: APIClient, post: Post) -> None:
        vote(as_reader, post.pk, 1)

        response = vote(as_reader, post.pk, 1)

        assert response.status_code == 409
        assert response.json()["title"] == "Conflict"
        assert count(post) == 1

    def test_is_open_to_the_owner_of_a_post_or_draft(
        self, as_author: APIClient, post: Post, draft: Post
    ) -> None:
        assert vote(as_author, post.pk, 1).status_code == 201
        assert vote(as_author, draft.pk, 1).status_code == 201
        assert count(draft) == 1

    def test_finds_no_draft_of_others(self, as_reader: APIClient, draft: Post) -> None:
        assert vote(as_reader, draft.pk, 1).status_code == 404
        assert count(draft) == 0

    def test_costs_one_query_or_two_the_long_way(
        self, as_reader: APIClient, post: Post, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        for direction in (1, 0):
            with django_assert_num_queries(1):
                assert vote(as_reader, post.pk, direction).status_code == 201
        for direction in (1, 0):
            with django_assert_num_queries(2):  # The caller with their session; the vote.
                assert vote(as_reader, post.pk, direction, LONG_WAY).status_code == 201

    def test_does_not_move_the_posts_time(self, as_reader: APIClient, post: Post) -> None:
        vote(as_reader, post.pk, 1)

        before = post.updated_at
        post.refresh_from_db()
        assert post.updated_at == before


class TestRemoving:
    def test_takes_back_the_callers_vote_alone(
        self, as_reader: APIClient, reader: User, post: Post
    ) -> None:
        VoteFactory.create(post=post)
        VoteFactory.create(post=post, user=reader)

        response = vote(as_reader, post.pk, 0)

        assert response.status_code == 201
        assert response.json() == {"message": "Vote removed."}
        assert not Vote.objects.filter(user=reader).exists()
        assert count(post) == 1

    def test_is_404_without_a_vote(self, as_reader: APIClient, post: Post) -> None:
        VoteFactory.create(post=post)

        assert vote(as_reader, post.pk, 0).status_code == 404
        assert count(post) == 1

    def test_is_404_when_the_post_has_become_a_draft(
        self, as_reader: APIClient, reader: User, draft: Post
    ) -> None:
        VoteFactory.create(post=draft, user=reader)

        assert vote(as_reader, draft.pk, 0).status_code == 404
        assert count(draft) == 1


@pytest.mark.parametrize("direction", [0, 1])
@pytest.mark.parametrize("post_id", [1, 2**31, 2**63, 10**100])
def test_finds_no_post_that_does_not_exist(
    as_reader: APIClient, post_id: int, direction: int
) -> None:
    assert vote(as_reader, post_id, direction).status_code == 404


@pytest.mark.parametrize("direction", [2, -1, 1.5, True, False, "1", None, [], {}, 10**400])
def test_takes_no_direction_but_0_and_1(as_reader: APIClient, post: Post, direction: Any) -> None:
    response = vote(as_reader, post.pk, direction)

    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["vote_dir"]
    assert not Vote.objects.exists()


@pytest.mark.parametrize("post_id", ["1", None, True, 1.5, [1]])
def test_takes_no_post_but_a_number(as_reader: APIClient, post: Post, post_id: Any) -> None:
    assert list(vote(as_reader, post_id, 1).json()["errors"]) == ["post_id"]


def test_asks_for_what_is_missing(as_reader: APIClient) -> None:
    response = as_reader.post("/vote", {}, format="json")

    assert set(response.json()["errors"]) == {"post_id", "vote_dir"}


def test_requires_login(anonymous: APIClient, post: Post) -> None:
    assert vote(anonymous, post.pk, 1).status_code == 401
    assert count(post) == 0


def test_is_shown_with_the_post(as_reader: APIClient, as_author: APIClient) -> None:
    post = PostFactory.create()
    vote(as_reader, post.pk, 1)

    seen_by_voter = as_reader.get(f"/posts/{post.pk}").json()
    seen_by_other = as_author.get(f"/posts/{post.pk}").json()

    assert (seen_by_voter["votes"], seen_by_voter["voted"]) == (1, True)
    assert (seen_by_other["votes"], seen_by_other["voted"]) == (1, False)
