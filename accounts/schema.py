"""How the OpenAPI document describes accounts and logins."""

from typing import Any

from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerExtension,
    OpenApiSerializerFieldExtension,
)
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    extend_schema,
    extend_schema_view,
)

from . import serializers
from .export import ExportSerializer
from .pagination import SessionListSerializer

PROFILE = {"id": 7, "username": "ada", "created_at": "2026-01-31T09:30:00.000000Z"}
ACCOUNT = {"id": 7, "email": "ada@example.com"} | PROFILE
TOKENS = {
    "access_token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.cGFydCB0aHJlZQ",
    "refresh_token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.cGFydCBmb3Vy",
    "token_type": "bearer",
    "expires_in": 900,
}

SESSION = {
    "id": 31,
    "created_at": "2026-01-31T09:30:00.000000Z",
    "last_used_at": "2026-01-31T10:00:00.000000Z",
    "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:147.0) Gecko/20100101 Firefox/147.0",
    "network": "192.0.2.0/24",
    "current": True,
}


class BearerScheme(OpenApiAuthenticationExtension):
    """How the OpenAPI document describes it: a token pasted, or got with email and password."""

    target_class = "accounts.authentication.BearerAuthentication"
    name = ["password", "bearer"]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        """Either of the two will do."""
        return [{name: []} for name in self.name]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, Any]]:
        """Return the two ways to be authorized."""
        flow = {"tokenUrl": "/login", "refreshUrl": "/token/refresh", "scopes": {}}
        return [
            {
                "type": "oauth2",
                "description": "Log in with your email as the username.",
                "flows": {"password": flow},
            },
            {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "The `access_token` of a login or a refresh.",
            },
        ]


class EmailNeedsPassword(OpenApiSerializerExtension):
    """Says that a change of the email needs the password with it."""

    target_class = "accounts.serializers.AccountUpdateSerializer"

    def map_serializer(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        """Add the rule between fields."""
        schema: dict[str, Any] = auto_schema._map_serializer(self.target, direction, True)
        return schema | {"dependentRequired": {"email": ["current_password"]}}


# The type of a body tells some generated clients how to send it, so the form has its own.
class LoginFormSerializer(serializers.LoginSerializer):
    """Email and password in OAuth2's password form, which calls the email `username`."""


class EmailUnderEitherName(OpenApiSerializerExtension):
    """Says that a login needs the email as `username` or as `email`."""

    target_class = "accounts.serializers.LoginSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        """Add the rule between fields, in words that generators of clients pass over.

        Of an `anyOf` they would make types that know no field.
        """
        schema: dict[str, Any] = auto_schema._map_serializer(self.target, direction, True)
        no_email = {"not": {"required": ["email"]}}
        return schema | {"if": no_email, "then": {"required": ["username"]}}


class NotDigitsAlone(OpenApiSerializerFieldExtension):
    """Says of a new password what a pattern can say."""

    target_class = "accounts.serializers.NewPasswordField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        """Add the pattern."""
        schema: dict[str, Any] = auto_schema._map_serializer_field(self.target, direction, True)
        return schema | {"pattern": r"\D"}


def sent(value: dict[str, Any], name: str = "Request", **options: Any) -> OpenApiExample:
    """Return an example of a body that a client sends."""
    return OpenApiExample(name, value, request_only=True, **options)


def answered(value: dict[str, Any]) -> OpenApiExample:
    """Return an example of an answer."""
    return OpenApiExample("Answer", value, response_only=True)


# Tokens are never to be kept by a cache in between (RFC 6749, section 5.1), nor is all one has.
NOT_STORED = OpenApiParameter(
    "Cache-Control",
    {"type": "string", "const": "no-store"},
    OpenApiParameter.HEADER,
    required=True,
    description="This is not to be stored by caches.",
    response=[200],
)

users = extend_schema_view(
    create=extend_schema(
        operation_id="sign_up",
        tags=["accounts"],
        summary="Sign up",
        description=(
            "Makes an account. The email is the login; without regard to case, it and the "
            "username must be nobody else's."
        ),
        responses={201: serializers.AccountSerializer},
        examples=[
            sent({"email": "ada@example.com", "password": "gaily-forward-58", "username": "ada"}),
            answered(ACCOUNT),
        ],
    ),
    retrieve=extend_schema(
        operation_id="get_user",
        tags=["accounts"],
        summary="Look at a user",
        description="Anyone may see a profile. It holds no email.",
        examples=[answered(PROFILE)],
    ),
)

account = extend_schema_view(
    retrieve=extend_schema(
        operation_id="get_account",
        tags=["accounts"],
        summary="Look at your account",
        description="The account that the token belongs to.",
        examples=[answered(ACCOUNT)],
    ),
    partial_update=extend_schema(
        operation_id="update_account",
        tags=["accounts"],
        summary="Change your account",
        description=(
            "Changes what is sent and nothing else. A new email needs `current_password`. "
            "Too many wrong passwords are answered 429 for a while."
        ),
        responses={200: serializers.AccountSerializer, 429: None},
        examples=[
            sent({"username": "ada"}, "Username"),
            sent({"email": "ada@example.com", "current_password": "gaily-forward-58"}, "Email"),
            answered(ACCOUNT),
        ],
    ),
    destroy=extend_schema(
        operation_id="delete_account",
        tags=["accounts"],
        summary="Delete your account",
        description="Removes the account, its posts and its votes. There is no way back.",
        request=serializers.PasswordSerializer,
        responses={204: None, 429: None},
        examples=[sent({"password": "gaily-forward-58"})],
    ),
)

change_password = extend_schema(
    operation_id="change_password",
    tags=["accounts"],
    summary="Change your password",
    description="Ends every session: all tokens issued before are refused from now on.",
    responses={204: None, 429: None},
    examples=[sent({"current_password": "gaily-forward-58", "new_password": "brisk-harbour-31"})],
)

login = extend_schema(
    operation_id="log_in",
    tags=["sessions"],
    summary="Log in",
    description=(
        "Exchanges email and password for tokens; the body is JSON, or the form of OAuth2's "
        "password flow. An unknown email and a wrong password are answered alike, 401; a "
        "suspended user's right password 403; too many failures 429 for a while."
    ),
    parameters=[NOT_STORED],
    request={
        "application/json": serializers.LoginSerializer,
        "application/x-www-form-urlencoded": LoginFormSerializer,
    },
    responses={200: serializers.TokenPairSerializer, 403: None, 429: None},
    examples=[
        sent({"email": "ada@example.com", "password": "gaily-forward-58"}),
        sent(
            {"username": "ada@example.com", "password": "gaily-forward-58"},
            "Form",
            media_type="application/x-www-form-urlencoded",
        ),
        answered(TOKENS),
    ],
)

refresh = extend_schema(
    operation_id="refresh_tokens",
    tags=["sessions"],
    summary="Get new tokens",
    description=(
        "Exchanges a refresh token for new tokens, once: using it again ends the session."
    ),
    parameters=[NOT_STORED],
    responses={200: serializers.TokenPairSerializer, 401: None},
    examples=[sent({"refresh_token": TOKENS["refresh_token"]}), answered(TOKENS)],
)

log_out = extend_schema(
    operation_id="log_out",
    tags=["sessions"],
    summary="Log out",
    description=(
        "Ends the session that a refresh token belongs to, expired or not. Its access tokens "
        "are refused from now on. Doing it again changes nothing."
    ),
    responses={204: None, 401: None},
    examples=[sent({"refresh_token": TOKENS["refresh_token"]})],
)

sessions = extend_schema_view(
    list=extend_schema(
        operation_id="list_sessions",
        tags=["sessions"],
        summary="List your logins",
        description=(
            "Pages of your logins, the latest first, as long as their tokens are good. "
            "`last_used_at`, `user_agent` and `network` are those of the last login or refresh; "
            "of an address, its /24 (IPv4) or /48 (IPv6) is kept. The sessions by which browsers "
            "see these pages are none of them."
        ),
        parameters=[SessionListSerializer],
        examples=[answered({"results": [SESSION], "next": None, "previous": None})],
    ),
    destroy=extend_schema(
        operation_id="end_session",
        tags=["sessions"],
        summary="End a login",
        description="Refuses the tokens of one of your logins from now on.",
    ),
)

end_other_sessions = extend_schema(
    operation_id="end_other_sessions",
    tags=["sessions"],
    summary="End all other logins",
    description="Refuses the tokens of all your logins from now on, but for the one that asks.",
)

EXPORT = {
    "exported_at": "2026-01-31T10:30:00.000000Z",
    "account": ACCOUNT
    | {
        "last_login": None,
        "is_active": True,
        "is_staff": False,
        "is_superuser": False,
        "groups": [],
        "permissions": [],
    },
    "sessions": [
        {name: value for name, value in SESSION.items() if name != "current"}
        | {"expires_at": "2026-05-01T09:30:00.000000Z", "revoked_at": None}
    ],
    "posts": [
        {
            "id": 42,
            "title": "On engines",
            "content": "They weave algebra.",
            "published": True,
            "created_at": "2026-01-31T10:00:00.000000Z",
            "updated_at": "2026-01-31T10:00:00.000000Z",
            "owner_id": 7,
            "votes": 1,
        }
    ],
    "votes": [{"post_id": 42, "created_at": "2026-01-31T10:15:00.000000Z"}],
}
DISPOSITION = OpenApiParameter(
    "Content-Disposition",
    {"type": "string"},
    OpenApiParameter.HEADER,
    required=True,
    description="Lets a browser save it as a file.",
    response=[200],
)

export = extend_schema(
    operation_id="export_account",
    tags=["accounts"],
    summary="Take your data along",
    description=(
        "All that is held about you, as it is at one moment: your account, logins, posts, drafts "
        "and votes. Only what would let somebody in is left out: the hash of your password, and "
        "what tells your good refresh tokens from others. 503 while a worker makes another "
        "one; 10 in an hour at most, from a network."
    ),
    parameters=[NOT_STORED, DISPOSITION],
    responses={200: ExportSerializer},
    examples=[answered(EXPORT)],
)
