"""How often passwords may be guessed and accounts be made: exact, across all workers."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from math import ceil

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now
from django.utils.crypto import salted_hmac
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from socialapi import tally
from socialapi.logs import event
from socialapi.network import client_network

from .models import RateLimit

log = logging.getLogger(__name__)

TOO_OFTEN = "Too many attempts."


def throttled(limit: str, wait: float, detail: str = TOO_OFTEN, **fields: str) -> Throttled:
    """Return the error of a limit that is reached; the log is told, and it is counted."""
    tally.count("throttled", limit)
    log.warning("A limit was reached.", extra=event("throttled", limit=limit, **fields))
    error = Throttled(detail=f"{detail} Try again in {in_words(wait)}.")
    # For Retry-After, where DRF has it, untyped; given to DRF, the text would tell it, too.
    error.wait = wait  # type: ignore[attr-defined]
    return error


def in_words(seconds: float) -> str:
    """Return a time as people say it: in minutes, if it is longer than two."""
    minutes = ceil(seconds / 60)
    return f"{minutes} minutes" if minutes > 2 else f"{ceil(seconds)} seconds"


@dataclass(frozen=True)
class Limit:
    """`most` events in a period, for each subject (the words that tell who is counted).

    The last of the words is the network that they come from.

    Nothing is limited with THROTTLE off. Each method is one query, or two.
    """

    name: str
    most: int
    period: timedelta

    def key(self, subject: tuple[str, ...]) -> str:
        """Name the counter without storing an email or an address."""
        text = "\n".join((self.name, *subject))
        return salted_hmac("accounts.limits", text, algorithm="sha256").hexdigest()

    def check(self, *subject: str) -> None:
        """Raise Throttled if the limit is reached."""
        if not settings.THROTTLE:
            return
        remaining = (
            RateLimit.objects.filter(
                key=self.key(subject), count__gte=self.most, resets_at__gt=Now()
            )
            .values_list(F("resets_at") - Now(), flat=True)
            .first()
        )
        if remaining is not None:
            raise throttled(self.name, remaining.total_seconds(), network=subject[-1])

    def hit(self, *subject: str) -> None:
        """Count an event; raise Throttled if the limit had been reached before it."""
        if not settings.THROTTLE:
            return
        count, seconds = RateLimit.objects.hit(self.key(subject), self.period)
        if count > self.most:
            raise throttled(self.name, seconds, network=subject[-1])

    def forget(self, *subject: str) -> None:
        """Start anew; raise Throttled, and do not, if the limit is reached."""
        if not settings.THROTTLE:
            return
        self.check(*subject)
        RateLimit.objects.filter(key=self.key(subject)).delete()


for name in ("password", "sign-up", "streams"):
    tally.expect("throttled", name)

# For each account and network: who guesses elsewhere does not lock the owner out.
PASSWORD_FAILURES = Limit("password", 10, timedelta(minutes=15))
# For each network: sign-up tells which emails are taken.
SIGN_UPS = Limit("sign-up", 300, timedelta(hours=1))

# For each account and network: an export may be large.
EXPORTS = Limit("export", 10, timedelta(hours=1))


class SignUpThrottle(BaseThrottle):
    """SIGN_UPS as a throttle of DRF's."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Count the request; raise Throttled beyond the limit."""
        SIGN_UPS.hit(client_network(request))
        return True


class ExportThrottle(BaseThrottle):
    """EXPORTS as a throttle of DRF's."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Count the request; raise Throttled beyond the limit."""
        EXPORTS.hit(str(request.user.pk), client_network(request))
        return True
