"""How the OpenAPI document describes each error."""

from http import HTTPStatus
from typing import Any, NamedTuple

from rest_framework.exceptions import (
    APIException,
    NotAcceptable,
    NotAuthenticated,
    NotFound,
    ParseError,
    PermissionDenied,
    Throttled,
    UnsupportedMediaType,
    ValidationError,
)

from .errors import body_of
from .exceptions import Conflict, PayloadTooLarge, ServiceUnavailable
from .rendering import PROBLEM_TYPE

type Schema = dict[str, Any]

PROBLEM: Schema = {
    "type": "object",
    "description": "An error (RFC 9457).",
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "`about:blank`."},
        "title": {"type": "string", "description": "The status in words."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "A sentence on what is wrong."},
    },
    "required": ["type", "title", "status", "detail"],
}
VALIDATION_PROBLEM: Schema = {
    "type": "object",
    "description": "An error that names each bad field.",
    "properties": PROBLEM["properties"]
    | {
        "errors": {
            "type": "object",
            "description": "Each bad field's messages; `non_field_errors` are of no single one.",
            "additionalProperties": {
                "type": "array",
                "items": {"type": "string"},
                "minItems": 1,
            },
            "minProperties": 1,
        }
    },
    "required": [*PROBLEM["required"], "errors"],
}

NOT_VALID = ValidationError({"title": ["This field is required."]})

CHALLENGE: Schema = {
    "description": "How to prove who calls.",
    "required": True,
    "schema": {"type": "string"},
    "example": "Bearer",
}
WAIT: Schema = {
    "description": "How many seconds to wait before another try.",
    "required": True,
    "schema": {"type": "integer", "minimum": 1},
}
HEADERS: dict[int, Schema] = {
    401: {"WWW-Authenticate": CHALLENGE},
    429: {"Retry-After": WAIT | {"example": 60}},
    503: {"Retry-After": WAIT | {"example": 1}},
}


class Error(NamedTuple):
    """An error answer: its name in the document, when it comes, and what causes one."""

    name: str
    description: str
    cause: APIException

    def describe(self, status: int) -> Schema:
        """Return the response that the document has, with examples as they really are."""
        schema: Schema = {"$ref": "#/components/schemas/Problem"}
        examples = {self.name: {"value": body_of(self.cause)}}
        if status == HTTPStatus.BAD_REQUEST:
            schema = {"anyOf": [{"$ref": "#/components/schemas/ValidationProblem"}, schema]}
            examples = {"NotValid": {"value": body_of(NOT_VALID)}} | examples
        content = {PROBLEM_TYPE: {"schema": schema, "examples": examples}}
        headers = {"headers": HEADERS[status]} if status in HEADERS else {}
        return {"description": self.description} | headers | {"content": content}


ERRORS = {
    400: Error("BadRequest", "The request is malformed, or not valid.", ParseError()),
    401: Error(
        "Unauthorized",
        "A valid token is needed and missing, or what was sent to prove who calls is wrong.",
        NotAuthenticated(),
    ),
    403: Error("Forbidden", "The caller is known, and may not do this.", PermissionDenied()),
    404: Error("NotFound", "It does not exist, or is not visible to the caller.", NotFound()),
    406: Error("NotAcceptable", "The client does not accept JSON.", NotAcceptable()),
    409: Error("Conflict", "The request contradicts what is stored.", Conflict()),
    413: Error("ContentTooLarge", "The body is larger than 1 MiB.", PayloadTooLarge()),
    415: Error(
        "UnsupportedMediaType",
        "The body is of a type that is not taken here.",
        UnsupportedMediaType("text/plain"),
    ),
    429: Error("TooManyRequests", "A limit is reached; wait.", Throttled(wait=60)),
    503: Error("ServiceUnavailable", "The service cannot answer now; wait.", ServiceUnavailable()),
}
