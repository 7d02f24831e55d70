"""POST /login."""

from typing import Any
from unittest.mock import ANY

import bcrypt
import jwt
import pytest
from django.conf import settings
from rest_framework.test import APIClient

from accounts.hashers import Argon2idHasher
from accounts.models import Session, User
from accounts.tests.factories import PASSWORD, UserFactory

FORM = "application/x-www-form-urlencoded"


def log_in(client: APIClient, **body: Any) -> Any:
    return client.post("/login", body, format="json")


def test_p08_gives_tokens_for_email_and_password(anonymous: APIClient, author: User) -> None:
    response = log_in(anonymous, email="author@example.com", password=PASSWORD)

    assert response.status_code == 200
    assert response.json() == {
        "access_token": ANY,
        "refresh_token": ANY,
        "token_type": "bearer",
        "expires_in": 900,
    }
    assert response["Cache-Control"] == "no-store"
    assert Session.objects.get().user == author


def test_takes_oauth2s_password_form(anonymous: APIClient, author: User) -> None:
    body = f"grant_type=password&username=author%40example.com&password={PASSWORD}&scope="

    response = anonymous.post("/login", body, content_type=FORM)

    assert response.status_code == 200


@pytest.mark.parametrize("email", ["AUTHOR@example.com", "author@EXAMPLE.com"])
def test_takes_the_email_in_any_case(anonymous: APIClient, author: User, email: str) -> None:
    assert log_in(anonymous, username=email, password=PASSWORD).status_code == 200


def test_opens_the_api_with_the_access_token(anonymous: APIClient, author: User) -> None:
    tokens = log_in(anonymous, email=author.email, password=PASSWORD).json()
    anonymous.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens['access_token']}")

    assert anonymous.get("/users/me").json()["id"] == author.pk


def test_signs_hs256_tokens_whose_subject_is_the_users_id(
    anonymous: APIClient, author: User
) -> None:
    token = log_in(anonymous, email=author.email, password=PASSWORD).json()["access_token"]

    header = jwt.get_unverified_header(token)
    assert header == {"alg": "HS256", "typ": "JWT", "kid": ANY}
    claims = jwt.decode(token, settings.SECRET_KEY, ["HS256"], audience="socialapi")
    assert claims["sub"] == str(author.pk)
    assert claims["exp"] - claims["iat"] == 900
    assert claims["nbf"] == claims["iat"]


@pytest.mark.parametrize(
    ("email", "password"),
    [("author@example.com", "wrong-horse-42"), ("nobody@example.com", PASSWORD)],
)
def test_answers_an_unknown_email_and_a_wrong_password_alike(
    anonymous: APIClient, author: User, email: str, password: str
) -> None:
    response = log_in(anonymous, email=email, password=password)

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"
    assert response.json() == {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "The email or the password is wrong.",
    }


@pytest.mark.parametrize("email", ["author@example.com", "nobody@example.com"])
def test_does_the_same_work_for_an_unknown_email_as_for_a_known_one(
    anonymous: APIClient, author: User, email: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    encode, verify = Argon2idHasher.encode, Argon2idHasher.verify

    def counting_encode(self: Argon2idHasher, password: str, salt: str) -> str:
        hashed.append(password)
        return encode(self, password, salt)

    def counting_verify(self: Argon2idHasher, password: str, encoded: str) -> bool:
        hashed.append(password)
        return verify(self, password, encoded)

    monkeypatch.setattr(Argon2idHasher, "encode", counting_encode)
    monkeypatch.setattr(Argon2idHasher, "verify", counting_verify)
    log_in(anonymous, email=email, password="wrong-horse-42")

    assert hashed == ["wrong-horse-42"]


@pytest.mark.django_db
def test_tells_a_suspended_user_with_the_right_password(anonymous: APIClient) -> None:
    user = UserFactory.create(suspended=True)

    assert log_in(anonymous, email=user.email, password=PASSWORD).status_code == 403
    assert log_in(anonymous, email=user.email, password="wrong-horse-42").status_code == 401
    assert not Session.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body",
    [{}, {"password": PASSWORD}, {"email": "author@example.com"}, {"email": "", "password": ""}],
)
def test_asks_for_what_is_missing(anonymous: APIClient, body: dict[str, str]) -> None:
    response = log_in(anonymous, **body)

    assert response.status_code == 400
    assert response.json()["errors"]


class TestHashesOfTheOlderSystem:
    @pytest.mark.django_db
    @pytest.mark.parametrize("password", ["an-old-password", "ä" * 40], ids=["short", "80 bytes"])
    def test_log_in_and_become_argon2id(self, anonymous: APIClient, password: str) -> None:
        old = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4)).decode()
        user = UserFactory.create(password=f"bcrypt${old}")

        assert log_in(anonymous, email=user.email, password=password).status_code == 200

        user.refresh_from_db()
        assert user.password.startswith("argon2$argon2id$")
        assert log_in(anonymous, email=user.email, password=password).status_code == 200

    @pytest.mark.django_db
    def test_end_no_session_when_they_are_renewed(self, anonymous: APIClient) -> None:
        old = bcrypt.hashpw(b"an-old-password", bcrypt.gensalt(4)).decode()
        user = UserFactory.create(password=f"bcrypt${old}")
        session = Session.objects.start(user)

        log_in(anonymous, email=user.email, password="an-old-password")

        session.refresh_from_db()
        assert session.revoked_at is None

    @pytest.mark.django_db
    @pytest.mark.parametrize("password", ["wrong-horse-42", "x" * 200])
    def test_refuse_a_wrong_password(self, anonymous: APIClient, password: str) -> None:
        old = bcrypt.hashpw(b"an-old-password", bcrypt.gensalt(4)).decode()
        user = UserFactory.create(password=f"bcrypt${old}")

        assert log_in(anonymous, email=user.email, password=password).status_code == 401


def test_forgets_expired_sessions_of_the_user(anonymous: APIClient, author: User) -> None:
    old = Session.objects.start(author)
    Session.objects.filter(pk=old.pk).update(expires_at="2001-01-01T00:00:00Z")

    log_in(anonymous, email=author.email, password=PASSWORD)

    assert not Session.objects.filter(pk=old.pk).exists()


class TestAUserReadBeforeAChange:
    """Starts no session, which the change could not have ended."""

    def test_of_the_password(self, author: User) -> None:
        stale = User.objects.get(pk=author.pk)
        author.set_password("another-horse-43")
        author.save()

        with pytest.raises(User.DoesNotExist):
            Session.objects.start(stale)

    def test_that_suspends(self, author: User) -> None:
        stale = User.objects.get(pk=author.pk)
        author.suspend()

        with pytest.raises(User.DoesNotExist):
            Session.objects.start(stale)
