"""The endpoints."""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from rest_framework import status
from rest_framework.exceptions import APIException, NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.permissions import SAFE_METHODS, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, IntegerField
from rest_framework.views import APIView
from rest_framework.viewsets import ModelViewSet

from .models import Post, Vote
from .serializers import PostSerializer, VoteSerializer


class Conflict(APIException):
    """There is such a vote."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = "You have already voted for this post."


class IsOwnerOrReadOnly(BasePermission):
    """A post is its owner's to change."""

    def has_object_permission(self, request: Request, view: APIView, obj: Post) -> bool:
        """Compare ids, which costs no query."""
        return request.method in SAFE_METHODS or obj.owner_id == request.user.pk


class PostPagination(CursorPagination):
    """Pages by time, the newest first."""

    ordering = ("-created_at", "-id")
    page_size = 10
    page_size_query_param = "limit"

    def get_page_size(self, request: Request) -> int:
        """Refuse what is out of bounds, where DRF would take the default."""
        if "limit" not in request.query_params:
            return self.page_size
        field = IntegerField(min_value=1, max_value=100)
        return field.run_validation(request.query_params["limit"])


class PostViewSet(ModelViewSet):
    """Write, read, list and search posts."""

    serializer_class = PostSerializer
    permission_classes = [IsAuthenticated, IsOwnerOrReadOnly]
    pagination_class = PostPagination

    def get_queryset(self) -> QuerySet[Post]:
        """Count the votes of what the caller may see."""
        user = self.request.user
        votes = Vote.objects.filter(post=OuterRef("pk"))
        counted = votes.order_by().values("post").annotate(count=Count("pk")).values("count")
        posts = Post.objects.select_related("owner").annotate(
            vote_count=Coalesce(Subquery(counted), 0), voted=Exists(votes.filter(user=user))
        )
        if self.action == "list":
            search = self.request.query_params.get("search", "")
            return posts.filter(published=True, title__icontains=search)
        return posts.filter(Q(published=True) | Q(owner=user))

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        """The caller is the owner."""
        serializer.save(owner=self.request.user)


class VoteView(APIView):
    """Vote on posts."""

    def post(self, request: Request) -> Response:
        """Add a vote, or remove it."""
        serializer = VoteSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        post_id, adds = serializer.validated_data["post_id"], serializer.validated_data["vote_dir"]
        visible = Q(published=True) | Q(owner=request.user)
        if not Post.objects.filter(visible, pk=post_id).exists():
            raise NotFound("No such post.")
        if not adds:
            deleted, _ = Vote.objects.filter(user=request.user, post_id=post_id).delete()
            if not deleted:
                raise NotFound("You have not voted for this post.")
            return Response({"message": "Vote removed."}, status.HTTP_201_CREATED)
        try:
            with transaction.atomic():
                Vote.objects.create(user=request.user, post_id=post_id)
        except IntegrityError:
            raise Conflict from None
        return Response({"message": "Vote added."}, status.HTTP_201_CREATED)
