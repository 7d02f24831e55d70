"""PUT, PATCH and DELETE /posts/{id}."""

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from posts.models import Post
from socialapi.tests.client import LONG_WAY
from votes.models import Vote
from votes.tests.factories import VoteFactory

BODY = {"title": "New title", "content": "New content"}
METHODS = ["put", "patch", "delete"]


class TestReplace:
    def test_changes_the_post(self, as_author: APIClient, post: Post) -> None:
        response = as_author.put(f"/posts/{post.pk}", BODY, format="json")

        assert response.status_code == 200
        assert response.json()["title"] == "New title"
        stored = Post.objects.get()
        assert (stored.title, stored.content) == ("New title", "New content")
        assert stored.updated_at > post.updated_at
        assert response.json()["updated_at"] == f"{stored.updated_at:%Y-%m-%dT%H:%M:%S.%fZ}"
        assert stored.created_at == post.created_at

    def test_publishes_unless_told_otherwise(self, as_author: APIClient, draft: Post) -> None:
        as_author.put(f"/posts/{draft.pk}", BODY, format="json")

        draft.refresh_from_db()
        assert draft.published

    @pytest.mark.parametrize("field", ["title", "content"])
    def test_asks_for_all_that_a_post_needs(
        self, as_author: APIClient, post: Post, field: str
    ) -> None:
        body = {name: value for name, value in BODY.items() if name != field}

        response = as_author.put(f"/posts/{post.pk}", body, format="json")

        assert response.status_code == 400
        post.refresh_from_db()
        assert post.title == "A title"

    def test_costs_one_query_or_four_the_long_way(
        self,
        as_author: APIClient,
        post: Post,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        with django_assert_num_queries(1):
            as_author.put(f"/posts/{post.pk}", BODY, format="json")
        # The caller with their session; the post; the change; the time the trigger set.
        with django_assert_num_queries(4):
            as_author.put(f"/posts/{post.pk}", BODY, format="json", headers=LONG_WAY)


class TestChange:
    def test_changes_what_was_sent_alone(self, as_author: APIClient, post: Post) -> None:
        Post.objects.filter(pk=post.pk).update(content="Changed meanwhile")

        response = as_author.patch(f"/posts/{post.pk}", {"title": "New title"}, format="json")

        assert response.status_code == 200
        post.refresh_from_db()
        assert (post.title, post.content) == ("New title", "Changed meanwhile")

    def test_leaves_the_time_alone_when_nothing_changes(
        self, as_author: APIClient, post: Post
    ) -> None:
        for body in ({}, {"title": post.title}):
            response = as_author.patch(f"/posts/{post.pk}", body, format="json")
            assert response.status_code == 200

        updated_at = post.updated_at
        post.refresh_from_db()
        assert post.updated_at == updated_at

    def test_keeps_the_votes_when_a_post_becomes_a_draft(
        self, as_author: APIClient, as_reader: APIClient, post: Post
    ) -> None:
        VoteFactory.create(post=post)

        response = as_author.patch(f"/posts/{post.pk}", {"published": False}, format="json")

        assert response.json()["votes"] == 1
        assert Vote.objects.count() == 1
        assert as_reader.get(f"/posts/{post.pk}").status_code == 404

    @pytest.mark.parametrize("body", [{"title": ""}, {"published": "no"}, {"content": 5}])
    def test_refuses_bad_input(
        self, as_author: APIClient, post: Post, body: dict[str, Any]
    ) -> None:
        assert as_author.patch(f"/posts/{post.pk}", body, format="json").status_code == 400

    def test_ignores_read_only_fields(self, as_author: APIClient, post: Post) -> None:
        body = {"id": 7, "votes": 99, "owner_id": 1, "updated_at": "2001-01-01T00:00:00Z"}

        response = as_author.patch(f"/posts/{post.pk}", body, format="json")

        assert response.status_code == 200
        assert response.json()["id"] == post.pk
        assert response.json()["votes"] == 0


class TestDelete:
    def test_removes_the_post_and_its_votes(self, as_author: APIClient, post: Post) -> None:
        VoteFactory.create(post=post)

        response = as_author.delete(f"/posts/{post.pk}")

        assert response.status_code == 204
        assert not Post.objects.exists()
        assert not Vote.objects.exists()
        assert as_author.delete(f"/posts/{post.pk}").status_code == 404


@pytest.mark.parametrize("method", METHODS)
class TestOthers:
    @pytest.mark.parametrize("body", [BODY, {"title": ""}, [], "broken"])
    def test_may_not_touch_a_post_whatever_they_send(
        self, as_reader: APIClient, post: Post, method: str, body: Any
    ) -> None:
        data = {"data": "{broken", "content_type": "application/json"}
        if body != "broken":
            data = {"data": body, "format": "json"}

        response = getattr(as_reader, method)(f"/posts/{post.pk}", **data)

        assert response.status_code == 403
        post.refresh_from_db()
        assert post.title == "A title"

    def test_cannot_see_a_draft_to_touch(
        self, as_reader: APIClient, draft: Post, method: str
    ) -> None:
        response = getattr(as_reader, method)(f"/posts/{draft.pk}", BODY, format="json")

        assert response.status_code == 404
        assert Post.objects.filter(pk=draft.pk).exists()

    def test_need_a_token(self, anonymous: APIClient, post: Post, method: str) -> None:
        response = getattr(anonymous, method)(f"/posts/{post.pk}", BODY, format="json")

        assert response.status_code == 401
