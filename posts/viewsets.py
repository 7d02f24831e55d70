"""The post endpoints."""

from typing import cast

from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ModelViewSet

from accounts.authentication import caller

from . import fast, schema
from .models import Post, PostQuerySet
from .pagination import PostPagination
from .permissions import IsOwnerOrReadOnly
from .serializers import PostSerializer


@schema.posts
class PostViewSet(ModelViewSet[Post]):
    """Write, read, list and search posts."""

    fast = fast.ACTIONS
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
