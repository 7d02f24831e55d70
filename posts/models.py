"""Posts, and who may see them; the log of their changes, and who listens to it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, NamedTuple

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import connection, models, transaction
from django.db.models import BooleanField, Expression, F, FilteredRelation, Func, Q, Value
from django.db.models.functions import Cast, Length, Now
from django.db.models.lookups import LessThanOrEqual

from accounts.models import User

TITLE_MAX = 300
CONTENT_MAX = 40_000
# A text with something in it that is not white space.
NOT_BLANK = r"\S"
# How long an entry of the log stays at least, after it could be read for the first time.
WINDOW = timedelta(minutes=10)
# Between two marks in the log, and so by how much an entry may stay longer.
MARK_EVERY = timedelta(minutes=1)
# How much of the log is read, returned and removed by one call.
SCAN, PAGE, SWEEP = 10_000, 200, 100_000
# What the index of titles holds of each: its parts, as `posts_grams_query` asks for them.
GRAMS = Func(F("title"), function="posts_grams", output_field=SearchVectorField())
# Open streams of a user.
MOST_STREAMS = 5
# How long a stream still counts when its process has died without a word.
LEASE = timedelta(seconds=30)


class PostQuerySet(models.QuerySet["Post"]):
    """Posts by who may see them, and in the form that the API shows.

    A user may also be an expression for the user's id, in a statement.
    """

    def published(self) -> PostQuerySet:
        """What everyone may see."""
        return self.filter(published=True)

    def visible_to(self, user: User | Expression) -> PostQuerySet:
        """What is published, and the user's own drafts."""
        return self.filter(Q(published=True) | Q(owner=user))

    def matching(self, text: str | Expression) -> PostQuerySet:
        r"""Posts whose title contains the text in any case; on `posts_post_title_search`.

        The index finds titles with all parts of the text, and `icontains` takes those that have
        them in a row. It compares in upper case too, and takes `%`, `_` and `\` as themselves.
        """
        query = Func(
            text if isinstance(text, Expression) else Value(text), function="posts_grams_query"
        )
        fits = Func(
            GRAMS,
            query,
            template="%(expressions)s",
            arg_joiner=" @@ ",
            output_field=BooleanField(),
        )
        return self.filter(fits, title__icontains=text)

    def seen_by(self, user: User | Expression) -> PostQuerySet:
        """What the API shows, in one query.

        A post's own columns, its owner's `id`, `username` and `created_at`, and `voted`: whether
        this user has voted for it (one look-up in the votes' unique index for each row). Reading
        anything else raises FieldFetchBlocked, rather than costing a query for each row.
        """
        own_vote = FilteredRelation("votes", condition=Q(votes__user=user))
        return (
            self.annotate(own_vote=own_vote)
            .annotate(voted=Q(own_vote__isnull=False))
            .select_related("owner")
            .only(*SHOWN, "owner__username", "owner__created_at")
            .fetch_mode(models.FETCH_RAISE)
        )


SHOWN = ("title", "content", "published", "created_at", "updated_at", "vote_count", "owner_id")


class Post(models.Model):
    """A text that its owner published, or keeps as a draft."""

    # An index below begins with it.
    owner = models.ForeignKey(
        User, on_delete=models.DB_CASCADE, related_name="posts", db_index=False
    )
    title = models.CharField(max_length=TITLE_MAX)
    content = models.TextField(max_length=CONTENT_MAX)
    published = models.BooleanField(
        default=True, db_default=True, help_text="Off for a draft, which its owner alone can see."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(
        db_default=Now(),
        editable=False,
        help_text="When title, content or published last changed; kept by a trigger.",
    )
    vote_count = models.IntegerField(
        "votes",
        default=0,
        db_default=0,
        editable=False,
        help_text="The votes there are; kept by the triggers of the votes app.",
    )

    objects = PostQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(title__regex=NOT_BLANK), name="posts_post_title_not_blank"
            ),
            models.CheckConstraint(
                condition=Q(content__regex=NOT_BLANK), name="posts_post_content_not_blank"
            ),
            models.CheckConstraint(
                condition=LessThanOrEqual(Length("content"), CONTENT_MAX),
                name="posts_post_content_length",
            ),
            models.CheckConstraint(
                condition=Q(vote_count__gte=0), name="posts_post_vote_count_not_negative"
            ),
        ]
        # For the order by time, with the id as its unique tail; that by votes is PostRank's. The
        # index of everyone holds what everyone sees; the owner's also serves drafts and cascade.
        indexes = [
            models.Index(
                "created_at", "id", condition=Q(published=True), name="posts_post_by_time"
            ),
            models.Index("owner", "published", "created_at", "id", name="posts_post_by_owner"),
            GinIndex(GRAMS, name="posts_post_title_search"),
        ]

    def __str__(self) -> str:
        # The admin's history keeps it for good, which must not keep what a user wrote.
        return f"post {self.pk}"

    def edit(self, **changes: Any) -> None:
        """Save these fields alone, and read `updated_at` as the database set it. Two queries."""
        for field, value in changes.items():
            setattr(self, field, value)
        self.save(update_fields=changes)
        self.refresh_from_db(fields=["updated_at"])


class PostRank(models.Model):
    """What the order by votes needs of each post, in a table apart; kept by triggers.

    A vote changes nothing then that an index of the posts holds.
    """

    post = models.OneToOneField(
        Post, on_delete=models.DB_CASCADE, primary_key=True, related_name="rank"
    )
    owner_id = models.BigIntegerField()
    published = models.BooleanField()
    vote_count = models.IntegerField()

    class Meta:
        indexes = [
            models.Index(
                "vote_count", "post", condition=Q(published=True), name="posts_postrank_by_votes"
            ),
            models.Index(
                "owner_id", "published", "vote_count", "post", name="posts_postrank_by_owner"
            ),
        ]

    def __str__(self) -> str:
        return f"rank of post {self.pk}"


class Position(NamedTuple):
    """A place in the log: a transaction, and in it a post (0 stands before all of them)."""

    xid: int
    post: int = 0

    def __str__(self) -> str:
        return f"{self.xid}-{self.post}"


class Entry(NamedTuple):
    """What happened last, at this position, of what matters most to those who see a post."""

    position: Position
    kind: int


class ExpiredError(Exception):
    """The log does not reach back to a position."""


class Bounds(NamedTuple):
    """The log's beginning, its horizon, and a position that no reader can have passed."""

    start: Position
    horizon: Position
    end: Position


class ChangeQuerySet(models.QuerySet["Change"]):
    """Reading the log in an order in which nothing appears later on, before what was read.

    Numbers of any kind are given before their transactions commit. So the log is read up to its
    horizon alone: the oldest transaction in this database that still runs and has written
    something. All older ones have ended, and what they wrote can be seen. One that stays open
    holds the readers up, and makes them miss nothing.
    """

    def bounds(self) -> Bounds:
        """Return what can be read. One query, which reads a dozen rows."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT coalesce(min(xid), 0), posts_horizon(),"
                " pg_snapshot_xmax(pg_current_snapshot())::text::bigint FROM posts_mark"
            )
            return Bounds(*map(Position, cursor.fetchone()))

    def between(
        self, start: Position, end: Position, after: Position | None = None
    ) -> tuple[list[Entry], Position]:
        """Return what changed after `start` and up to `end`, and how far that reaches.

        There is one entry for each post: its last one of the highest kind, since whoever is told
        of that is told of the others along. So a reader who stops after any entry, and goes on
        from its position, has missed nothing. The entries are made from SCAN rows: when the second
        value is less than `end`, there are more. At most PAGE are returned, ordered by position;
        the next page comes `after` the last one, from the same `start`, and leaves out what an
        earlier page told. One statement on the primary key. Raises ExpiredError if the log does
        not reach back so far.
        """
        after = after or start
        with connection.cursor() as cursor:
            cursor.execute(
                """
                WITH change AS (
                    SELECT xid, post_id, kind FROM posts_change
                    WHERE (xid, post_id) > (%(xid)s, %(post)s)
                    AND (xid, post_id) <= (%(end_xid)s, %(end_post)s)
                    ORDER BY xid, post_id FETCH FIRST %(scan)s ROWS WITH TIES
                ), latest AS (
                    SELECT post_id, max(kind) AS kind, coalesce(
                        max(xid) FILTER (WHERE kind = %(presence)s),
                        max(xid) FILTER (WHERE kind = %(content)s),
                        max(xid)
                    ) AS xid
                    FROM change GROUP BY post_id
                ), entry AS (
                    SELECT * FROM latest
                    WHERE (xid, post_id) > (%(after_xid)s, %(after_post)s)
                    ORDER BY xid, post_id LIMIT %(page)s
                )
                SELECT start.xid, rest.xid, rest.post_id, entry.xid, entry.post_id, entry.kind
                FROM (SELECT coalesce(min(xid), 0) AS xid FROM posts_mark) AS start
                LEFT JOIN entry ON true
                LEFT JOIN (
                    SELECT xid, post_id FROM change
                    ORDER BY xid, post_id LIMIT 1 OFFSET %(scan)s - 1
                ) AS rest ON true
                ORDER BY entry.xid, entry.post_id
                """,
                {
                    "xid": start.xid,
                    "post": start.post,
                    "after_xid": after.xid,
                    "after_post": after.post,
                    "end_xid": end.xid,
                    "end_post": end.post,
                    "scan": SCAN,
                    "page": PAGE,
                    "presence": Change.Kind.PRESENCE,
                    "content": Change.Kind.CONTENT,
                },
            )
            rows = cursor.fetchall()
        oldest, rest_xid, rest_post, *first = rows[0]
        if after.xid < oldest:
            raise ExpiredError
        entries = [Entry(Position(*row[3:5]), row[5]) for row in rows if first[0] is not None]
        return entries, end if rest_xid is None else Position(rest_xid, rest_post)

    def sweep(self) -> bool:
        """Remove entries whose time is over, and return whether that was all. Three statements.

        A mark says which transactions had ended at its time. The newest mark that is older than
        the window becomes the first one, and the log begins there. Of what a restored backup
        brought, which another server has numbered, nothing stays either. Any number of
        connections may do this at the same time.
        """
        seconds = {"window": WINDOW.total_seconds(), "every": MARK_EVERY.total_seconds()}
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO posts_mark (xid)
                SELECT posts_horizon() WHERE NOT EXISTS (
                    SELECT FROM posts_mark WHERE at > now() - make_interval(secs => %(every)s)
                )
                ON CONFLICT DO NOTHING
                """,
                seconds,
            )
            cursor.execute(
                """
                DELETE FROM posts_mark WHERE xid < (
                    SELECT max(xid) FROM posts_mark
                    WHERE at < now() - make_interval(secs => %(window)s)
                    AND xid <= pg_snapshot_xmax(pg_current_snapshot())::text::bigint
                ) OR xid > pg_snapshot_xmax(pg_current_snapshot())::text::bigint
                """,
                seconds,
            )
            cursor.execute(
                """
                DELETE FROM posts_change WHERE ctid = ANY(ARRAY(
                    (SELECT ctid FROM posts_change WHERE xid < (SELECT min(xid) FROM posts_mark)
                    ORDER BY xid, post_id LIMIT %(most)s)
                    UNION ALL
                    (SELECT ctid FROM posts_change
                    WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint
                    ORDER BY xid, post_id LIMIT %(most)s)
                ))
                """,
                {"most": SWEEP},
            )
            return bool(cursor.rowcount < SWEEP)


class Change(models.Model):
    """That a published post changed. Written by triggers, whoever writes the posts and votes.

    What it says now is looked up when it is told, so that nobody is shown what has become a
    draft, and only the last of many changes is read.
    """

    class Kind(models.IntegerChoices):
        """What changed; a higher one includes the lower."""

        VOTES = 1
        CONTENT = 2
        PRESENCE = 3

    pk = models.CompositePrimaryKey("xid", "post_id", "kind")
    xid = models.BigIntegerField(
        db_default=Cast(
            Cast(Func(function="pg_current_xact_id"), models.TextField()), models.BigIntegerField()
        ),
        help_text="The transaction.",
    )
    # Not a foreign key, since it outlives the post.
    post_id = models.BigIntegerField()
    kind = models.SmallIntegerField(choices=Kind)

    objects = ChangeQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of post {self.post_id}"


class Mark(models.Model):
    """Where the log's horizon was at a time. It begins at the first of them."""

    xid = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.xid} at {self.at:%H:%M:%S}"


class ListenerQuerySet(models.QuerySet["Listener"]):
    """Counting open streams, across all processes."""

    def join(self, user: User) -> Listener | None:
        """Count a new stream of the user, or return None if there are as many as may be.

        Whoever opens another one at the same time waits for the lock on the user's row.
        """
        with transaction.atomic():
            User.objects.select_for_update(no_key=True).only("pk").get(pk=user.pk)
            self.filter(user=user, expires_at__lt=Now()).delete()
            if self.filter(user=user).count() >= MOST_STREAMS:
                return None
            return self.create(user=user, expires_at=Now() + LEASE)

    def renew(self, ids: Iterable[int]) -> set[int]:
        """Let these count for another while; return those that still did. One statement."""
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE posts_listener SET expires_at = now() + make_interval(secs => %s)"
                " WHERE id = ANY(%s) RETURNING id",
                [LEASE.total_seconds(), list(ids)],
            )
            return {pk for (pk,) in cursor.fetchall()}


class Listener(models.Model):
    """An open stream."""

    user = models.ForeignKey(User, on_delete=models.DB_CASCADE, related_name="+")
    expires_at = models.DateTimeField()

    objects = ListenerQuerySet.as_manager()

    def __str__(self) -> str:
        return f"listener {self.pk}"
