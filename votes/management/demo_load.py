"""Demo data, generated as it is sent to the database, so that memory does not grow with it."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import batched

from django.db import connection
from django.db.models import Model
from tqdm import tqdm

from accounts.models import User
from posts.models import Post
from votes.models import Vote

from .demo_text import RANDOM, Usernames, Writers

type Row = Sequence[object]

# The columns, in the order of the rows.
USER = "email, username, password, is_superuser, created_at"
VOTE = "user_id, post_id, created_at"
POST = "owner_id, title, content, vote_count, published, created_at, updated_at"

YEAR = timedelta(days=365)
DRAFTS = 0.03
EDITED = 0.05
# The smaller, the more of the votes go to the most popular posts (a Pareto distribution).
POPULARITY = 1.5


class DemoData:
    """So many users, posts and votes, spread over the last year.

    They are for one transaction, and empty tables that nobody else writes to. The votes come
    before their posts, which bring their counts along: the triggers then have nothing to update,
    which would take as long as all the rest. The foreign keys are checked at the end.
    """

    def __init__(self, users: int, posts: int, votes: int, *, password: str, quiet: bool) -> None:
        self.users, self.posts, self.votes = users, posts, votes
        self.password, self.quiet = password, quiet
        self.start = datetime.now(UTC) - YEAR
        # Of each post: when it was written, as a part of the year, and its votes.
        self.written = [(number + RANDOM.random()) / posts for number in range(posts)]
        self.counts = list(share(votes, weights(posts), most=users))

    def load(self) -> None:
        """Load everything. Posts take longest, since their titles are indexed."""
        first_user, first_post = next_id(User), next_id(Post)
        log_nothing()
        self.copy(User, USER, self.users, self.each_user())
        self.copy(Vote, VOTE, self.votes, self.each_vote(first_user, first_post))
        self.copy(Post, POST, self.posts, self.each_post(first_user))

    def time(self, part: float) -> str:
        """Return the time when this part of the year (0 to 1) had passed."""
        return (self.start + part * YEAR).isoformat()

    def each_user(self) -> Iterator[Row]:
        """Users who signed up one after the other."""
        usernames = Usernames()
        for number in range(self.users):
            email = f"user{number + 1}@example.com"
            signed_up = self.time(number / self.users)
            yield email, usernames.make(number), self.password, False, signed_up

    def each_vote(self, first_user: int, first_post: int) -> Iterator[Row]:
        """Votes on one post after the other, each by another user."""
        for number, (written, count) in enumerate(zip(self.written, self.counts, strict=True)):
            for voter in RANDOM.sample(range(self.users), count):
                since = max(written, voter / self.users)
                voted = self.time(RANDOM.uniform(since, 1))
                yield first_user + voter, first_post + number, voted

    def each_post(self, first_user: int) -> Iterator[Row]:
        """Posts written one after the other, by users who were there already."""
        writers = Writers()
        for written, count in zip(self.written, self.counts, strict=True):
            owner = first_user + int(self.users * written * RANDOM.random())
            published = RANDOM.random() >= DRAFTS
            edited = RANDOM.uniform(written, 1) if RANDOM.random() < EDITED else written
            yield owner, *writers.write(), count, published, self.time(written), self.time(edited)

    def copy(self, model: type[Model], columns: str, total: int, rows: Iterator[Row]) -> None:
        """Load rows with COPY, and show the progress."""
        table, name = model._meta.db_table, str(model._meta.verbose_name_plural)
        shown = tqdm(rows, name, total, unit="", unit_scale=True, disable=self.quiet)
        with connection.cursor() as cursor:
            cursor.copy_expert(f"COPY {table} ({columns}) FROM STDIN (FORMAT csv)", CSVFile(shown))
            cursor.execute(f"ANALYZE {table}, posts_postrank")


class CSVFile:
    """Rows as a file for COPY, made as it is read: the server works while more are made."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.batches = batched(rows, 1000, strict=False)

    def read(self, size: int) -> str:
        """Return the next rows, whatever the size, or an empty text at the end."""
        file = StringIO()
        csv.writer(file).writerows(next(self.batches, ()))
        return file.getvalue()


def weights(posts: int) -> list[float]:
    """Return how many votes each post draws, in proportion; for many next to none."""
    return [RANDOM.paretovariate(POPULARITY) - 1 for _ in range(posts)]


def share(votes: int, weights: list[float], *, most: int) -> Iterator[int]:
    """Share out exactly so many votes by weight, to each the `most` at most."""
    weight = sum(weights)
    for number, own in enumerate(weights, start=1):
        fair = int(votes * own / weight + RANDOM.random()) if weight > 0 else 0
        # What those that follow could not take.
        needed = votes - most * (len(weights) - number)
        count = min(max(fair, needed), votes, most)
        votes, weight = votes - count, weight - own
        yield count


def log_nothing() -> None:
    """Tell no stream of what this transaction inserts."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL socialapi.log TO off")


def next_id(model: type[Model]) -> int:
    """Return the id that the next row will have."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setval(sequence, nextval(sequence), false)"
            " FROM pg_get_serial_sequence(%s, 'id') AS sequence",
            [model._meta.db_table],
        )
        (number,) = cursor.fetchone()
    return int(number)
