"""All that is held about a user, as one JSON document.

The database writes each member's objects, in one statement, which sees everything as it was at one
moment. They go through a cursor into a file, a few at a time, and from there to the client: so it
takes the same memory however much there is, and no thread and no transaction wait for the client.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import ExitStack, aclosing
from itertools import groupby
from operator import itemgetter
from tempfile import TemporaryFile
from threading import Lock
from typing import IO, Any, NamedTuple

from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection, transaction
from django.db.models import F, Func, QuerySet, TextField
from django.db.models.expressions import Combinable
from django.http import StreamingHttpResponse
from django.utils import timezone
from rest_framework import serializers

from socialapi.exceptions import InvalidToken, ServiceUnavailable
from socialapi.handler import in_thread
from socialapi.rendering import JSONRenderer, to_json, utc

from .models import User
from .serializers import ExportedAccountSerializer, ExportedSessionSerializer

# How many objects, and how many bytes, are in memory at a time.
BATCH = 100
PIECE = 256 * 1024
# A client that does not take a piece within so many seconds is cut off.
PATIENCE = 30.0
# The thread of one is busy for some seconds with a large account; the others are for others.
making = Lock()


class UTC(Func):
    """A time as the API writes it."""

    template = """to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    output_field = TextField()


class Member(NamedTuple):
    """What one app holds about a user: how a row is shown, and which rows; or the one there is."""

    serializer: type[serializers.ModelSerializer[Any]]
    rows: Callable[[User], QuerySet[Any]]
    is_one: bool = False

    def select(self, user: User) -> tuple[str, tuple[Any, ...]]:
        """Return SQL for its rows as JSON, each as the serializer would show it."""
        fields = self.serializer().fields
        columns = [column(field) for field in fields.values()]
        text, values = self.rows(user).values_list(*columns).query.sql_with_params()
        names = ", ".join(f'"{name}"' for name in fields)
        # The ORM's own SQL, and names from our code: nothing of a client's.
        return f"SELECT row_to_json(held)::text FROM ({text}) AS held ({names})", values  # noqa: S608


def column(field: serializers.Field[Any, Any, Any, Any]) -> Combinable:
    """Return what a serializer's field shows."""
    source = F(str(field.source))
    return UTC(source) if isinstance(field, serializers.DateTimeField) else source


def account(user: User) -> QuerySet[User]:
    """Return the user's own row, with the names of what the admin has given to it."""
    return User.objects.filter(pk=user.pk).annotate(
        group_names=ArraySubquery(user.groups.values("name")),
        permission_names=ArraySubquery(user.user_permissions.values("codename")),
    )


# The document's members. Apps add theirs when they are ready.
members: dict[str, Member] = {
    "account": Member(ExportedAccountSerializer, account, is_one=True),
    "sessions": Member(ExportedSessionSerializer, lambda user: user.sessions.all()),
}


class ExportSerializer(serializers.Serializer[Any]):
    """All that is held about a user."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """When, and what each app holds."""
        held = {
            name: member.serializer(many=not member.is_one) for name, member in members.items()
        }
        return {"exported_at": serializers.DateTimeField(), **held}


def statement(user: User) -> tuple[str, list[Any]]:
    """Return SQL for the rows of all members, each with its member's number, in their order.

    PostgreSQL reads the parts of a union one after the other where, as here, nothing asks for
    another order and a cursor keeps it from doing so in parallel. Each begins with an empty row.
    """
    parts: list[str] = []
    parameters: list[Any] = []
    for number, member in enumerate(members.values()):
        text, values = member.select(user)
        begin = f"SELECT {number}, NULL"
        # As in `select`, nothing in it is a client's.
        parts.append(f"{begin} UNION ALL SELECT {number}, row.* FROM ({text}) AS row")  # noqa: S608
        parameters += values
    return " UNION ALL ".join(parts), parameters


def rows(user: User) -> Iterator[tuple[int, str | None]]:
    """Read the rows, a batch at a time, in the surrounding transaction."""
    # Django's iterators would not use the database's cursors, since behind PgBouncer they last no
    # longer than a transaction. This one does not have to.
    with connection.chunked_cursor() as cursor:
        cursor.execute(*statement(user))
        while batch := cursor.fetchmany(BATCH):
            yield from batch


def document(user: User) -> Iterator[str]:
    """Make the document in small pieces. One query."""
    yield f'{{"exported_at":{to_json(utc(timezone.now())).decode()}'
    names = list(members)
    with transaction.atomic():
        for number, held in groupby(rows(user), itemgetter(0)):
            texts = (text for _, text in held if text)
            member = members[names[number]]
            yield f',"{names[number]}":'
            yield from one(texts) if member.is_one else array(texts)
    yield "}"


def one(texts: Iterator[str]) -> Iterator[str]:
    """Take the one text there is; raises InvalidToken if the account has just been deleted."""
    text = next(texts, None)
    if text is None:
        raise InvalidToken
    yield text


def array(texts: Iterator[str]) -> Iterator[str]:
    """Make an array of JSON texts."""
    yield "["
    for number, text in enumerate(texts):
        yield f",{text}" if number else text
    yield "]"


def pack(user: User) -> tuple[IO[bytes], int]:
    """Write the document to a file, and return it with the document's size.

    Packed, since in a container such files may well be in memory. Raises ServiceUnavailable while
    another one is made in this process.
    """
    if not making.acquire(blocking=False):
        raise ServiceUnavailable
    with ExitStack() as on_error:
        on_error.callback(making.release)
        file = on_error.enter_context(TemporaryFile())
        with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1) as packed:
            size = sum(packed.write(text.encode()) for text in document(user))
        file.seek(0)
        on_error.pop_all()
    making.release()
    return file, size


class Export(StreamingHttpResponse):
    """A user's document as it is now, to be saved as a file.

    It is ready, and the database is done with, before the answer begins. Raises as `pack` does.
    """

    def __init__(self, user: User) -> None:
        self.file, size = pack(user)
        self.unpacked = gzip.GzipFile(fileobj=self.file, mode="rb")
        headers = {
            "Cache-Control": "no-store",
            "Content-Disposition": 'attachment; filename="export.json"',
            "Content-Length": str(size),
        }
        self.pieces = self.read()
        super().__init__(self.pieces, content_type=JSONRenderer.media_type, headers=headers)

    async def read(self) -> AsyncGenerator[bytes]:
        """Read the file as fast as the client does."""
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        while piece := await in_thread(self.unpacked.read, PIECE):
            timer = loop.call_later(PATIENCE, task.cancel) if task else None
            yield piece
            if timer:
                timer.cancel()

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        """Send it; whoever stops sending ends it at once."""
        async with aclosing(self.pieces):
            async for piece in self.pieces:
                yield piece

    def close(self) -> None:
        """Give the space back."""
        self.file.close()
        super().close()
