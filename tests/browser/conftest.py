"""One Chromium and one furnished home with its server for all tests of the pages."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.browser.house import furnish, serving
from tests.webs import CLOCK, settings_for

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync", "--no-first-run")


PATIENCE_MS = 60_000
"""What a page may take on a busy machine before a test calls it a failure."""


class House(NamedTuple):
    """A served home."""

    address: str
    waiting: str
    """the job that waits for approval"""
    home: Path
    url: str
    """of the database"""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A headless Chromium; skips with a reason where there is none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed")
    # Machines that run tests are slow and shared: only what never comes is a failure.
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory, _migrated_sqlite: Path) -> Iterator[House]:
    """A home with something on every page, and its server."""
    home = tmp_path_factory.mktemp("house")
    shutil.copy(_migrated_sqlite, home / "retest.sqlite3")
    url = f"sqlite:///{home / 'retest.sqlite3'}"
    waiting = furnish(home, url)
    with serving(settings_for(home, url), CLOCK) as address:
        yield House(address, waiting, home, url)


def _is_trouble(said: ConsoleMessage) -> bool:
    """Tell a broken page from an answer that says no, which a browser notes as an error too."""
    is_refusal = re.search(r"status of 4\d\d", said.text) and "/static/" not in said.location["url"]
    return said.type == "error" and not is_refusal


@pytest.fixture
def browse(chromium: Browser, house: House) -> Iterator[Callable[..., Page]]:
    """Open pages of the house. A page that reports an error or breaks the policy fails the test."""
    contexts: list[BrowserContext] = []
    trouble: list[str] = []

    def open_(path: str = "/", *, expect: int = 200, **options: Any) -> Page:
        context = chromium.new_context(base_url=house.address, **options)
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: trouble.append(f"{path}: {error}"))
        page.on("console", lambda said: trouble.append(f"{path}: {said.text}") if _is_trouble(said) else None)
        answer = page.goto(path)
        assert answer is not None and answer.status == expect, (path, answer and answer.status)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert trouble == []
