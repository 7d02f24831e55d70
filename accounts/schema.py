"""How the OpenAPI document describes logging in."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema


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
            {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        ]
