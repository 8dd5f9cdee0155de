"""What holds for every page: nothing hostile runs, axe finds nothing serious, it fits a phone, it prints."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.conftest import House
from tests.browser.house import CLAIM, HOSTILE_CLAIM, HOSTILE_PAPER, NIGHT, RUNNING

pytestmark = pytest.mark.slow

PAGES = {
    "library": "/",
    "library as of a day": "/?as_of=2026-03-01",
    "claim": f"/claims/{CLAIM}",
    "hostile claim": f"/claims/{HOSTILE_CLAIM}",
    "judge": f"/claims/{HOSTILE_CLAIM}/judge",
    "propose": f"/claims/{CLAIM}/experiment",
    "papers": "/papers?all=1",
    "hostile paper": f"/papers/{HOSTILE_PAPER}",
    "experiments": "/experiments",
    "experiment": "/experiments/exp-0123456789ab",
    "failed experiment": "/experiments/exp-00000000bad1",
    "running experiment": f"/experiments/{RUNNING.id}",
    "job": "/jobs/",
    "digests": "/digests",
    "digest": f"/digests/{NIGHT}",
    "chat": "/chat?ask=<script>window.pwned=1</script>",
    "chat that asks": "/chat?confirm=</form><script>window.pwned=1</script>",
    "import": "/import?example=1",
    "error": "/nothing/<script>window.pwned=1</script>",
}
"""Every page by name."""

SERIOUS = ("serious", "critical")
LEVELS = "[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => Number(h.tagName[1]))"
INLINE = """[...document.querySelectorAll('*')].filter(e => e.hasAttribute('style') || e.tagName === 'STYLE' ||
  (e.tagName === 'SCRIPT' && !e.src) || [...e.attributes].some(a => a.name.startsWith('on'))).map(e => e.outerHTML)"""
WIDTHS = "[document.documentElement.scrollWidth, window.innerWidth]"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_safe_usable_by_all_and_fits(name: str, browse: Callable[..., Page], house: House) -> None:
    path = PAGES[name] + (house.waiting if name == "job" else "")
    page = browse(path, expect=404 if name == "error" else 200, viewport={"width": 1280, "height": 900})
    assert page.evaluate("window.pwned") is None
    assert page.evaluate(INLINE) == []
    assert page.locator("h1").count() == 1 and page.locator("main").count() == 1
    levels = page.evaluate(LEVELS)
    assert levels[0] == 1 and all(b - a <= 1 for a, b in itertools.pairwise(levels)), levels
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert _trouble(page, {"resultTypes": ["violations"]}) == []
    page.emulate_media(color_scheme="dark")
    assert _trouble(page, {"runOnly": ["color-contrast"], "resultTypes": ["violations"]}) == []
    for width in (780, 390):
        page.set_viewport_size({"width": width, "height": 844})
        wide, there = page.evaluate(WIDTHS)
        assert wide <= there, f"{name} scrolls sideways: {wide} px on {width}"


def _trouble(page: Page, options: dict[str, Any]) -> list[str]:
    found = Axe().run(page, options=options).response["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in found if v["impact"] in SERIOUS]


def test_hovering_over_a_hostile_title_runs_nothing(browse: Callable[..., Page]) -> None:
    page = browse(f"/papers/{HOSTILE_PAPER}")
    page.locator("h1").hover()
    page.locator(".abstract").first.hover()
    assert page.evaluate("window.pwned") is None
    assert "<script>window.pwned=1</script>" in page.locator("h1").inner_text()


PAGE_MARGIN = """[...document.styleSheets].flatMap(s => [...s.cssRules])
  .filter(r => r instanceof CSSPageRule).map(r => r.style.margin)"""


@pytest.mark.parametrize("path", [f"/claims/{CLAIM}", f"/claims/{CLAIM}/report.html", "/inquiries/inq-0123456789ab"])
def test_a_claim_prints_light_and_whole_whatever_the_screen_shows(path: str, browse: Callable[..., Page]) -> None:
    page = browse(path, color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.querySelector('h2')).color") == "rgb(27, 31, 36)"
    for hidden in (".site-header", ".tools", ".skip", ".context"):
        assert not any(one.is_visible() for one in page.locator(hidden).all()), hidden
    assert page.get_by_text("N curated examples reach the score of 10 N noisy ones.").first.is_visible()
    assert page.evaluate("[...document.querySelectorAll('svg')].every(s => s.clientWidth <= s.parentNode.clientWidth)")
    assert page.evaluate(PAGE_MARGIN) == ["18mm 15mm"], "text would touch the paper's edge"
    assert page.pdf(format="A4").startswith(b"%PDF")


PLOTTED = """[...document.querySelectorAll('svg.plot')].filter(s => s.checkVisibility()).map(s => ({
  text: Math.min(...[...s.querySelectorAll('text')].map(t => t.getBoundingClientRect().height)),
  out: [...s.querySelectorAll('.mark, .seed, text')].map(m => m.getBoundingClientRect())
    .filter(b => b.left < 0 || b.right > innerWidth).length, marks: s.querySelectorAll('.mark, .seed').length}))"""


@pytest.mark.parametrize("width", [360, 390, 600, 800, 1280])
@pytest.mark.parametrize("path", [f"/claims/{CLAIM}", f"/claims/{CLAIM}/report.html", "/experiments/exp-0123456789ab"])
def test_every_mark_of_a_plot_is_seen_and_its_text_is_large_enough_to_read(
    path: str, width: int, browse: Callable[..., Page]
) -> None:
    page = browse(path, viewport={"width": width, "height": 844})
    drawn = page.evaluate(PLOTTED)
    assert len(drawn) == (1 if "experiments" in path else 2)
    for plot in drawn:
        assert plot["marks"] >= 6
        assert plot["out"] == 0
        assert plot["text"] >= 11


def test_the_first_tab_skips_to_the_content(browse: Callable[..., Page]) -> None:
    page = browse("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.locator(".skip").is_visible()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline not in ("none", "auto")


def test_errors_say_what_is_wrong_in_a_page(browse: Callable[..., Page]) -> None:
    assert "No claim 'nothing' is held here" in browse("/claims/nothing", expect=404).locator("main").inner_text()
    assert "Not a day: 'soon'" in browse(f"/claims/{CLAIM}?as_of=soon", expect=422).locator("main").inner_text()
    assert "Not an arXiv id" in browse("/papers/zzz", expect=422).locator("main").inner_text()
