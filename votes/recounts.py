"""The last recount of the votes, for the metrics."""

import asyncio
from contextlib import suppress

from django.db import Error as DatabaseError

from socialapi.handler import in_thread
from socialapi.metrics import facts

from .models import Recount

# Seconds between two looks at the database, so that nobody who asks for metrics waits for it.
PERIOD = 30.0


def look() -> None:
    """Tell the metrics what the last recount found; nothing before there is one. One query."""
    if last := Recount.objects.order_by("-pk").first():
        facts["miscounted_posts"] = ("Posts whose votes the last recount found wrong.", last.wrong)
        facts["recount_timestamp_seconds"] = (
            "When the votes were counted last.",
            last.counted_at.timestamp(),
        )


async def follow() -> None:
    """Look from time to time, for as long as the process lives."""
    while True:
        # Without a database there are more pressing things to tell.
        with suppress(DatabaseError):
            await in_thread(look)
        await asyncio.sleep(PERIOD)
