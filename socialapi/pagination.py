"""Pages by keyset: a cursor holds the position it was made at, not a row or a number.

So a page neither repeats nor skips rows while others are written, the row at its edge may be
deleted, and page 5,000 costs what page 1 does (https://use-the-index-luke.com/no-offset).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, ClassVar
from urllib.parse import unquote_plus

import orjson
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import connection
from django.db.models import BigIntegerField, F, Model, QuerySet
from django.db.models.expressions import OrderBy, RawSQL
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan
from django.http import HttpRequest, QueryDict
from django.template.loader import render_to_string
from django.utils.encoding import iri_to_uri
from django.utils.timezone import is_naive
from rest_framework import serializers
from rest_framework.pagination import BasePagination

from .fast import shared_serializer
from .fields import IntegerField, StringField
from .network import absolute_uri
from .statements import SQL, Parameter, Row, Statement, identifier

type Order = tuple[str, ...]
type Names = tuple[str, ...]
type Shape = tuple[tuple[str, Any], ...]
type Kind = tuple[Shape, Names, bool | None]
type Ordered = tuple[QuerySet[Any, Any], list[OrderBy], dict[str, Any]]

LIMIT_DEFAULT, LIMIT_MAX = 10, 100
# How many rows are read, so that a hundred limits do not make a hundred statements.
SIZES = (11, 21, 51, LIMIT_MAX + 1)
SKIP_MAX = 10_000
# So many rows are found and sorted sooner than they are met in order, in most tables.
FEW = 1000
# Questions known to have more than FEW answers; FEW of them are remembered.
known_as_many: set[tuple[Any, ...]] = set()
# What a cursor stands for.
REPLACED = {"cursor", "skip"}
BAD_CURSOR = "This cursor was not made here, or for another sort."


def read_value(column: Any, value: Any) -> Any:
    """Turn what a cursor holds back into a column's value; raises ValidationError and others."""
    read = column.to_python(value)
    if isinstance(read, datetime):
        if is_naive(read):
            raise ValueError("a time without its zone is not a time of ours")
        return read.astimezone(UTC)
    lowest, highest = connection.ops.integer_field_range(column.get_internal_type())
    # A step further must still be a number that the column can hold.
    if type(value) is not int or not lowest < value < highest:
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


def keep_query(text: str) -> str:
    """Return what of a query string a link to another page keeps, ready for one parameter more."""
    parts = [part for part in text.split("&") if part]
    kept = [part for part in parts if unquote_plus(part.partition("=")[0]) not in REPLACED]
    return iri_to_uri("".join(f"{part}&" for part in kept))


def goes_up(order: Order, *, backward: bool) -> bool:
    """Whether the rows on the far side of a cursor have greater values."""
    return backward == order[0].startswith("-")


def names_of(order: Order) -> list[str]:
    """Return the names of the columns of an order."""
    return [column.removeprefix("-") for column in order]


def remember_many(question: tuple[Any, ...]) -> None:
    """Do not look for few rows again where there were many."""
    if len(known_as_many) >= FEW:
        known_as_many.clear()
    known_as_many.add(question)


@dataclass(frozen=True)
class Asked:
    """What a query string asks of a list.

    The `values` are parameters of a statement, and the `shape` is what makes it another one.
    """

    sort: str
    order: Order
    shape: Shape
    values: dict[str, Any]
    cursor: Cursor | None
    skip: int
    limit: int
    kept: str


class KeysetPagination(BasePagination):
    """Answers a list with `results`, and absolute links to the `next` and `previous` page.

    Subclasses say what rows there are in `select`, and in `show` what is read of them, which are
    the `columns`, the id first. To both of them a value is a `Parameter`.
    """

    query_class: ClassVar[type[PageSerializer]]
    model: ClassVar[type[Model]]
    columns: ClassVar[tuple[str, ...]]
    # The query parameters that are values.
    parameters: ClassVar[dict[str, Parameter]]
    # Where an order has its index in another table: the columns there, by the order's name.
    paths: ClassVar[dict[str, dict[str, str]]] = {}
    template = "rest_framework/pagination/previous_and_next.html"

    @classmethod
    def select(cls, asked: dict[str, Any], *, is_ordered: bool) -> QuerySet[Any, Any]:
        """Return the rows that were asked for, and that the user may see.

        `is_ordered` tells that they are to be found in their order, by `paths`.
        """
        raise NotImplementedError

    @classmethod
    def show(cls, rows: Any, asked: dict[str, Any]) -> QuerySet[Any, Any]:
        """Return rows with all that is shown of them."""
        raise NotImplementedError

    @classmethod
    def is_narrow(cls, values: dict[str, Any]) -> bool:
        """Whether values may be looked up in an index that has no order."""
        raise NotImplementedError

    @classmethod
    def may_be_few(cls, values: dict[str, Any]) -> bool:
        """Whether narrow values probably leave few rows."""
        raise NotImplementedError

    def read_page(self, request: HttpRequest, **known: Any) -> list[Row]:
        """Return the rows of one page, in one query to four; raises ValidationError.

        `known` are values that do not come from the query string, such as who asks.
        """
        self.asked = asked = self.read_query(request.META["QUERY_STRING"])
        self.address = absolute_uri(request, request.path)
        # There are none to show on an error's page, nor on that of one object.
        self.display_page_controls = True
        rows = self.read_rows(known)
        more, rows = len(rows) > asked.limit, rows[: asked.limit]
        backward = asked.cursor is not None and asked.cursor.backward
        came_from = asked.cursor is not None or (asked.skip > 0 and bool(rows))
        if backward:
            rows.reverse()
        self.has_previous = more if backward else came_from
        self.has_next = backward or more
        self.edges = (rows[0], rows[-1]) if rows else None
        return rows

    @classmethod
    @lru_cache(maxsize=256)
    def read_query(cls, text: str) -> Asked:
        """Validate a query string; many ask for the same. Raises ValidationError."""
        # As a plain dict, in which an empty value is not a missing one.
        asked = shared_serializer(cls.query_class).run_validation(QueryDict(text).dict())
        skip, limit, cursor = asked.pop("skip"), asked.pop("limit"), asked.pop("cursor", None)
        order = cls.query_class.orders[asked["sort"]]
        values = {name: asked.pop(name) for name in cls.parameters if name in asked}
        if cursor:
            cursor = cls.read_cursor(cursor, order)
            values |= zip(map("after_{}".format, names_of(order)), cursor.values, strict=True)
        shape = tuple(asked.items())
        return Asked(asked["sort"], order, shape, values, cursor, skip, limit, keep_query(text))

    @classmethod
    def read_cursor(cls, cursor: Cursor, order: Order) -> Cursor:
        """Turn a cursor's values back into those of columns; raises ValidationError."""
        try:
            values = tuple(
                read_value(cls.model._meta.get_field(name), value)
                for name, value in zip(names_of(order), cursor.values, strict=True)
            )
        except (DjangoValidationError, OverflowError, ValueError, TypeError):
            raise serializers.ValidationError({"cursor": [BAD_CURSOR]}) from None
        return replace(cursor, values=values)

    def read_rows(self, known: dict[str, Any]) -> list[Row]:
        """Return the rows after the cursor, nearest first, and one more than the page has."""
        asked, size = self.asked, next(size for size in SIZES if size > self.asked.limit)
        values = asked.values | known
        names = (*known, *(name for name in asked.values if name in self.parameters))
        kind = (asked.shape, names, asked.cursor.backward if asked.cursor else None)
        if not (asked.skip or self.is_narrow(asked.values)):
            return self.statement(*kind, size).rows(**values)
        question = (kind, *asked.values.values())
        may_be_few = self.may_be_few(asked.values) and question not in known_as_many
        if may_be_few and not asked.skip:
            rows = self.statement_of_few(*kind, size).rows(**values)
            if rows or not self.statement_of_more(*kind).rows(**values):
                return rows
            remember_many(question)
        return self.read_planned(kind, values, known)

    def read_planned(self, kind: Kind, values: dict[str, Any], known: dict[str, Any]) -> list[Row]:
        """Return rows where no plan is good for all values. Two queries.

        The first finds out which rows, and is quickly planned anew since it does nothing else.
        """
        which, limit = self.statement(*kind), self.asked.limit + 1
        ids = which.rows_planned_anew(limit=limit, offset=self.asked.skip, **values)
        place = {pk: number for number, (pk,) in enumerate(ids)}
        rows = self.statement_of_ids(tuple(known)).rows(ids=list(place), **known) if ids else []
        return sorted(rows, key=lambda row: place[row[0]])

    @classmethod
    def find(
        cls, shape: Shape, names: Names, backward: bool | None, *, is_ordered: bool
    ) -> Ordered:
        """Return the rows of a list, what they are ordered by, and the values as parameters."""
        asked = dict(shape) | cls.name_parameters(names)
        order = cls.query_class.orders[asked["sort"]]
        paths = cls.paths.get(asked["sort"], {}) if is_ordered else {}
        places = [F(paths.get(name, name)) for name in names_of(order)]
        rows = cls.select(asked, is_ordered=is_ordered)
        if backward is not None:
            rows = rows.filter(cls.beyond(order, places, backward=backward))
        descending = order[0].startswith("-") is not bool(backward)
        return rows, [p.desc() if descending else p.asc() for p in places], asked

    @classmethod
    @cache
    def statement(
        cls, shape: Shape, names: Names, backward: bool | None, size: int | None = None
    ) -> Statement:
        """Return the statement for `size` rows of a list, or for the ids of all rows."""
        rows, order, asked = cls.find(shape, names, backward, is_ordered=True)
        if size is None:
            return Statement(lambda: rows.order_by(*order).values_list("id"))
        shown = cls.show(rows.order_by(*order), asked)
        return Statement(lambda: shown.values_list(*cls.columns)[:size])

    @classmethod
    @cache
    def statement_of_few(
        cls, shape: Shape, names: Names, backward: bool | None, size: int
    ) -> Statement:
        """Return the statement for `size` rows of a list that has a few, in whatever order.

        It finds them all and sorts them, and returns nothing if there are more than FEW. A plan
        for reading them in order would be a gamble on how far apart they are. What is shown of
        them is then looked up for those of the page alone, which go by the name of their table.
        """
        rows, order, asked = cls.find(shape, names, backward, is_ordered=False)
        table, direction = cls.model._meta.db_table, "DESC" if order[0].descending else "ASC"
        names_of_keys = names_of(cls.query_class.orders[asked["sort"]])
        keys = ", ".join(f"{name} {direction}" for name in names_of_keys)

        def build() -> SQL:
            found, values = rows[: FEW + 1].query.sql_with_params()
            page = cls.show(cls.model._default_manager.order_by(*order), asked)
            text, others = page.values_list(*cls.columns).query.sql_with_params()
            few = (
                "SELECT * FROM found WHERE (SELECT count(*) FROM found) <= %s"  # noqa: S608
                f" ORDER BY {keys} LIMIT {size}"
            )
            ctes = f"WITH found AS MATERIALIZED ({found}), {table} AS ({few})"
            return f"{ctes} {text}", (*values, FEW, *others)

        return Statement(build)

    @classmethod
    @cache
    def statement_of_more(cls, shape: Shape, names: Names, backward: bool | None) -> Statement:
        """Return the statement whose one row tells that a list has more than FEW."""
        rows, _order, _asked = cls.find(shape, names, backward, is_ordered=False)
        return Statement(lambda: rows.values_list("id")[FEW : FEW + 1])

    @classmethod
    @cache
    def statement_of_ids(cls, names: tuple[str, ...]) -> Statement:
        """Return the statement for the rows with certain ids, in any order."""
        ids = RawSQL("SELECT unnest(%s)", [Parameter("ids", ArrayField(BigIntegerField()))])
        asked = cls.name_parameters(names)
        rows = cls.model._default_manager.filter(pk__in=ids)
        return Statement(lambda: cls.show(rows, asked).values_list(*cls.columns))

    @classmethod
    def name_parameters(cls, names: tuple[str, ...]) -> dict[str, Any]:
        """Return a parameter for each name; what is known beforehand are ids."""
        return {name: cls.parameters.get(name) or identifier(name) for name in names}

    @classmethod
    def beyond(
        cls, order: Order, places: list[F], *, backward: bool
    ) -> TupleGreaterThan | TupleLessThan:
        """Return the condition for the rows on the far side of a cursor."""
        names = names_of(order)
        fields = map(cls.model._meta.get_field, names)
        values = map(Parameter, map("after_{}".format, names), fields)
        lookup = TupleGreaterThan if goes_up(order, backward=backward) else TupleLessThan
        return lookup(Tuple(*places), tuple(values))

    def link(self, row: Row | None, *, backward: bool) -> str:
        """Return the link to the rows on one side of a row, or of the cursor if it had none."""
        order, cursor = self.asked.order, self.asked.cursor
        if row:
            values = tuple(row[self.columns.index(name)] for name in names_of(order))
        elif cursor:
            # The row that the cursor was made from is the last on the way back.
            *others, last = cursor.values
            values = (*others, last + (1 if goes_up(order, backward=cursor.backward) else -1))
        position = Cursor(self.asked.sort, backward, values).encode()
        return f"{self.address}?{self.asked.kept}cursor={position}"

    def get_next_link(self) -> str | None:
        """The link to the next page, if there is one."""
        row = self.edges[1] if self.edges else None
        return self.link(row, backward=False) if self.has_next else None

    def get_previous_link(self) -> str | None:
        """The link to the previous page, if there is one."""
        row = self.edges[0] if self.edges else None
        return self.link(row, backward=True) if self.has_previous else None

    def wrap(self, results: list[Any]) -> dict[str, Any]:
        """Return what a page of these results is shown as."""
        return {
            "results": results,
            "next": self.get_next_link(),
            "previous": self.get_previous_link(),
        }

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
