"""The fast path of votes."""

from contextlib import suppress

from django.db import IntegrityError
from django.http import HttpRequest
from rest_framework.status import HTTP_201_CREATED

from accounts.fast import caller_ids, is_open
from socialapi.fast import Answer, json_answer, read_body
from socialapi.statements import Statement

from .queries import casting, turn, withdrawing
from .serializers import VoteSerializer

CAST = Statement(lambda: casting(is_open()))
WITHDRAW = Statement(lambda: withdrawing(is_open()))


def vote(request: HttpRequest) -> Answer | None:
    """Answer `POST /vote`."""
    post_id, adds = read_body(request, VoteSerializer).values()
    statement, message = (CAST, "Vote added.") if adds else (WITHDRAW, "Vote removed.")
    caller = caller_ids(request)
    # Deleted in this very moment is the post, or else the caller; DRF finds out.
    with turn(post_id), suppress(IntegrityError):
        if statement.rows(pk=post_id, **caller):
            return json_answer({"message": message}, HTTP_201_CREATED)
    return None


ACTIONS = {"create": vote}
