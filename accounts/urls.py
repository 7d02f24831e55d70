"""Accounts, logins and sessions."""

from django.urls import re_path

from .viewsets import (
    AccountViewSet,
    ExportViewSet,
    LoginViewSet,
    SessionViewSet,
    TokenViewSet,
    UserViewSet,
)

urlpatterns = [
    re_path(r"^users/?$", UserViewSet.as_view({"post": "create"}), name="user-list"),
    re_path(
        r"^users/(?P<pk>[0-9]+)/?$", UserViewSet.as_view({"get": "retrieve"}), name="user-detail"
    ),
    re_path(
        r"^users/me/?$",
        AccountViewSet.as_view(
            {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}
        ),
        name="account",
    ),
    re_path(
        r"^users/me/password/?$",
        AccountViewSet.as_view({"post": "change_password"}),
        name="account-password",
    ),
    re_path(
        r"^users/me/export/?$", ExportViewSet.as_view({"get": "retrieve"}), name="account-export"
    ),
    re_path(r"^login/?$", LoginViewSet.as_view({"post": "create"}), name="login"),
    re_path(r"^token/refresh/?$", TokenViewSet.as_view({"post": "refresh"}), name="token-refresh"),
    re_path(r"^logout/?$", TokenViewSet.as_view({"post": "log_out"}), name="logout"),
    re_path(
        r"^sessions/?$",
        SessionViewSet.as_view({"get": "list", "delete": "destroy_others"}),
        name="session-list",
    ),
    re_path(
        r"^sessions/(?P<pk>[0-9]+)/?$",
        SessionViewSet.as_view({"delete": "destroy"}),
        name="session-detail",
    ),
]
