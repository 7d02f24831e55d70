"""Bring users, posts and votes over from the database of the FastAPI course's project."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, TextIO

import psycopg2
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, ProgrammingError, transaction

from accounts.models import Session
from votes.management import fastapi_load
from votes.management.fastapi_load import Batch
from votes.management.fastapi_source import EXAMPLE, Source, first_line, opened

# Seconds between two lines about the progress.
SHOW_EVERY = 2
AGAIN = " What was imported stays; run this again to go on."
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
        self.counts = fastapi_load.no_rows()
        started = self.shown = time.monotonic()
        with self.errors_explained(), report_file(report) as self.file, opened(source) as course:
            self.load(course, dry_run=dry_run)
        for name, counts in self.counts.items():
            self.say(
                f"{name}: {counts['new']:,} new, {counts['present']:,} there already, "
                f"{counts['misfits']:,} that do not fit"
            )
        self.say(f"Took {time.monotonic() - started:.1f} s.")
        if dry_run:
            self.say("Nothing was kept: this was a dry run.")

    def load(self, source: Source, *, dry_run: bool) -> None:
        """Import everything from an open source."""
        self.sizes = {name: source.size(name) for name in self.counts}
        with fastapi_load.alone(), undone() if dry_run else nullcontext():
            fastapi_load.check_ids(source)
            if Session.objects.exists():
                self.stderr.write(self.style.WARNING(COME_BACK))
            if not dry_run:
                fastapi_load.reserve_ids(source)
                self.advice = AGAIN
            fastapi_load.load_users(source, self.take)
            fastapi_load.load_posts(source, self.take)

    def take(self, name: str, batch: Batch) -> None:
        """Count a batch, list its misfits, and tell once in a while how far its table is."""
        for table, counts in batch.counts.items():
            self.counts[table].update(counts)
        for table, key, reason in batch.misfits:
            if self.file:
                print(json.dumps({"table": table, **key, "reason": reason}), file=self.file)
            else:
                words = " ".join(f"{column} {value}" for column, value in key.items())
                self.stdout.write(f"{table} {words}: {reason}")
        if time.monotonic() - self.shown >= SHOW_EVERY:
            self.shown = time.monotonic()
            self.say(f"{name}: {self.counts[name].total():,} of {self.sizes[name]:,}")

    def say(self, text: str) -> None:
        """Write a line, unless told to be quiet."""
        if not self.quiet:
            self.stdout.write(text)

    @contextmanager
    def errors_explained(self) -> Iterator[None]:
        """Turn what stops an import into CommandError."""
        try:
            yield
        except (psycopg2.errors.UndefinedTable, psycopg2.errors.UndefinedColumn) as error:
            raise CommandError(f"The source is not the course's: {first_line(error)}.") from None
        except psycopg2.Error as error:
            message = f"The source cannot be read: {first_line(error)}.{self.advice}"
            raise CommandError(message) from None
        except UnicodeDecodeError:
            raise CommandError("The source has text that is not UTF-8.") from None
        except ProgrammingError as error:
            message = f"{first_line(error)}. Has `manage.py migrate` been run?"
            raise CommandError(message) from error
        except Error as error:
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
