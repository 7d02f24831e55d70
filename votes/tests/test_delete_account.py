"""DELETE /users/me, and what goes with the account."""

from rest_framework.test import APIClient

from accounts.models import Session, User
from accounts.tests.factories import PASSWORD
from posts.models import Post
from posts.tests.factories import PostFactory
from votes.models import Vote
from votes.tests.factories import VoteFactory


def test_removes_the_account_and_all_that_was_its_own(
    as_author: APIClient, author: User, reader: User
) -> None:
    own_post = PostFactory.create(owner=author)
    others_post = PostFactory.create(owner=reader)
    VoteFactory.create(user=reader, post=own_post)
    VoteFactory.create(user=author, post=others_post)
    VoteFactory.create(post=others_post)

    response = as_author.delete("/users/me", {"password": PASSWORD}, format="json")

    assert response.status_code == 204
    assert response.content == b""
    assert not User.objects.filter(pk=author.pk).exists()
    assert list(Post.objects.all()) == [others_post]
    assert Vote.objects.count() == 1
    assert Session.objects.count() == 0
    others_post.refresh_from_db()
    assert others_post.vote_count == 1
