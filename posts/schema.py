"""How the OpenAPI document describes posts."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    extend_schema,
    extend_schema_view,
)

from accounts.schema import PROFILE, answered, sent

from .pagination import PostListSerializer

DRAFT = {"title": "On engines", "content": "They weave algebra.", "published": False}
POST = {
    "id": 42,
    "title": "On engines",
    "content": "They weave algebra.",
    "published": True,
    "created_at": "2026-01-31T10:00:00.000000Z",
    "updated_at": "2026-01-31T10:00:00.000000Z",
    "owner_id": 7,
    "owner": PROFILE,
    "votes": 3,
    "voted": True,
}
PAGE = {
    "results": [POST],
    "next": "https://api.example.com/posts?limit=1&cursor=WyJuZXciLGZhbHNlLFtdXQ",
    "previous": None,
}
LOCATION = OpenApiParameter(
    "Location",
    OpenApiTypes.URI,
    OpenApiParameter.HEADER,
    required=True,
    description="Where the new post is.",
    response=[201],
)

posts = extend_schema_view(
    list=extend_schema(
        operation_id="list_posts",
        tags=["posts"],
        summary="List and search posts",
        description=(
            "Pages of posts. Follow `next` and `previous`, which keep all other parameters: so "
            "no post is repeated or left out, however many are written in the meantime."
        ),
        parameters=[PostListSerializer],
        examples=[answered(PAGE)],
    ),
    create=extend_schema(
        operation_id="create_post",
        tags=["posts"],
        summary="Write a post",
        description="Publishes a post of yours, or keeps it as a draft.",
        parameters=[LOCATION],
        examples=[
            sent({"title": "On engines", "content": "They weave algebra."}, "Post"),
            sent(DRAFT, "Draft"),
            answered(POST),
        ],
    ),
    retrieve=extend_schema(
        operation_id="get_post",
        tags=["posts"],
        summary="Read a post",
        description="A published post, or a draft of yours.",
        examples=[answered(POST)],
    ),
    update=extend_schema(
        operation_id="replace_post",
        tags=["posts"],
        summary="Replace a post",
        description="Writes a post of yours anew. What is left out takes its default.",
        examples=[sent(DRAFT), answered(POST | DRAFT)],
    ),
    partial_update=extend_schema(
        operation_id="update_post",
        tags=["posts"],
        summary="Change a post",
        description="Changes what is sent of a post of yours, and nothing else.",
        examples=[sent({"published": True}), answered(POST)],
    ),
    destroy=extend_schema(
        operation_id="delete_post",
        tags=["posts"],
        summary="Delete a post",
        description="Removes a post of yours, and the votes on it.",
    ),
)
