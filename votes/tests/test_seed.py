"""manage.py seed."""

import re
import sys
from collections import Counter
from datetime import timedelta
from io import StringIO
from statistics import mean, median
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import USERNAME_PATTERN, User
from accounts.tests.factories import UserFactory
from conftest import ClientFor
from posts.models import Post
from votes.management import demo_text
from votes.models import Vote


@pytest.fixture(autouse=True)
def few_words(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sample fewer words than the command does, which takes a second."""
    monkeypatch.setattr(demo_text, "POOL", 30)
    monkeypatch.delenv("SEED_PASSWORD", raising=False)


def seed(**options: Any) -> str:
    output = StringIO()
    call_command("seed", stdout=output, **options)
    return output.getvalue()


def log_in(email: str, password: str) -> int:
    credentials = {"email": email, "password": password}
    return APIClient().post("/login", credentials, format="json").status_code


class TestSizes:
    def test_are_as_asked_for(self) -> None:
        output = seed(users=20, posts=300, votes=1234)

        assert User.objects.filter(email__startswith="user").count() == 20
        assert Post.objects.count() == 300
        assert Vote.objects.count() == 1234
        assert "Loaded 20 users, 300 posts and 1,234 votes in " in output

    def test_are_small_by_default(self) -> None:
        seed()

        assert (Post.objects.count(), Vote.objects.count()) == (500, 3000)

    def test_may_be_nothing(self) -> None:
        seed(users=0, posts=0, votes=0)

        assert User.objects.get().email == "moderator@example.com"

    def test_may_be_every_vote_there_can_be(self) -> None:
        seed(users=7, posts=11, votes=77)

        assert set(Post.objects.values_list("vote_count", flat=True)) == {7}

    @pytest.mark.parametrize(
        ("sizes", "message"),
        [
            ({"users": -1}, "cannot be negative"),
            ({"posts": -1}, "cannot be negative"),
            ({"votes": -1}, "cannot be negative"),
            ({"users": 0, "posts": 1, "votes": 0}, "need users"),
            ({"users": 2, "posts": 3, "votes": 7}, "2 users have 6 votes on 3 posts at most"),
        ],
    )
    def test_that_cannot_be_are_refused(self, sizes: dict[str, int], message: str) -> None:
        with pytest.raises(CommandError, match=message):
            seed(**sizes)

        assert not User.objects.exists()


class TestUsers:
    def test_log_in_with_the_password_that_is_printed(self) -> None:
        output = seed(users=3, posts=0, votes=0)

        assert output.endswith("password correct-horse-42\n")
        assert log_in("user1@example.com", "correct-horse-42") == 200
        assert log_in("user3@example.com", "correct-horse-42") == 200

    def test_get_the_password_of_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SEED_PASSWORD", "battery-staple-7")

        output = seed(users=1, posts=0, votes=0)

        assert output.endswith("password battery-staple-7\n")
        assert log_in("user1@example.com", "battery-staple-7") == 200

    @pytest.mark.parametrize("password", ["short", "12345678", "moderator@example"])
    def test_get_no_bad_password(self, password: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SEED_PASSWORD", password)

        with pytest.raises(CommandError, match=r"^SEED_PASSWORD: .*password"):
            seed()

        assert not User.objects.exists()

    def test_have_names_of_their_own_by_the_rule(self) -> None:
        seed(users=500, posts=0, votes=0)

        names = [name.lower() for name in User.objects.values_list("username", flat=True)]
        assert len(set(names)) == 501
        assert all(re.match(USERNAME_PATTERN, name) for name in names)

    def test_have_a_moderator_among_them(self) -> None:
        seed(users=1, posts=0, votes=0)

        moderator = User.objects.get(username="moderator")
        assert moderator.is_staff
        assert not moderator.is_superuser
        assert [group.name for group in moderator.groups.all()] == ["Moderators"]
        assert log_in("moderator@example.com", "correct-horse-42") == 200


class TestPosts:
    def test_have_titles_of_their_own(self) -> None:
        seed(users=5, posts=1000, votes=0)

        assert Post.objects.values("title").distinct().count() == 1000

    def test_have_titles_of_their_own_when_words_run_out(self) -> None:
        writers = demo_text.Writers()

        titles = {writers.write()[0] for _ in range(20_000)}

        assert len(titles) == 20_000
        assert any(title.endswith(" #2") for title in titles)

    def test_vary_in_length(self) -> None:
        seed(users=5, posts=3000, votes=0)

        lengths = [len(content) for content in Post.objects.values_list("content", flat=True)]
        assert min(lengths) >= 50
        assert max(lengths) <= 2000
        assert 180 < mean(lengths) < 280

    def test_come_in_several_scripts(self) -> None:
        seed(users=5, posts=100, votes=0)

        assert Post.objects.filter(title__regex="[б-э]").exists()
        assert Post.objects.filter(title__regex="[A-z]").exists()

    def test_are_drafts_now_and_then(self) -> None:
        seed(users=5, posts=3000, votes=0)

        assert 0.01 < Post.objects.filter(published=False).count() / 3000 < 0.06

    def test_are_spread_over_a_year_and_follow_their_owners(self) -> None:
        seed(users=10, posts=1000, votes=0)

        year_ago = timezone.now() - timedelta(days=366)
        months = Counter(post.month for post in Post.objects.values_list("created_at", flat=True))
        assert len(months) == 12
        assert not Post.objects.filter(created_at__lt=year_ago).exists()
        assert not Post.objects.filter(created_at__lt=F("owner__created_at")).exists()

    def test_are_seldom_edited(self) -> None:
        seed(users=10, posts=1000, votes=0)

        assert not Post.objects.filter(updated_at__lt=F("created_at")).exists()
        assert not Post.objects.filter(updated_at__gt=timezone.now()).exists()
        assert 0 < Post.objects.filter(updated_at__gt=F("created_at")).count() < 150

    def test_leave_their_sequence_ready_for_more(self, client_for: ClientFor) -> None:
        seed(users=1, posts=5, votes=0)
        client = client_for(User.objects.get(email="user1@example.com"))

        response = client.post("/posts", {"title": "T", "content": "C"}, format="json")

        assert response.status_code == 201
        assert Post.objects.count() == 6


class TestVotes:
    def test_are_counted(self) -> None:
        seed(users=30, posts=200, votes=1500)

        assert not Vote.objects.miscounted().exists()

    def test_are_for_few_posts_mostly(self) -> None:
        seed(users=500, posts=500, votes=4000)

        counts = list(Post.objects.values_list("vote_count", flat=True))
        assert max(counts) > 10 * mean(counts)
        assert median(counts) < mean(counts)

    def test_come_after_their_posts_and_users(self) -> None:
        seed(users=30, posts=200, votes=1500)

        assert not Vote.objects.filter(created_at__lt=F("post__created_at")).exists()
        assert not Vote.objects.filter(created_at__lt=F("user__created_at")).exists()
        assert not Vote.objects.filter(created_at__gt=timezone.now()).exists()


class TestUsersWhoAreThere:
    def test_are_left_alone_with_an_error(self) -> None:
        user = UserFactory.create()

        with pytest.raises(CommandError, match="There are users already"):
            seed()

        assert User.objects.get() == user

    def test_are_left_alone_without_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SEED_PASSWORD", "bad")
        user = UserFactory.create()

        assert not seed(if_empty=True)
        assert User.objects.get() == user

    def test_are_not_there(self) -> None:
        seed(if_empty=True, users=2, posts=0, votes=0)

        assert User.objects.count() == 3


class TestProgress:
    def test_is_shown(self, capsys: pytest.CaptureFixture[str]) -> None:
        seed(users=10, posts=20, votes=30)

        shown = capsys.readouterr().err
        assert all(f"{name}: 100%" in shown for name in ("users", "posts", "votes"))

    def test_is_not_shown_when_silent(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert not seed(users=10, posts=20, votes=30, verbosity=0)
        assert not capsys.readouterr().err

    def test_is_undone_when_interrupted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupt(writers: demo_text.Writers) -> tuple[str, str]:
            raise KeyboardInterrupt

        monkeypatch.setattr(demo_text.Writers, "write", interrupt)

        with pytest.raises(CommandError, match=r"Nothing was loaded: .*KeyboardInterrupt"):
            seed()

        assert not User.objects.exists()
        assert not Vote.objects.exists()


def test_without_faker_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faker", None)
    monkeypatch.delitem(sys.modules, "votes.management.demo_text")
    monkeypatch.delitem(sys.modules, "votes.management.demo_load", raising=False)

    with pytest.raises(CommandError, match=r"pip install -r requirements/dev\.txt"):
        seed()
