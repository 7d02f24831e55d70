"""Logging in by session: the admin and the browsable API."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from socialapi.network import client_network

from .models import User
from .passwords import find_user, tell_login, tell_refusal


class EmailBackend(ModelBackend):
    """Email and password, under the same limit as the API's login."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """Return the user unless suspended; raises Throttled after too many failures."""
        if username is None or password is None:
            return None
        network = client_network(request) if request else ""
        user = find_user(username, password, network)
        if user is None:
            return None
        if not self.user_can_authenticate(user):
            tell_refusal("suspended", user, network)
            return None
        tell_login(user)
        return user
