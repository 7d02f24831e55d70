"""Fill an empty database with demo data."""

import os
import time
from typing import Any

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from psycopg2.extensions import QueryCanceledError

from accounts.models import User
from socialapi.moderators import GROUP

PASSWORD = "correct-horse-42"  # noqa: S105 (for demonstrations, and printed)
FIRST_USER, MODERATOR = "user1@example.com", "moderator@example.com"
NOT_EMPTY = "There are users already, and seed only fills an empty database."
NO_FAKER = "seed needs development dependencies: pip install -r requirements/dev.txt"


class Command(BaseCommand):
    """All or nothing, in one transaction; sign-ups wait for its end."""

    help = (
        f"Fill an empty database with demo data: {FIRST_USER} and so on, and {MODERATOR}, "
        f"who all have the password in SEED_PASSWORD (default: {PASSWORD})."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take how much of each."""
        parser.add_argument("--users", type=int, default=50, help="Default: %(default)s.")
        parser.add_argument("--posts", type=int, default=500, help="Default: %(default)s.")
        parser.add_argument("--votes", type=int, default=3000, help="Default: %(default)s.")
        parser.add_argument(
            "--if-empty", action="store_true", help="Do nothing if there are users already."
        )

    def handle(self, *, users: int, posts: int, votes: int, **options: Any) -> None:
        """Check everything, then load it and tell what was loaded."""
        if options["if_empty"] and User.objects.exists():
            return
        check_sizes(users, posts, votes)
        password, started = choose_password(), time.monotonic()
        with transaction.atomic():
            if lock_users():
                raise CommandError(NOT_EMPTY)
            self.load(users, posts, votes, make_password(password), options["verbosity"] == 0)
        if options["verbosity"]:
            seconds = time.monotonic() - started
            loaded = f"{users:,} users, {posts:,} posts and {votes:,} votes"
            self.stdout.write(f"Loaded {loaded} in {seconds:.1f} s.")
            self.stdout.write(f"Log in as {FIRST_USER} or {MODERATOR}, password {password}")

    def load(self, users: int, posts: int, votes: int, password: str, quiet: bool) -> None:
        """Load the demo data, and the moderator."""
        try:
            # Production has no Faker, and no use for it.
            from votes.management.demo_load import DemoData  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise CommandError(NO_FAKER) from error
        try:
            DemoData(users, posts, votes, password=password, quiet=quiet).load()
        except (KeyboardInterrupt, QueryCanceledError) as error:
            # A Ctrl-C between two rows reaches COPY first.
            raise CommandError(f"Nothing was loaded: {error}") from error
        add_moderator(password)


def check_sizes(users: int, posts: int, votes: int) -> None:
    """Raise CommandError for sizes that cannot be."""
    if min(users, posts, votes) < 0:
        raise CommandError("--users, --posts and --votes cannot be negative.")
    if posts and not users:
        raise CommandError("--posts need users who own them.")
    if votes > users * posts:
        raise CommandError(
            f"--votes: {users:,} users have {users * posts:,} votes on {posts:,} posts at most."
        )


def choose_password() -> str:
    """Return the password for everyone; raises CommandError if it breaks a rule."""
    password = os.environ.get("SEED_PASSWORD") or PASSWORD
    try:
        for email in (FIRST_USER, MODERATOR):
            validate_password(password, User(email=email))
    except ValidationError as error:
        raise CommandError(f"SEED_PASSWORD: {' '.join(error.messages)}") from None
    return password


def lock_users() -> bool:
    """Return whether there are users; nobody else adds one until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE accounts_user IN SHARE ROW EXCLUSIVE MODE")
    return User.objects.exists()


def add_moderator(password: str) -> None:
    """Add a moderator with a hashed password, in the group of moderators if there is one."""
    moderator = User.objects.create(
        email=MODERATOR, username="moderator", password=password, is_staff=True
    )
    moderator.groups.set([Group.objects.get(name=GROUP)])
