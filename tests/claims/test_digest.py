"""A digest as people and programs get it: every format says the same, and no text in it is markup."""

import json
from datetime import UTC, date, datetime
from xml.etree import ElementTree

import pytest

from claims.digest import Change, Contrary, Cost, Digest, ExperimentNews, Ground, Lost, Problem, Resting, Withdrawal
from claims.errors import InputError
from claims.evidence import Revision, Stance
from claims.experiment import Outcome
from claims.paper import TextField
from claims.report.digest import atom, render_digest, section
from claims.verdict import VerdictKind

HOSTILE = "<script>alert(1)</script> [click](https://evil.example) \x07\u202e **bold** & more"
GROUND = Ground(
    evidence_id="ev-000000000001",
    paper_id="2401.00001",
    title=HOSTILE,
    said="contradicts",
    confidence=0.9,
    judge="local",
    quote=HOSTILE,
    quoted_from=TextField.ABSTRACT,
)
CHANGE = Change(
    claim_id="small-sets-suffice-000001",
    claim=HOSTILE,
    before=VerdictKind.STANDS,
    after=VerdictKind.OVERTURNED,
    confidence=0.87,
    reason=HOSTILE,
    because=(GROUND,) * 7,
    lost=(Lost(evidence_id="ev-000000000002", paper_id="2401.00002", why="the paper was withdrawn"),),
)
FULL = Digest(
    night=date(2026, 8, 21),
    judge="local 1",
    changes=(CHANGE,),
    first=(CHANGE.model_copy(update={"before": None}),),
    contrary=(Contrary(claim_id=CHANGE.claim_id, claim=HOSTILE, verdict=VerdictKind.STANDS, grounds=(GROUND,)),),
    experiments=(
        ExperimentNews(
            experiment_id="exp-1",
            claim_id=None,
            protocol="data-quantity",
            outcome=Outcome.REFUTES,
            is_decided=True,
            n_seeds=12,
            reason=HOSTILE,
        ),
    ),
    withdrawals=(Withdrawal(paper_id="2401.00002", title=HOSTILE, withdrawn=True, claim_ids=(CHANGE.claim_id,)),),
    problems=(Problem(where="arXiv", what=HOSTILE),),
    cost=Cost(requests=2, claims=3, pairs_judged=7, unsure=4, seconds=1.5),
)


def test_a_quiet_night_says_so_in_every_format() -> None:
    quiet = Digest(night=date(2026, 8, 21), judge="local 1")
    assert quiet.is_quiet
    for format in ("md", "html", "atom"):
        said = render_digest(quiet, format)
        assert "nothing changed" in said
        assert "everything that was due was looked at" in said


@pytest.mark.parametrize("format", ["md", "html", "json", "atom"])
def test_every_format_names_what_changed_and_what_could_not_be_done(format: str) -> None:
    said = render_digest(FULL, format)
    for wanted in ("stands", "overturned", "2401.00001", "2401.00002", "was withdrawn", "exp-1", "arXiv"):
        assert wanted in said, wanted


def test_no_text_of_a_paper_is_markup() -> None:
    assert "<script>" not in render_digest(FULL, "html")
    markdown = render_digest(FULL, "md")
    assert "<script>" not in markdown.replace("\\<script", "")
    assert "](https://evil" not in markdown
    assert "\x07" not in markdown


def test_on_the_web_a_digest_leads_to_pages_of_claims_and_papers() -> None:
    drawn = str(section(FULL))
    for change in FULL.changes:
        assert f'href="/claims/{change.claim_id}"' in drawn
    assert 'href="/papers/2401.00001"' in drawn
    assert "https://" not in drawn.replace("https://evil", "") and "<script>" not in drawn


def test_json_comes_back_as_it_was() -> None:
    assert Digest.model_validate_json(render_digest(FULL, "json")) == FULL
    assert json.loads(render_digest(FULL, "json"))["changes"][0]["after"] == "overturned"


def test_a_feed_is_well_formed_and_has_the_newest_night_first() -> None:
    older = FULL.model_copy(update={"night": date(2026, 8, 20)})
    feed = ElementTree.fromstring(atom([older, FULL]))
    name = "{http://www.w3.org/2005/Atom}"
    entries = feed.findall(f"{name}entry")
    assert [e.findtext(f"{name}id") for e in entries] == [
        "urn:retest:digest:2026-08-21",
        "urn:retest:digest:2026-08-20",
    ]
    assert feed.findtext(f"{name}updated") == "2026-08-21T00:00:00Z"
    assert all(e.findtext(f"{name}content") for e in entries)


def test_a_feed_is_dated_by_when_a_night_was_told_and_leads_to_itself() -> None:
    told_at = datetime(2026, 8, 21, 3, 4, 5, tzinfo=UTC)
    name = "{http://www.w3.org/2005/Atom}"
    feed = ElementTree.fromstring(render_digest(FULL, "atom", told_at=told_at))
    assert {e.text for e in feed.iter(f"{name}updated")} == {"2026-08-21T03:04:05Z"}
    assert feed.find(f"{name}link") is None  # a file knows no address of its own
    served = atom([FULL], url="https://retest.example/digests.atom", pages="https://retest.example/digests/")
    links = [link.attrib for link in ElementTree.fromstring(served).iter(f"{name}link")]
    assert links == [
        {"rel": "self", "href": "https://retest.example/digests.atom"},
        {"rel": "alternate", "href": "https://retest.example/digests/2026-08-21"},
    ]


def test_an_entry_of_a_feed_is_html_in_which_no_text_of_a_paper_is_markup() -> None:
    name = "{http://www.w3.org/2005/Atom}"
    content = ElementTree.fromstring(render_digest(FULL, "atom")).find(f".//{name}content")
    assert content is not None and content.get("type") == "html"
    text = content.text or ""
    assert '<a href="https://arxiv.org/abs/2401.00001">' in text and "<h2>" in text
    assert "<script>" not in text and "&lt;script&gt;" in text


@pytest.mark.parametrize("format", ["md", "html"])
def test_a_revised_text_is_told_with_what_it_was_said_to_say_before(format: str) -> None:
    revised = Revision(
        on=date(2026, 8, 20), was=Stance.SUPPORTS, was_id="ev-000000000009", was_version=1, was_on=date(2024, 1, 2)
    )
    ground = GROUND.model_copy(update={"revised": revised})
    said = render_digest(
        FULL.model_copy(update={"changes": (CHANGE.model_copy(update={"because": (ground,)}),)}), format
    )
    assert "was: supports, in the text of version 1; revised 2026-08-20" in said


@pytest.mark.parametrize("format", ["md", "html", "atom"])
def test_a_withdrawal_is_told_with_its_words_and_the_claims_as_they_stand_now(format: str) -> None:
    gone = Withdrawal(
        paper_id="2401.00002",
        title="A proof",
        withdrawn=True,
        because="Lemma 2 is wrong",
        claim_ids=("small-sets-suffice-000001",),
        claims=(
            Resting(claim_id="small-sets-suffice-000001", claim="Small sets suffice.", verdict=VerdictKind.UNTESTED),
        ),
    )
    said = render_digest(FULL.model_copy(update={"withdrawals": (gone,)}), format)
    for wanted in ("withdrawn: ", "“Lemma 2 is wrong”", "Small sets suffice", "untested"):
        assert wanted in said, wanted


@pytest.mark.parametrize("format", ["md", "html"])
def test_the_cost_names_the_lab_and_counts_in_good_grammar(format: str) -> None:
    cost = Cost(requests=1, records=1, new_papers=1, claims=1, pairs_judged=1200, unsure=4, seeds=1, lab_seconds=61.25)
    cost = cost.model_copy(update={"not_judged": 2})
    said = render_digest(FULL.model_copy(update={"cost": cost}), format)
    for wanted in (
        "1 claim gone over; 1 request to arXiv gave 1 record (1 new paper, 0 changed); 1,200 claim-paper pairs judged",
        "(unsure of 4: see `retest judge CLAIM`), 2 could not be judged, 1 seed asked of the lab; 61.2 s",
        "61.2 s of work at the lab; 0.0 s",
    ):
        assert wanted in said, wanted


@pytest.mark.parametrize("format", ["md", "html"])
def test_an_experiment_of_one_seed_is_told_in_the_singular_and_as_undecided(format: str) -> None:
    (told,) = FULL.experiments
    one = told.model_copy(update={"n_seeds": 1, "is_decided": False})
    said = render_digest(FULL.model_copy(update={"experiments": (one,)}), format)
    assert "1 seed:" in said and "(still undecided)" in said
    assert "12 seeds:" in render_digest(FULL, format) and "(decided)" in render_digest(FULL, format)


def test_commands_in_what_could_not_be_done_stay_code_and_foreign_words_in_it_are_escaped() -> None:
    what = "empty; fill it with `retest mirror import` or `mirror harvest`, said **evil** `[x](https://evil.example)`"
    said = render_digest(FULL.model_copy(update={"problems": (Problem(where="the mirror", what=what),)}), "md")
    assert "fill it with `retest mirror import` or `mirror harvest`, said \\*\\*evil\\*\\*" in said
    assert "](https://evil" not in said


def test_more_grounds_than_one_reads_are_counted() -> None:
    assert "and 2 more" in render_digest(FULL, "md")
    assert "and 2 more" in render_digest(FULL, "html")


def test_what_the_judge_was_unsure_of_is_not_passed_over() -> None:
    assert "unsure of 4" in render_digest(FULL, "md")
    assert "unsure of 4" in render_digest(FULL, "html")


def test_another_format_is_refused() -> None:
    with pytest.raises(InputError, match="md, html, json, atom"):
        render_digest(FULL, "pdf")
