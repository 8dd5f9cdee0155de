"""The HTML report in a real Chromium: what only a browser can tell. Skips, with a reason, where there is none."""

from pathlib import Path

import pytest

from claims.report import render
from tests.claims.test_report import attacked
from tests.dossiers import full

pytestmark = pytest.mark.slow


def opened(chromium, tmp_path: Path, html: str, **options: object):
    file = tmp_path / "report.html"
    file.write_text(html, encoding="utf-8")
    page = chromium.new_page(**options)
    page.asked, page.said = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda message: page.said.append(message.text))
    page.on("dialog", lambda dialog: page.said.append(dialog.message))
    page.goto(file.as_uri())
    return page


@pytest.mark.parametrize("report", [full, attacked])
def test_opening_a_report_asks_for_nothing_and_runs_nothing(chromium, tmp_path: Path, report) -> None:
    page = opened(chromium, tmp_path, render(report(), "html"))
    assert page.asked == [(tmp_path / "report.html").as_uri()]
    assert page.said == []
    assert page.evaluate("document.scripts.length") == 0


@pytest.mark.parametrize("report", [full, attacked])
def test_a_report_fits_a_phone_without_scrolling_sideways(chromium, tmp_path: Path, report) -> None:
    page = opened(chromium, tmp_path, render(report(), "html"), viewport={"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_report_follows_the_readers_dark_scheme(chromium, tmp_path: Path) -> None:
    grounds = {
        scheme: opened(chromium, tmp_path, render(full(), "html"), color_scheme=scheme).evaluate(
            "getComputedStyle(document.body).backgroundColor"
        )
        for scheme in ("light", "dark")
    }
    assert grounds["light"] == "rgb(255, 255, 255)"
    assert grounds["dark"] != grounds["light"]
