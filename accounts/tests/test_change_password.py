"""POST /users/me/password, and a password set elsewhere."""

import pytest
from rest_framework.test import APIClient

from accounts import tokens
from accounts.models import User
from accounts.tests.factories import PASSWORD
from conftest import ClientFor

NEW = {"current_password": PASSWORD, "new_password": "another-horse-43"}


def test_sets_the_new_password(as_author: APIClient, author: User) -> None:
    response = as_author.post("/users/me/password", NEW, format="json")

    assert response.status_code == 204
    author.refresh_from_db()
    assert author.check_password("another-horse-43")


def test_p06_refuses_every_token_issued_before(
    as_author: APIClient, author: User, client_for: ClientFor
) -> None:
    elsewhere = client_for(author)
    refresh_token = tokens.log_in(author)["refresh_token"]

    as_author.post("/users/me/password", NEW, format="json")

    assert as_author.get("/users/me").status_code == 401
    assert elsewhere.get("/users/me").status_code == 401
    body = {"refresh_token": refresh_token}
    assert APIClient().post("/token/refresh", body, format="json").status_code == 401


def test_ends_sessions_when_it_is_set_in_the_shell_or_the_admin(
    as_author: APIClient, author: User
) -> None:
    author.set_password("another-horse-43")
    author.save()

    assert as_author.get("/users/me").status_code == 401


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"current_password": "wrong-horse-42"}, "current_password"),
        ({"new_password": "short"}, "new_password"),
        ({"new_password": "author@example.com"}, "new_password"),
        ({"new_password": "password123"}, "new_password"),
    ],
)
def test_p13_keeps_the_old_password_when_something_is_wrong(
    as_author: APIClient, author: User, change: dict[str, str], field: str
) -> None:
    response = as_author.post("/users/me/password", NEW | change, format="json")

    assert response.status_code == 400
    assert list(response.json()["errors"]) == [field]
    author.refresh_from_db()
    assert author.check_password(PASSWORD)
    assert as_author.get("/users/me").status_code == 200


@pytest.mark.django_db
def test_requires_login(anonymous: APIClient) -> None:
    assert anonymous.post("/users/me/password", NEW, format="json").status_code == 401
