"""Swagger UI, Redoc and the demo, from this host alone and under a strict policy."""

import re
from contextlib import closing

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tests.factories import PASSWORD
from posts.models import Post
from socialapi.tests.test_browsable_api import assets_of, is_ours

PAGES = ["/docs", "/redoc", "/demo"]
# The end of each request looks after the database connections.
pytestmark = pytest.mark.django_db


def directives_of(policy: str) -> dict[str, list[str]]:
    """Return what a content security policy allows for each kind of thing."""
    return {name: sources for name, *sources in map(str.split, policy.split(";"))}


@pytest.mark.parametrize("path", [*PAGES, "/docs/", "/redoc/", "/demo/"])
def test_pages_are_open_to_everyone(client: Client, path: str) -> None:
    response = client.get(path)

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "/openapi.json" in response.text + client.get(f"{path}?script=").text


@pytest.mark.parametrize("path", PAGES)
def test_every_asset_is_ours_and_exists(client: Client, path: str) -> None:
    assets = assets_of(client.get(path).text)

    assert any(asset.endswith(".js") for asset in assets)
    for asset in assets:
        assert is_ours(asset)
        if asset.startswith("/"):
            with closing(client.get(asset)) as response:
                assert response.status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_pages_have_nothing_inline(client: Client, path: str) -> None:
    assert not re.search(r"<style|style=|<script>|fonts\.g", client.get(path).text)


@pytest.mark.django_db
@pytest.mark.parametrize("path", [*PAGES, "/", "/posts", "/admin/login/", "/nowhere"])
def test_no_page_may_run_what_is_inline_or_made_of_text(client: Client, path: str) -> None:
    policy = client.get(path, headers={"Accept": "text/html"}).headers["Content-Security-Policy"]

    assert "unsafe" not in policy
    assert "http" not in policy
    directives = directives_of(policy)
    assert directives["default-src"] == ["'self'"]
    assert directives.get("script-src", ["'self'"]) == ["'self'"]


def test_redoc_alone_may_write_styles_and_that_with_a_nonce(client: Client) -> None:
    first, second = client.get("/redoc"), client.get("/redoc")

    nonces = [re.findall(r'data-nonce="([^"]+)"', page.text)[0] for page in (first, second)]
    assert nonces[0] != nonces[1]
    for page, nonce in zip((first, second), nonces, strict=True):
        directives = directives_of(page.headers["Content-Security-Policy"])
        assert directives["style-src"] == ["'self'", f"'nonce-{nonce}'"]
        assert directives["worker-src"] == ["blob:"]
    for path in ("/docs", "/demo"):
        assert "nonce" not in client.get(path).headers["Content-Security-Policy"]


def test_swagger_ui_remembers_the_token(client: Client) -> None:
    assert '"persistAuthorization": true' in client.get("/docs?script=").text


def test_swagger_ui_logs_in_and_writes_beside_another_users_session(
    author: User, reader: User
) -> None:
    """As it does in a browser in which a reader has logged in to the browsable API."""
    swagger_ui = APIClient(enforce_csrf_checks=True)
    swagger_ui.force_login(reader)
    form = f"grant_type=password&username={author.email}&password={PASSWORD}"

    login = swagger_ui.post(
        "/login",
        form,
        content_type="application/x-www-form-urlencoded",
        HTTP_AUTHORIZATION="Basic Og==",
        HTTP_ACCEPT="application/json, text/plain, */*",
    )
    token = login.json()["access_token"]
    body = {"title": "Tried out", "content": "In the docs"}
    response = swagger_ui.post("/posts", body, "json", HTTP_AUTHORIZATION=f"Bearer {token}")

    assert response.status_code == 201
    assert Post.objects.get().owner == author


@pytest.mark.parametrize("path", [*PAGES, "/openapi.json"])
class TestErrors:
    """Are like all others, whatever the page itself is."""

    @pytest.mark.parametrize("method", ["post", "options", "delete"])
    def test_of_another_method(self, client: Client, path: str, method: str) -> None:
        response = getattr(client, method)(path)

        assert response.status_code == 405
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.headers["Allow"] == "GET, HEAD"

    def test_of_a_bad_token(self, client: Client, path: str) -> None:
        response = client.get(path, headers={"authorization": "Bearer bad"})

        assert response.status_code == 401
        assert response.json()["status"] == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer")

    def test_of_a_form_that_there_is_not(self, client: Client, path: str) -> None:
        response = client.get(path, headers={"accept": "application/xml"})

        assert response.status_code == 406
        assert response.headers["Content-Type"] == "application/problem+json"
