"""What a statement of the fast path needs to know of who asks: that the token is still good.

The token's signature and end are checked here; its session and user are checked by the statement
itself, in the same round trip. A statement that finds no row leaves the request to DRF.
"""

from django.db.models import Exists
from django.http import HttpRequest
from rest_framework.exceptions import NotAuthenticated

from socialapi.statements import SQL, Parameter, identifier

from .authentication import bearer_token, open_session

USER = identifier("user")


def caller_ids(request: HttpRequest) -> dict[str, int]:
    """Return the ids in the caller's token; raises an APIException without a good one."""
    token = bearer_token(request)
    if token is None:
        raise NotAuthenticated
    request.caller_id = token.user_id  # type: ignore[attr-defined]  # Ours, for the log.
    return {"user": token.user_id, "session": token.session_id}


def is_open() -> Exists:
    """Return the condition that the caller's session is open."""
    return Exists(open_session())


def with_caller(sql: str, *parameters: Parameter) -> SQL:
    """Return a statement that has a table `caller`, of one row while the session is open."""
    caller = open_session().values_list("user_id", "user__username", "user__created_at")
    text, own = caller.query.sql_with_params()
    return f"WITH caller (id, username, created_at) AS ({text}) {sql}", (*own, *parameters)
