"""manage.py recount_votes."""

from concurrent.futures import ThreadPoolExecutor
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from posts.models import Post
from posts.tests.factories import PostFactory
from votes.models import Vote
from votes.tests.factories import VoteFactory

# Connections that wait for this one.
WAITING = """
    SELECT count(*) FROM pg_locks
    WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))
"""


def recount(*options: str) -> str:
    output = StringIO()
    call_command("recount_votes", *options, stdout=output, no_color=True)
    return output.getvalue()


def count(post: Post) -> int:
    post.refresh_from_db()
    return post.vote_count


def miscount(post: Post, stored: int) -> Post:
    Post.objects.filter(pk=post.pk).update(vote_count=stored)
    return post


@pytest.fixture
def drifted(db: None) -> Post:
    """A post with one vote, said to have seven."""
    return miscount(VoteFactory.create().post, 7)


class TestWithoutDrift:
    def test_says_that_all_is_right(self, db: None) -> None:
        PostFactory.create()
        post = VoteFactory.create().post

        assert recount() == recount("--check") == "Every vote count is right.\n"
        assert count(post) == 1


class TestWithDrift:
    def test_reports_and_repairs(self, drifted: Post) -> None:
        output = recount()

        assert "Posts with a wrong vote count: 1\n" in output
        assert f"post {drifted.pk}: stored 7, counted 1\n" in output
        assert output.endswith("Repaired.\n")
        assert count(drifted) == 1

    def test_repairs_a_post_without_votes(self, db: None) -> None:
        post = miscount(PostFactory.create(), 3)

        recount()

        assert count(post) == 0

    def test_repairs_a_count_that_is_too_small(self, db: None) -> None:
        post = miscount(VoteFactory.create().post, 0)

        recount()

        assert count(post) == 1

    def test_leaves_other_posts_alone(self, drifted: Post) -> None:
        other = VoteFactory.create().post

        assert f"post {other.pk}" not in recount()
        assert count(other) == 1

    def test_names_a_few_posts_and_repairs_many(self, db: None) -> None:
        PostFactory.create_batch(8)
        Post.objects.update(vote_count=2)

        output = recount()

        assert "Posts with a wrong vote count: 8\n" in output
        assert output.count("stored 2, counted 0") == 5
        assert not Post.objects.exclude(vote_count=0).exists()

    def test_does_not_move_the_posts_times(self, drifted: Post) -> None:
        drifted.refresh_from_db()
        updated_at = drifted.updated_at

        recount()

        drifted.refresh_from_db()
        assert drifted.updated_at == updated_at

    def test_fails_a_check_and_stays(self, drifted: Post) -> None:
        output = StringIO()

        with pytest.raises(CommandError) as error:
            call_command("recount_votes", "--check", stdout=output)

        assert error.value.returncode == 1
        assert f"post {drifted.pk}: stored 7, counted 1\n" in output.getvalue()
        assert count(drifted) == 7


class TestWhileUsersVote:
    @pytest.fixture
    def drifted(self, committed: None) -> Post:
        """The same, for other connections to see."""
        return miscount(VoteFactory.create().post, 7)

    def test_counts_a_vote_that_is_under_way(self, drifted: Post) -> None:
        def recount_elsewhere() -> None:
            try:
                recount()
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as thread:
            with transaction.atomic(), connection.cursor() as cursor:
                VoteFactory.create(post=drifted)
                recounting = thread.submit(recount_elsewhere)
                waiting = 0
                while not waiting and not recounting.done():
                    cursor.execute(WAITING)
                    (waiting,) = cursor.fetchone()
            recounting.result(timeout=10)

        assert waiting
        assert count(drifted) == Vote.objects.count() == 2
