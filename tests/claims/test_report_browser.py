"""The HTML report in a real Chromium: what only a browser can tell. Skips, with a reason, where there is none."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from claims.report import render
from tests.claims.test_report import attacked
from tests.dossiers import full

pytestmark = pytest.mark.slow

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_api.sync_playwright() as playwright:
        binary = binary or playwright.chromium.executable_path
        if not Path(binary).exists():
            pytest.skip("no Chromium on this machine")
        started = playwright.chromium.launch(executable_path=binary, args=QUIET)
        yield started
        started.close()


def opened(browser, tmp_path: Path, html: str, **options: object):
    file = tmp_path / "report.html"
    file.write_text(html, encoding="utf-8")
    page = browser.new_page(**options)
    page.asked, page.said = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda message: page.said.append(message.text))
    page.on("dialog", lambda dialog: page.said.append(dialog.message))
    page.goto(file.as_uri())
    return page


@pytest.mark.parametrize("report", [full, attacked])
def test_opening_a_report_asks_for_nothing_and_runs_nothing(browser, tmp_path: Path, report) -> None:
    page = opened(browser, tmp_path, render(report(), "html"))
    assert page.asked == [(tmp_path / "report.html").as_uri()]
    assert page.said == []
    assert page.evaluate("document.scripts.length") == 0


@pytest.mark.parametrize("report", [full, attacked])
def test_a_report_fits_a_phone_without_scrolling_sideways(browser, tmp_path: Path, report) -> None:
    page = opened(browser, tmp_path, render(report(), "html"), viewport={"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_report_follows_the_readers_dark_scheme(browser, tmp_path: Path) -> None:
    grounds = {
        scheme: opened(browser, tmp_path, render(full(), "html"), color_scheme=scheme).evaluate(
            "getComputedStyle(document.body).backgroundColor"
        )
        for scheme in ("light", "dark")
    }
    assert grounds["light"] == "rgb(255, 255, 255)"
    assert grounds["dark"] != grounds["light"]
