"""The demo, in a real browser on a real server."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from accounts import tokens
from accounts.models import Session, User
from accounts.tests.factories import UserFactory
from posts.models import Listener, Post
from posts.tests.factories import PostFactory
from socialapi.tests.browser import needs_chromium, one_chromium, refusals
from socialapi.tests.live import Server, wait_until
from votes.models import Vote

pytestmark = [needs_chromium, one_chromium]
MARKUP = "<img src=x onerror=\"document.title='broken'\">" + "W" * 200
ASK_TWICE = """
const done = arguments[arguments.length - 1];
import("/static/socialapi/demo/client.js").then(async ({ Client }) => {
  const client = new Client(() => {});
  const asked = [1, 2].map(() => client.request("GET", "/users/me"));
  done((await Promise.all(asked)).map((account) => account.username));
});
"""
ASK_BESIDE_COPIES = """
const done = arguments[arguments.length - 1];
import("/static/socialapi/demo/client.js").then(async ({ Client }) => {
  const client = new Client(() => {});
  for (const _ of [1, 2]) open("/demo");
  done((await client.request("GET", "/users/me")).username);
});
"""
READ_PAUSES = """
const done = arguments[arguments.length - 1];
const inAMinute = new Date(Date.now() + 60_000).toUTCString();
const past = new Date(0).toUTCString();
import("/static/socialapi/demo/client.js").then(async ({ Problem }) => {
  const read = async (text) => {
    const headers = text && { "Retry-After": text };
    return (await Problem.of(new Response("", { status: 503, headers }))).pause;
  };
  done(await Promise.all(["7", inAMinute, past, "soon", undefined, "9".repeat(20)].map(read)));
});
"""


class Page:
    """A window that shows the demo."""

    def __init__(self, chrome: Chrome, server: Server) -> None:
        self.chrome = chrome
        self.address = f"{server.url}/demo"
        self.window = chrome.current_window_handle
        chrome.get(self.address)

    def look(self) -> None:
        """Turn to this window."""
        self.chrome.switch_to.window(self.window)

    def find(self, selector: str) -> WebElement:
        """Return the first element, as soon as it is shown."""

        def shown() -> WebElement | None:
            elements = self.chrome.find_elements(By.CSS_SELECTOR, selector)
            return next((each for each in elements if each.is_displayed()), None)

        element = wait_until(shown)
        assert element
        return element

    def texts(self, selector: str) -> list[str]:
        """Return what elements say."""
        script = "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)"
        texts: list[str] = self.chrome.execute_script(script, selector)
        return texts

    def wait_for(self, selector: str, *texts: str) -> None:
        """Return when elements say this."""
        wait_until(lambda: self.texts(selector) == list(texts))

    def wait_for_log(self, text: str) -> None:
        """Return when the stream has told this."""
        wait_until(lambda: any(text in line for line in self.texts("#log p")))

    def press(self, *keys: str) -> None:
        """Type into what has the focus."""
        self.chrome.switch_to.active_element.send_keys(*keys)

    def log_in(self, user: User, **changes: str) -> None:
        """Come back as a user who had logged in here, and wait for the stream."""
        self.keep(tokens.log_in(user) | changes)
        self.chrome.refresh()
        self.wait_for("#state", "Connected")

    def keep(self, pair: dict[str, Any]) -> None:
        """Put tokens where the page looks for them."""
        script = "sessionStorage.setItem('socialapi.tokens', arguments[0])"
        self.chrome.execute_script(script, json.dumps(pair))

    def is_too_wide(self) -> bool:
        """Whether one has to scroll sideways."""
        script = "return document.documentElement.scrollWidth > innerWidth"
        return bool(self.chrome.execute_script(script))


@pytest.fixture
def page(committed: None, hasty_server: Server, chromium: Chrome) -> Iterator[Page]:
    """The demo in a new window, in which nobody has logged in."""
    (first,) = chromium.window_handles
    chromium.switch_to.new_window("window")
    yield Page(chromium, hasty_server)
    chromium.delete_all_cookies()
    for window in {*chromium.window_handles} - {first}:
        chromium.switch_to.window(window)
        chromium.close()
    chromium.switch_to.window(first)
    # Until then the server may read what is removed next.
    wait_until(lambda: not Listener.objects.exists())


def test_a_newcomer_does_it_all_on_a_phone_by_keyboard(page: Page, client: Client) -> None:
    phone = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    page.chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    # Who has logged in to the browsable API in the same browser does not matter.
    client.force_login(UserFactory.create())
    page.chrome.add_cookie({"name": "sessionid", "value": client.cookies["sessionid"].value})

    page.find("#sign-up-email").send_keys("ada@example.org", Keys.ENTER)
    page.wait_for("#sign-up-password-error", "This field may not be blank.")
    assert not page.is_too_wide()
    page.press("lovelace-1815", Keys.ENTER)

    page.wait_for("#state", "Connected")
    page.wait_for("#found", "There are no posts yet. Write the first.")
    ada = User.objects.get(email="ada@example.org")
    assert page.texts("#me") == [ada.username]
    page.find("#title").send_keys(Keys.TAB, "It weaves", Keys.TAB, Keys.ENTER)
    page.wait_for("#title-error", "This field may not be blank.")
    page.press(MARKUP, Keys.ENTER)

    page.wait_for("#posts .title", MARKUP)
    page.wait_for_log(f"You wrote “{MARKUP}”")
    assert not page.is_too_wide()
    page.find(".vote").send_keys(Keys.SPACE)
    page.wait_for_log("has 1 vote")
    assert page.texts(".count") == ["1"]
    assert Vote.objects.get().user == ada
    page.find(".vote").send_keys(Keys.SPACE)
    page.wait_for_log("has 0 votes")
    page.find(".delete").send_keys(Keys.ENTER)
    page.press(Keys.ENTER)
    page.find(".delete").send_keys(Keys.ENTER)
    page.press(Keys.SHIFT, Keys.TAB, Keys.NULL, Keys.ENTER)
    page.wait_for("#posts .title")
    assert not Post.objects.exists()
    page.find("#log-out").send_keys(Keys.ENTER)

    assert page.find("#greeting").text == "You are logged out."
    wait_until(lambda: not Session.objects.open().exists())
    assert not page.texts("#log p")
    assert refusals(page.chrome) == []
    assert page.chrome.title == "Demo – Social API"


def test_what_one_does_another_sees_live(
    page: Page, hasty_server: Server, author: User, reader: User
) -> None:
    old = PostFactory.create(title="Seen before", owner=reader)
    page.log_in(author)
    page.wait_for(".title", "Seen before")
    page.chrome.switch_to.new_window("window")
    other = Page(page.chrome, hasty_server)
    other.log_in(reader)

    page.look()
    page.find("#title").send_keys("Now", Keys.TAB, "to be seen", Keys.TAB, Keys.ENTER)
    other.look()
    other.wait_for(".title", "Now", "Seen before")
    other.find(".vote").click()
    page.look()
    page.wait_for(".count", "1", "0")
    old.edit(title="Seen again")
    page.wait_for(".title", "Now", "Seen again")
    page.find("#search").send_keys("AGAIN", Keys.ENTER)
    page.wait_for(".title", "Seen again")
    PostFactory.create(title="Not sought", content="A line\N{LINE SEPARATOR}and another")
    PostFactory.create(title="Once again")
    page.wait_for(".title", "Once again", "Seen again")
    page.find("#title").send_keys("Mine", Keys.TAB, "not sought", Keys.TAB, Keys.ENTER)
    page.wait_for_log("You wrote “Mine”")
    assert page.texts(".title") == ["Once again", "Seen again"]
    other.look()
    other.wait_for(".title", "Mine", "Once again", "Not sought", "Now", "Seen again")
    old.delete()
    other.wait_for(".title", "Mine", "Once again", "Not sought", "Now")


def test_goes_on_where_it_was_when_the_network_is_back(page: Page, author: User) -> None:
    page.log_in(author)
    page.chrome.set_network_conditions(offline=True, latency=0, throughput=-1)
    # The server ends a stream that it does not count.
    Listener.objects.all().delete()
    page.wait_for("#state", "The server cannot be reached. Connecting again…")

    PostFactory.create(title="Missed")
    page.chrome.delete_network_conditions()

    page.wait_for_log("wrote “Missed”")
    page.wait_for(".title", "Missed")


def test_renews_an_expired_token_once_and_goes_back_to_the_login_when_it_cannot(
    page: Page, author: User
) -> None:
    pair = tokens.log_in(author) | {"access_token": "expired"}
    page.keep(pair)
    asked: Callable[..., Any] = page.chrome.execute_async_script
    assert asked(ASK_TWICE) == ["author", "author"]
    assert Session.objects.open().exists()

    page.chrome.refresh()
    page.wait_for("#state", "Connected")
    Session.objects.end()
    page.find("#log-in")

    assert page.texts("#greeting") == ["You are logged out."]
    assert page.texts(".problem") == [""] * len(page.texts(".problem"))


def test_tabs_that_are_copies_renew_their_token_together(page: Page, author: User) -> None:
    page.keep(tokens.log_in(author) | {"access_token": "expired"})
    asked: Callable[..., Any] = page.chrome.execute_async_script
    # They have the same token, and this one may be done before they begin.
    assert asked(ASK_BESIDE_COPIES) == "author"
    copies = {*page.chrome.window_handles} - {page.window, page.chrome.window_handles[0]}
    assert len(copies) == 2
    for window in copies:
        page.chrome.switch_to.window(window)
        page.wait_for("#state", "Connected")
    assert Session.objects.open().exists()


def test_comes_back_as_who_was_logged_in_when_the_server_does(page: Page, author: User) -> None:
    page.log_in(author)
    devtools = page.chrome.execute_cdp_cmd
    devtools("Network.enable", {})
    devtools("Network.setBlockedURLs", {"urls": ["*/users/me"]})
    page.chrome.refresh()
    page.wait_for("#greeting", "The server cannot be reached. Trying again…")
    assert not page.chrome.find_element(By.ID, "log-in").is_displayed()

    devtools("Network.setBlockedURLs", {"urls": []})

    page.wait_for("#state", "Connected")
    assert not page.chrome.find_element(By.ID, "outside").is_displayed()


def test_begins_anew_where_its_tokens_are_none(page: Page) -> None:
    for junk in ("nonsense", "5", "{}"):
        page.chrome.execute_script("sessionStorage['socialapi.tokens'] = arguments[0]", junk)
        page.chrome.refresh()
        page.find("#log-in")
    page.find("#log-in-email").send_keys("a@example.org", Keys.TAB, "wrong-horse", Keys.ENTER)
    wait_until(lambda: page.texts("#log-in .problem") != [""])
    page.find("#sign-up button").click()
    page.wait_for("#log-in .problem", "")


def test_reads_how_long_to_wait_in_seconds_and_as_a_date(page: Page) -> None:
    asked: Callable[..., Any] = page.chrome.execute_async_script
    seconds, date, past, nonsense, absent, ages = asked(READ_PAUSES)
    assert (seconds, nonsense, absent, ages) == (7000, 0, 0, 3_600_000)
    assert 0 < date <= 60_000
    assert past < 0
