"""Errors: one shape for API clients, a page for browsers."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import DatabaseError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from pytest_django import Settings
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from posts.models import Post
from socialapi.urls import urlpatterns as real

SECRET = "a detail that nobody outside may see"


def failing(error: Exception) -> Callable[[HttpRequest], HttpResponse]:
    """Make a plain Django view that raises."""

    def view(request: HttpRequest) -> HttpResponse:
        raise error

    return view


class FailingView(APIView):
    """A view of DRF's that raises."""

    permission_classes = [AllowAny]

    def get(self, request: Request) -> Response:
        raise ZeroDivisionError(SECRET)


urlpatterns = [
    *real,
    path("crash", failing(ZeroDivisionError(SECRET))),
    path("crash-in-drf", FailingView.as_view()),
    path("forbidden", failing(PermissionDenied(SECRET))),
    path("suspicious", failing(SuspiciousOperation(SECRET))),
    path("database", failing(OperationalError(SECRET))),
    path("database-left", failing(DatabaseError(SECRET))),
]


@pytest.fixture
def failing_urls(settings: Settings) -> None:
    """Add the views above."""
    settings.ROOT_URLCONF = __name__


def client() -> Client:
    return Client(raise_request_exception=False)


def assert_is_problem(response: Any, status: int) -> None:
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert set(body) - {"errors"} == {"type", "title", "status", "detail"}
    assert body["status"] == status
    assert body["detail"].endswith(".")
    assert SECRET not in response.content.decode()


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/crash", 500),
        ("/crash-in-drf", 500),
        ("/forbidden", 403),
        ("/suspicious", 400),
        ("/database", 503),
        ("/database-left", 503),
        ("/no/such/address", 404),
    ],
)
@pytest.mark.django_db
def test_of_django_itself_have_the_shape_of_all_others(
    failing_urls: None, settings: Settings, address: str, status: int, debug: bool
) -> None:
    settings.DEBUG = debug

    assert_is_problem(client().get(address), status)


@pytest.mark.parametrize(
    ("address", "status"), [("/crash", 500), ("/forbidden", 403), ("/nowhere", 404)]
)
def test_are_a_page_for_browsers(failing_urls: None, address: str, status: int) -> None:
    response = client().get(address, headers={"accept": "text/html,*/*;q=0.8"})

    assert response.status_code == status
    assert response["Content-Type"] == "text/html; charset=utf-8"
    assert f"<h1>{status} " in response.content.decode()
    assert SECRET not in response.content.decode()


def test_of_our_own_making_are_logged(
    failing_urls: None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        client().get("/crash")

    assert SECRET in caplog.text


def test_say_when_to_try_again(failing_urls: None) -> None:
    assert client().get("/database")["Retry-After"] == "1"


def test_of_a_host_that_is_not_ours(anonymous: APIClient) -> None:
    assert_is_problem(anonymous.get("/", HTTP_HOST="evil.example"), 400)


@pytest.mark.django_db
def test_of_the_csrf_check() -> None:
    strict = Client(enforce_csrf_checks=True)

    assert_is_problem(strict.post("/admin/login/", {"username": "x"}), 403)


def test_of_a_method_that_is_not_taken(anonymous: APIClient) -> None:
    response = anonymous.delete("/login")

    assert_is_problem(response, 405)
    assert response["Allow"] == "POST, OPTIONS"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        ("{", "application/json", 400),
        ("[]", "application/json", 400),
        ("null", "application/json", 400),
        ('{"email": "a", "email": "b"}', "application/json", 400),
        ('{"a":' * 100_000, "application/json", 400),
        ("[" * 100_000, "application/json", 400),
        ('{"email": NaN}', "application/json", 400),
        (b'{"email": "\xff"}', "application/json", 400),
        ("9" * 5000, "application/json", 400),
        ("a=b", "text/plain", 415),
        ("a=b", "nonsense", 415),
    ],
)
def test_of_a_body_that_cannot_be_read(
    anonymous: APIClient, content: str | bytes, content_type: str, status: int
) -> None:
    assert_is_problem(anonymous.post("/users", content, content_type=content_type), status)


def test_of_a_representation_that_there_is_not(as_reader: APIClient, post: Post) -> None:
    assert_is_problem(as_reader.get("/posts", HTTP_ACCEPT="application/xml"), 406)
