"""A real Chromium, for the tests of pages that need one."""

from collections.abc import Iterator
from contextlib import contextmanager
from shutil import which
from tempfile import TemporaryDirectory

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

CHROMEDRIVER = which("chromedriver")
# What keeps a new browser quiet, and lets it run as root without a screen.
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync"
    " --disable-background-networking --disable-component-update"
)

needs_chromium = pytest.mark.skipif(CHROMEDRIVER is None, reason="needs chromedriver")


@contextmanager
def run_chromium() -> Iterator[Chrome]:
    """Run Chromium, without a screen, until the block ends.

    That should be before its server stops, which waits a while for connections that are idle.
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
