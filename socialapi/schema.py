"""What drf-spectacular needs to be told to describe the API to the letter."""

# What is overridden here has no types.
# mypy: disable-error-code="no-untyped-call"

from functools import cache
from http import HTTPStatus
from typing import Any

from drf_spectacular.generators import SchemaGenerator as SpectacularGenerator
from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema
from drf_spectacular.plumbing import ResolvedComponent, is_patched_serializer, safe_ref
from rest_framework import serializers
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import SAFE_METHODS, BasePermission

from .fields import StringField
from .handler import LIVE_PATH
from .parsing import BrowserOnly
from .problem_schema import ERRORS, PROBLEM, VALIDATION_PROBLEM, Schema

type Endpoint = tuple[str, str, str, Any]

# What the database numbers its rows with.
ID: Schema = {"type": "integer", "format": "int64", "minimum": 1, "maximum": 2**63 - 1}

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

# As Python sees it; JavaScript, whose patterns the document has, leaves out the last five.
WHITE_SPACE = r"\s\u001c-\u001f\u0085"


def arrange(endpoints: list[Endpoint]) -> list[Endpoint]:
    """Sort by route and method, and name each path the shorter of its two ways."""
    paths = [path for path, *_ in endpoints]
    endpoints = sorted(endpoints, key=lambda each: (paths.index(each[0]), METHODS.index(each[2])))
    return [(path.rstrip("/") or "/", *rest) for path, *rest in endpoints]


@cache
def describe_api() -> Schema:
    """Return the document, made once for the process; it must not be changed."""
    document: Schema = SpectacularGenerator().get_schema(public=True)
    return document


class AutoSchema(SpectacularAutoSchema):
    """Derives from what a view is which errors each operation can answer with.

    Those of its own, an operation declares in `responses`, as `{409: None}`.
    """

    def get_operation(self, *args: Any) -> Schema | None:
        """Describe one operation."""
        operation = super().get_operation(*args)
        if operation is None:
            return None
        responses = operation["responses"]
        for status in self.possible_errors(operation):
            responses[str(status)] = self.error(status)
        for status, response in responses.items():
            if not response.get("description", "ref"):
                response["description"] = HTTPStatus(int(status)).phrase
        operation["responses"] = dict(sorted(responses.items()))
        if {} in operation["security"]:
            # That a token may come along says nothing, and makes generated clients ask for one.
            operation["security"] = []
        return operation

    def possible_errors(self, operation: Schema) -> set[int]:
        """Return the errors that come from a view's parts rather than from its own code."""
        view = self.view
        places = {parameter["in"] for parameter in operation.get("parameters", ())}
        reasons = {
            400: "query" in places,
            401: bool(view.get_authenticators()),
            403: "path" in places and self.is_for_some(),
            404: "path" in places,
            406: isinstance(view.get_content_negotiator(), DefaultContentNegotiation),
            429: bool(view.get_throttles()),
            503: self.path != LIVE_PATH,
        }
        if "requestBody" in operation:
            reasons |= {400: True, 413: True, 415: True}
        return {status for status, holds in reasons.items() if holds}

    def is_for_some(self) -> bool:
        """Whether a permission looks at the object that is to be changed."""
        checks = [
            type(permission).has_object_permission for permission in self.view.get_permissions()
        ]
        return self.method not in SAFE_METHODS and any(
            check is not BasePermission.has_object_permission for check in checks
        )

    def error(self, status: int) -> Schema:
        """Refer to the one description of an error."""
        self.component("schemas", "Problem", PROBLEM)
        if status == HTTPStatus.BAD_REQUEST:
            self.component("schemas", "ValidationProblem", VALIDATION_PROBLEM)
        return self.component("responses", ERRORS[status].name, ERRORS[status].describe(status))

    def component(self, kind: str, name: str, content: Schema) -> Schema:
        """Put something into the document, once, and return a reference to it."""
        component = ResolvedComponent(name=name, type=kind, schema=content, object=name)
        self.registry.register_on_missing(component)
        return component.ref

    def _get_response_for_code(
        self, serializer: Any, status_code: str, *args: Any, **kwargs: Any
    ) -> Schema:
        """Describe an answer; an error needs no serializer."""
        if int(status_code) in ERRORS:
            return self.error(int(status_code))
        response: Schema = super()._get_response_for_code(serializer, status_code, *args, **kwargs)
        return response

    def _get_request_body(self, direction: str = "request") -> Schema | None:
        """Describe a body, that of a DELETE as well, which OpenAPI 3.0 did not have."""
        method = self.method
        if method == "DELETE" and self.get_request_serializer() is not None:
            self.method = "POST"
        body: Schema | None = super()._get_request_body(direction)
        self.method = method
        return body

    def map_parsers(self) -> list[str]:
        """Return the types of body that a client may send; a page's forms are not for clients."""
        parsers = self.view.get_parsers()
        return [parser.media_type for parser in parsers if not isinstance(parser, BrowserOnly)]

    def get_request_serializer(self) -> Any:
        """Return what is sent; with a DELETE nothing is, unless it declares a `request`."""
        return None if self.method == "DELETE" else super().get_request_serializer()

    def _resolve_path_parameters(self, variables: list[str]) -> list[Schema]:
        """Every variable in a path is an id."""
        return [{"in": "path", "name": name, "required": True, "schema": ID} for name in variables]

    def _map_serializer_field(self, field: Any, *args: Any, **kwargs: Any) -> Schema | None:
        """Describe a field; an id has the range of one, and a single choice is a constant."""
        schema: Schema | None = super()._map_serializer_field(field, *args, **kwargs)
        if schema is None:
            return None
        schema.pop("x-spec-enum-id", None)
        if len(schema.get("enum", ())) == 1:
            (schema["const"],) = schema.pop("enum")
        is_number = isinstance(field, serializers.IntegerField)
        return schema | ID if is_number and f"_{field.field_name}".endswith("_id") else schema

    def _insert_field_validators(self, field: Any, schema: Schema) -> None:
        """Say what our own text fields check beyond their validators."""
        super()._insert_field_validators(field, schema)
        if not isinstance(field, StringField) or schema.get("format") == "email":
            return
        if field.style.get("input_type") == "password":
            schema["format"] = "password"
        if "oneOf" in schema:
            # Blank, too, is any white space.
            schema["oneOf"][1] = {"type": "string", "pattern": f"^[{WHITE_SPACE}]*$"}
            return
        if field.trim_whitespace and not field.allow_blank:
            schema.setdefault("pattern", r"\S")
        if schema.get("pattern") == r"\S":
            schema["pattern"] = f"[^{WHITE_SPACE}]"
        if not schema.get("pattern", "").startswith("^"):
            # PostgreSQL stores no NUL.
            schema["not"] = {"pattern": r"\u0000"}

    def _postprocess_serializer_schema(
        self, schema: Schema, serializer: Any, direction: str
    ) -> Schema:
        """Say that an answer has every key, and that a PATCH takes no default for one.

        Clients send the defaults that they know of.
        """
        schema = super()._postprocess_serializer_schema(schema, serializer, direction)
        if is_patched_serializer(serializer, direction):
            for field in schema["properties"].values():
                field.pop("default", None)
        if direction == "response":
            schema["required"] = list(schema["properties"])
            for name, field in schema["properties"].items():
                for word in ("default", "not", "readOnly"):
                    field.pop(word, None)
                schema["properties"][name] = safe_ref(field)
        return schema

    def _get_examples(self, serializer: Any, *args: Any, **kwargs: Any) -> Schema | None:
        """Take examples as they are: that of a list is a whole page."""
        examples: Schema | None = super()._get_examples(str, *args, **kwargs)
        return examples

    def _get_serializer_name(self, serializer: Any, direction: str, *args: Any) -> str:
        """Name a schema; what a PATCH takes is an update, and not something that was patched."""
        name: str = super()._get_serializer_name(serializer, direction, *args)
        if name.startswith("Patched"):
            stem = name.removeprefix("Patched").removesuffix("Request").removesuffix("Update")
            name = f"{stem}UpdateRequest"
        return name

    def get_paginated_name(self, serializer_name: str) -> str:
        """Name the schema of a page."""
        return f"{serializer_name}Page"
