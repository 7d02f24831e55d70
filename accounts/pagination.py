"""The pages of one's own logins, of which there may be any number."""

from typing import Any

from rest_framework import serializers

from socialapi.pagination import KeysetPagination, PageSerializer

from .models import Session, SessionQuerySet


class SessionListSerializer(PageSerializer):
    """What `GET /sessions` may be asked."""

    orders = {"new": ("-id",)}

    sort = serializers.HiddenField(default="new")


class SessionPagination(KeysetPagination):
    """Pages of a user's sessions, the last login first."""

    query_class = SessionListSerializer
    model = Session
    columns = ("id", "created_at", "last_used_at", "user_agent", "network")
    parameters = {}

    @classmethod
    def is_narrow(cls, values: dict[str, Any]) -> bool:
        """Nothing is searched for."""
        return False

    @classmethod
    def may_be_few(cls, values: dict[str, Any]) -> bool:
        """So nothing is found."""
        return False

    @classmethod
    def select(cls, asked: dict[str, Any], *, is_ordered: bool) -> SessionQuerySet:
        """Return the user's, as far as they are not over."""
        return Session.objects.open().filter(user=asked["user"])

    @classmethod
    def show(cls, rows: SessionQuerySet, asked: dict[str, Any]) -> SessionQuerySet:
        """Return them as they are."""
        return rows
