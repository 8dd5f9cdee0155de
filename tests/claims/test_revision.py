"""A paper whose text was revised: its stance counts from the text that brought it, and what it said before is told."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.cli.held import show_dossier
from claims.clock import FrozenClock
from claims.dossier import Dossier, InquiryDossier
from claims.evidence import Evidence, PaperEvidence, Stance
from claims.paper import Paper, PaperVersion
from claims.report import render
from claims.report.view import claim_view
from claims.revision import words
from claims.store import Store
from claims.verdict import VerdictKind, decide
from tests.claims.test_verdict import essence, weighings
from tests.claims.verdict_table import CLAIM as LARGE_CLAIM
from tests.dossiers import weighed
from tests.factories import NOON, a_claim, a_grounding, a_paper, an_assessment

CLAIM = a_claim(anchors=())
V1, V2, V3 = date(2024, 1, 2), date(2026, 8, 1), date(2026, 8, 10)
DAYS = (V1, V2, V3)


def version(n: int, abstract: str = "", **fields: object) -> Paper:
    """Give the paper as its version `n` is, which says something of its own."""
    versions = tuple(PaperVersion(number=k, submitted_on=DAYS[k - 1]) for k in range(1, n + 1))
    text = abstract or f"In version {n} we measure curated sets against far larger ones."
    return a_paper(updated_on=DAYS[n - 1], versions=versions, abstract=text, **fields)


def said(paper: Paper, stance: Stance, minutes: int = 0) -> PaperEvidence:
    """Give the local judge's stance on one text."""
    return PaperEvidence.of(CLAIM.id, paper, an_assessment(paper, stance), NOON + timedelta(minutes=minutes))


def test_a_stance_that_a_revision_brought_counts_from_the_revision() -> None:
    now, (before,) = words([said(version(1), Stance.SUPPORTS), said(version(2), Stance.CONTRADICTS)])
    assert (now.counts_from, before.counts_from) == (V2, V1)
    assert now.revised is not None
    assert (now.revised.was, now.revised.was_version, now.revised.was_id) == (Stance.SUPPORTS, 1, before.id)
    for day, kind in ((V1, VerdictKind.STANDS), (V2 - timedelta(1), VerdictKind.STANDS), (V2, VerdictKind.CONTESTED)):
        assert decide(CLAIM, [before, now], day).kind is kind
    assert decide(CLAIM, [before, now], V2).not_counted == {before.id: f"its text was revised on {V2}: contradicts now"}


def test_a_revision_that_says_the_same_leaves_the_date_of_the_stance() -> None:
    texts = [said(version(n), stance) for n, stance in ((1, Stance.SUPPORTS), (2, Stance.SUPPORTS))]
    assert words(texts) == (texts[1], ())
    now, (before,) = words([*texts, said(version(3), Stance.NEUTRAL)])
    assert (before.id, before.counts_from, now.counts_from) == (texts[1].id, V1, V3)
    again, _ = words([said(version(1), Stance.SUPPORTS), *(said(version(n), Stance.CONTRADICTS) for n in (2, 3))])
    assert again.counts_from == V2


def test_another_sources_text_of_the_same_version_is_no_revision() -> None:
    short = version(1, abstract="Small curated sets match far larger ones, we say.")
    now, _ = words([said(short, Stance.NEUTRAL), said(version(1), Stance.CONTRADICTS)])
    undated, _ = words(
        [said(short.model_copy(update={"updated_on": None}), Stance.NEUTRAL), said(version(2), Stance.CONTRADICTS)]
    )
    assert (now.revised, undated.revised) == (None, None)


def test_a_judge_that_thinks_again_makes_no_revision() -> None:
    first, second = version(1), version(2)
    alike = [said(first, Stance.SUPPORTS), said(second, Stance.SUPPORTS)]
    again, superseded = words([*alike, said(second, Stance.CONTRADICTS)])
    assert (again.counts_from, again.revised, superseded) == (V1, None, ())
    unlike = [said(first, Stance.SUPPORTS), said(second, Stance.CONTRADICTS)]
    back, superseded = words([*unlike, said(second, Stance.SUPPORTS)])
    assert (back.counts_from, back.revised, superseded) == (V1, None, ())
    other, superseded = words([*unlike, said(second, Stance.QUALIFIES)])
    assert (other.counts_from, len(superseded)) == (V2, 1)


TWO = st.permutations(list(Stance)).map(lambda stances: stances[:2])


@given(weighings(), TWO)
@settings(max_examples=30, deadline=None)
def test_a_revision_changes_no_verdict_of_the_days_before_it(evidence: list[Evidence], two: list[Stance]) -> None:
    papers = [version(n, id="2402.00001", authors=("Name a",)) for n in (1, 2)]
    texts = [
        weighed(p, stance).model_copy(update={"version": n, "version_on": DAYS[n - 1]})
        for n, p, stance in zip((1, 2), papers, two, strict=True)
    ]
    current, superseded = words(texts)
    for day in (V1, V2 - timedelta(1)):
        with_revision = decide(LARGE_CLAIM, [*evidence, *superseded, current], day)
        assert essence(with_revision) == essence(decide(LARGE_CLAIM, [*evidence, texts[0]], day))
    after = decide(LARGE_CLAIM, [current, *superseded, *evidence], V2)
    assert essence(after) == essence(decide(LARGE_CLAIM, [*evidence, current], V2))


@pytest.fixture
def revised(sqlite_url: str) -> Iterator[Store]:
    """A store that saw a paper support the claim in version 1 and contradict it in version 2."""
    with Store.open(sqlite_url, clock=FrozenClock(NOON - timedelta(days=100))) as store:
        store.put_claim(CLAIM)
        for n, stance in ((1, Stance.SUPPORTS), (2, Stance.CONTRADICTS)):
            store.put_papers([version(n)])
            store.add_evidence([said(version(n), stance, minutes=n)])
            evidence = store.evidence(CLAIM.id, superseded=True)
            store.record_verdict(decide(CLAIM, evidence, store.clock.now().date()))
            store.clock = FrozenClock(NOON)
        yield store


def test_a_text_that_could_not_be_judged_is_no_stance_that_a_revision_changed(sqlite_url: str) -> None:
    with Store.open(sqlite_url, clock=FrozenClock(NOON)) as store:
        store.put_claim(CLAIM)
        for n, stance, no_word in ((1, Stance.NEUTRAL, {"unsure": True, "confidence": 0.0}), (2, Stance.SUPPORTS, {})):
            store.put_papers([version(n)])
            assessment = an_assessment(version(n), stance, **no_word)
            store.add_evidence([PaperEvidence.of(CLAIM.id, version(n), assessment, NOON + timedelta(minutes=n))])
        (now,) = store.evidence(CLAIM.id, superseded=True)
        assert isinstance(now, PaperEvidence) and (now.revised, now.stance) == (None, Stance.SUPPORTS)


def test_the_store_tells_what_the_text_before_was_said_to_say(revised: Store) -> None:
    (now,) = revised.evidence(CLAIM.id)
    (before,) = revised.evidence(CLAIM.id, as_of=NOON - timedelta(days=1))
    assert isinstance(now, PaperEvidence) and now.revised is not None
    assert (now.revised.was, now.revised.was_id, now.version) == (Stance.SUPPORTS, before.id, 2)
    assert [e.id for e in revised.evidence(CLAIM.id, superseded=True)] == [before.id, now.id]
    dossier = revised.dossier(CLAIM.id)
    assert ([e.id for e in dossier.superseded], dossier.evidence) == ([before.id], (now,))
    assert Dossier.model_validate_json(dossier.model_dump_json()) == dossier


def test_show_and_report_tell_the_stance_before_a_revision_and_date_the_new_one_by_it(
    revised: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    dossier = revised.dossier(CLAIM.id)
    (before,) = dossier.superseded
    view = claim_view(dossier, NOON.date())
    assert [(s.on, s.kind.value) for s in view.path[1:]] == [(V1, "stands"), (V2, "contested")]
    assert view.since == V2
    assert [r.evidence.id for r in view.recent] == [dossier.evidence[0].id]
    show_dossier(dossier)
    shown = " ".join(capsys.readouterr().out.split())  # lines break where the terminal ends
    assert f"{V1}, revised {V2}" in shown
    assert f"was: supports, in the text of version 1 ({before.id})" in shown
    whole = InquiryDossier(inquiry=None, claims=(dossier,), as_of=NOON, generated_at=NOON)
    for format in ("md", "html"):
        assert "as: supports, in the text of version 1" in render(whole, format)
    assert f"{V2},supports" in render(whole, "csv")
    assert before.id in render(whole, "json")


def test_show_marks_a_withdrawn_paper_and_a_withdrawn_ground(
    revised: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    revised.put_papers([version(2, withdrawn=True, withdrawn_because="the proof is wrong")])
    dossier = revised.dossier(CLAIM.id)
    grounded = a_grounding(claim_id=CLAIM.id, paper_id=version(2).id)
    show_dossier(dossier.model_copy(update={"groundings": (grounded,)}))
    shown = " ".join(capsys.readouterr().out.split())  # lines break where the terminal ends
    assert "does not count: the paper was withdrawn: “the proof is wrong”" in shown
    assert f"its ground arXiv:{version(2).id}, {version(2).title}: the paper was withdrawn" in shown


def test_show_marks_a_withdrawn_anchor_that_was_never_looked_up(
    sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    claim = a_claim()
    (anchor,) = claim.anchors
    with Store.open(sqlite_url, clock=FrozenClock(NOON)) as store:
        store.put_claim(claim)
        gone = a_paper(id=anchor.arxiv_id, withdrawn=True, withdrawn_because="the proof is wrong")
        store.put_papers([gone])
        show_dossier(store.dossier(claim.id))
    shown = " ".join(capsys.readouterr().out.split())
    assert f"its ground arXiv:{gone.id}, {gone.title}: the paper was withdrawn: “the proof is wrong”" in shown
