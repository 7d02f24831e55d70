"""The fast path of votes: those on one post that meet are made together.

Votes on one post have to wait for each other's commit, since each changes its count. So whoever
waits here is taken along by the next one who does not: one statement, one commit, whatever their
number.
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
# Two posts that share a lock wait for each other, and are not made together.
LOCKS = 256


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
    """Where wishes wait for the statement that is under way."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.wishes: list[Wish] = []

    def fulfil(self, wish: Wish) -> bool:
        """Make a vote, with all like it that wait, and return whether it changed anything.

        Raises what the statement raised, for everyone in it.
        """
        self.wishes.append(wish)
        with self.lock:
            if not wish.is_over:
                self.make(wish)
        if wish.error:
            raise wish.error
        return wish.has_changed

    def make(self, wish: Wish) -> None:
        """Run one statement for all wishes that want the same of the same post."""
        kind = (wish.pk, wish.statement)
        alike = [each for each in [*self.wishes] if (each.pk, each.statement) == kind]
        try:
            rows = wish.statement.rows(
                pk=wish.pk,
                users=[each.user for each in alike],
                sessions=[each.session for each in alike],
            )
        except IntegrityError:
            # The post or one of them was deleted in this very moment; DRF finds out.
            rows = []
        except Exception as error:  # noqa: BLE001 (each of them raises it)
            for each in alike:
                each.error = error
            rows = []
        changed = {user for (user,) in rows}
        for each in alike:
            # One of two wishes of the same user is fulfilled.
            each.has_changed = each.user in changed
            changed.discard(each.user)
            each.is_over = True
            self.wishes.remove(each)


meetings = [Meeting() for _ in range(LOCKS)]


def vote(request: HttpRequest) -> Answer | None:
    """Answer `POST /vote`."""
    caller = caller_ids(request)
    post_id, adds = read_body(request, VoteSerializer).values()
    statement, message = (CAST, "Vote added.") if adds else (WITHDRAW, "Vote removed.")
    wish = Wish(post_id, statement, caller["user"], caller["session"])
    if meetings[post_id % LOCKS].fulfil(wish):
        return json_answer({"message": message}, HTTP_201_CREATED)
    return None


ACTIONS = {"create": vote}
