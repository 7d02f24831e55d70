"""How the OpenAPI document describes votes."""

from drf_spectacular.utils import extend_schema, extend_schema_view

from accounts.schema import answered, sent

from .serializers import MessageSerializer

vote = extend_schema(
    operation_id="vote",
    tags=["votes"],
    summary="Add or remove a vote",
    description=(
        "Adds your vote on a post, or removes it. 409 if it is there already; 404 if there is "
        "none to remove, or no such post."
    ),
    responses={201: MessageSerializer, 404: None, 409: None},
    examples=[
        sent({"post_id": 42, "vote_dir": 1}, "Add"),
        sent({"post_id": 42, "vote_dir": 0}, "Remove"),
        answered({"message": "Vote added."}),
    ],
)

post_vote = extend_schema_view(
    update=extend_schema(
        operation_id="add_vote",
        tags=["votes"],
        summary="Have a vote on a post",
        description="Adds your vote, if it is not there.",
        request=None,
        responses={204: None},
    ),
    destroy=extend_schema(
        operation_id="remove_vote",
        tags=["votes"],
        summary="Have no vote on a post",
        description="Removes your vote, if it is there.",
        responses={204: None},
    ),
)
