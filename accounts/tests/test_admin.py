"""Moderating users in the admin."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.limits import PASSWORD_FAILURES
from accounts.models import Origin, Session, User
from accounts.tests.factories import PASSWORD, UserFactory
from socialapi.admin import BoundedPaginator
from socialapi.tests.moderation import history_of, messages_of, run_action

USERS = "/admin/accounts/user/"
NEW_PASSWORD = "gaily-forward-58"


def page_of(user: User) -> str:
    """Return the path of a user's own page."""
    return f"{USERS}{user.pk}/change/"


def is_active(user: User) -> bool:
    """Ask the database."""
    return User.objects.get(pk=user.pk).is_active


class TestSuspending:
    """By moderators, of ordinary users."""

    def test_asks_first(self, as_moderator: Client, reader: User) -> None:
        response = run_action(as_moderator, USERS, "suspend", reader, confirmed=False)

        assert "Suspend user?" in response.text
        assert is_active(reader)
        assert history_of(reader) == []

    def test_ends_the_sessions_and_is_kept_in_the_history(
        self, as_moderator: Client, moderator: User, reader: User, as_reader: APIClient
    ) -> None:
        response = run_action(as_moderator, USERS, "suspend", reader)

        assert messages_of(response) == ["Suspend: 1 user."]
        assert not is_active(reader)
        assert history_of(reader) == [(moderator.pk, "Suspend.")]
        assert as_reader.get("/users/me").status_code == 401

    def test_can_be_taken_back(
        self, as_moderator: Client, moderator: User, reader: User, as_reader: APIClient
    ) -> None:
        reader.suspend()

        run_action(as_moderator, USERS, "restore", reader)

        assert is_active(reader)
        assert history_of(reader) == [(moderator.pk, "Restore.")]
        assert as_reader.get("/users/me").status_code == 401

    def test_is_possible_on_a_users_own_page(self, as_moderator: Client, reader: User) -> None:
        chosen = {"CHANGE_FORM-action": "suspend", "_selected_action": reader.pk}

        asked = as_moderator.post(page_of(reader), chosen)
        as_moderator.post(page_of(reader), dict(asked.context["fields"]) | {"post": "yes"})

        assert not is_active(reader)

    def test_takes_many_at_once(self, as_moderator: Client) -> None:
        users = UserFactory.create_batch(3)

        run_action(as_moderator, USERS, "suspend", *users)

        assert not any(map(is_active, users))
        assert all(map(history_of, users))

    def test_leaves_those_alone_that_are_suspended(self, as_moderator: Client) -> None:
        suspended = UserFactory.create(suspended=True)

        response = run_action(as_moderator, USERS, "suspend", suspended)

        assert messages_of(response) == ["Suspend: there is nothing to do."]
        assert history_of(suspended) == []

    @pytest.mark.parametrize("rank", [{"is_staff": True}, {"is_superuser": True}])
    def test_spares_staff(self, as_moderator: Client, reader: User, rank: dict[str, bool]) -> None:
        colleague = UserFactory.create(username="colleague", **rank)

        response = run_action(as_moderator, USERS, "suspend", reader, colleague)

        assert messages_of(response) == ["Suspend: you may not do this to colleague."]
        assert is_active(colleague)
        assert is_active(reader)

    def test_of_staff_is_for_superusers(self, as_superuser: Client, moderator: User) -> None:
        run_action(as_superuser, USERS, "suspend", moderator)

        assert not is_active(moderator)

    def test_spares_oneself(self, as_superuser: Client, superuser: User) -> None:
        run_action(as_superuser, USERS, "suspend", superuser)

        assert is_active(superuser)

    def test_has_a_limit(self, as_moderator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("socialapi.admin.ACTION_MAX", 2)
        users = UserFactory.create_batch(3)

        run_action(as_moderator, USERS, "suspend", *users)

        assert all(map(is_active, users))


class TestModerators:
    """What they may not."""

    def test_have_these_permissions_and_no_more(self, db: None) -> None:
        permissions = Group.objects.get(name="Moderators").permissions

        assert set(permissions.values_list("codename", flat=True)) == {
            "view_user",
            "suspend_user",
            "view_post",
            "change_post",
            "delete_post",
            "view_vote",
        }

    def test_see_emails_but_no_passwords(self, as_moderator: Client, reader: User) -> None:
        page = as_moderator.get(page_of(reader)).text

        assert reader.email in page
        assert "argon2" not in page

    @pytest.mark.parametrize(
        "change", [{"is_superuser": "on"}, {"is_staff": "on"}, {"email": "mine@example.com"}]
    )
    def test_cannot_change_users(
        self, as_moderator: Client, moderator: User, change: dict[str, str]
    ) -> None:
        form = {"email": moderator.email, "username": moderator.username}

        response = as_moderator.post(page_of(moderator), form | change)

        assert response.status_code == 403
        moderator.refresh_from_db()
        assert (moderator.is_superuser, moderator.email) == (False, "moderator@example.com")

    @pytest.mark.parametrize("page", ["add/", "{}/password/", "{}/delete/"])
    def test_have_no_such_pages(self, as_moderator: Client, reader: User, page: str) -> None:
        assert as_moderator.get(USERS + page.format(reader.pk)).status_code == 403

    def test_cannot_delete_users(self, as_moderator: Client, reader: User) -> None:
        run_action(as_moderator, USERS, "delete_selected", reader)

        assert User.objects.filter(pk=reader.pk).exists()

    def test_are_staff_until_they_are_suspended(
        self, as_moderator: Client, moderator: User
    ) -> None:
        moderator.suspend()

        assert as_moderator.get(USERS).status_code == 302


@pytest.mark.django_db
class TestStrangers:
    """Who has no business in the admin."""

    def test_are_asked_to_log_in(self, reader: User) -> None:
        browser = Client()
        browser.force_login(reader)

        assert browser.get(USERS).headers["Location"].startswith("/admin/login/")

    def test_see_nothing_as_staff_of_no_group(self) -> None:
        browser = Client()
        browser.force_login(UserFactory.create(is_staff=True))

        assert browser.get(USERS).status_code == 403

    def test_stay_out_with_permission_to_change_users(self, reader: User) -> None:
        """Whoever edits users could make a superuser, so that this permission is not enough."""
        browser = Client()
        staff = UserFactory.create(is_staff=True)
        staff.user_permissions.set(Permission.objects.filter(codename__endswith="_user"))
        browser.force_login(staff)

        response = browser.post(page_of(reader), {"email": reader.email, "is_superuser": "on"})

        assert response.status_code == 403

    def test_log_in_with_their_email_in_any_case(self, moderator: User) -> None:
        form = {"username": "Moderator@Example.com", "password": PASSWORD}

        response = Client().post("/admin/login/?next=/admin/", form)

        assert response.headers["Location"] == "/admin/"

    def test_are_told_when_they_guess_too_often(self, moderator: User, settings: Any) -> None:
        settings.THROTTLE = True
        form = {"username": moderator.email, "password": "wrong"}
        browser = Client(headers={"Accept": "text/html"})
        for _ in range(PASSWORD_FAILURES.most):
            browser.post("/admin/login/", form)

        response = browser.post("/admin/login/", form)

        assert response.status_code == 429
        assert int(response.headers["Retry-After"]) > 0
        assert "Too Many Requests" in response.text


class TestSuperusers:
    """What they alone may."""

    def test_add_users(self, as_superuser: Client, anonymous: APIClient) -> None:
        form = {"email": "new@example.com", "password1": PASSWORD, "password2": PASSWORD}

        as_superuser.post(f"{USERS}add/", form)

        user = User.objects.get(email="new@example.com")
        assert user.username.startswith("user-")
        assert not user.is_staff
        login = {"email": "new@example.com", "password": PASSWORD}
        assert anonymous.post("/login", login, "json").status_code == 200

    @pytest.mark.parametrize(
        "bad",
        [
            {"email": "READER@example.com"},
            {"username": "Reader"},
            {"username": "no spaces"},
            {"password1": "12345678", "password2": "12345678"},
            {"password2": "another-one-42"},
        ],
    )
    def test_are_told_what_is_wrong_with_a_new_user(
        self, as_superuser: Client, reader: User, bad: dict[str, str]
    ) -> None:
        form = {"email": "new@example.com", "password1": PASSWORD, "password2": PASSWORD}

        response = as_superuser.post(f"{USERS}add/", form | bad)

        assert response.context["adminform"].errors
        assert not User.objects.filter(email="new@example.com").exists()

    def test_set_passwords_which_ends_the_sessions(
        self, as_superuser: Client, reader: User, as_reader: APIClient
    ) -> None:
        form = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}

        as_superuser.post(f"{USERS}{reader.pk}/password/", form)

        reader.refresh_from_db()
        assert reader.check_password(NEW_PASSWORD)
        assert as_reader.get("/users/me").status_code == 401

    def test_take_passwords_away_which_ends_the_sessions(
        self, as_superuser: Client, reader: User, as_reader: APIClient
    ) -> None:
        form = {"usable_password": "false", "unset-password": "yes"}

        as_superuser.post(f"{USERS}{reader.pk}/password/", form)

        reader.refresh_from_db()
        assert not reader.has_usable_password()
        assert as_reader.get("/users/me").status_code == 401

    def test_make_moderators(self, as_superuser: Client, reader: User) -> None:
        group = Group.objects.get(name="Moderators")
        form = {"email": reader.email, "username": reader.username, "is_staff": "on"}

        as_superuser.post(page_of(reader), form | {"groups": group.pk})

        reader.refresh_from_db()
        assert reader.is_staff
        assert list(reader.groups.all()) == [group]

    def test_suspend_by_the_action_alone(self, as_superuser: Client, reader: User) -> None:
        """A box to untick would leave the sessions open, for when the user is restored."""
        form = {"email": reader.email, "username": reader.username, "is_active": ""}

        as_superuser.post(page_of(reader), form)

        assert is_active(reader)

    def test_delete_users(self, as_superuser: Client, reader: User) -> None:
        as_superuser.post(f"{USERS}{reader.pk}/delete/", {"post": "yes"})

        assert not User.objects.filter(pk=reader.pk).exists()


class TestList:
    """At any size."""

    @pytest.mark.parametrize("rows", [1, 20])
    def test_costs_the_same_for_any_number_of_users(
        self,
        as_moderator: Client,
        rows: int,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        UserFactory.create_batch(rows)

        # Session, caller, the caller's own permissions, those of the groups, count, users.
        with django_assert_num_queries(6):
            response = as_moderator.get(USERS)

        assert response.context["cl"].result_count == rows + 1

    @pytest.mark.parametrize(
        "search", ["reader", "READ", "reader@", "Reader@Example.com", " reader ", "{pk}"]
    )
    def test_finds_by_id_and_by_how_a_name_begins(
        self, as_moderator: Client, author: User, reader: User, search: str
    ) -> None:
        response = as_moderator.get(USERS, {"q": search.format(pk=reader.pk)})

        assert list(response.context["cl"].result_list) == [reader]

    @pytest.mark.parametrize("search", ["%", "_", "\\", "example.com", "9" * 19, "9" * 5000])
    def test_finds_nothing_by_anything_else(
        self, as_moderator: Client, reader: User, search: str
    ) -> None:
        response = as_moderator.get(USERS, {"q": search})

        assert list(response.context["cl"].result_list) == []

    def test_can_be_filtered(self, as_moderator: Client, reader: User) -> None:
        suspended = UserFactory.create(suspended=True)

        response = as_moderator.get(USERS, {"is_active__exact": "0"})

        assert list(response.context["cl"].result_list) == [suspended]

    def test_is_not_counted_to_its_end(
        self, as_moderator: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(BoundedPaginator, "most", 2)
        UserFactory.create_batch(3)

        response = as_moderator.get(USERS)

        assert response.context["cl"].result_count == 2
        assert "The pages end here." in response.text


class TestSessions:
    """For superusers."""

    PATH = "/admin/accounts/session/"

    @pytest.fixture
    def session(self, reader: User) -> Session:
        """A login of the reader's."""
        return Session.objects.start(reader, Origin("Firefox <147>", "192.0.2.0/24"))

    def test_are_listed_and_found_by_their_user(
        self, as_superuser: Client, session: Session, as_author: APIClient
    ) -> None:
        for query in ("q=READER", f"q={session.user_id}", f"user__id__exact={session.user_id}"):
            page = as_superuser.get(f"{self.PATH}?{query}")

            assert list(page.context["cl"].result_list) == [session]
            assert "Firefox &lt;147&gt;" in page.text
        assert as_superuser.get(self.PATH).context["cl"].result_count == 2
        assert f"{self.PATH}?user__id__exact={session.user_id}" in (
            as_superuser.get(page_of(session.user)).text
        )

    def test_are_ended(
        self, as_superuser: Client, superuser: User, reader: User, as_reader: APIClient
    ) -> None:
        session = reader.sessions.get()

        run_action(as_superuser, self.PATH, "end", session)

        assert as_reader.get("/users/me").status_code == 401
        assert history_of(session) == [(superuser.pk, "End.")]

    def test_are_not_changed(self, as_superuser: Client, session: Session) -> None:
        page = f"{self.PATH}{session.pk}/change/"

        assert "192.0.2.0/24" in as_superuser.get(page).text
        assert as_superuser.post(page, {"network": "elsewhere"}).status_code == 403
        assert as_superuser.get(f"{self.PATH}add/").status_code == 403

    def test_are_hidden_from_moderators(self, as_moderator: Client, session: Session) -> None:
        assert as_moderator.get(self.PATH).status_code == 403
        assert "session" not in as_moderator.get(page_of(session.user)).text

    def test_cost_the_same_however_many(
        self,
        as_superuser: Client,
        session: Session,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        for user in UserFactory.create_batch(5):
            Session.objects.start(user)

        # The browser's session, its user; the count; the page with its users.
        with django_assert_num_queries(4):
            as_superuser.get(self.PATH)
