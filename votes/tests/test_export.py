"""GET /users/me/export."""

import json
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.db import connection, connections
from django.test import Client
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from rest_framework.test import APIClient

from accounts import export, tokens
from accounts.limits import EXPORTS
from accounts.models import RateLimit, User
from accounts.tests.factories import PASSWORD, UserFactory
from posts.models import Post
from posts.tests.factories import PostFactory
from socialapi.exceptions import InvalidToken
from socialapi.schema import describe_api
from socialapi.tests.live import Dial, Server, wait_until
from votes.models import Vote
from votes.tests.factories import VoteFactory

EXPORT = "/users/me/export"
# Tables that name a user and hold nothing about them that is theirs to take along.
NOT_HELD = {
    "accounts_user_groups": "in the account, by name",
    "accounts_user_user_permissions": "in the account, by name",
    "django_admin_log": "what staff did, which belongs to the service",
    "posts_listener": "open streams, for half a minute",
    "posts_postrank": "copies of two columns of the posts",
}


def document(user: User) -> dict[str, Any]:
    """Make a user's document here and now."""
    made: dict[str, Any] = json.loads("".join(export.document(user)))
    return made


def assert_fits(value: dict[str, Any]) -> None:
    """Fail unless a document is what the OpenAPI document says, and no more."""
    components = describe_api()["components"]
    names = ["Export", "ExportedAccount", "ExportedSession", "ExportedPost", "ExportedVote"]
    strict = {
        name: components["schemas"][name] | {"additionalProperties": False} for name in names
    }
    schema = {"$ref": "#/components/schemas/Export", "components": {"schemas": strict}}
    errors = OAS31Validator(schema, format_checker=oas31_format_checker).iter_errors(value)
    assert [error.message for error in errors] == []


@pytest.fixture
def full_author(author: User) -> User:
    """The author, with something of everything."""
    author.groups.add(Group.objects.get(name="Moderators"))
    author.user_permissions.add(Permission.objects.get(codename="suspend_user"))
    author.last_login = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    author.save()
    tokens.log_in(author)
    author.sessions.end()
    tokens.log_in(author)
    PostFactory.create(
        owner=author, title='A "title"\\', content="\u2028 line\r\n\t\x01 ä 🐎 </b>"
    )
    PostFactory.create(owner=author, draft=True)
    VoteFactory.create(user=author, post=author.posts.first())
    VoteFactory.create(user=author)
    VoteFactory.create(post=author.posts.first())
    return author


class TestDocument:
    def test_p24_holds_what_the_serializers_show_of_every_row(self, full_author: User) -> None:
        made = document(full_author)

        assert_fits(made)
        assert list(made) == ["exported_at", "account", "sessions", "posts", "votes"]
        for name, member in export.members.items():
            rows = member.rows(full_author)
            shown = json.loads(json.dumps(member.serializer(rows, many=True).data))
            if member.is_one:
                assert [made[name]] == shown
            else:
                assert len(shown) == 2
                assert sorted(made[name], key=str) == sorted(shown, key=str)

    def test_of_somebody_who_did_nothing_has_empty_members(self, reader: User) -> None:
        made = document(reader)

        assert_fits(made)
        assert made["account"]["email"] == "reader@example.com"
        assert [made[name] for name in ("sessions", "posts", "votes")] == [[], [], []]

    def test_holds_nothing_of_others_and_no_secret(
        self, full_author: User, as_reader: APIClient, reader: User
    ) -> None:
        PostFactory.create(owner=reader, draft=True, title="Not yours")
        session = full_author.sessions.get(revoked_at=None)

        text = "".join(export.document(full_author))

        for secret in ("Not yours", reader.email, full_author.password, session.refresh_id):
            assert str(secret) not in text

    def test_p24_leaves_out_no_table_that_names_a_user(self) -> None:
        held = {member.rows(User(pk=1)).model._meta.db_table for member in export.members.values()}
        naming = {
            model._meta.db_table
            for model in apps.get_models(include_auto_created=True)
            for field in model._meta.concrete_fields
            if field.related_model is User or field.column in {"user_id", "owner_id"}
        }

        assert naming - held == set(NOT_HELD)

    def test_needs_one_query(self, full_author: User) -> None:
        queries: list[str] = []

        def watch(execute: Any, sql: str, *rest: Any) -> Any:
            queries.append(sql)
            return execute(sql, *rest)

        with connection.execute_wrapper(watch):
            document(full_author)

        assert len([sql for sql in queries if "SAVEPOINT" not in sql]) == 1

    def test_of_an_account_that_has_just_gone_is_refused(self, author: User) -> None:
        User.objects.filter(pk=author.pk).delete()

        with pytest.raises(InvalidToken):
            export.pack(author)
        assert not export.making.locked()

    def test_is_of_one_moment(self, committed: None) -> None:
        author = UserFactory.create()
        PostFactory.create_batch(export.BATCH + 5, owner=author)
        VoteFactory.create_batch(3, user=author)
        pieces = export.document(author)
        begun = [next(pieces) for _ in range(20)]

        def change() -> None:
            Post.objects.update(title="Changed since")
            Vote.objects.all().delete()
            PostFactory.create(owner=author)
            connections.close_all()

        thread = Thread(target=change)
        thread.start()
        thread.join()
        made = json.loads("".join([*begun, *pieces]))

        assert len(made["posts"]) == export.BATCH + 5
        assert len(made["votes"]) == 3
        assert "Changed since" not in json.dumps(made)


class TestRequest:
    def test_requires_login(self, anonymous: APIClient, db: None) -> None:
        assert anonymous.get(EXPORT).status_code == 401

    def test_is_limited(self, as_author: APIClient, author: User) -> None:
        key = EXPORTS.key((str(author.pk), "127.0.0.1"))
        for _ in range(EXPORTS.most - 1):
            RateLimit.objects.hit(key, EXPORTS.period)

        answers = [as_author.get(EXPORT) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [200, 429]
        assert 0 < int(answers[1]["Retry-After"]) <= timedelta(hours=1).total_seconds()
        answers[0].close()

    def test_waits_for_another_one_in_the_same_process(self, as_author: APIClient) -> None:
        with export.making:
            response = as_author.get(EXPORT)

        assert response.status_code == 503
        assert response["Retry-After"] == "1"

    def test_of_a_browser_is_a_file_too(self, author: User) -> None:
        browser = Client(headers={"Accept": "text/html"})
        browser.force_login(author)

        response = browser.get(EXPORT)

        assert response["Content-Type"] == "application/json"
        assert response["Content-Disposition"] == 'attachment; filename="export.json"'
        assert response["Cache-Control"] == "no-store"
        response.close()


@pytest.mark.usefixtures("committed")
class TestOverTheWire:
    def test_arrives_whole(self, server: Server, dial: Dial) -> None:
        author = UserFactory.create()
        PostFactory.create_batch(3, owner=author)
        wire = dial(server, author)

        answer = wire.ask("GET", EXPORT)

        assert answer.status == 200
        assert answer.headers["content-length"] == str(len(answer.body))
        assert_fits(answer.json())
        assert len(answer.json()["posts"]) == 3
        head = wire.ask("HEAD", EXPORT)
        assert (head.status, head.body) == (200, b"")
        assert head.headers["content-length"]
        assert wire.ask("GET", "/").status == 200

    def test_takes_the_same_memory_however_much_there_is(
        self, narrow_server: Server, dial: Dial
    ) -> None:
        author = UserFactory.create()
        wire = dial(narrow_server, author)
        wire.ask("GET", EXPORT)
        before = wire.ask("GET", "/peak").json()
        large = fill(author, 1500)

        wire.send("GET", EXPORT)
        size = int(wire.receive_head().headers["content-length"])
        # It has been made, and nobody reads it: the only thread is free.
        assert dial(narrow_server, author).ask("GET", "/posts?limit=1").status == 200
        left = size
        while left:
            left -= len(wire.file.read(min(left, 1 << 20)))

        assert size > large
        # In KiB.
        assert dial(narrow_server).ask("GET", "/peak").json() - before < 24 * 1024

    def test_a_client_that_does_not_read_is_cut_off(
        self, narrow_server: Server, dial: Dial
    ) -> None:
        author = UserFactory.create()
        fill(author, 500)
        wire = dial(narrow_server, author)
        ended = len(narrow_server.lines(route=EXPORT))

        wire.send("GET", EXPORT)
        assert wire.receive_head().status == 200

        wait_until(lambda: len(narrow_server.lines(route=EXPORT)) > ended)
        with pytest.raises(ConnectionError):
            wire.read_bytes(1 << 30)


def fill(user: User, posts: int) -> int:
    """Write posts of 40,000 letters; return how many bytes that is."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO posts_post (owner_id, title, content, published)"
            " SELECT %s, 'Long', repeat('ten bytes ', 4000), n %% 2 = 0"
            " FROM generate_series(1, %s) AS n",
            [user.pk, posts],
        )
    return posts * 40_000


@pytest.mark.parametrize("with_idempotency_key", [False, True])
def test_p24_an_account_that_is_deleted_leaves_no_text_behind(
    anonymous: APIClient, db: None, with_idempotency_key: bool
) -> None:
    email, words = "canary-7291@example.com", "canary-3517"
    body = {"email": email, "password": PASSWORD, "username": "canary"}
    anonymous.post("/users", body, format="json")
    keys = (f"key-{number}" for number in range(10))

    def send(method: str, path: str, body: Any) -> Any:
        extra = {"HTTP_IDEMPOTENCY_KEY": next(keys)} if with_idempotency_key else {}
        return getattr(anonymous, method)(path, body, format="json", **extra)

    pair = send("post", "/login", {"email": email, "password": PASSWORD}).json()
    anonymous.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access_token']}")
    post = {"title": words, "content": words}
    first = send("post", "/posts", post).json()
    send("post", "/posts", post | {"published": False})
    send("put", f"/posts/{first['id']}", post | {"content": f"{words} again"})
    send("put", f"/posts/{first['id']}/vote", {})
    send("patch", "/users/me", {"email": f"new-{email}", "current_password": PASSWORD})
    taken_along = document(User.objects.get())

    assert texts_with("canary")
    assert send("delete", "/users/me", {"password": PASSWORD}).status_code == 204

    assert texts_with("canary") == []
    assert taken_along["account"]["email"] == f"new-{email}"
    assert [each["title"] for each in taken_along["posts"]] == [words] * 2
    assert [each["post_id"] for each in taken_along["votes"]] == [first["id"]]


def texts_with(words: str) -> list[str]:
    """Look through every row of every table, whatever its columns' types; return the tables."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(
                # As text, bytes are hexadecimal.
                f'SELECT count(*) FROM "{table}" AS it'  # noqa: S608
                " WHERE it::text ILIKE %s OR it::text LIKE %s",
                [f"%{words}%", f"%{words.encode().hex()}%"],
            )
            if cursor.fetchone()[0]:
                found.append(table)
    return found
