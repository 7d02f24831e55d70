"""What is logged for the stream when votes change, whoever writes them, and however."""

import pytest
from django.core.management import call_command
from django.db import connection

from accounts.tests.factories import UserFactory
from posts.models import Change
from posts.tests.factories import PostFactory
from votes.management import demo_text
from votes.models import Vote
from votes.tests.factories import VoteFactory

pytestmark = pytest.mark.django_db

VOTES = Change.Kind.VOTES


def logged() -> list[tuple[int, int]]:
    """Return post and kind of what was logged since this was called last."""
    changes = list(Change.objects.order_by("post_id", "kind").values_list("post_id", "kind"))
    Change.objects.all().delete()
    return changes


def test_a_vote_and_its_end() -> None:
    user, post = UserFactory.create(), PostFactory.create()
    logged()
    for act in (Vote.objects.cast, Vote.objects.withdraw):
        act(user, post.pk)
        assert logged() == [(post.pk, VOTES)]
        act(user, post.pk)
        assert logged() == []


def test_no_vote_on_a_draft() -> None:
    draft = PostFactory.create(draft=True)
    Vote.objects.cast(draft.owner, draft.pk)
    Vote.objects.withdraw(draft.owner, draft.pk)
    assert logged() == []


def test_each_post_once_however_many_votes_go() -> None:
    posts = PostFactory.create_batch(3)
    user = UserFactory.create()
    for post in posts:
        VoteFactory.create_batch(2, post=post)
        VoteFactory.create(post=post, user=user)
    logged()
    user.delete()
    assert logged() == [(post.pk, VOTES) for post in posts]
    Vote.objects.all().delete()
    assert logged() == [(post.pk, VOTES) for post in posts]


def test_the_end_of_all_votes_at_once() -> None:
    posts = PostFactory.create_batch(2)
    VoteFactory.create(post=posts[0])
    logged()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("TRUNCATE votes_vote")
    assert logged() == [(posts[0].pk, VOTES)]


def test_nothing_of_demo_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_text, "POOL", 30)
    call_command("seed", users=5, posts=10, votes=20, verbosity=0)
    assert logged() == []
