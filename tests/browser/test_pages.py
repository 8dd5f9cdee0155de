"""What a person does with the pages, in a real browser, with a script and without."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from claims.evidence import JudgeName, PaperEvidence, Stance
from claims.store import Store
from tests.browser.conftest import House
from tests.browser.house import CLAIM, HOSTILE_CLAIM, RUNNING, serving
from tests.chat_server import chat_server
from tests.labs import LabUnderTest
from tests.webs import settings_for

pytestmark = pytest.mark.slow

DOCUMENT = """Open question: how few examples are enough?

Claims
- Few hand-written poems teach a model metre. (~2024)
- Longer answers win more comparisons. (2023-06)
This line belongs to nothing that anybody could name
"""


def follow(link: Locator) -> None:
    """Click what loads another page, and wait until it is there."""
    with link.page.expect_navigation():
        link.click()


def rows(page: Page) -> list[str]:
    """Give the texts of the library's claims."""
    return [link.inner_text() for link in page.locator("table.claims tbody td:first-child a").all()]


@pytest.mark.parametrize("script", [True, False], ids=["with a script", "without a script"])
def test_the_library_is_filtered_sorted_and_searched(script: bool, browse: Callable[..., Page]) -> None:
    page = browse("/", java_script_enabled=script)
    assert "LIMA was competitive with only 1,000 curated examples." in rows(page)
    page.get_by_label("Words or an id").fill("MODELS near")
    follow(page.get_by_role("button", name="Show"))
    assert rows(page) == ["70+ models converge on near-identical answers."]
    follow(page.get_by_role("link", name="Show all"))
    page.get_by_label("Verdict").select_option("overturned")
    page.get_by_label("only due").check()
    follow(page.get_by_role("button", name="Show"))
    assert rows(page) == ["LIMA was competitive with only 1,000 curated examples."]
    assert page.locator("table.claims tbody").get_by_text("never refreshed").count() == 1
    page.goto("/?sort=text")
    assert rows(page)[0].startswith("70+") and rows(page) == sorted(rows(page), key=str.casefold)
    page.goto("/?inquiry=inq-0123456789ab")
    assert len(rows(page)) == 3
    page.goto("/?q=nothing+has+these+words")
    assert "No claim fits" in page.locator("main").inner_text()


@pytest.mark.parametrize("script", [True, False], ids=["with a script", "without a script"])
def test_a_claim_is_seen_as_it_was_held_on_another_day(script: bool, browse: Callable[..., Page]) -> None:
    page = browse(f"/claims/{CLAIM}", java_script_enabled=script)
    expect(page.locator(".ruling .badge")).to_have_text("overturned")
    history = page.locator("#history ~ table").first.locator("tbody .badge").all_inner_texts()
    assert history == ["overturned", "contested", "relaxed", "untested"]
    page.get_by_label("As of").fill("2026-03-01")
    follow(page.get_by_role("button", name="Show that day"))
    assert "What was held at the end of 2026-03-01" in page.locator("main").inner_text()
    expect(page.locator(".ruling .badge")).to_have_text("relaxed")
    assert page.get_by_role("link", name="On the matter of 2409.00003").count() > 0
    assert page.get_by_role("link", name="On the matter of 2604.00001").count() == 0
    assert page.get_by_role("button", name="Re-test now").count() == 0
    follow(page.get_by_role("link", name="Back to now"))
    expect(page.locator(".ruling .badge")).to_have_text("overturned")


def test_a_quote_is_read_in_its_place_and_leads_to_the_paper(browse: Callable[..., Page]) -> None:
    page = browse(f"/claims/{CLAIM}")
    place = page.locator("details.context").first
    assert not place.get_by_text("We discuss limits.").is_visible()
    place.locator("summary").click()
    assert place.get_by_text("We discuss limits.").is_visible()
    follow(page.get_by_role("link", name="On the matter of 2605.00002").first)
    assert page.url.endswith("/papers/2605.00002")
    follow(page.get_by_role("link", name="LIMA was competitive"))
    assert re.search(rf"/claims/{CLAIM}#ev-[0-9a-f]{{12}}$", page.url)
    assert page.evaluate("document.querySelector(':target').tagName") == "TR"


@pytest.mark.parametrize("script", [True, False], ids=["streamed", "without a script"])
def test_an_answer_leads_to_its_evidence_on_the_claims_page(script: bool, browse: Callable[..., Page]) -> None:
    page = browse("/chat", java_script_enabled=script)
    page.get_by_label("Your question").fill("Does LIMA still hold, and what changed it?")
    page.get_by_role("button", name="Ask", exact=True).click()
    said = page.locator("#turns > li").last.locator(".said")
    expect(said).to_contain_text("overturned")
    expect(page.locator("#turns[aria-busy=true]")).to_have_count(0)  # what still comes would move the link
    link = said.get_by_role("link", name=re.compile(r"^ev-[0-9a-f]{12}$")).first
    id = link.inner_text()
    link.click()
    page.wait_for_url(f"**/claims/{CLAIM}#{id}")
    assert page.locator(f"tr[id='{id}']").is_visible()
    page.goto("/chat")
    expect(page.locator("#turns")).to_contain_text("Does LIMA still hold")
    follow(page.get_by_role("button", name="New conversation"))
    assert page.locator("#turns > li").count() == 0


@pytest.mark.parametrize("script", [True, False], ids=["streamed", "without a script"])
def test_the_conversation_asks_before_it_starts_anything(script: bool, browse: Callable[..., Page]) -> None:
    page = browse("/chat", java_script_enabled=script)
    page.get_by_label("Your question").fill("/experiment self-improvement")
    page.get_by_role("button", name="Ask", exact=True).click()
    yes = page.get_by_role("button", name="Yes, start it")
    expect(yes).to_be_visible()
    assert page.get_by_role("link", name=re.compile("^job-")).count() == 0
    yes.click()
    # No protocol fits this claim, so that the yes is answered and nothing runs.
    expect(page.locator("#turns > li").last).to_contain_text("no protocol re-tests self-improvement")


def test_a_model_answers_on_the_page_with_evidence_alone_and_may_be_left_out(
    chromium: Browser, house: House, tmp_path: Path
) -> None:
    with Store.open(house.url) as store:
        id = next(e.id for e in store.evidence(CLAIM) if getattr(e, "paper_id", "") == "2605.00002")
    said = f"The newest work reports: “we find that the effect holds in most settings”. [{id}]"
    said += f"\nIt contradicts <img src=x onerror=window.pwned=1> the claim. [{id}]"
    with chat_server(lambda body: said) as server:
        settings = settings_for(tmp_path, house.url, llm="openai:scripted", llm_url=server.url)
        with serving(settings) as address:
            page = chromium.new_page(base_url=address)
            page.goto("/chat")
            expect(page.locator("main")).to_contain_text("in the words of openai:scripted")
            for without in (False, True):
                page.get_by_label("without the model").set_checked(without)
                page.get_by_label("Your question").fill("What speaks against LIMA?")
                page.get_by_role("button", name="Ask", exact=True).click()
                expect(page.locator("#turns > li .grounds")).to_have_count(1 + without)
                answer = page.locator("#turns > li").last.locator(".said")
                expect(answer.get_by_role("link", name=id).first).to_be_visible()
                assert ("The newest work reports" in answer.inner_text()) is not without
                assert answer.locator("img").count() == 0 and page.evaluate("window.pwned") is None
            page.close()
        assert len(server.requests) == 1


def test_a_hostile_claim_is_streamed_as_text(browse: Callable[..., Page]) -> None:
    page = browse("/chat")
    page.get_by_label("Your question").fill(f"/show {HOSTILE_CLAIM}")
    page.get_by_label("Your question").press("Enter")
    said = page.locator("#turns > li").last.locator(".said")
    expect(said).to_contain_text("<script>window.pwned=1</script>")
    expect(page.locator("#turns")).to_have_attribute("aria-busy", "false")
    assert said.locator("script, img, svg").count() == 0
    assert page.evaluate("window.pwned") is None


def test_a_retest_is_followed_from_the_claims_page_to_its_end(browse: Callable[..., Page]) -> None:
    page = browse("/claims/models-alike")
    follow(page.get_by_role("button", name="Re-test now"))
    assert "/jobs/job-" in page.url
    expect(page.locator("#state")).to_have_text("done")
    assert "Could not look in arxiv" in page.locator("main").inner_text()
    assert page.locator("#steps li").filter(has_text="library:").count() > 0
    assert page.get_by_role("button", name="Cancel").count() == 0


@pytest.mark.parametrize("script", [True, False], ids=["with a script", "without a script"])
def test_an_inquiry_is_shown_before_it_is_held(
    script: bool, browse: Callable[..., Page], house: House, tmp_path: Path
) -> None:
    text = DOCUMENT.replace("poems", "songs") if script else DOCUMENT
    page = browse("/import", java_script_enabled=script)
    if script:
        page.get_by_label("Paste the document").fill(text)
    else:
        file = tmp_path / "inquiry.txt"
        file.write_bytes(text.replace("\n", "\r\n").encode())
        page.get_by_label("or choose a text file").set_input_files(file)
    follow(page.get_by_role("button", name="Show what is understood"))
    main = page.locator("main")
    assert "Nothing is stored yet." in main.inner_text() and "how few examples are enough?" in main.inner_text()
    dates = page.locator("td[data-label='Asserted']").all_inner_texts()
    assert dates == ["~2024", "2023-06"]
    assert "This line belongs to nothing" in page.locator("section.warning").inner_text()
    with Store.open(house.url) as store:
        before = {line.claim_id for line in store.overview()}
    follow(page.get_by_role("button", name="Hold these claims"))
    assert len(rows(page)) == 2
    with Store.open(house.url) as store:
        assert len({line.claim_id for line in store.overview()} - before) == (2 if script else 1)


def test_a_document_that_is_none_is_refused_with_a_reason(browse: Callable[..., Page], tmp_path: Path) -> None:
    page = browse("/import", java_script_enabled=False)
    file = tmp_path / "paper.pdf"
    file.write_bytes(b"%PDF-1.7 \x00\x01")
    page.get_by_label("or choose a text file").set_input_files(file)
    follow(page.get_by_role("button", name="Show what is understood"))
    assert "is a PDF; save it as plain text first" in page.get_by_role("alert").inner_text()
    page.get_by_label("Paste the document").fill("Only an essay, with no dated sentence in it.")
    follow(page.get_by_role("button", name="Show what is understood"))
    assert "there is nothing to hold" in page.locator("main").inner_text()
    assert page.get_by_role("button", name=re.compile("^Hold")).count() == 0


def test_a_person_weighs_a_paper_takes_it_back_and_weighs_it_again(browse: Callable[..., Page], house: House) -> None:
    def said() -> tuple[PaperEvidence, list[PaperEvidence]]:
        with Store.open(house.url) as store:
            (held,) = (e for e in store.evidence(HOSTILE_CLAIM) if isinstance(e, PaperEvidence))
            everything = store.evidence(HOSTILE_CLAIM, everything=True)
        return held, [e for e in everything if isinstance(e, PaperEvidence)]

    page = browse(f"/claims/{HOSTILE_CLAIM}", java_script_enabled=False)
    expect(page.locator(".ruling .badge")).to_have_text("contested")
    follow(page.get_by_role("link", name="Judge papers"))
    page.get_by_label(re.compile("^qualifies")).check()
    page.get_by_label("Why").fill("on one model only <b>")
    page.get_by_label("Your name").fill("Ada")
    follow(page.get_by_role("button", name="Keep it"))
    expect(page.get_by_role("status")).to_contain_text("Kept: qualifies")
    assert "No pair is left to weigh" in page.locator("main").inner_text()
    held, _ = said()
    assert (held.assessment.judge.name, held.assessment.judge.version) == (JudgeName.PERSON, "Ada")

    follow(page.get_by_role("button", name="Take it back"))
    assert page.get_by_role("button", name="Take it back").count() == 0
    held, everything = said()
    assert held.assessment.judge.name is not JudgeName.PERSON, "what the machine said holds again"
    assert sum(e.assessment.judge.name is JudgeName.PERSON for e in everything) == 2, "history keeps both words"

    expect(page.get_by_label("Your name")).to_have_value("Ada")
    page.get_by_label(re.compile("^supports")).check()
    follow(page.get_by_role("button", name="Keep it"))
    assert said()[0].stance is Stance.SUPPORTS
    follow(page.get_by_role("link", name="Back to the claim"))
    expect(page.locator(".ruling .badge")).to_have_text("stands")


def test_an_experiment_that_waits_is_declined(browse: Callable[..., Page], house: House) -> None:
    page = browse("/", java_script_enabled=False)
    follow(page.get_by_role("link", name=re.compile("takes about 96 minutes")))
    assert page.url.endswith(f"/jobs/{house.waiting}")
    follow(page.get_by_role("button", name="Decline"))
    expect(page.locator("#state")).to_have_text("declined")
    page.goto("/experiments")
    assert page.get_by_role("button", name="Approve").count() == 0


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[LabUnderTest]:
    """A real lab whose runs take a few seconds."""
    with LabUnderTest(tmp_path / "lab-home") as made:
        made.serve()
        yield made


def test_the_progress_of_an_experiment_is_followed_until_it_is_over(
    chromium: Browser, lab: LabUnderTest, sqlite_url: str
) -> None:
    experiment = lab.send(n_seeds=2, seconds=5.0)
    with serving(settings_for(lab.home, sqlite_url)) as address:
        page = chromium.new_page()
        page.goto(f"{address}/experiments/{experiment.id}")
        row = page.locator(f"tr[id='{experiment.runs[0].id}']")
        expect(row.locator("[data-cell=phase]")).to_have_text("a, train", timeout=60_000)
        expect(row.locator("[data-cell=step]")).to_have_text(re.compile(r"^\d+ of 10$"))
        expect(row.locator("[data-cell=loss]")).to_have_text(re.compile(r"^[01]\.\d{3}$"))
        expect(row.locator("[data-cell=left]")).to_have_text(re.compile(r"^about \d+ s left$|^over$|^took \d+ s$"))
        expect(page.get_by_text("2 of 2 seeds are over.")).to_be_visible(timeout=60_000)
        # The page was loaded again, and shows the result.
        expect(page.get_by_text("+0.250 [+0.200, +0.300]")).to_be_visible(timeout=60_000)
        page.close()


def test_a_lab_that_is_gone_is_said_on_the_page(browse: Callable[..., Page], house: House) -> None:
    del house
    page = browse(f"/experiments/{RUNNING.id}")
    expect(page.get_by_role("status")).to_contain_text("No news from the lab: no lab runs here now")
    assert "As it was last seen" in page.locator("main").inner_text()
