"""Votes."""

from django.urls import re_path

from .viewsets import PostVoteViewSet, VoteViewSet

urlpatterns = [
    re_path(r"^vote/?$", VoteViewSet.as_view({"post": "create"}), name="vote"),
    re_path(
        # No id has more digits, and Python reads no number that has thousands.
        r"^posts/(?P<pk>[0-9]{1,19})/vote/?$",
        PostVoteViewSet.as_view({"put": "update", "delete": "destroy"}),
        name="post-vote",
    ),
]
