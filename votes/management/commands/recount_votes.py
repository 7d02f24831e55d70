"""Compare the posts' vote counts with the votes, and repair them."""

from itertools import batched
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from votes.models import Recount, Vote

COLUMNS = ("pk", "vote_count", "counted")
EXAMPLES = 5
# Posts that are locked at a time, so that voters wait for a moment only.
BATCH = 1000


class Command(BaseCommand):
    """Reads both tables whole, without locks, and locks the posts that it repairs."""

    help = "Report posts whose vote count is not the number of their votes, and repair it."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take whether to repair."""
        parser.add_argument(
            "--check", action="store_true", help="Only report; exit with 1 if a count is wrong."
        )

    def handle(self, *, check: bool, **options: Any) -> None:
        """Report, and repair unless told otherwise; raises CommandError for what is not."""
        wrong = list(Vote.objects.miscounted().order_by("pk").values_list(*COLUMNS))
        Recount.objects.create(wrong=len(wrong))
        if not wrong:
            self.stdout.write("Every vote count is right.")
            return
        self.stdout.write(f"Posts with a wrong vote count: {len(wrong):,}")
        for post, stored, counted in wrong[:EXAMPLES]:
            self.stdout.write(f"  post {post}: stored {stored}, counted {counted}")
        if check:
            raise CommandError("Run this without --check to repair the counts.")
        for batch in batched(wrong, BATCH, strict=False):
            Vote.objects.recount([post for post, _, _ in batch])
        self.stdout.write(self.style.SUCCESS("Repaired."))
