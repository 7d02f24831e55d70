"""Serializer fields that take a value of their own JSON type and no other.

DRF's fields turn `1` into `"1"`, `"yes"` into `true` and `true` into `1`. An API that guesses
hides its clients' mistakes, so these refuse; forms, which only have text, are read as ever.
"""

from typing import Any

from rest_framework import serializers
from rest_framework.utils import html


def is_from_form(field: serializers.Field[Any, Any, Any, Any]) -> bool:
    """Whether the field's value is text, as in a form, or in a query (`takes_text`)."""
    form = html.is_html_input(getattr(field.root, "initial_data", None))
    return bool(form or getattr(field.root, "takes_text", False))


class StringField(serializers.CharField):
    """A JSON string."""

    def to_internal_value(self, data: Any) -> str:
        """Refuse numbers, which CharField would turn into text."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class EmailField(StringField, serializers.EmailField):
    """A JSON string that is an email address."""


class IntegerField(serializers.IntegerField):
    """A JSON number without a fraction."""

    def to_internal_value(self, data: Any) -> int:
        """Refuse `true`, which Python counts as 1, and numbers in quotes."""
        if isinstance(data, bool) or (isinstance(data, str) and not is_from_form(self)):
            self.fail("invalid")
        return super().to_internal_value(data)


class BooleanField(serializers.BooleanField):
    """`true` or `false`."""

    FORM_VALUES = {"true": True, "on": True, "false": False}

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # A form's box is ticked to begin with where that is the default; unticked it means no.
        self.initial = options.get("default", False)
        self.default_empty_html = False

    def to_internal_value(self, data: Any) -> bool:
        """Refuse `1`, `"yes"` and the like."""
        if isinstance(data, str) and is_from_form(self):
            data = self.FORM_VALUES.get(data.lower(), data)
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data
