"""Bring users, posts and votes over from the database of the FastAPI course's project."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError, ProgrammingError, transaction

from accounts.models import Session
from votes.management.fastapi_load import ClashError, Load
from votes.management.fastapi_source import EXAMPLE, Source, SourceError, first_line, opened

# Seconds between two lines about the progress.
SHOW_EVERY = 2
AGAIN = " What was imported stays; run this again to go on."
CLASH = (
    "Nothing was imported, since there are others with the same ids: {}. "
    "Import into an empty database, and make superusers afterwards."
)
COME_BACK = (
    "Users have logged in here already: what they deleted since an earlier import comes back."
)


class Command(BaseCommand):
    """Reads the source as it is at the start, and inserts what is missing batch by batch."""

    help = (
        "Import users, posts and votes from the FastAPI course's database, which is only read. "
        "Run again, this imports what is missing, and changes nothing that is there."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the source, where to report to, and whether to keep anything."""
        parser.add_argument("source", metavar="URL", help=f"For example {EXAMPLE}")
        parser.add_argument(
            "--report",
            type=Path,
            metavar="FILE",
            help="List what does not fit here, as lines of JSON, and not on the screen.",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Do everything, and undo it in the end."
        )

    def handle(self, *, source: str, report: Path | None, dry_run: bool, **options: Any) -> None:
        """Import, and say what became of the rows; raises CommandError for what stops it."""
        self.quiet = options["verbosity"] == 0
        # What to say when it stops from now on.
        self.advice = ""
        started = self.shown = time.monotonic()
        with self.errors_explained(), report_file(report) as self.file, opened(source) as course:
            self.load(course, dry_run=dry_run)
        for name, tally in self.loading.tallies.items():
            self.say(
                f"{name}: {tally.new:,} new, {tally.present:,} there already, "
                f"{tally.misfits:,} that do not fit"
            )
        self.say(f"Took {time.monotonic() - started:.1f} s.")
        if dry_run:
            self.say("Nothing was kept: this was a dry run.")

    def load(self, source: Source, *, dry_run: bool) -> None:
        """Import everything from an open source."""
        self.sizes = {name: source.size(name) for name in ("users", "posts", "votes")}
        self.loading = Load(source, self.report, self.show)
        if Session.objects.exists():
            self.stderr.write(self.style.WARNING(COME_BACK))
        with undone() if dry_run else nullcontext():
            if not dry_run:
                self.loading.reserve_ids()
            self.loading.check_ids()
            self.advice = "" if dry_run else AGAIN
            self.loading.load_users()
            self.loading.load_posts()

    def say(self, text: str) -> None:
        """Write a line, unless told to be quiet."""
        if not self.quiet:
            self.stdout.write(text)

    def show(self, name: str) -> None:
        """Tell how far a table is, once in a while."""
        if time.monotonic() - self.shown >= SHOW_EVERY:
            self.shown = time.monotonic()
            self.say(f"{name}: {self.loading.tallies[name].total:,} of {self.sizes[name]:,}")

    def report(self, name: str, key: dict[str, int], reason: str) -> None:
        """List a row that does not fit."""
        if self.file:
            print(json.dumps({"table": name, **key, "reason": reason}), file=self.file)
        else:
            words = " ".join(f"{column} {value}" for column, value in key.items())
            self.stdout.write(f"{name} {words}: {reason}")

    @contextmanager
    def errors_explained(self) -> Iterator[None]:
        """Turn what stops an import into CommandError."""
        try:
            yield
        except SourceError as error:
            raise CommandError(f"{error}.{self.advice}") from None
        except ClashError as error:
            raise CommandError(CLASH.format(error)) from None
        except ProgrammingError as error:
            message = f"{first_line(error)}. Has `manage.py migrate` been run?"
            raise CommandError(message) from error
        except (OperationalError, InterfaceError) as error:
            raise CommandError(f"The database: {first_line(error)}.{self.advice}") from error
        except KeyboardInterrupt:
            raise CommandError(f"Interrupted.{self.advice}") from None


@contextmanager
def report_file(path: Path | None) -> Iterator[TextIO | None]:
    """Open a file to report to, if one is named; raises CommandError if it cannot be written."""
    if path is None:
        yield None
        return
    try:
        file = path.open("w", encoding="utf-8")
    except OSError as error:
        raise CommandError(f"--report: {path} cannot be written: {error.strerror}.") from None
    with file:
        yield file


@contextmanager
def undone() -> Iterator[None]:
    """Undo in the end what was done."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
