"""What the database itself refuses, whoever writes."""

from typing import Any

import pytest
from django.db import DataError, IntegrityError, connection, transaction

from accounts.models import User
from accounts.tests.factories import UserFactory
from posts.models import Post
from posts.tests.factories import PostFactory
from votes.tests.factories import VoteFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "change",
    [
        {"title": ""},
        {"title": " \t"},
        {"title": "x" * 301},
        {"content": ""},
        {"content": "\n"},
        {"content": "x" * 40_001},
        {"vote_count": -1},
    ],
    ids=str,
)
def test_no_post_breaks_a_bound(change: dict[str, Any]) -> None:
    post = PostFactory.create()

    with pytest.raises((IntegrityError, DataError)), transaction.atomic():
        Post.objects.filter(pk=post.pk).update(**change)


@pytest.mark.parametrize("change", [{"email": "A@EXAMPLE.com"}, {"username": "A"}])
def test_no_two_users_share_an_email_or_a_name_in_any_case(change: dict[str, str]) -> None:
    UserFactory.create(email="a@example.com", username="aaa")
    other = UserFactory.create(email="b@example.com", username="bbb")
    change = {
        field: value.replace("A", "aAa") if field == "username" else value
        for field, value in change.items()
    }

    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=other.pk).update(**change)


def test_no_username_breaks_the_rule() -> None:
    user = UserFactory.create()

    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=user.pk).update(username="has space")


def test_raw_sql_fills_in_the_defaults() -> None:
    owner = UserFactory.create()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO posts_post (owner_id, title, content) VALUES (%s, 'T', 'C')", [owner.pk]
        )

    post = Post.objects.get()
    assert post.published
    assert post.vote_count == 0
    assert post.created_at == post.updated_at


def test_raw_sql_moves_the_time_of_a_change_but_a_vote_does_not() -> None:
    post = PostFactory.create()
    VoteFactory.create(post=post)
    before = post.updated_at
    post.refresh_from_db()
    assert post.updated_at == before

    with connection.cursor() as cursor:
        cursor.execute("UPDATE posts_post SET title = 'Other'")

    post.refresh_from_db()
    assert post.updated_at > before
