"""Pages by keyset: a cursor holds the position it was made at, not a row or a number.

So a page neither repeats nor skips rows while others are written, the row at its edge may be
deleted, and page 5,000 costs what page 1 does (https://use-the-index-luke.com/no-offset).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, ClassVar

import orjson
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import F, Model, QuerySet
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan
from django.template.loader import render_to_string
from django.utils.timezone import is_naive
from rest_framework import serializers
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param
from rest_framework.views import APIView

from .fields import IntegerField, StringField

LIMIT_DEFAULT, LIMIT_MAX = 10, 100
SKIP_MAX = 10_000
COLUMN_MAX = 2**63 - 1
BAD_CURSOR = "This cursor was not made here, or for another sort."


def read_value(column: Any, value: Any) -> Any:
    """Turn what a cursor holds back into a column's value; raises ValidationError and others."""
    read = column.to_python(value)
    if isinstance(read, datetime):
        if is_naive(read):
            raise ValueError("a time without its zone is not a time of ours")
        return read.astimezone(UTC)
    # A step further must still be a number that a column can hold.
    if type(value) is not int or abs(value) >= COLUMN_MAX:
        raise ValueError("not a number of ours")
    return read


@dataclass(frozen=True)
class Cursor:
    """A position in a list, between rows: just after the row with these values, or before it."""

    sort: str
    backward: bool
    values: tuple[Any, ...]

    def encode(self) -> str:
        """Return URL-safe text; its content is nobody's business but ours."""
        data = orjson.dumps([self.sort, self.backward, self.values])
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, sort: str) -> Cursor:
        """Read what `encode` made for this sort; raises ValueError for anything else."""
        padded = text + "=" * (-len(text) % 4)
        made_for, backward, values = orjson.loads(base64.b64decode(padded, b"-_", validate=True))
        if made_for != sort or not isinstance(backward, bool) or None in values:
            raise ValueError(BAD_CURSOR)
        return cls(sort, backward, tuple(values))


class PageSerializer(serializers.Serializer[Any]):
    """The query parameters of a list.

    Subclasses set `orders` and declare `sort` with its names as choices. Each order is a tuple
    of columns, all ascending or all descending, of which the last is unique and an integer.
    """

    orders: ClassVar[dict[str, tuple[str, ...]]]
    takes_text = True

    limit = IntegerField(
        default=LIMIT_DEFAULT, min_value=1, max_value=LIMIT_MAX, help_text="Results on a page."
    )
    skip = IntegerField(
        default=0,
        min_value=0,
        max_value=SKIP_MAX,
        error_messages={
            "max_value": "Ensure this value is at most {max_value}; follow `cursor` to go further."
        },
        help_text="Results to leave out first.",
    )
    cursor = StringField(
        required=False, help_text="A position, from a `next` or `previous` link of the same sort."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Read the cursor, which fits one sort only."""
        if "cursor" in attrs:
            try:
                attrs["cursor"] = Cursor.decode(attrs["cursor"], attrs["sort"])
            except (ValueError, TypeError):
                raise serializers.ValidationError({"cursor": [BAD_CURSOR]}) from None
        return attrs

    def filter(self, queryset: Any, user: Any) -> Any:
        """Narrow the list down to what was asked for and the user may see."""
        return queryset


class KeysetPagination(BasePagination):
    """Answers a list with `results`, and absolute links to the `next` and `previous` page."""

    query_class: ClassVar[type[PageSerializer]]
    template = "rest_framework/pagination/previous_and_next.html"

    def paginate_queryset(
        self, queryset: Any, request: Request, view: APIView | None = None
    ) -> list[Any]:
        """Return one page, in one query; raises ValidationError for bad parameters."""
        # As a plain dict, in which an empty value is not a missing one.
        query = self.query_class(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        self.request = request
        self.asked = query.validated_data
        self.columns = query.orders[self.asked["sort"]]
        self.cursor: Cursor | None = self.asked.get("cursor")
        # There are none to show on an error's page, nor on that of one object.
        self.display_page_controls = True
        return self.read_page(query.filter(queryset, request.user))

    def read_page(self, queryset: QuerySet[Any]) -> list[Any]:
        """Read a row more than the page, which tells whether there are others beyond."""
        backward = self.cursor is not None and self.cursor.backward
        if self.cursor:
            queryset = queryset.filter(self.beyond(queryset.model, self.cursor))
        queryset = queryset.order_by(*self.columns)
        if backward:
            queryset = queryset.reverse()
        skip, limit = self.asked["skip"], self.asked["limit"]
        rows = list(queryset[skip : skip + limit + 1])
        more, rows = len(rows) > limit, rows[:limit]
        came_from = self.cursor is not None or (skip > 0 and bool(rows))
        if backward:
            rows.reverse()
        self.has_previous = more if backward else came_from
        self.has_next = backward or more
        self.edges = (rows[0], rows[-1]) if rows else None
        return rows

    def beyond(self, model: type[Model], cursor: Cursor) -> TupleGreaterThan | TupleLessThan:
        """Return the condition for rows on the far side of a cursor; raises ValidationError."""
        names = [column.removeprefix("-") for column in self.columns]
        try:
            values = tuple(
                read_value(model._meta.get_field(name), value)
                for name, value in zip(names, cursor.values, strict=True)
            )
        except (DjangoValidationError, OverflowError, ValueError, TypeError):
            raise serializers.ValidationError({"cursor": [BAD_CURSOR]}) from None
        self.cursor = replace(cursor, values=values)
        lookup = TupleGreaterThan if self.goes_up(cursor) else TupleLessThan
        return lookup(Tuple(*map(F, names)), values)

    def goes_up(self, cursor: Cursor) -> bool:
        """Whether the rows on the far side of a cursor have greater values."""
        return cursor.backward == self.columns[0].startswith("-")

    def link(self, row: Model | None, *, backward: bool) -> str:
        """Return the link to the rows on one side of a row, or of the cursor if it had none."""
        if row:
            values = tuple(getattr(row, column.removeprefix("-")) for column in self.columns)
        elif self.cursor:
            # The row that the cursor was made from is the last on the way back.
            *others, last = self.cursor.values
            values = (*others, last + (1 if self.goes_up(self.cursor) else -1))
        cursor = Cursor(self.asked["sort"], backward, values).encode()
        url = remove_query_param(self.request.build_absolute_uri(), "skip")
        return str(replace_query_param(url, "cursor", cursor))

    def get_next_link(self) -> str | None:
        """The link to the next page, if there is one."""
        row = self.edges[1] if self.edges else None
        return self.link(row, backward=False) if self.has_next else None

    def get_previous_link(self) -> str | None:
        """The link to the previous page, if there is one."""
        row = self.edges[0] if self.edges else None
        return self.link(row, backward=True) if self.has_previous else None

    def get_paginated_response(self, data: Any) -> Response:
        """Wrap a page's serialized rows."""
        return Response(
            {
                "results": data,
                "next": self.get_next_link(),
                "previous": self.get_previous_link(),
            }
        )

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe a page."""
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["results", "next", "previous"],
            "properties": {
                "results": schema | {"maxItems": LIMIT_MAX},
                "next": link | {"description": "The page after this one."},
                "previous": link | {"description": "The page before this one."},
            },
        }

    def to_html(self) -> str:
        """The browsable API's links."""
        urls = {"previous_url": self.get_previous_link(), "next_url": self.get_next_link()}
        return render_to_string(self.template, urls)
