"""What a report says, before it has a format: one claim's and one inquiry's facts, chosen and ordered.

Markdown, HTML and the web page draw the same views, so that they cannot disagree.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from claims.claim import Claim
from claims.dossier import Dossier, HeldVerdict, InquiryDossier
from claims.evidence import Evidence, ExperimentEvidence, PaperEvidence, Quote, Stance, unjudged
from claims.experiment import Outcome
from claims.grounding import Grounding, GroundingStatus
from claims.paper import Paper, TextField
from claims.report.timeline import Step, steps
from claims.revision import was
from claims.search import SearchRecord
from claims.ties import telling_words
from claims.verdict import Verdict, VerdictKind

MAX_SILENT = 5
"""Neutral papers that are shown: those of which the judge was least sure."""

WINDOW_MONTHS = 6
"""How far back `recent` contradicting work goes."""

MAX_SUPPORT = 5
"""Supporting works that are shown with their quotes; the evidence table names the others."""

MAX_ROWS = 40
"""Evidence rows of one claim that are shown; the CSV has all of them."""

CONTEXT = 400
"""Characters shown before and behind a quote."""

MEANING = {
    VerdictKind.STANDS: "independent newer support, no credible contradiction",
    VerdictKind.RELAXED: "it holds under narrower or other conditions; its core is not credibly contradicted",
    VerdictKind.OVERTURNED: "independent newer contradictions outweigh the support",
    VerdictKind.CONTESTED: "credible evidence both ways",
    VerdictKind.UNTESTED: "nothing newer takes a stand",
}
"""A verdict in half a sentence."""

STANCE_OF_OUTCOME = {Outcome.SUPPORTS: Stance.SUPPORTS, Outcome.REFUTES: Stance.CONTRADICTS}


@dataclass(frozen=True)
class Row:
    """One piece of evidence with the paper that it is from."""

    evidence: Evidence
    paper: Paper | None
    """None for an experiment, and for evidence whose paper the dossier does not hold"""
    stance: Stance
    counted: bool
    why_not: str = ""
    """why it did not count; empty when it did, and for a sure neutral"""
    claim: str = ""
    """the sentence that it is about"""

    @property
    def unsure(self) -> bool:
        """Whether the judge abstained, and leans to a stance."""
        return isinstance(self.evidence, PaperEvidence) and self.evidence.assessment.unsure and not self.unjudged

    @property
    def unjudged(self) -> bool:
        """Whether the judge could not judge the paper: that is no stance, not even a neutral one."""
        return isinstance(self.evidence, PaperEvidence) and self.evidence.assessment.could_not_judge

    @property
    def on(self) -> date:
        """The day from which it counts."""
        e = self.evidence
        return e.counts_from if isinstance(e, PaperEvidence) else e.measured_on

    @property
    def dated(self) -> str:
        """The date with the precision that it is known in."""
        e = self.evidence
        if isinstance(e, ExperimentEvidence):
            return e.measured_on.isoformat()
        return f"{e.published}, revised {e.revised.on}" if e.revised else str(e.published)

    @property
    def was(self) -> str:
        """What the text before was said to say; empty when no revision changed the stance."""
        return was(self.evidence.revised) if isinstance(self.evidence, PaperEvidence) else ""

    @property
    def confidence(self) -> float | None:
        """Calibrated, of a judge; None for an experiment, which has an interval instead."""
        return self.evidence.assessment.confidence if isinstance(self.evidence, PaperEvidence) else None

    @property
    def leaning(self) -> Stance | None:
        """For an unsure one: the stance that the judge would have given."""
        return self.evidence.assessment.leaning if isinstance(self.evidence, PaperEvidence) else None

    @property
    def quotes(self) -> tuple[Quote, ...]:
        """Quotes that really are in the stored text: a quote of another text is never printed."""
        if not isinstance(self.evidence, PaperEvidence) or self.paper is None:
            return ()
        return tuple(q for q in self.evidence.assessment.quotes if q.is_in(self.paper))

    @property
    def explanation(self) -> str:
        """What the judge or the lab says for itself: our words, never the paper's."""
        e = self.evidence
        return e.assessment.explanation if isinstance(e, PaperEvidence) else e.summary

    @property
    def shared(self) -> frozenset[str]:
        """Stems of the claim's telling words, to be found again in a quote."""
        return telling_words(self.claim)

    def around(self, quote: Quote) -> tuple[str, str]:
        """Give what stands before and behind a quote in the stored text, at most `CONTEXT` characters of each."""
        text = self.paper.text_of(quote.field) if self.paper else ""
        before, after = text[: quote.start], text[quote.end :]
        if len(before) > CONTEXT:
            before = "… " + before[-CONTEXT:].partition(" ")[2]
        if len(after) > CONTEXT:
            after = after[:CONTEXT].rpartition(" ")[0] + " …"
        return before.strip(), after.strip()

    @property
    def stale_quotes(self) -> int:
        """Quotes of an earlier text of the paper, which is not held any more."""
        if not isinstance(self.evidence, PaperEvidence):
            return 0
        return len(self.evidence.assessment.quotes) - len(self.quotes)


def whose_words(quote: Quote) -> str:
    """Say who wrote a quote: the paper, or we."""
    return {
        TextField.TITLE: "paper's title",
        TextField.ABSTRACT: "paper's own words",
        TextField.FINDING: "our summary, not the paper's words",
    }[quote.field]


@dataclass(frozen=True)
class ClaimView:
    """One claim, ready to be drawn."""

    number: int
    dossier: Dossier
    held: HeldVerdict | None
    rows: tuple[Row, ...]
    """every piece of evidence, newest first"""
    changed_by: tuple[Row, ...]
    support: tuple[Row, ...]
    """what counted for the claim, strongest first as the verdict names it"""
    recent: tuple[Row, ...]
    """contradicting work of the last six months, strongest first; unsure ones after the sure"""
    read_first: tuple[Row, ...]
    path: tuple[Step, ...]
    """the verdict over time, on the evidence held now"""
    window: tuple[date, date]
    """the last six months: first and last day"""

    @property
    def claim(self) -> Claim:
        """The claim."""
        return self.dossier.claim

    @property
    def anchor_name(self) -> str:
        """A name for links inside the page."""
        return f"claim-{self.number}"

    @property
    def verdict(self) -> Verdict | None:
        """The verdict, or None when it was never decided."""
        return self.held.verdict if self.held else None

    @property
    def since(self) -> date | None:
        """The day from which the evidence held now gives this verdict, or None when there is no such day."""
        if self.verdict is None or not self.path or self.path[-1].kind is not self.verdict.kind:
            return None
        if self.verdict.kind is VerdictKind.UNTESTED and len(self.path) == 1:
            return None
        return self.path[-1].on

    @property
    def since_dated(self) -> str:
        """`since` as exactly as it is known, `2025-01` where papers give only the month; empty without one."""
        return self.path[-1].dated if self.since else ""

    @property
    def recorded_since(self) -> HeldVerdict | None:
        """The first record of the current verdict without another kind since."""
        first = self.held
        for held in reversed(self.dossier.history):
            if first is None or held.verdict.kind is not first.verdict.kind:
                break
            first = held
        return first

    @property
    def table_rows(self) -> tuple[Row, ...]:
        """What a report's evidence table shows."""
        return self.listed(MAX_ROWS)

    def listed(self, most: int) -> tuple[Row, ...]:
        """Give what counts or would have, then the unsure and what could not be judged, then a few silent ones."""
        told = [r for r in self.rows if r.counted or r.why_not or r.was]
        rest = [r for r in self.rows if not (r.counted or r.why_not or r.was)]
        unsure = sorted((r for r in rest if r.unsure or r.unjudged), key=lambda r: r.unjudged)
        silent = sorted(
            (r for r in rest if not (r.unsure or r.unjudged)), key=lambda r: (r.confidence or 0.0, r.evidence.id)
        )
        return tuple((told + unsure)[: most - MAX_SILENT] + silent[:MAX_SILENT])

    @property
    def outweighed(self) -> tuple[Row, ...]:
        """What counted against the claim or narrows it and changed nothing; empty when something did change it."""
        verdict = self.verdict
        if verdict is None or verdict.changed_by:
            return ()
        return _pick({row.evidence.id: row for row in self.rows}, (*verdict.against, *verdict.qualifying))

    @property
    def tally(self) -> Counter[str]:
        """Counts of papers: the stance where counted, else `neutral`, `unsure`, `not counted`, `not judged`."""
        return Counter(_fate(r) for r in self.rows if isinstance(r.evidence, PaperEvidence))

    @property
    def not_judged(self) -> str:
        """Say how many papers could not be judged, and why; empty when all could."""
        return unjudged(r.evidence.assessment for r in self.rows if isinstance(r.evidence, PaperEvidence))

    @property
    def failed_searches(self) -> tuple[SearchRecord, ...]:
        """Searches that could not be made."""
        return tuple(s for s in self.dossier.searches if s.could_not_look)

    @property
    def ungrounded(self) -> str:
        """Why no paper is held as the claim's ground; empty when one is."""
        groundings = self.dossier.groundings
        if any(g.paper_id for g in groundings):
            return ""
        if not groundings:
            return "its anchors were not looked up" if self.claim.anchors else "no paper is named for it"
        if any(g.status is GroundingStatus.UNCHECKED for g in groundings):
            return "what is named as its ground could not be checked"
        return "no source holds a paper that is named as its ground"


@dataclass(frozen=True)
class Contradiction:
    """Contradicting work of the last six months, with the claim that it bears on."""

    view: ClaimView
    row: Row


@dataclass(frozen=True)
class InquiryView:
    """An inquiry, ready to be drawn."""

    source: InquiryDossier
    claims: tuple[ClaimView, ...]
    papers: dict[str, Paper]
    """every paper that may be printed, by id"""

    @property
    def title(self) -> str:
        """The open question, or what the report is about."""
        inquiry = self.source.inquiry
        if inquiry and inquiry.question:
            return inquiry.question
        return self.claims[0].claim.text if len(self.claims) == 1 else "Evidence report"

    @property
    def as_of(self) -> date:
        """Evidence after this day was not looked at: the day asked about, or the last verdict's if earlier."""
        looked = max((v.verdict.as_of for v in self.claims if v.verdict), default=None)
        return min(self.source.as_of.date(), looked or self.source.as_of.date())

    @property
    def recent(self) -> tuple[Contradiction, ...]:
        """Contradicting work of the last six months over all claims, strongest first."""
        found = [Contradiction(v, r) for v in self.claims for r in v.recent]
        return tuple(sorted(found, key=lambda c: strength(c.row)))

    @property
    def groundings(self) -> tuple[tuple[ClaimView | None, Grounding], ...]:
        """Every citation that was looked up, with its claim where it has one."""
        by_id = {v.claim.id: v for v in self.claims}
        own: list[tuple[ClaimView | None, Grounding]] = [(v, g) for v in self.claims for g in v.dossier.groundings]
        own += [(by_id.get(g.claim_id or ""), g) for g in self.source.groundings]
        return tuple({g.model_dump_json(): (v, g) for v, g in reversed(own)}.values())[::-1]

    @property
    def problems(self) -> tuple[tuple[ClaimView | None, Grounding], ...]:
        """Citations about which there is something to say."""
        return tuple((v, g) for v, g in self.groundings if g.status is not GroundingStatus.OK or g.problems)

    @property
    def window(self) -> tuple[date, date]:
        """The last six months: first and last day."""
        return months_before(self.as_of, WINDOW_MONTHS), self.as_of

    @property
    def cited(self) -> tuple[Paper, ...]:
        """Papers that take a stand, are read first, or are anchors: the reference list, by id."""
        ids = {g.paper_id for _, g in self.groundings}
        for view in self.claims:
            shown = (*view.table_rows, *view.changed_by, *view.support, *view.recent, *view.read_first)
            ids |= {r.paper.id for r in shown if r.paper}
        return tuple(sorted((self.papers[i] for i in ids if i in self.papers), key=lambda p: p.id))


def view_of(dossier: InquiryDossier) -> InquiryView:
    """Choose and order what a report over an inquiry says."""
    papers = dict(dossier.papers)
    for one in dossier.claims:
        papers.update(one.papers)
    views = tuple(claim_view(one, dossier.as_of.date(), number) for number, one in enumerate(dossier.claims, 1))
    return InquiryView(dossier, views, papers)


def claim_view(dossier: Dossier, as_of: date, number: int = 1) -> ClaimView:
    """Choose and order what a report or a page says about one claim: nothing later than its verdict looked at."""
    held = dossier.current
    verdict = held.verdict if held else None
    by_id = {e.id: _row(e, dossier, verdict) for e in dossier.evidence}
    rows = tuple(sorted(by_id.values(), key=lambda r: (-r.on.toordinal(), r.evidence.id)))
    as_of = min(as_of, verdict.as_of) if verdict else as_of
    window = (months_before(as_of, WINDOW_MONTHS), as_of)
    recent = [r for r in rows if _contradicts(r) and window[0] <= r.on <= window[1]]
    return ClaimView(
        number=number,
        dossier=dossier,
        held=held,
        rows=rows,
        changed_by=_pick(by_id, verdict.changed_by if verdict else ()),
        support=_pick(by_id, verdict.support[:MAX_SUPPORT] if verdict else ()),
        recent=tuple(sorted(recent, key=strength)),
        read_first=_pick(by_id, verdict.read_first if verdict else ()),
        path=steps(dossier.claim, (*dossier.superseded, *dossier.evidence), as_of),
        window=window,
    )


def evidence_since(dossier: Dossier) -> str | None:
    """Give the date from which the evidence held gives the current verdict, as exactly as it is known; None if none."""
    current = dossier.current
    return claim_view(dossier, current.verdict.as_of).since_dated or None if current else None


def months_before(day: date, months: int) -> date:
    """Give the same day of an earlier month, or that month's last day; the first day of all when there is none."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    if year < date.min.year:
        return date.min
    for last in range(day.day, 0, -1):
        try:
            return date(year, month + 1, last)
        except ValueError:
            continue
    raise AssertionError("every month has a first day")


def _pick(by_id: dict[str, Row], ids: Sequence[str]) -> tuple[Row, ...]:
    return tuple(by_id[i] for i in ids if i in by_id)


def _row(evidence: Evidence, dossier: Dossier, verdict: Verdict | None) -> Row:
    counted = set() if verdict is None else {*verdict.support, *verdict.against, *verdict.qualifying}
    why_not = (verdict.not_counted if verdict else {}).get(evidence.id, "")
    if isinstance(evidence, ExperimentEvidence):
        stance = STANCE_OF_OUTCOME.get(evidence.outcome, Stance.NEUTRAL)
        return Row(evidence, None, stance, evidence.id in counted, why_not, dossier.claim.text)
    paper = dossier.papers.get(evidence.paper_id)
    return Row(evidence, paper, evidence.stance, evidence.id in counted, why_not, dossier.claim.text)


def _fate(row: Row) -> str:
    if row.counted:
        return row.stance.value
    return "not judged" if row.unjudged else "unsure" if row.unsure else "not counted" if row.why_not else "neutral"


def _contradicts(row: Row) -> bool:
    """Tell whether it is contradicting work: counted as such, or leaning so and unsure."""
    if row.unsure:
        return row.leaning is Stance.CONTRADICTS and not row.why_not
    return row.stance is Stance.CONTRADICTS and not row.why_not


def strength(row: Row) -> tuple[bool, bool, float, int, str]:
    """Order: sure before unsure, the likeliest to take a stand first, then the newest."""
    weight = 1.0 if row.confidence is None else row.confidence
    if row.unsure and isinstance(row.evidence, PaperEvidence):
        weight = row.evidence.assessment.stand_chance or 0.0
    return row.unsure, not row.counted, -weight, -row.on.toordinal(), row.evidence.id
