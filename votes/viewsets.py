"""The vote endpoints."""

from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED, HTTP_204_NO_CONTENT
from rest_framework.viewsets import GenericViewSet, ViewSet

from accounts.authentication import caller
from socialapi.exceptions import Conflict

from . import fast, schema
from .models import Vote
from .serializers import VoteSerializer


class VoteViewSet(GenericViewSet[Vote]):
    """Vote on posts, and be told whether there was anything to do."""

    fast_actions = fast.ACTIONS
    queryset = Vote.objects.all()
    serializer_class = VoteSerializer

    @schema.vote
    def create(self, request: Request) -> Response:
        """Add a vote or remove it."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        post_id, adds = serializer.validated_data.values()
        if adds:
            self.cast(post_id)
            return Response({"message": "Vote added."}, HTTP_201_CREATED)
        self.withdraw(post_id)
        return Response({"message": "Vote removed."}, HTTP_201_CREATED)

    def cast(self, post_id: int) -> None:
        """Add a vote; raises Conflict if it is there."""
        if not Vote.objects.cast(caller(self.request), post_id):
            raise Conflict("You have already voted for this post.")

    def withdraw(self, post_id: int) -> None:
        """Remove a vote; raises NotFound if there is none."""
        if not Vote.objects.withdraw(caller(self.request), post_id):
            raise NotFound("You have not voted for this post.")


@schema.post_vote
class PostVoteViewSet(ViewSet):
    """The caller's vote on a post, as a thing that is there or not."""

    def update(self, request: Request, pk: str) -> Response:
        """Have a vote there, whether or not it was."""
        Vote.objects.cast(caller(request), int(pk))
        return Response(status=HTTP_204_NO_CONTENT)

    def destroy(self, request: Request, pk: str) -> Response:
        """Have no vote there, whether or not one was."""
        Vote.objects.withdraw(caller(request), int(pk))
        return Response(status=HTTP_204_NO_CONTENT)
