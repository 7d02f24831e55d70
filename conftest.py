"""The tests' cast: an author, a reader, and clients that act for them."""

from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client, TransactionTestCase
from pytest_django import DjangoDbBlocker
from rest_framework.test import APIClient

from accounts import tokens
from accounts.models import User
from accounts.tests.factories import UserFactory
from posts.models import Post
from posts.tests.factories import PostFactory
from socialapi.moderators import GROUP
from socialapi.tests.client import APIClient as FastClient

# The `server` and the `chromium` of the tests that need a real one.
pytest_plugins = ["socialapi.tests.live", "socialapi.tests.browser"]

type ClientFor = Callable[[User], APIClient]


@pytest.fixture
def anonymous() -> APIClient:
    """A client without a token."""
    return FastClient()


@pytest.fixture
def client_for() -> ClientFor:
    """Make a client that has logged in as a user."""

    def log_in(user: User) -> APIClient:
        client = FastClient()
        token = tokens.log_in(user)["access_token"]
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        return client

    return log_in


@pytest.fixture
def author(db: None) -> User:
    """Writes the post."""
    return UserFactory.create(username="author", email="author@example.com")


@pytest.fixture
def reader(db: None) -> User:
    """Has nothing to do with the post."""
    return UserFactory.create(username="reader", email="reader@example.com")


@pytest.fixture
def post(author: User) -> Post:
    """The author's post."""
    return PostFactory.create(owner=author, title="A title", content="Some content")


@pytest.fixture
def draft(author: User) -> Post:
    """The author's draft."""
    return PostFactory.create(owner=author, draft=True)


@pytest.fixture
def as_author(author: User, client_for: ClientFor) -> APIClient:
    """A client that is logged in as the author."""
    return client_for(author)


@pytest.fixture
def as_reader(reader: User, client_for: ClientFor) -> APIClient:
    """A client that is logged in as the reader."""
    return client_for(reader)


@pytest.fixture
def moderator(db: None) -> User:
    """Is staff, and of the group of moderators."""
    user = UserFactory.create(username="moderator", email="moderator@example.com", is_staff=True)
    user.groups.add(Group.objects.get(name=GROUP))
    return user


@pytest.fixture
def superuser(db: None) -> User:
    """May do everything."""
    return UserFactory.create(username="superuser", email="superuser@example.com", superuser=True)


@pytest.fixture
def as_moderator(moderator: User) -> Client:
    """A browser in which the moderator has logged in."""
    browser = Client()
    browser.force_login(moderator)
    return browser


@pytest.fixture
def as_superuser(superuser: User) -> Client:
    """A browser in which the superuser has logged in."""
    browser = Client()
    browser.force_login(superuser)
    return browser


def remove_rows() -> None:
    """Remove what a test has committed, and nothing that migrations have written."""
    with connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE accounts_user, accounts_ratelimit, django_session, votes_recount,"
            " posts_change, posts_mark CASCADE"
        )
        # From there on there is a log.
        cursor.execute("INSERT INTO posts_mark (xid) VALUES (0)")
    connection.close()


# pytest-django cleans up by this, after a test that asks for the database in both ways. Django's
# stubs lack it.
TransactionTestCase._fixture_teardown = lambda _self: remove_rows()  # type: ignore[attr-defined]


@pytest.fixture
def transactional_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Replace pytest-django's, which would also remove what migrations have written.

    The name matters: by it pytest-django knows that a test database is needed at all.
    """
    with django_db_blocker.unblock():
        yield
        remove_rows()


@pytest.fixture
def committed(transactional_db: None) -> None:
    """Let a test commit, for other connections to see; everything is removed afterwards."""
