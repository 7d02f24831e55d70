"""Signs up, posts, votes and leaves, by a client that openapi-python-client made.

python tour.py URL
"""

import sys
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from social_api_client import AuthenticatedClient, Client
from social_api_client.api.accounts import delete_account, get_account, sign_up
from social_api_client.api.posts import create_post, get_post, list_posts, update_post
from social_api_client.api.sessions import log_in, log_out, refresh_tokens
from social_api_client.api.votes import add_vote, remove_vote, vote
from social_api_client.models import (
    Account,
    ListPostsSort,
    LoginFormRequest,
    LoginRequest,
    Message,
    PasswordRequest,
    Post,
    PostPage,
    PostRequest,
    PostUpdateRequest,
    Problem,
    RefreshRequest,
    SignUpRequest,
    TokenPair,
    ValidationProblem,
    VoteRequest,
)
from social_api_client.types import Response


def main(url: str) -> None:
    """Take the tour; what is not as expected ends it."""
    email, password = f"{uuid4()}@example.com", "gaily-forward-58"
    anyone = Client(base_url=url)

    signed_up = sign_up.sync(client=anyone, body=SignUpRequest(email=email, password=password))
    account = expect(Account, signed_up)
    taken = sign_up.sync(client=anyone, body=SignUpRequest(email=email, password=password))
    assert "email" in expect(ValidationProblem, taken).errors

    login = LoginRequest(email=email, password=password)
    tokens = expect(TokenPair, log_in.sync(client=anyone, body=login))
    refresh = RefreshRequest(tokens.refresh_token)
    tokens = expect(TokenPair, refresh_tokens.sync(client=anyone, body=refresh))
    me = AuthenticatedClient(base_url=url, token=tokens.access_token)
    assert expect(Account, get_account.sync(client=me)) == account

    draft = PostRequest(title="On engines", content="They weave algebra.", published=False)
    post = expect(Post, create_post.sync(client=me, body=draft))
    change = PostUpdateRequest(title="On analytical engines")
    post = expect(Post, update_post.sync(post.id, client=me, body=change))
    assert not post.published, "what is not sent must not change"
    change = PostUpdateRequest(published=True)
    post = expect(Post, update_post.sync(post.id, client=me, body=change))
    assert post.owner.id == account.id

    adds = VoteRequest(post_id=post.id, vote_dir=1)
    expect(Message, vote.sync(client=me, body=adds))
    conflict = expect(Problem, vote.sync(client=me, body=adds))
    assert conflict.status == HTTPStatus.CONFLICT
    succeed(remove_vote.sync_detailed(post.id, client=me))
    # A generated function would wait for the end of the stream.
    with me.get_httpx_client().stream("GET", "/posts/stream") as events:
        texts = events.iter_text()
        assert next(texts).startswith("retry:")
        succeed(add_vote.sync_detailed(post.id, client=me))
        told = ""
        while f'"id":{post.id},' not in told:
            told += next(texts)

    found = list_posts.sync(
        client=me, search="ENGINES", owner=account.id, sort=ListPostsSort.TOP, limit=5
    )
    page = expect(PostPage, found)
    assert [(each.id, each.votes, each.voted) for each in page.results] == [(post.id, 1, True)]
    assert page.next_ is None

    succeed(log_out.sync_detailed(client=anyone, body=RefreshRequest(tokens.refresh_token)))
    ended = expect(Problem, get_post.sync(post.id, client=me))
    assert ended.status == HTTPStatus.UNAUTHORIZED

    form = LoginFormRequest(username=email, password=password)
    tokens = expect(TokenPair, log_in.sync(client=anyone, body=form))
    me = AuthenticatedClient(base_url=url, token=tokens.access_token)
    succeed(delete_account.sync_detailed(client=me, body=PasswordRequest(password)))


def expect[T](kind: type[T], answer: object) -> T:
    """Return an answer of a kind; any other is an error."""
    if not isinstance(answer, kind):
        raise TypeError(f"{kind.__name__} was expected, not {answer}")
    return answer


def succeed(response: Response[Any]) -> None:
    """Fail unless there is nothing more to say."""
    assert response.status_code == HTTPStatus.NO_CONTENT, response


if __name__ == "__main__":
    main(sys.argv[1] if sys.argv[1:] else "http://localhost:8000")
