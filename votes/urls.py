"""Votes."""

from django.urls import re_path

from .viewsets import PostVoteViewSet, VoteViewSet

urlpatterns = [
    re_path(r"^vote/?$", VoteViewSet.as_view({"post": "create"}), name="vote"),
    re_path(
        r"^posts/(?P<pk>[0-9]+)/vote/?$",
        PostVoteViewSet.as_view({"put": "update", "delete": "destroy"}),
        name="post-vote",
    ),
]
