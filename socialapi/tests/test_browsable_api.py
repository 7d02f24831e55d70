"""The API in a browser: the same addresses, as pages with forms."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from django.test import Client
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from accounts.limits import PASSWORD_FAILURES
from accounts.models import User
from accounts.tests.factories import PASSWORD, UserFactory
from posts.models import Post
from posts.tests.factories import PostFactory
from socialapi.tests.browser import needs_chromium, one_chromium, refusals
from socialapi.tests.live import Server
from votes.models import Vote

HTML = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
def browser() -> Client:
    """A browser in which nobody has logged in."""
    return Client(headers=HTML)


@pytest.fixture
def authors_browser(author: User) -> Client:
    """A browser in which the author has logged in."""
    browser = Client(headers=HTML)
    browser.force_login(author)
    return browser


def log_in(browser: Client, email: str, password: str = PASSWORD, to: str = "/posts") -> Any:
    """Send the login form."""
    form = {"username": email, "password": password, "next": to}
    return browser.post("/session/login", form)


def assets_of(page: str) -> list[str]:
    """Return the addresses that a page loads by itself."""
    return re.findall(r"<(?:script|img|iframe)[^>]* src=\"([^\"]*)", page) + re.findall(
        r"<link[^>]* href=\"([^\"]*)", page
    )


def is_ours(address: str) -> bool:
    """Whether an address is on this host, or holds what it stands for."""
    parts = urlsplit(address)
    return not parts.netloc and parts.scheme in ("", "data")


class TestPages:
    """For everyone."""

    # Each with the status of GET, and the methods that the page has a form or a button for.
    PAGES = (
        ("/", 200, ""),
        ("/users", 405, "POST"),
        ("/users/{user}", 200, ""),
        ("/users/me", 200, "PATCH DELETE"),
        ("/users/me/password", 405, "POST"),
        ("/login", 405, "POST"),
        ("/token/refresh", 405, "POST"),
        ("/logout", 405, "POST"),
        ("/sessions", 200, "DELETE"),
        ("/sessions/1", 405, "DELETE"),
        ("/posts", 200, "POST"),
        ("/posts/{post}", 200, "PUT PATCH DELETE"),
        ("/posts/{post}/vote", 405, "PUT DELETE"),
        ("/vote", 405, "POST"),
        ("/posts?limit=0", 400, "POST"),
        ("/posts/999999", 404, "PUT PATCH DELETE"),
    )

    @pytest.mark.parametrize("case", PAGES, ids=lambda case: case[0])
    def test_have_forms_for_who_may_send_them(
        self, authors_browser: Client, author: User, post: Post, case: tuple[str, int, str]
    ) -> None:
        path, status, methods = case

        response = authors_browser.get(path.format(user=author.pk, post=post.pk))

        assert response.status_code == status
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        buttons = re.findall(r">(POST|PUT|PATCH|DELETE)</button>", response.text)
        assert set(buttons) == set(methods.split())

    @pytest.mark.parametrize("path", [path for path, *_ in PAGES])
    def test_load_nothing_from_elsewhere_and_run_nothing_inline(
        self, browser: Client, author: User, post: Post, path: str
    ) -> None:
        page = browser.get(path.format(user=author.pk, post=post.pk)).text

        assert assets_of(page)
        assert all(map(is_ours, assets_of(page)))
        assert not re.search(r"<style|<[^>]+ style=|<[^>]+ on\w+=|<script>", page)

    @pytest.mark.parametrize("path", [path for path, *_ in PAGES])
    def test_describe_themselves(
        self, authors_browser: Client, author: User, post: Post, path: str
    ) -> None:
        response = authors_browser.options(path.format(user=author.pk, post=post.pk))

        assert response.status_code == 200

    @pytest.mark.parametrize("path", ["/users", "/login", "/token/refresh", "/logout"])
    def test_let_a_stranger_sign_up_and_log_in(self, browser: Client, path: str, db: None) -> None:
        assert 'method="POST"' in browser.get(path).text

    @pytest.mark.parametrize("path", ["/posts", "/users/me", "/vote"])
    def test_send_a_stranger_to_the_login_and_back(
        self, browser: Client, path: str, db: None
    ) -> None:
        response = browser.get(f"{path}?limit=3")

        assert response.status_code == 401
        assert f'href="/session/login?next={quote(path, "")}%3Flimit%3D3"' in response.text

    def test_show_a_reader_no_form_for_the_authors_post(
        self, browser: Client, reader: User, post: Post
    ) -> None:
        browser.force_login(reader)

        page = browser.get(f"/posts/{post.pk}").text

        assert 'data-method="PUT"' not in page
        assert 'data-method="DELETE"' not in page

    def test_lead_to_the_docs_and_the_demo_and_staff_to_the_admin(
        self, authors_browser: Client, as_moderator: Client
    ) -> None:
        assert 'href="/docs"' in authors_browser.get("/posts").text
        assert 'href="/demo"' in authors_browser.get("/posts").text
        assert 'href="/admin/"' not in authors_browser.get("/posts").text
        assert 'href="/admin/"' in as_moderator.get("/posts", headers=HTML).text

    def test_tell_who_has_logged_in_even_where_nobody_asks(self, authors_browser: Client) -> None:
        assert ">author</a>" in authors_browser.get("/login").text

    def test_turn_over(self, authors_browser: Client, author: User) -> None:
        PostFactory.create_batch(3, owner=author)

        page = authors_browser.get("/posts?limit=2").text

        assert re.search(r'href="[^"]*cursor=[^"]*" rel="next"', page)

    def test_are_for_browsers_alone(self, browser: Client) -> None:
        assert browser.get("/", headers={"Accept": "*/*"}).headers["Content-Type"] == (
            "application/json"
        )

    def test_tell_of_an_unknown_address(self, browser: Client, db: None) -> None:
        response = browser.get("/nowhere")

        assert response.status_code == 404
        assert "404 Not Found" in response.text
        assert all(map(is_ours, assets_of(response.text)))


class TestForms:
    """Sent by the pages."""

    def test_write_a_post(self, authors_browser: Client, author: User) -> None:
        form = {"title": "By form", "content": "Line\r\nby line", "published": "true"}

        response = authors_browser.post("/posts", form)

        assert response.status_code == 201
        post = Post.objects.get()
        assert (post.owner, post.title, post.published) == (author, "By form", True)

    def test_write_a_draft_with_the_box_unticked(self, authors_browser: Client) -> None:
        assert 'name="published" value="true" checked' in authors_browser.get("/posts").text

        authors_browser.post("/posts", {"title": "Later", "content": "Not yet"})

        assert not Post.objects.get().published

    def test_come_back_filled_in_with_what_is_wrong(self, authors_browser: Client) -> None:
        response = authors_browser.post("/posts", {"title": " ", "content": "Typed at length"})

        assert response.status_code == 400
        assert '<span class="help-block">This field may not be blank.</span>' in response.text
        assert "Typed at length</textarea>" in response.text

    def test_change_an_account_by_raw_data(self, authors_browser: Client, author: User) -> None:
        assert "author@example.com&quot;" in authors_browser.get("/users/me").text

        response = authors_browser.patch(
            "/users/me", {"username": "writer"}, content_type="application/json"
        )

        assert response.status_code == 200
        author.refresh_from_db()
        assert author.username == "writer"

    def test_delete_an_account_with_its_password(
        self, authors_browser: Client, author: User
    ) -> None:
        page = authors_browser.get("/users/me").text
        modal = page[page.index('data-method="DELETE"') :]
        assert '<input name="password" class="form-control" type="password"' in modal

        response = authors_browser.delete(
            "/users/me", f"password={PASSWORD}", content_type="application/x-www-form-urlencoded"
        )

        assert "HTTP 204 No Content" in response.text
        assert not User.objects.filter(pk=author.pk).exists()

    def test_delete_a_post_without(self, authors_browser: Client, post: Post) -> None:
        page = authors_browser.get(f"/posts/{post.pk}").text

        assert 'type="password"' not in page
        assert authors_browser.delete(f"/posts/{post.pk}").status_code == 200
        assert not Post.objects.exists()

    def test_vote(self, authors_browser: Client, post: Post) -> None:
        response = authors_browser.put(f"/posts/{post.pk}/vote")

        assert "HTTP 204 No Content" in response.text
        assert Vote.objects.count() == 1

    def test_need_a_csrf_token(self, author: User) -> None:
        browser = Client(headers=HTML, enforce_csrf_checks=True)
        browser.force_login(author)

        response = browser.post("/posts", {"title": "Forged", "content": "Elsewhere"})

        assert response.status_code == 403
        assert not Post.objects.exists()


@pytest.mark.django_db
class TestLogin:
    """By session, with email and password."""

    def test_asks_for_an_email_of_any_length(self, browser: Client) -> None:
        page = browser.get("/session/login/?next=/posts").text

        assert '<label for="id_username">Email</label>' in page
        assert "maxlength" not in page
        assert "Django" not in page

    def test_returns_to_where_one_was(self, browser: Client, author: User) -> None:
        response = log_in(browser, "Author@example.com", to="/posts?limit=3&sort=top")

        assert response.headers["Location"] == "/posts?limit=3&sort=top"
        assert browser.get("/users/me").status_code == 200

    def test_returns_nowhere_else(self, browser: Client, author: User) -> None:
        response = log_in(browser, author.email, to="https://elsewhere.example/")

        assert response.headers["Location"] == "/"

    @pytest.mark.parametrize("password", ["wrong", "x" * 5000])
    def test_refuses_a_wrong_password(self, browser: Client, author: User, password: str) -> None:
        response = log_in(browser, author.email, password)

        assert "The email or the password is wrong." in response.text
        assert browser.get("/users/me").status_code == 401

    def test_refuses_a_suspended_user(self, browser: Client) -> None:
        suspended = UserFactory.create(suspended=True)

        assert "The email or the password is wrong." in log_in(browser, suspended.email).text

    def test_ends_when_the_user_is_suspended(self, authors_browser: Client, author: User) -> None:
        author.suspend()

        assert authors_browser.get("/users/me").status_code == 401

    def test_says_when_there_were_too_many_failures(
        self, browser: Client, author: User, settings: Any
    ) -> None:
        settings.THROTTLE = True
        for _ in range(PASSWORD_FAILURES.most):
            log_in(browser, author.email, "wrong")

        response = log_in(browser, author.email)

        assert response.status_code == 429
        assert int(response.headers["Retry-After"]) > 0
        assert "429 Too Many Requests" in response.text

    def test_is_left_by_a_button(self, authors_browser: Client) -> None:
        assert 'action="/session/logout?next=%2Fposts"' in authors_browser.get("/posts").text

        response = authors_browser.post("/session/logout?next=/posts")

        assert response.headers["Location"] == "/posts"
        assert authors_browser.get("/users/me").status_code == 401


@pytest.fixture
def chrome(committed: None, chromium: Chrome) -> Iterator[Chrome]:
    """A real browser."""
    yield chromium
    chromium.delete_all_cookies()


@needs_chromium
@one_chromium
def test_a_post_is_written_in_a_real_browser(hasty_server: Server, chrome: Chrome) -> None:
    author = UserFactory.create()

    def fill_in(**fields: str) -> None:
        for name, text in fields.items():
            chrome.find_element(By.NAME, name).send_keys(text)

    chrome.get(f"{hasty_server.url}/posts")
    chrome.find_element(By.LINK_TEXT, "Log in").click()
    fill_in(username=author.email, password=PASSWORD)
    chrome.find_element(By.CSS_SELECTOR, ".login button").click()
    fill_in(title="From a browser", content="By hand")
    chrome.find_element(By.CSS_SELECTOR, "#post-object-form button").click()
    WebDriverWait(chrome, 20).until(lambda page: "HTTP 201 Created" in page.page_source)

    post = Post.objects.get()
    assert (post.owner, post.title, post.published) == (author, "From a browser", True)
    assert refusals(chrome) == []
    for path in ("/docs", "/redoc", "/admin/", "/nowhere"):
        chrome.get(hasty_server.url + path)
        assert refusals(chrome) == []
