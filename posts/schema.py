"""How the OpenAPI document describes posts."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
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

LAST_EVENT_ID = OpenApiParameter(
    "Last-Event-ID",
    {"type": "string", "pattern": "^[0-9]{1,18}-[0-9]{1,18}$"},
    OpenApiParameter.HEADER,
    description="The last `id` that you have seen. Browsers send it when they connect again.",
)
NOT_STORED = OpenApiParameter(
    "Cache-Control",
    {"type": "string", "const": "no-store"},
    OpenApiParameter.HEADER,
    required=True,
    description="Events are not to be stored.",
    response=[200],
)
EVENTS = """retry: 1000
: connected
id: 7310-0

event: created
id: 7312-42
data: {"id":42,"title":"On engines","content":"They weave algebra.","published":true,\
"created_at":"2026-01-31T10:00:00.000000Z","updated_at":"2026-01-31T10:00:00.000000Z",\
"owner_id":7,"owner":{"id":7,"username":"ada","created_at":"2026-01-31T09:30:00.000000Z"},\
"votes":0}

event: votes
id: 7315-42
data: {"id":42,"votes":3}

event: deleted
id: 7320-42
data: {"id":42}

"""

stream = extend_schema(
    operation_id="stream_posts",
    tags=["posts"],
    summary="Watch posts and votes",
    description=(
        "Server-sent events, until you leave or your token ends. `created` and `updated` bring a "
        "published post as it is now, without `voted`; `deleted` the `id` of one that was deleted "
        "or has become a draft; `votes` an `id` and the new count. Within a second there is one "
        "event of a post at most, and it tells the latest. Comments every 15 seconds show that "
        "the stream lives.\n\n"
        "Without Last-Event-ID it begins now: connect first, then read the list. With it, it goes "
        "on where another one stopped, nothing lost or repeated, for at least 10 minutes. After "
        "that the first event is `reset`: read the list again. A reader that is too slow is cut "
        "off, and may go on in the same way. 429 if you have 5 streams open."
    ),
    parameters=[LAST_EVENT_ID, NOT_STORED],
    responses={
        (200, "text/event-stream"): OpenApiResponse(
            OpenApiTypes.STR, examples=[OpenApiExample("Events", EVENTS)]
        ),
        400: None,
        429: None,
    },
)
