"""The fast path of votes: those on one post that meet are made together.

Votes on one post have to wait for each other's commit, since each changes its count. So whoever
waits here is taken along by the next one who does not: one statement, one commit, whatever their
number. If a statement fails, so do all who wait for it; votes on other posts go on.
"""

from dataclasses import dataclass
from threading import Lock

from django.contrib.postgres.fields import ArrayField
from django.db import IntegrityError
from django.db.models import BigIntegerField
from django.http import HttpRequest
from rest_framework.status import HTTP_201_CREATED

from accounts.fast import caller_ids
from accounts.models import Session
from socialapi.fast import Answer, json_answer, read_body
from socialapi.statements import SQL, Parameter, Statement

from .queries import casting, withdrawing
from .serializers import VoteSerializer

IDS = ArrayField(BigIntegerField())


def voters() -> SQL:
    """Return SQL for the users, of those who ask, whose sessions are open."""
    text, parameters = Session.objects.open().values_list("id", "user_id").query.sql_with_params()
    sql = (
        "SELECT asked.user_id FROM unnest(%s, %s) AS asked (session_id, user_id) "  # noqa: S608
        f"JOIN ({text}) AS open (session_id, user_id) USING (session_id, user_id)"
    )
    return sql, (Parameter("sessions", IDS), Parameter("users", IDS), *parameters)


CAST, WITHDRAW = Statement(lambda: casting(voters())), Statement(lambda: withdrawing(voters()))


@dataclass(eq=False)
class Wish:
    """A vote that a caller wants to add or to remove."""

    pk: int
    statement: Statement
    user: int
    session: int
    is_over: bool = False
    has_changed: bool = False
    error: Exception | None = None


class Meeting:
    """Where wishes about one post wait for the statement that is under way."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.wishes: list[Wish] = []

    def make(self, wish: Wish) -> None:
        """Run one statement for all wishes that want the same."""
        alike = [each for each in [*self.wishes] if each.statement is wish.statement]
        error: Exception | None = None
        try:
            rows = wish.statement.rows(
                pk=wish.pk,
                users=[each.user for each in alike],
                sessions=[each.session for each in alike],
            )
        except IntegrityError:
            # The post or one of them was deleted in this very moment; DRF finds out.
            rows = []
        except Exception as raised:  # noqa: BLE001 (each of them raises it)
            rows, error = [], raised
        with door:
            # After a failure nobody else here tries, which could take as long again for each.
            over = self.wishes if error else alike
            self.wishes = [each for each in self.wishes if each not in over]
            if not self.wishes:
                del meetings[wish.pk]
        changed = {user for (user,) in rows}
        for each in over:
            # One of two wishes of the same user is fulfilled.
            each.has_changed = each.user in changed
            changed.discard(each.user)
            each.error = error
            each.is_over = True


# By their posts, for as long as there are wishes in them.
meetings: dict[int, Meeting] = {}
# Held for a moment, to come to a meeting or to leave it.
door = Lock()


def fulfil(wish: Wish) -> bool:
    """Make a vote, with all like it that wait, and return whether it changed anything.

    Raises what the statement raised, for everyone in it and everyone who waits for its end.
    """
    with door:
        meeting = meetings.setdefault(wish.pk, Meeting())
        meeting.wishes.append(wish)
    with meeting.lock:
        if not wish.is_over:
            meeting.make(wish)
    if wish.error:
        raise wish.error
    return wish.has_changed


def vote(request: HttpRequest) -> Answer | None:
    """Answer `POST /vote`."""
    caller = caller_ids(request)
    post_id, adds = read_body(request, VoteSerializer).values()
    statement, message = (CAST, "Vote added.") if adds else (WITHDRAW, "Vote removed.")
    wish = Wish(post_id, statement, caller["user"], caller["session"])
    if fulfil(wish):
        return json_answer({"message": message}, HTTP_201_CREATED)
    return None


ACTIONS = {"create": vote}
