"""Requests that meet the deletion of what they are about."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import Model
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tests.factories import UserFactory
from conftest import ClientFor
from posts.models import Post
from posts.tests.factories import PostFactory
from socialapi.tests.client import LONG_WAY
from votes.models import Vote
from votes.tests.factories import VoteFactory

BODY = {"title": "T", "content": "C"}
# Somebody waits for the end of this very transaction.
WAITING = """
    SELECT count(*) FROM pg_locks
    WHERE NOT granted AND transactionid = pg_current_xact_id()::xid
"""


def send_during_deletion(row: Model, client: APIClient, method: str, *args: Any) -> Any:
    """Send a request that still sees a row, but meets its deletion at the row's lock."""

    def send() -> Any:
        try:
            return getattr(client, method)(*args, format="json")
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:
        with transaction.atomic(), connection.cursor() as cursor:
            row.__class__.objects.filter(pk=row.pk).delete()  # type: ignore[attr-defined]
            answer = thread.submit(send)
            waiting = 0
            while not waiting and not answer.done():
                cursor.execute(WAITING)
                (waiting,) = cursor.fetchone()
        return answer.result(timeout=10)


@pytest.fixture
def author(committed: None) -> User:
    """A user whom other connections see."""
    return UserFactory.create()


@pytest.fixture(params=[{}, LONG_WAY], ids=["fast", "the long way"])
def client(author: User, client_for: ClientFor, request: pytest.FixtureRequest) -> APIClient:
    """A client of the author's, that takes one way or the other."""
    client = client_for(author)
    client.defaults |= {f"HTTP_{name.upper()}": value for name, value in request.param.items()}
    return client


@pytest.mark.parametrize(
    ("method", "address", "body"),
    [
        ("put", "/posts/{}", BODY),
        ("patch", "/posts/{}", {"title": "T"}),
        ("delete", "/posts/{}", None),
        ("put", "/posts/{}/vote", None),
        ("post", "/vote", {"post_id": "{}", "vote_dir": 1}),
    ],
)
def test_find_no_post(
    author: User, client: APIClient, method: str, address: str, body: dict[str, Any] | None
) -> None:
    post = PostFactory.create(owner=author)
    if body and "post_id" in body:
        body = body | {"post_id": post.pk}

    response = send_during_deletion(post, client, method, address.format(post.pk), body)

    assert response.status_code == (204 if method == "delete" else 404)
    assert not Post.objects.exists()


@pytest.mark.parametrize(
    ("method", "address", "body"),
    [
        ("post", "/posts", BODY),
        ("put", "/posts/{own}", BODY),
        ("post", "/vote", {"post_id": "{own}", "vote_dir": 1}),
        ("post", "/vote", {"post_id": "{other}", "vote_dir": 1}),
        ("post", "/vote", {"post_id": "{voted}", "vote_dir": 0}),
    ],
)
def test_of_a_user_who_is_gone_are_refused(
    author: User, client: APIClient, method: str, address: str, body: dict[str, Any]
) -> None:
    posts = {
        "own": PostFactory.create(owner=author),
        "other": PostFactory.create(title="Other"),
        "voted": VoteFactory.create(user=author, post__title="Voted").post,
    }
    ids = {name: post.pk for name, post in posts.items()}
    if "post_id" in body:
        body = body | {"post_id": int(body["post_id"].format(**ids))}

    response = send_during_deletion(author, client, method, address.format(**ids), body)

    # Of a vote, or a post that went along, the long way sees no more than that there is none.
    assert response.status_code in {401, 404}
    assert set(Post.objects.values_list("title", "vote_count")) == {("Other", 0), ("Voted", 0)}
    assert not Vote.objects.exists()
