"""PUT and DELETE /posts/{id}/vote."""

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from posts.models import Post
from votes.models import Vote
from votes.tests.factories import VoteFactory


def test_put_has_a_vote_there_however_often(
    as_reader: APIClient, reader: User, post: Post
) -> None:
    for _ in range(3):
        response = as_reader.put(f"/posts/{post.pk}/vote")
        assert response.status_code == 204
        assert response.content == b""

    assert Vote.objects.get().user == reader
    post.refresh_from_db()
    assert post.vote_count == 1


def test_delete_has_no_vote_there_however_often(
    as_reader: APIClient, reader: User, post: Post
) -> None:
    VoteFactory.create(post=post, user=reader)
    VoteFactory.create(post=post)

    for _ in range(3):
        assert as_reader.delete(f"/posts/{post.pk}/vote").status_code == 204

    assert Vote.objects.count() == 1
    post.refresh_from_db()
    assert post.vote_count == 1


@pytest.mark.parametrize("method", ["put", "delete"])
class TestBoth:
    @pytest.mark.parametrize("pk", ["1", "9223372036854775808", "9" * 40, "x"])
    def test_find_no_post_that_does_not_exist(
        self, as_reader: APIClient, method: str, pk: str
    ) -> None:
        assert getattr(as_reader, method)(f"/posts/{pk}/vote").status_code == 404

    def test_find_no_draft_of_others(self, as_reader: APIClient, draft: Post, method: str) -> None:
        assert getattr(as_reader, method)(f"/posts/{draft.pk}/vote").status_code == 404

    def test_require_login(self, anonymous: APIClient, post: Post, method: str) -> None:
        assert getattr(anonymous, method)(f"/posts/{post.pk}/vote").status_code == 401

    def test_ignore_a_body(self, as_reader: APIClient, post: Post, method: str) -> None:
        response = getattr(as_reader, method)(
            f"/posts/{post.pk}/vote", {"vote_dir": 7}, format="json"
        )

        assert response.status_code == 204


def test_get_is_not_there(as_reader: APIClient, post: Post) -> None:
    response = as_reader.get(f"/posts/{post.pk}/vote")

    assert response.status_code == 405
    assert response["Allow"] == "PUT, DELETE, OPTIONS"
