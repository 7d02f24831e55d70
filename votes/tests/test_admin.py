"""Looking at votes in the admin."""

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from posts.models import Post
from posts.tests.factories import PostFactory
from votes.models import Vote
from votes.tests.factories import VoteFactory

VOTES = "/admin/votes/vote/"


@pytest.mark.parametrize("rows", [1, 20])
def test_list_costs_the_same_for_any_number_of_votes(
    as_moderator: Client, rows: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    VoteFactory.create_batch(rows)

    # Session, caller, the caller's own permissions, those of the groups, count, votes with their
    # users and posts.
    with django_assert_num_queries(6):
        response = as_moderator.get(VOTES)

    assert response.context["cl"].result_count == rows


@pytest.mark.parametrize("search", ["{post}", "@reader", "@READER@example.com", "@{user}"])
def test_list_finds_by_post_and_by_user(
    as_moderator: Client, post: Post, reader: User, search: str
) -> None:
    vote = VoteFactory.create(post=post, user=reader)
    VoteFactory.create()

    response = as_moderator.get(VOTES, {"q": search.format(post=post.pk, user=reader.pk)})

    assert list(response.context["cl"].result_list) == [vote]


@pytest.mark.parametrize("search", ["reader", "@read", "9" * 19, "x"])
def test_list_finds_nothing_by_anything_else(
    as_moderator: Client, reader: User, search: str
) -> None:
    VoteFactory.create(user=reader)

    assert as_moderator.get(VOTES, {"q": search}).context["cl"].result_count == 0


def test_vote_shows_its_post_and_user(as_moderator: Client, post: Post, reader: User) -> None:
    vote = VoteFactory.create(post=post, user=reader)

    page = as_moderator.get(f"{VOTES}{vote.pk}/change/").text

    assert "A title" in page
    assert "reader" in page


class TestEverybody:
    """Superusers included."""

    @pytest.mark.parametrize("page", ["add/", "{}/delete/"])
    def test_leaves_votes_alone(self, as_superuser: Client, page: str) -> None:
        vote = VoteFactory.create()

        assert as_superuser.post(VOTES + page.format(vote.pk)).status_code == 403

        assert Vote.objects.filter(pk=vote.pk).exists()

    def test_changes_none(self, as_superuser: Client, reader: User) -> None:
        vote = VoteFactory.create()

        response = as_superuser.post(f"{VOTES}{vote.pk}/change/", {"user": reader.pk})

        assert response.status_code == 403
        vote.refresh_from_db()
        assert vote.user != reader


def test_a_user_is_deleted_with_posts_and_votes_at_any_number(
    as_superuser: Client, reader: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for post in PostFactory.create_batch(20, owner=reader):
        VoteFactory.create(user=reader, post=post)
    others = VoteFactory.create(user=reader).post
    path = f"/admin/accounts/user/{reader.pk}/delete/"

    # Session, caller, user, and a count each of sessions, posts and votes.
    with django_assert_num_queries(6):
        page = as_superuser.get(path).text
    as_superuser.post(path, {"post": "yes"})

    assert "Posts: 20" in page
    assert "Votes: 21" in page
    assert list(Post.objects.values_list("pk", "vote_count")) == [(others.pk, 0)]


def test_the_moderators_go_and_come_with_their_migrations(moderator: User) -> None:
    def migrate(*targets: tuple[str, str]) -> None:
        MigrationExecutor(connection).migrate(targets)

    latest = MigrationExecutor(connection).loader.graph.leaf_nodes()

    migrate(("votes", "0002_count_votes"), ("posts", "0002_touch_updated_at"))
    assert Group.objects.get().permissions.count() == 2
    migrate(("accounts", "0001_initial"))
    assert not Group.objects.exists()
    assert not moderator.has_perm("accounts.view_user")

    migrate(*latest)
    assert Group.objects.get().permissions.count() == 6
