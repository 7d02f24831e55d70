"""GET, PATCH and DELETE /users/me."""

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tests.factories import PASSWORD, UserFactory
from conftest import ClientFor


class TestRead:
    def test_shows_the_callers_own_account(self, as_author: APIClient, author: User) -> None:
        response = as_author.get("/users/me")

        assert response.status_code == 200
        assert response.json() == {
            "id": author.pk,
            "email": "author@example.com",
            "username": "author",
            "created_at": author.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }

    @pytest.mark.django_db
    def test_requires_login(self, anonymous: APIClient) -> None:
        response = anonymous.get("/users/me")

        assert response.status_code == 401
        assert response["WWW-Authenticate"] == "Bearer"


class TestChange:
    def test_changes_the_username_without_a_password(
        self, as_author: APIClient, author: User
    ) -> None:
        response = as_author.patch("/users/me", {"username": "renamed"}, format="json")

        assert response.status_code == 200
        assert response.json()["username"] == "renamed"
        author.refresh_from_db()
        assert author.username == "renamed"

    def test_changes_the_email_for_who_knows_the_password(
        self, as_author: APIClient, author: User
    ) -> None:
        body = {"email": "new@example.com", "current_password": PASSWORD}

        response = as_author.patch("/users/me", body, format="json")

        assert response.status_code == 200
        assert set(response.json()) == {"id", "email", "username", "created_at"}
        author.refresh_from_db()
        assert author.email == "new@example.com"

    @pytest.mark.parametrize("password", [None, "wrong-horse-42"])
    def test_p13_keeps_the_email_without_the_password(
        self, as_author: APIClient, author: User, password: str | None
    ) -> None:
        body = {"email": "new@example.com"} | ({"current_password": password} if password else {})

        response = as_author.patch("/users/me", body, format="json")

        assert response.status_code == 400
        assert list(response.json()["errors"]) == ["current_password"]
        author.refresh_from_db()
        assert author.email == "author@example.com"

    def test_frees_the_old_email_for_others(self, as_author: APIClient, author: User) -> None:
        body = {"email": "new@example.com", "current_password": PASSWORD}
        as_author.patch("/users/me", body, format="json")

        UserFactory.create(email="author@example.com")

    def test_refuses_what_another_user_has(self, as_author: APIClient, reader: User) -> None:
        body = {"email": "READER@example.com", "current_password": PASSWORD}

        response = as_author.patch("/users/me", body, format="json")

        assert response.status_code == 400
        assert response.json()["errors"] == {"email": ["This email is taken."]}

    def test_lets_the_caller_change_the_case_of_their_own_name(self, as_author: APIClient) -> None:
        response = as_author.patch("/users/me", {"username": "AUTHOR"}, format="json")

        assert response.status_code == 200

    @pytest.mark.parametrize("username", [None, "", "ab"])
    def test_keeps_the_username_when_the_new_one_is_bad(
        self, as_author: APIClient, author: User, username: str | None
    ) -> None:
        response = as_author.patch("/users/me", {"username": username}, format="json")

        assert response.status_code == 400
        author.refresh_from_db()
        assert author.username == "author"

    def test_answers_an_empty_change_with_the_account(self, as_author: APIClient) -> None:
        response = as_author.patch("/users/me", {}, format="json")

        assert response.status_code == 200
        assert response.json()["username"] == "author"

    def test_does_not_take_put(self, as_author: APIClient) -> None:
        response = as_author.put("/users/me", {}, format="json")

        assert response.status_code == 405
        assert response["Allow"] == "GET, PATCH, DELETE, HEAD, OPTIONS"


class TestDelete:
    def test_frees_the_email_and_the_username(self, as_author: APIClient) -> None:
        as_author.delete("/users/me", {"password": PASSWORD}, format="json")

        UserFactory.create(email="author@example.com", username="author")

    def test_refuses_every_token_afterwards(
        self, as_author: APIClient, author: User, client_for: ClientFor
    ) -> None:
        elsewhere = client_for(author)

        as_author.delete("/users/me", {"password": PASSWORD}, format="json")

        assert as_author.get("/users/me").status_code == 401
        assert elsewhere.get("/users/me").status_code == 401

    @pytest.mark.parametrize("body", [{}, {"password": "wrong-horse-42"}])
    def test_keeps_the_account_without_the_password(
        self, as_author: APIClient, author: User, body: dict[str, str]
    ) -> None:
        response = as_author.delete("/users/me", body, format="json")

        assert response.status_code == 400
        assert list(response.json()["errors"]) == ["password"]
        assert User.objects.filter(pk=author.pk).exists()
