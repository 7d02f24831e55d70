"""What holds for every address."""

from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from posts.models import Post

ORIGIN = {"origin": "https://app.example.org"}


@pytest.fixture(autouse=True)
def one_origin(settings: Settings) -> None:
    """List one origin."""
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.org"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("get", "/posts", 200),
        ("post", "/posts", 400),
        ("get", "/posts/{post}", 200),
        ("put", "/posts/{post}", 400),
        ("patch", "/posts/{post}", 200),
        ("options", "/posts/{post}", 200),
        ("put", "/posts/{post}/vote", 204),
        ("delete", "/posts/{post}/vote", 204),
        ("post", "/vote", 400),
        ("post", "/users", 400),
        ("get", "/users/{owner}", 200),
        ("get", "/users/me", 200),
        ("patch", "/users/me", 200),
        ("delete", "/users/me", 400),
        ("post", "/users/me/password", 400),
        ("post", "/login", 400),
        ("post", "/token/refresh", 400),
        ("post", "/logout", 400),
        ("get", "/health/live", 200),
        ("get", "/health/ready", 200),
        ("get", "/openapi.json", 200),
        ("get", "/docs", 200),
        ("get", "/redoc", 200),
        ("get", "/demo", 200),
        ("get", "/session/login", 200),
    ],
)
def test_answers_with_and_without_a_trailing_slash(
    as_author: APIClient, post: Post, method: str, path: str, status: int
) -> None:
    path = path.format(post=post.pk, owner=post.owner_id)

    for address in (path, path + "/"):
        response = getattr(as_author, method)(address, {}, format="json")
        assert response.status_code == status, address


def test_deletes_with_a_trailing_slash(as_author: APIClient, post: Post) -> None:
    assert as_author.delete(f"/posts/{post.pk}/").status_code == 204


def test_head_is_get_without_the_body(as_author: APIClient, post: Post) -> None:
    response = as_author.head(f"/posts/{post.pk}")

    assert response.status_code == 200
    assert response.content == b""
    assert int(response["Content-Length"]) > 100


@pytest.mark.django_db
def test_a_listed_origin_may_read_answers_and_errors(anonymous: APIClient) -> None:
    for address, status in [("/", 200), ("/posts", 401), ("/nowhere", 404)]:
        response = anonymous.get(address, headers=ORIGIN)
        assert response.status_code == status
        assert response["Access-Control-Allow-Origin"] == "https://app.example.org"
        assert set(response["Access-Control-Expose-Headers"].split(", ")) == {
            "ETag",
            "Link",
            "Location",
            "RateLimit",
            "RateLimit-Policy",
            "Retry-After",
            "X-Request-ID",
        }


def test_a_listed_origin_may_ask_first(anonymous: APIClient) -> None:
    response = anonymous.options(
        "/posts/1",
        headers=ORIGIN
        | {
            "access-control-request-method": "PUT",
            "access-control-request-headers": "authorization, content-type",
        },
    )

    assert response.status_code == 200
    assert "PUT" in response["Access-Control-Allow-Methods"]
    assert "authorization" in response["Access-Control-Allow-Headers"]


def test_no_other_origin_may_read_anything(anonymous: APIClient) -> None:
    response = anonymous.get("/", HTTP_ORIGIN="https://evil.example")

    assert "Access-Control-Allow-Origin" not in response


def test_the_root_links_to_what_there_is(anonymous: APIClient) -> None:
    links: dict[str, Any] = anonymous.get("/").json()

    assert links.pop("message") == "Welcome to the Social API."
    for name, link in links.items():
        assert link.startswith("http://testserver/"), name
