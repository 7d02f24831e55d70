"""The fast path of posts: one statement an action, and rows shown as `PostSerializer` shows posts.

The queryset `Post.objects.seen_by` says what is read; the tests hold each statement against it.
"""

from typing import Any

from django.http import HttpRequest
from rest_framework.status import HTTP_201_CREATED

from accounts.fast import USER, caller_ids, is_open, with_caller
from socialapi.fast import Answer, json_answer, read_body, read_id
from socialapi.network import absolute_uri
from socialapi.rendering import utc
from socialapi.statements import Parameter, Row, Statement, identifier

from .models import Post
from .pagination import COLUMNS, PostPagination
from .serializers import PostSerializer

PK = identifier("pk")
FIELDS = [
    Parameter(name, Post._meta.get_field(name)) for name in ("title", "content", "published")
]

READ = Statement(
    lambda: (
        Post.objects.seen_by(USER).visible_to(USER).filter(is_open(), pk=PK).values_list(*COLUMNS)
    )
)
INSERT = Statement(
    lambda: with_caller(
        """
        , post AS (
            INSERT INTO posts_post (owner_id, title, content, published)
            SELECT id, %s, %s, %s FROM caller RETURNING *
        )
        SELECT post.id, title, content, published, post.created_at, updated_at,
               caller.id, username, caller.created_at, vote_count, false
        FROM post, caller
        """,
        *FIELDS,
    )
)
UPDATE = Statement(
    lambda: with_caller(
        """
        UPDATE posts_post SET title = %s, content = %s, published = %s
        FROM caller WHERE posts_post.id = %s AND owner_id = caller.id
        RETURNING posts_post.id, title, content, published, posts_post.created_at, updated_at,
                  caller.id, username, caller.created_at, vote_count,
                  EXISTS (SELECT FROM votes_vote WHERE post_id = posts_post.id AND user_id = %s)
        """,
        *FIELDS,
        PK,
        USER,
    )
)


def represent(row: Row) -> dict[str, Any]:
    """Return what `PostSerializer` makes of a post, from its `COLUMNS`."""
    pk, title, content, published, created, updated, owner, username, joined, votes, voted = row
    return {
        "id": pk,
        "title": title,
        "content": content,
        "published": published,
        "created_at": utc(created),
        "updated_at": utc(updated),
        "owner_id": owner,
        "owner": {"id": owner, "username": username, "created_at": utc(joined)},
        "votes": votes,
        "voted": voted,
    }


def read_list(request: HttpRequest) -> Answer | None:
    """Answer `GET /posts`, but for an empty page."""
    page = PostPagination()
    rows = page.read_page(request, **caller_ids(request))
    return json_answer(page.wrap([represent(row) for row in rows])) if rows else None


def read(request: HttpRequest, pk: str) -> Answer | None:
    """Answer `GET /posts/{id}`."""
    for row in READ.rows(pk=read_id(pk), **caller_ids(request)):
        return json_answer(represent(row))
    return None


def create(request: HttpRequest) -> Answer | None:
    """Answer `POST /posts`."""
    for row in INSERT.rows(**caller_ids(request), **read_body(request, PostSerializer)):
        location = absolute_uri(request, f"{request.path.rstrip('/')}/{row[0]}")
        return json_answer(represent(row), HTTP_201_CREATED, Location=location)
    return None


def replace(request: HttpRequest, pk: str) -> Answer | None:
    """Answer `PUT /posts/{id}`."""
    caller, body = caller_ids(request), read_body(request, PostSerializer)
    for row in UPDATE.rows(pk=read_id(pk), **body, **caller):
        return json_answer(represent(row))
    return None


ACTIONS = {"list": read_list, "retrieve": read, "create": create, "update": replace}
