"""The accounts app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Users, their logins, and the limits on guessing passwords."""

    name = "accounts"
