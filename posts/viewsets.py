"""The post endpoints."""

from typing import cast

from django.http.request import MediaType
from django.http.response import HttpResponseBase
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ModelViewSet, ViewSet

from accounts.authentication import caller
from accounts.credentials import credential
from socialapi.rendering import BrowsableAPIRenderer

from . import fast, schema
from .models import Post, PostQuerySet
from .pagination import PostPagination
from .permissions import IsOwnerOrReadOnly
from .serializers import PostSerializer
from .stream import EventStreamRenderer, open_stream


@schema.posts
class PostViewSet(ModelViewSet[Post]):
    """Write, read, list and search posts."""

    fast_actions = fast.ACTIONS
    queryset = Post.objects.all()
    serializer_class = PostSerializer
    pagination_class = PostPagination
    permission_classes = [IsAuthenticated, IsOwnerOrReadOnly]

    def list(self, request: Request) -> Response:
        """Answer with a page."""
        page = cast(PostPagination, self.paginator)
        rows = page.read_page(request, user=caller(request).pk)
        return Response(page.wrap([fast.represent(row) for row in rows]))

    def get_queryset(self) -> PostQuerySet:
        """What the caller may see."""
        user = caller(self.request)
        return Post.objects.seen_by(user).visible_to(user)

    def perform_create(self, serializer: BaseSerializer[Post]) -> None:
        """The caller is the owner."""
        serializer.save(owner=caller(self.request))

    def get_success_headers(self, data: dict[str, int]) -> dict[str, str]:
        """Tell where a new post is."""
        location = reverse("post-detail", args=[data["id"]], request=self.request)
        return {"Location": location}


class Negotiation(DefaultContentNegotiation):
    """DRF's, which does not look at `q`, but for what a client refuses by `q=0`."""

    def get_accept_list(self, request: Request) -> list[str]:
        """Return what the client accepts."""
        return [kind for kind in super().get_accept_list(request) if MediaType(kind).quality]


class PostStreamViewSet(ViewSet):
    """Listen to what happens to published posts."""

    content_negotiation_class = Negotiation

    def get_renderers(self) -> list[BaseRenderer]:
        """Answer GET with events, and a browser that shows pages with a page."""
        if self.request.method in ("GET", "HEAD"):
            return [EventStreamRenderer(), BrowsableAPIRenderer()]
        return super().get_renderers()

    @schema.stream
    def stream(self, request: Request) -> HttpResponseBase:
        """Begin a stream; a page only says that there is one."""
        if request.accepted_renderer.format == BrowsableAPIRenderer.format:
            return Response({"message": "This is a stream of events, not a page."})
        last_id = request.headers.get("Last-Event-ID", "")
        return open_stream(caller(request), credential(request), last_id)
