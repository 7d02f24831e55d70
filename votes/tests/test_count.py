"""A post's count is the number of its votes, whoever writes them, and however."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from threading import Barrier

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.models import User
from accounts.tests.factories import UserFactory
from posts.models import Post
from posts.tests.factories import PostFactory
from votes.models import Vote
from votes.tests.factories import VoteFactory

THREADS = 20
ROUNDS = 5


def run_sql(statement: str, *params: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)


def stored_counts() -> dict[int, int]:
    return dict(Post.objects.order_by("pk").values_list("pk", "vote_count"))


def true_counts() -> dict[int, int]:
    votes = Counter(Vote.objects.values_list("post_id", flat=True))
    return {post: votes[post] for post in Post.objects.values_list("pk", flat=True)}


def run_together(calls: Sequence[Callable[[], object]]) -> list[object]:
    """Call in threads with a connection each, which start together; return the results."""
    threads = min(THREADS, len(calls))
    barrier = Barrier(threads, timeout=10)

    def run_share(number: int) -> list[object]:
        connection.ensure_connection()
        barrier.wait()
        try:
            return [call() for call in calls[number::threads]]
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        return [result for share in pool.map(run_share, range(threads)) for result in share]


def make_voters(number: int, *, posts_each: int) -> list[User]:
    """Make users who have voted for all of each other's posts, and for their own."""
    users = UserFactory.create_batch(number)
    for user in users:
        PostFactory.create_batch(posts_each, owner=user)
    vote_for_everything()
    return users


def delete(user: User) -> None:
    User.objects.filter(pk=user.pk).delete()


def vote_for_everything() -> None:
    run_sql(
        "INSERT INTO votes_vote (user_id, post_id)"
        " SELECT accounts_user.id, posts_post.id FROM accounts_user, posts_post"
    )


@pytest.fixture
def posts(db: None) -> list[Post]:
    """Three posts, of which the first has two votes, the second one and the third none."""
    first, second, third = PostFactory.create_batch(3)
    VoteFactory.create_batch(2, post=first)
    VoteFactory.create(post=second)
    return [first, second, third]


class TestHandWrittenSQL:
    def test_inserts_many_votes(self, posts: list[Post]) -> None:
        run_sql("DELETE FROM votes_vote")

        vote_for_everything()

        assert set(stored_counts().values()) == {User.objects.count()}

    def test_inserts_none_of_the_votes_that_are_there(self, posts: list[Post]) -> None:
        run_sql(
            "INSERT INTO votes_vote (user_id, post_id) SELECT user_id, post_id FROM votes_vote"
            " ON CONFLICT DO NOTHING"
        )

        assert list(stored_counts().values()) == [2, 1, 0]

    def test_fails_half_way(self, posts: list[Post]) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            vote_for_everything()

        assert list(stored_counts().values()) == [2, 1, 0]

    def test_deletes_one_vote(self, posts: list[Post]) -> None:
        run_sql("DELETE FROM votes_vote WHERE id = (SELECT min(id) FROM votes_vote)")

        assert list(stored_counts().values()) == [1, 1, 0]

    def test_deletes_many_votes(self, posts: list[Post]) -> None:
        run_sql("DELETE FROM votes_vote WHERE post_id <= %s", posts[1].pk)

        assert list(stored_counts().values()) == [0, 0, 0]

    def test_moves_a_vote(self, posts: list[Post]) -> None:
        run_sql("UPDATE votes_vote SET post_id = %s WHERE post_id = %s", posts[2].pk, posts[1].pk)

        assert list(stored_counts().values()) == [2, 0, 1]

    def test_moves_many_votes(self, posts: list[Post]) -> None:
        run_sql("UPDATE votes_vote SET post_id = post_id + 1")

        assert stored_counts() == true_counts()
        assert list(stored_counts().values()) == [0, 2, 1]

    def test_changes_no_vote(self, posts: list[Post]) -> None:
        run_sql("UPDATE votes_vote SET created_at = now()")

        assert list(stored_counts().values()) == [2, 1, 0]

    def test_truncates(self, posts: list[Post]) -> None:
        run_sql("SET CONSTRAINTS ALL IMMEDIATE")
        run_sql("TRUNCATE votes_vote")

        assert list(stored_counts().values()) == [0, 0, 0]


class TestDeletion:
    def test_of_a_user_in_sql_takes_posts_and_votes_along(self, db: None) -> None:
        leaving, staying = make_voters(2, posts_each=3)

        run_sql("DELETE FROM accounts_user WHERE id = %s", leaving.pk)

        assert list(Post.objects.values_list("owner", "vote_count")) == [(staying.pk, 1)] * 3

    def test_of_a_user_by_django_takes_posts_and_votes_along(self, db: None) -> None:
        leaving, staying = make_voters(2, posts_each=3)

        leaving.delete()

        assert list(Post.objects.values_list("owner", "vote_count")) == [(staying.pk, 1)] * 3

    def test_of_many_users(self, db: None) -> None:
        users = make_voters(4, posts_each=2)

        User.objects.filter(pk__in=[user.pk for user in users[:3]]).delete()

        assert list(stored_counts().values()) == [1, 1]
        assert Vote.objects.count() == 2

    def test_of_a_post_takes_its_votes_along(self, posts: list[Post]) -> None:
        posts[0].delete()

        assert list(stored_counts().values()) == [1, 0]
        assert Vote.objects.count() == 1


@pytest.mark.usefixtures("committed")
class TestRaces:
    def test_leave_a_user_one_vote(self) -> None:
        user, post = UserFactory.create(), PostFactory.create()

        results = run_together([partial(Vote.objects.cast, user, post.pk)] * 100)

        assert sorted(results) == [False] * 99 + [True]  # type: ignore[type-var]
        assert stored_counts() == true_counts() == {post.pk: 1}

    def test_lose_no_votes_of_many_users(self) -> None:
        users, post = UserFactory.create_batch(100), PostFactory.create()

        results = run_together([partial(Vote.objects.cast, user, post.pk) for user in users])

        assert all(results)
        assert stored_counts() == true_counts() == {post.pk: 100}

    def test_between_adding_and_removing_end_in_one_of_both(self) -> None:
        user, post = UserFactory.create(), PostFactory.create()
        add = partial(Vote.objects.cast, user, post.pk)
        remove = partial(Vote.objects.withdraw, user, post.pk)

        results = run_together([add, remove] * 50)

        added = results.count(True)
        assert added > 0
        assert stored_counts() == true_counts()


@pytest.mark.usefixtures("committed")
@pytest.mark.parametrize("turn", range(ROUNDS))
class TestUsersLeavingAtOnce:
    """None of these deadlocks, which would raise OperationalError."""

    def test_when_they_voted_for_the_same_posts(self, turn: int) -> None:
        PostFactory.create_batch(50)
        leaving = UserFactory.create_batch(2)
        vote_for_everything()

        run_together([partial(delete, user) for user in leaving])

        assert stored_counts() == true_counts()
        assert set(stored_counts().values()) == {50}

    def test_when_they_voted_for_each_others_posts(self, turn: int) -> None:
        users = make_voters(5, posts_each=20)

        run_together([partial(delete, user) for user in users[:4]])

        assert stored_counts() == true_counts()
        assert list(stored_counts().values()) == [1] * 20

    def test_while_they_vote(self, turn: int) -> None:
        users = make_voters(4, posts_each=10)
        run_sql("DELETE FROM votes_vote")
        posts = list(Post.objects.values_list("pk", flat=True))

        def vote(user: User) -> None:
            for post in posts:
                with suppress(Post.DoesNotExist):
                    Vote.objects.cast(user, post)

        run_together(
            [partial(delete, user) for user in users[:3]]
            + [partial(vote, user) for user in users] * 2
        )

        assert stored_counts() == true_counts()
        assert len(stored_counts()) == 10

    def test_while_votes_are_withdrawn(self, turn: int) -> None:
        users = make_voters(4, posts_each=10)
        posts = list(Post.objects.values_list("pk", flat=True))

        def withdraw(user: User) -> None:
            for post in reversed(posts):
                with suppress(Post.DoesNotExist):
                    Vote.objects.withdraw(user, post)

        run_together(
            [partial(delete, user) for user in users[:3]]
            + [partial(withdraw, user) for user in users] * 2
        )

        assert stored_counts() == true_counts()
        assert len(stored_counts()) == 10
