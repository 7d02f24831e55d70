"""Moderating posts in the admin."""

import logging
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.admin import site
from django.http import HttpRequest
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.models import User
from posts.models import Post
from posts.tests.factories import PostFactory
from socialapi.tests.moderation import history_of, messages_of, run_action
from votes.tests.factories import VoteFactory

POSTS = "/admin/posts/post/"


def page_of(post: Post) -> str:
    """Return the path of a post's own page."""
    return f"{POSTS}{post.pk}/change/"


class TestPublishing:
    """Both ways."""

    def test_asks_first(self, as_moderator: Client, post: Post) -> None:
        response = run_action(as_moderator, POSTS, "unpublish", post, confirmed=False)

        assert f"post {post.pk}: A title" in response.text
        post.refresh_from_db()
        assert post.published

    def test_is_taken_back_from_everyone_but_the_owner(
        self, as_moderator: Client, moderator: User, post: Post, as_reader: APIClient
    ) -> None:
        response = run_action(as_moderator, POSTS, "unpublish", post)

        assert messages_of(response) == ["Unpublish: 1 post."]
        assert history_of(post) == [(moderator.pk, "Unpublish.")]
        assert as_reader.get(f"/posts/{post.pk}").status_code == 404

    def test_is_possible_for_a_draft(
        self, as_moderator: Client, moderator: User, draft: Post, as_reader: APIClient
    ) -> None:
        run_action(as_moderator, POSTS, "publish", draft)

        assert history_of(draft) == [(moderator.pk, "Publish.")]
        assert as_reader.get(f"/posts/{draft.pk}").status_code == 200

    def test_leaves_what_is_so_already(self, as_moderator: Client, post: Post) -> None:
        response = run_action(as_moderator, POSTS, "publish", post)

        assert messages_of(response) == ["Publish: there is nothing to do."]
        assert history_of(post) == []

    def test_touches_nothing_but_the_mark(self, as_moderator: Client, post: Post) -> None:
        run_action(as_moderator, POSTS, "unpublish", post)

        changed = Post.objects.get(pk=post.pk)
        assert (changed.title, changed.content) == ("A title", "Some content")
        assert changed.updated_at - changed.created_at > timedelta(0)


class TestModerators:
    """What they may."""

    def test_edit_posts(self, as_moderator: Client, moderator: User, post: Post) -> None:
        form = {"title": "Milder", "content": "Some content", "published": "on"}

        as_moderator.post(page_of(post), form)

        post.refresh_from_db()
        assert (post.title, post.content) == ("Milder", "Some content")
        assert history_of(post) == [(moderator.pk, "Changed Title.")]

    @pytest.mark.parametrize("bad", [{"title": " "}, {"content": ""}, {"title": "x" * 301}])
    def test_are_told_what_is_wrong(
        self, as_moderator: Client, post: Post, bad: dict[str, str]
    ) -> None:
        form = {"title": "Milder", "content": "Some content", "published": "on"}

        response = as_moderator.post(page_of(post), form | bad)

        assert response.context["adminform"].errors
        post.refresh_from_db()
        assert post.title == "A title"

    def test_give_a_post_to_nobody_else(
        self, as_moderator: Client, post: Post, author: User, reader: User
    ) -> None:
        form = {"title": "Mine", "content": "Some content", "owner": reader.pk}

        as_moderator.post(page_of(post), form)

        post.refresh_from_db()
        assert (post.title, post.owner_id) == ("Mine", author.pk)

    def test_delete_posts(self, as_moderator: Client, post: Post) -> None:
        as_moderator.post(f"{POSTS}{post.pk}/delete/", {"post": "yes"})

        assert not Post.objects.exists()

    def test_delete_several_after_confirming(self, as_moderator: Client, author: User) -> None:
        posts = PostFactory.create_batch(3, owner=author)

        asked = run_action(as_moderator, POSTS, "delete_selected", *posts[:2], confirmed=False)
        run_action(as_moderator, POSTS, "delete_selected", *posts[:2])

        assert f"post {posts[0].pk}: {posts[0].title}" in asked.text
        assert list(Post.objects.all()) == posts[2:]

    def test_delete_no_more_at_once_than_they_can_look_through(
        self, as_moderator: Client, author: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("socialapi.admin.ACTION_MAX", 2)
        PostFactory.create_batch(2, owner=author)
        first = PostFactory.create(owner=author)

        run_action(as_moderator, POSTS, "delete_selected", first, everywhere=True)

        assert Post.objects.count() == 3

    def test_do_not_write_posts(self, as_moderator: Client) -> None:
        assert as_moderator.get(f"{POSTS}add/").status_code == 403

    def test_leave_no_title_behind_in_the_history(self, as_moderator: Client, post: Post) -> None:
        """What a user wrote is gone with the account, and the history outlives it."""
        run_action(as_moderator, POSTS, "unpublish", post)
        as_moderator.post(f"{POSTS}{post.pk}/delete/", {"post": "yes"})

        assert "A title" not in as_moderator.get("/admin/").text


def test_superusers_write_posts_for_others(
    as_superuser: Client, superuser: User, reader: User
) -> None:
    form = {"owner": reader.pk, "title": "Rules", "content": "Be kind.", "published": "on"}

    as_superuser.post(f"{POSTS}add/", form)

    post = Post.objects.get()
    assert (post.owner, post.title, post.published) == (reader, "Rules", True)
    assert history_of(post) == [(superuser.pk, "Added.")]


class TestList:
    """At any size."""

    @pytest.mark.parametrize("rows", [1, 20])
    def test_costs_the_same_for_any_number_of_posts(
        self, as_moderator: Client, rows: int, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        PostFactory.create_batch(rows)

        # Session, caller, the caller's own permissions, those of the groups, count, posts with
        # their owners.
        with django_assert_num_queries(6):
            response = as_moderator.get(POSTS)

        assert response.context["cl"].result_count == rows

    def test_shows_the_votes(self, as_moderator: Client, post: Post) -> None:
        Post.objects.update(vote_count=12345)

        assert '<td class="field-vote_count">12345</td>' in as_moderator.get(POSTS).text

    @pytest.mark.parametrize("search", ["TITLE", "a titl", "@author", "@Author@example.com"])
    def test_finds_by_title_and_by_owner(
        self, as_moderator: Client, post: Post, search: str
    ) -> None:
        PostFactory.create(title="Another", owner__username="title")

        response = as_moderator.get(POSTS, {"q": search})

        assert list(response.context["cl"].result_list) == [post]

    @pytest.mark.parametrize("search", ["%", "@", "@auth", "@%", "content"])
    def test_finds_nothing_by_anything_else(
        self, as_moderator: Client, post: Post, search: str
    ) -> None:
        response = as_moderator.get(POSTS, {"q": search})

        assert list(response.context["cl"].result_list) == []

    def test_leads_to_the_owners_other_posts(self, as_moderator: Client, post: Post) -> None:
        assert '<a href="?q=@author">author</a>' in as_moderator.get(POSTS).text

    @pytest.mark.parametrize(
        ("choice", "count"), [({"published__exact": "0"}, 1), ({"published__exact": "1"}, 1)]
    )
    def test_can_be_filtered(
        self, as_moderator: Client, post: Post, draft: Post, choice: Any, count: int
    ) -> None:
        assert as_moderator.get(POSTS, choice).context["cl"].result_count == count


def test_an_edit_undoes_no_vote_that_was_cast_meanwhile(post: Post) -> None:
    stale = Post.objects.get(pk=post.pk)
    VoteFactory.create(post=post)

    stale.title = "Edited"
    form = SimpleNamespace(changed_data=["title"])
    site.get_model_admin(Post).save_model(HttpRequest(), stale, form, change=True)

    post.refresh_from_db()
    assert (post.title, post.vote_count) == ("Edited", 1)


def test_what_is_done_is_told_to_the_log(
    as_superuser: Client, superuser: User, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "socialapi.admin")
    form = {"title": "Another title", "content": post.content, "published": "on"}
    as_superuser.post(page_of(post), form)
    run_action(as_superuser, POSTS, "unpublish", post)
    as_superuser.post(f"{POSTS}{post.pk}/delete/", {"post": "yes"})
    as_superuser.post(f"{POSTS}add/", form | {"owner": superuser.pk})

    events = [vars(record)["event"] for record in caplog.records]
    known = {"event": "moderation", "moderator_id": superuser.pk, "model": "post"}
    verbs = {"Change": post, "Unpublish": post, "Delete": post, "Add": Post.objects.get()}
    assert events == [known | {"action": verb, "ids": [obj.pk]} for verb, obj in verbs.items()]
