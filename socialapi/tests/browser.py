"""A real Chromium, for the tests of pages that need one.

`pytest_plugins` in the root conftest.py names this module, so that every test has its fixtures.
"""

from collections.abc import Iterator
from shutil import which
from tempfile import TemporaryDirectory

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from socialapi.tests.live import Server, serve

CHROMEDRIVER = which("chromedriver")
# What keeps a new browser quiet, and lets it run as root without a screen.
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync"
    " --disable-background-networking --disable-component-update"
)

needs_chromium = pytest.mark.skipif(CHROMEDRIVER is None, reason="needs chromedriver")
# One process runs the tests that share it.
one_chromium = pytest.mark.xdist_group("chromium")


@pytest.fixture(scope="session")
def hasty_server(django_db_setup: None) -> Iterator[Server]:
    """One whose streams need not be waited for."""
    with serve("posts.tests.streaming:application") as running:
        yield running


@pytest.fixture(scope="session")
def chromium(hasty_server: Server) -> Iterator[Chrome]:
    """One for all tests, without a screen.

    It ends before its server, which would wait a while for connections that are idle.
    """
    options = ChromeOptions()
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        options.add_argument(f"--user-data-dir={folder}")
        with Chrome(options, ChromeService(CHROMEDRIVER)) as chrome:
            yield chrome


def refusals(chrome: Chrome) -> list[str]:
    """Return what the content security policy has kept a page from, since last asked."""
    messages = [entry["message"] for entry in chrome.get_log("browser")]  # type: ignore[no-untyped-call]
    return [message for message in messages if "Content Security Policy" in message]
