"""GET /users/{id}."""

import pytest
from rest_framework.test import APIClient

from accounts.models import User


def test_shows_anyone_a_profile_without_the_email(anonymous: APIClient, author: User) -> None:
    response = anonymous.get(f"/users/{author.pk}")

    assert response.status_code == 200
    assert response.json() == {
        "id": author.pk,
        "username": "author",
        "created_at": author.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/users/0", "/users/999999", "/users/9" + "9" * 30, "/users/x"])
def test_knows_no_user_who_does_not_exist(anonymous: APIClient, path: str) -> None:
    assert anonymous.get(path).status_code == 404


def test_refuses_a_bad_token_although_it_is_public(anonymous: APIClient, author: User) -> None:
    anonymous.credentials(HTTP_AUTHORIZATION="Bearer nonsense")

    response = anonymous.get(f"/users/{author.pk}")

    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")
