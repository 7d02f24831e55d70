"""Posts."""

from django.urls import re_path

from .viewsets import PostStreamViewSet, PostViewSet

urlpatterns = [
    re_path(
        r"^posts/?$", PostViewSet.as_view({"get": "list", "post": "create"}), name="post-list"
    ),
    re_path(r"^posts/stream/?$", PostStreamViewSet.as_view({"get": "stream"}), name="post-stream"),
    re_path(
        r"^posts/(?P<pk>[0-9]+)/?$",
        PostViewSet.as_view(
            {
                "get": "retrieve",
                "put": "update",
                "patch": "partial_update",
                "delete": "destroy",
            }
        ),
        name="post-detail",
    ),
]
