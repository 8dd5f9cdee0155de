"""Whatever words are put in come back exactly: texts of any characters, numbers of any size, dates of any precision."""

import itertools
import string
from datetime import UTC, date, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from claims.claim import Claim, Scale, Scope
from claims.dates import StatedDate
from claims.errors import NotHeld
from claims.evidence import Assessment, ExperimentEvidence, JudgeName, JudgeRef, PaperEvidence, Quote, Stance
from claims.experiment import Outcome
from claims.grounding import Grounding, GroundingStatus, Problem
from claims.paper import Paper, PaperVersion, Source, TextField
from claims.search import SearchRecord
from claims.store import Store
from claims.verdict import Verdict, VerdictKind
from tests.factories import a_claim, a_paper, an_anchor, an_estimate

# Pydantic refuses lone surrogates, so no word can hold them.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
DAY = st.dates(date(1991, 8, 1), date(2030, 12, 31))
MOMENT = st.datetimes(datetime(1991, 8, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
STATED = st.one_of(
    DAY.map(StatedDate.day),
    DAY.map(lambda d: StatedDate.month(d.year, d.month)),
    DAY.map(lambda d: StatedDate.parse(f"~{d.year}")),
    DAY.map(lambda d: StatedDate.parse(f"{d.year}-{d.year + 2}")),
)
SHARE = st.floats(0, 1)
NAME = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=12)
OPTIONAL = st.none() | TEXT
SEVERAL = st.lists(TEXT, max_size=3).map(tuple)

PAPER = st.builds(
    Paper,
    id=st.just("2401.00001"),
    title=TEXT,
    authors=SEVERAL,
    published=STATED,
    updated_on=st.none() | DAY,
    categories=SEVERAL,
    abstract=OPTIONAL,
    finding=OPTIONAL,
    versions=st.lists(st.builds(PaperVersion, number=st.integers(1, 99), submitted_on=DAY), max_size=3).map(tuple),
    comment=OPTIONAL,
    journal_ref=OPTIONAL,
    doi=OPTIONAL,
    withdrawn=st.booleans(),
    withdrawn_because=OPTIONAL,
    source=st.sampled_from(Source),
)
CLAIM = st.builds(
    Claim,
    id=NAME,
    text=TEXT.filter(bool),
    asserted_on=STATED,
    anchors=st.lists(st.builds(an_anchor, stated_title=OPTIONAL, stated_date=st.none() | STATED), max_size=2).map(
        tuple
    ),
    note=OPTIONAL,
    scope=st.builds(Scope, scale=st.sampled_from(Scale), family=OPTIONAL),
    line=st.none() | st.integers(1, 10**6),
)
GROUNDING = st.builds(
    Grounding,
    anchor=st.just(an_anchor()),
    status=st.sampled_from(GroundingStatus),
    problems=st.lists(
        st.builds(Problem, field=TEXT, stated=TEXT, actual=TEXT, message=TEXT, serious=st.booleans()), max_size=2
    ).map(tuple),
    how=TEXT,
    could_not_look=st.dictionaries(TEXT, TEXT, max_size=2),
)
SEARCH = st.builds(
    SearchRecord,
    claim_id=st.just(a_claim().id),
    source=st.sampled_from(Source),
    query=TEXT,
    since=st.none() | DAY,
    until=st.none() | DAY,
    n_found=st.none() | st.integers(0, 10**6),
    could_not_look=OPTIONAL,
    searched_at=MOMENT,
)
VERDICT = st.builds(
    Verdict,
    claim_id=st.just(a_claim().id),
    kind=st.sampled_from(VerdictKind),
    as_of=DAY,
    confidence=SHARE,
    changed_by=SEVERAL,
    not_counted=st.dictionaries(TEXT, TEXT, max_size=2),
    durable=TEXT,
    perishable=SEVERAL,
    reason=TEXT,
    evidence_digest=NAME,
    rule_version=NAME,
)
MEASURED = st.builds(
    ExperimentEvidence,
    claim_id=st.just(a_claim().id),
    experiment_id=NAME,
    protocol=NAME,
    profile=NAME,
    outcome=st.sampled_from(Outcome),
    estimate=st.none()
    | st.builds(an_estimate, st.integers(1, 256), effect=st.floats(-1, 1), seed_sd=st.none() | st.floats(0, 1)),
    scope=st.builds(Scope, scale=st.sampled_from(Scale)),
    measured_on=DAY,
    summary=TEXT,
)

each_kind = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
_numbers = itertools.count(1)


@each_kind
@given(paper=PAPER)
def test_a_paper_comes_back_as_it_was_put(store: Store, paper: Paper) -> None:
    n = next(_numbers)
    paper = paper.model_copy(update={"id": f"24{n // 90_000 + 10}.{n % 90_000 + 1:05d}"})
    store.put_papers([paper])
    assert store.paper(paper.id) == paper
    assert store.paper_text(paper.id, paper.text_digest) == paper
    assert store.put_papers([paper]).unchanged == 1


@each_kind
@given(claim=CLAIM)
def test_a_claim_comes_back_as_it_was_put(store: Store, claim: Claim) -> None:
    store.put_claim(claim)
    assert store.dossier(claim.id).claim == claim
    line = next(line for line in store.overview() if line.claim_id == claim.id)
    assert line.asserted_on == str(claim.asserted_on)


@each_kind
@given(grounding=GROUNDING, search=SEARCH, verdict=VERDICT, measured=MEASURED)
def test_what_was_found_out_comes_back_as_it_was_put(
    store: Store, grounding: Grounding, search: SearchRecord, verdict: Verdict, measured: ExperimentEvidence
) -> None:
    store.put_claim(a_claim())
    store.put_groundings(None, [grounding])
    assert store.groundings() == [grounding]
    store.add_searches([search])
    assert search in store.searches(a_claim().id, everything=True)
    store.add_evidence([measured])
    # Two outcomes of as many seeds have one id; the first that was recorded stays.
    assert store.evidence_by_id(measured.id).id == measured.id
    held = store.record_verdict(verdict)
    current = store.verdicts(a_claim().id)[-1]
    assert held == current
    assert (current.verdict.kind, current.verdict.evidence_digest) == (verdict.kind, verdict.evidence_digest)
    if current.verdict.as_of == verdict.as_of:
        assert store.dossier(a_claim().id).current == current


@each_kind
@given(data=st.data(), abstract=TEXT.filter(bool))
def test_a_quote_comes_back_to_the_character(store: Store, data: st.DataObject, abstract: str) -> None:
    n = next(_numbers)
    paper = a_paper(f"25{n // 90_000 + 10}.{n % 90_000 + 1:05d}", abstract=abstract)
    start = data.draw(st.integers(0, len(abstract) - 1))
    end = data.draw(st.integers(start + 1, len(abstract)))
    given = PaperEvidence(
        claim_id=a_claim().id,
        paper_id=paper.id,
        paper_digest=paper.text_digest,
        published=paper.published,
        source=paper.source,
        judged_at=data.draw(MOMENT),
        assessment=Assessment(
            stance=data.draw(st.sampled_from(Stance)),
            confidence=data.draw(SHARE),
            quotes=(Quote.cut(paper, TextField.ABSTRACT, start, end),),
            explanation=data.draw(TEXT),
            judge=JudgeRef(name=data.draw(st.sampled_from(JudgeName)), version=data.draw(TEXT)),
        ),
    )
    store.put_claim(a_claim())
    store.put_papers([paper])
    assert store.add_evidence([given]) == 1
    assert store.evidence_by_id(given.id) == given
    assert store.add_evidence([given]) == 0


ANYTHING = ["", "\x00", "\ud800", "' OR 1=1 --", "%", "_", "\\", "x" * 10_000, "\U0001f600"]


@pytest.mark.parametrize("asked", ANYTHING)
def test_an_id_of_any_characters_is_only_not_held(store: Store, asked: str) -> None:
    store.put_claim(a_claim())
    for read in (store.claim, store.inquiry, store.evidence_by_id, store.paper, store.dossier, store.inquiry_dossier):
        with pytest.raises(NotHeld):
            read(asked)
    assert store.verdicts(asked) == store.evidence(asked) == store.searches(asked) == []
    assert store.get_cursor(asked) is None
    assert store.paper_text(asked, asked) is None


def test_a_moment_without_a_time_zone_is_refused(store: Store) -> None:
    store.put_claim(a_claim())
    with pytest.raises(Exception, match="time zone"):
        store.verdicts(a_claim().id, as_of=datetime(2026, 8, 21, 12))
