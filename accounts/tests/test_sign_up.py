"""POST /users."""

import re
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tests.factories import UserFactory

pytestmark = pytest.mark.django_db
PERSON = {"email": "ada@example.com", "password": "correct-horse-42"}


def sign_up(client: APIClient, **changes: Any) -> Any:
    return client.post("/users", PERSON | changes, format="json")


def test_gives_a_new_user_their_own_account(anonymous: APIClient) -> None:
    response = sign_up(anonymous, username="ada")

    assert response.status_code == 201
    user = User.objects.get()
    assert response.json() == {
        "id": user.pk,
        "email": "ada@example.com",
        "username": "ada",
        "created_at": user.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }


def test_stores_the_password_as_argon2id_with_owasps_parameters(anonymous: APIClient) -> None:
    sign_up(anonymous)

    stored = User.objects.get().password
    assert stored.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize("username", [None, "", "left out"])
def test_makes_a_username_that_does_not_leak_the_email(
    anonymous: APIClient, username: str | None
) -> None:
    body: dict[str, Any] = dict(PERSON)
    if username != "left out":
        body["username"] = username

    response = anonymous.post("/users", body, format="json")

    assert response.status_code == 201
    assert re.fullmatch(r"user-[0-9a-f]{16}", response.json()["username"])


@pytest.mark.parametrize("email", ["ada@example.com", "ADA@example.com", "Ada@EXAMPLE.COM"])
def test_refuses_an_email_that_is_taken_in_any_case(anonymous: APIClient, email: str) -> None:
    UserFactory.create(email="Ada@Example.com")

    response = sign_up(anonymous, email=email)

    assert response.status_code == 400
    assert response.json()["errors"] == {"email": ["This email is taken."]}
    assert User.objects.count() == 1


def test_refuses_a_username_that_is_taken_in_any_case(anonymous: APIClient) -> None:
    UserFactory.create(username="Ada")

    response = sign_up(anonymous, username="aDA")

    assert response.status_code == 400
    assert response.json()["errors"] == {"username": ["This username is taken."]}


def test_ignores_fields_that_are_not_the_callers_to_set(anonymous: APIClient) -> None:
    response = sign_up(
        anonymous, is_staff=True, is_superuser=True, id=77, groups=[1], created_at="2001-01-01"
    )

    assert response.status_code == 201
    user = User.objects.get()
    assert not user.is_staff
    assert not user.is_superuser
    assert user.pk != 77


@pytest.mark.parametrize(
    "password",
    [
        "short-7",
        "password123",
        "8" * 12,
        "ada@example.com",
        "x7-" * 43,
    ],
    ids=["7 characters", "common", "digits alone", "like the email", "129 characters"],
)
def test_p09_refuses_a_bad_password(anonymous: APIClient, password: str) -> None:
    response = sign_up(anonymous, password=password)

    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["password"]
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "password",
    ["sevén+1!", "  spaced out  ", "пароль-не-простой", "🐎🔋📎" * 42 + "🐎🔋"],
    ids=["8 characters", "spaces at the ends", "Cyrillic", "128 characters of 512 bytes"],
)
def test_p09_takes_a_password_of_any_unicode_exactly_as_sent(
    anonymous: APIClient, password: str
) -> None:
    assert sign_up(anonymous, password=password).status_code == 201

    user = User.objects.get()
    assert user.check_password(password)
    assert not user.check_password(password.strip() + "x")
    assert password == password.strip() or not user.check_password(password.strip())


def test_p09_cuts_no_password_off(anonymous: APIClient) -> None:
    start = "long-horse-42" * 6
    sign_up(anonymous, password=f"{start}x")

    user = User.objects.get()
    assert user.check_password(f"{start}x")
    assert not user.check_password(f"{start}y")
    assert not user.check_password(start)


@pytest.mark.parametrize("username", ["ab", "a" * 31, "has space", "umlaut-ä", "a/b", "<b>"])
def test_refuses_a_username_outside_the_rule(anonymous: APIClient, username: str) -> None:
    response = sign_up(anonymous, username=username)

    assert response.status_code == 400
    assert "username" in response.json()["errors"]


@pytest.mark.parametrize("field", ["email", "password"])
def test_asks_for_what_is_missing(anonymous: APIClient, field: str) -> None:
    body = {name: value for name, value in PERSON.items() if name != field}

    response = anonymous.post("/users", body, format="json")

    assert response.status_code == 400
    assert response.json()["errors"] == {field: ["This field is required."]}


def test_names_every_bad_field_at_once(anonymous: APIClient) -> None:
    response = sign_up(anonymous, email="nonsense", password="short", username="x")

    assert set(response.json()["errors"]) == {"email", "password", "username"}
