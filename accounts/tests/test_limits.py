"""How often passwords may be guessed and accounts be made."""

import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.hashers import Argon2idHasher
from accounts.limits import SIGN_UPS, Limit
from accounts.models import RateLimit, User
from accounts.tests.factories import PASSWORD, UserFactory, stored_password
from conftest import ClientFor
from socialapi.tests.live import Dial, Server, serve

WRONG = "wrong-horse-42"


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Guess often in little time: how a password is hashed is not limited here."""
    monkeypatch.setattr(Argon2idHasher, "time_cost", 1)
    monkeypatch.setattr(Argon2idHasher, "memory_cost", 8)
    stored_password.cache_clear()
    yield
    stored_password.cache_clear()


def log_in(email: str, password: str, address: str = "192.0.2.1") -> Any:
    body = {"email": email, "password": password}
    return APIClient(REMOTE_ADDR=address).post("/login", body, format="json")


def fail(times: int, email: str, address: str = "192.0.2.1") -> list[int]:
    return [log_in(email, WRONG, address).status_code for _ in range(times)]


def test_p12_ten_failures_are_let_through_and_no_more(author: User) -> None:
    assert fail(12, author.email) == [401] * 10 + [429] * 2

    response = log_in(author.email, PASSWORD)
    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= 15 * 60
    assert response.json()["status"] == 429
    assert response.json()["detail"] == "Too many attempts. Try again in 15 minutes."


@pytest.mark.django_db
def test_an_unknown_email_is_limited_alike() -> None:
    assert fail(11, "nobody@example.com") == [401] * 10 + [429]


def test_p12_the_owner_gets_in_from_another_network(author: User) -> None:
    fail(11, author.email)

    assert log_in(author.email, PASSWORD, "198.51.100.1").status_code == 200


def test_p30_ipv6_counts_by_64_bits(author: User) -> None:
    fail(10, author.email, "2001:db8::1")

    assert log_in(author.email, PASSWORD, "2001:db8::ffff:2").status_code == 429
    assert log_in(author.email, PASSWORD, "2001:db8:0:1::1").status_code == 200


def test_the_emails_case_makes_no_difference(author: User) -> None:
    fail(5, "author@example.com")

    assert fail(6, "AUTHOR@EXAMPLE.COM") == [401] * 5 + [429]


@pytest.mark.django_db
def test_no_letter_has_a_count_of_its_own() -> None:
    UserFactory.create(email="ini@example.com")

    # PostgreSQL's lower case of this letter is a plain i, Python's is not.
    assert fail(10, "ini@example.com") == [401] * 10
    assert fail(1, "\u0130ni@example.com") == [429]


def test_a_success_starts_the_count_anew(author: User) -> None:
    fail(9, author.email)
    assert log_in(author.email, PASSWORD).status_code == 200

    assert fail(10, author.email) == [401] * 10


def test_p12_the_limit_ends_after_its_period(author: User) -> None:
    fail(11, author.email)
    RateLimit.objects.update(resets_at=timezone.now())

    assert log_in(author.email, PASSWORD).status_code == 200


def test_p32_a_forged_forwarding_header_changes_nothing(author: User) -> None:
    fail(10, author.email)
    client = APIClient(REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR="203.0.113.7")

    body = {"email": author.email, "password": PASSWORD}

    assert client.post("/login", body, format="json").status_code == 429


def test_a_stolen_token_is_no_way_to_guess(author: User, client_for: ClientFor) -> None:
    client = client_for(author)
    body = {"current_password": WRONG, "new_password": "another-horse-43"}

    statuses = [
        client.post("/users/me/password", body, format="json").status_code for _ in range(11)
    ]

    assert statuses == [400] * 10 + [429]
    assert client.delete("/users/me", {"password": PASSWORD}, format="json").status_code == 429


def test_the_admins_login_is_limited_alike(client: Client, author: User) -> None:
    form = {"username": author.email, "password": WRONG}

    statuses = [client.post("/admin/login/", form).status_code for _ in range(11)]

    assert statuses == [200] * 10 + [429]


def test_no_email_and_no_address_is_stored(author: User) -> None:
    fail(1, author.email)

    entry = RateLimit.objects.get()
    assert len(entry.key) == 64
    assert "author" not in entry.key


def test_sign_ups_are_limited_by_network(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.limits.SIGN_UPS", Limit("test", 2, timedelta(hours=1)))

    def sign_up(number: int, address: str) -> Any:
        body = {"email": f"new{number}@example.com", "password": PASSWORD}
        return APIClient(REMOTE_ADDR=address).post("/users", body, format="json")

    assert [sign_up(n, "192.0.2.1").status_code for n in range(3)] == [201, 201, 429]
    assert sign_up(9, "192.0.2.2").status_code == 201
    assert SIGN_UPS.most == 300


def test_throttle_off_limits_nothing(author: User, settings: Settings) -> None:
    settings.THROTTLE = False

    assert fail(15, author.email) == [401] * 15


@pytest.mark.django_db
def test_a_new_period_removes_finished_counters() -> None:
    RateLimit.objects.create(key="old", count=3, resets_at=timezone.now() - timedelta(days=1))

    RateLimit.objects.hit("new", timedelta(minutes=1))

    assert list(RateLimit.objects.values_list("key", flat=True)) == ["new"]


def test_p30_in_parallel_exactly_ten_failures_are_answered(committed: None) -> None:
    email = UserFactory.create().email

    def guess(_: int) -> int:
        try:
            return int(log_in(email, WRONG).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert Counter(pool.map(guess, range(30))) == {401: 10, 429: 20}


def test_p30_no_worker_and_no_restart_lets_one_more_through(committed: None, dial: Dial) -> None:
    body = {"email": UserFactory.create().email, "password": WRONG}

    def guess(server: Server, times: int) -> Counter[int]:
        wires = [dial(server) for _ in range(times)]
        for wire in wires:
            wire.send("POST", "/login", body)
        return Counter(wire.receive().status for wire in wires)

    with serve(THROTTLE="on", WEB_CONCURRENCY="2") as server:
        assert guess(server, 6) == {401: 6}
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_log(r"(?s)(Booting worker.*){4}")
        server.wait_for_log(r"(?s)(Worker shutting down.*){2}")
        assert guess(server, 10) == {401: 4, 429: 6}


def test_in_parallel_right_passwords_are_not_limited(committed: None) -> None:
    email = UserFactory.create().email

    def enter(_: int) -> int:
        try:
            return int(log_in(email, PASSWORD).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert Counter(pool.map(enter, range(30))) == {200: 30}
