"""A digest as people and programs get it: every format says the same, and no text in it is markup."""

import json
from datetime import date
from xml.etree import ElementTree

import pytest

from claims.digest import Change, Contrary, Cost, Digest, ExperimentNews, Ground, Lost, Problem, Withdrawal
from claims.errors import InputError
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
    assert feed.findtext(f"{name}updated") == "2026-08-21T23:59:59Z"
    assert all(e.findtext(f"{name}content") for e in entries)


def test_more_grounds_than_one_reads_are_counted() -> None:
    assert "and 2 more" in render_digest(FULL, "md")
    assert "and 2 more" in render_digest(FULL, "html")


def test_what_the_judge_was_unsure_of_is_not_passed_over() -> None:
    assert "unsure of 4" in render_digest(FULL, "md")
    assert "unsure of 4" in render_digest(FULL, "html")


def test_another_format_is_refused() -> None:
    with pytest.raises(InputError, match="md, html, json, atom"):
        render_digest(FULL, "pdf")
