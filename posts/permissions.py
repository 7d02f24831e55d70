"""Who may change a post."""

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from .models import Post


class IsOwnerOrReadOnly(BasePermission):
    """Everyone who can see a post may read it; its owner may change it."""

    message = "Only its owner may change a post."

    def has_object_permission(self, request: Request, view: APIView, post: Post) -> bool:
        """Compare ids, which costs no query."""
        return request.method in SAFE_METHODS or post.owner_id == request.user.pk
