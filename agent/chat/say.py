"""Writes answers from what is held: sentences are built from evidence, never from ids, so that none is invented."""

from collections.abc import Iterable, Sequence

from agent.chat.gate import Gate
from agent.chat.reply import Ground, Held, Kind, Reply, Sentence
from claims.evidence import ExperimentEvidence, JudgeName, PaperEvidence, Stance
from claims.paper import Paper
from claims.report import numbers, phrases
from claims.report.view import ClaimView, Row, whose_words
from claims.store import Store
from claims.verdict import Verdict

VERB = {
    Stance.SUPPORTS: "supports it",
    Stance.CONTRADICTS: "contradicts it",
    Stance.QUALIFIES: "narrows it",
    Stance.NEUTRAL: "takes no stand",
}
MAX_CITED = 6
"""Evidence ids behind one sentence; a verdict may rest on many more, and `/show` has them all."""

MAX_QUOTE = 320
"""Characters of a quote in an answer."""


class Writer:
    """Collects the sentences of one answer over some claims."""

    def __init__(
        self, store: Store, question: str, views: Sequence[ClaimView], *, beside: Sequence[ClaimView] = ()
    ) -> None:
        """Answer about `views`; evidence of `beside`, other days of the same claims, may be cited too."""
        self.views = tuple(views)
        self._question = question
        self._past = {view.claim.id for view in beside}
        self._said: list[tuple[str, Kind, tuple[Row, ...]]] = []
        self._whose = {row.evidence.id: view for view in (*beside, *views) for row in view.rows}
        self._gate = Gate(
            store,
            papers=(id for view in (*beside, *views) for id in view.dossier.papers),
            evidence=self._whose,
            others=[v.claim.id for v in views] + [e.id for v in views for e in v.dossier.experiments],
        )

    def finding(self, text: str, rows: Iterable[Row]) -> None:
        """Say what evidence says. Without evidence nothing is said."""
        ground = tuple(dict.fromkeys(r for r in rows if r.evidence.id in self._whose))[:MAX_CITED]
        if ground:
            self._said.append((text, Kind.FINDING, ground))

    def note(self, text: str) -> None:
        """Say what is held or can be done; nothing about the world."""
        self._said.append((text, Kind.NOTE, ()))

    def evidence_line(self, row: Row, *, about: str = "") -> None:
        """Say what one piece of evidence says, with its words."""
        self.finding(about + (paper_line(row) if row.paper else measured_line(row)), [row])

    def reply(self, *, held: bool = True, bibtex: str = "") -> Reply:
        """Give the answer, with every id in it checked against the store."""
        sentences = tuple(
            Sentence(text=self._gate.pass_(text), kind=kind, evidence=tuple(r.evidence.id for r in rows))
            for text, kind, rows in self._said
        )
        rows = dict.fromkeys(row for *_, ground in self._said for row in ground)
        return Reply(
            question=self._question,
            sentences=sentences,
            grounds=tuple(self.ground(row) for row in rows),
            claim_ids=tuple(v.claim.id for v in self.views),
            verdicts=tuple(self._held(v, v.verdict) for v in self.views if v.verdict),
            held=held,
            bibtex=bibtex,
        )

    def _held(self, view: ClaimView, verdict: Verdict) -> Held:
        first = None if view.claim.id in self._past else view.recorded_since
        return Held(
            claim_id=view.claim.id,
            verdict=verdict.kind.value,
            as_of=verdict.as_of,
            confidence=verdict.confidence,
            evidence_since=view.since_dated or None,
            record_since=first.recorded_at.date() if first else None,
        )

    def cited(self) -> list[Paper]:
        """Give the papers behind what was said so far, in the order of first mention."""
        rows = dict.fromkeys(row for *_, ground in self._said for row in ground)
        return list({row.paper.id: row.paper for row in rows if row.paper}.values())

    def pass_(self, text: str) -> str:
        """Give a text without ids that are not held."""
        return self._gate.pass_(text)

    def ground(self, row: Row) -> Ground:
        """Describe a cited piece of evidence for a reference list."""
        e = row.evidence
        leaning = row.leaning if row.unsure else None
        if isinstance(e, ExperimentEvidence):
            return Ground(
                evidence_id=e.id,
                claim_id=e.claim_id,
                stance=e.outcome.value,
                told=e.outcome.value,
                on=row.on,
                dated=row.dated,
                experiment_id=e.experiment_id,
                interval=numbers.estimate(e.estimate) if e.estimate else None,
            )
        quote = row.quotes[0] if row.quotes else None
        return Ground(
            evidence_id=e.id,
            claim_id=e.claim_id,
            stance=(leaning or row.stance).value,
            told=phrases.said(e.assessment),
            unsure=e.assessment.unsure,
            confidence=row.confidence,
            judge=e.assessment.judge.name.value,
            on=row.on,
            dated=row.dated,
            paper_id=row.paper.id if row.paper else None,
            title=self._gate.pass_(row.paper.title) if row.paper else None,
            url=row.paper.url if row.paper else None,
            quote=self._gate.pass_(quote.text) if quote else None,
            whose_words=whose_words(quote) if quote else None,
        )


def paper_line(row: Row) -> str:
    """Say what a paper says about the claim, with its own words where they are held."""
    e = row.evidence
    assert isinstance(e, PaperEvidence)
    assert row.paper is not None
    name = f"“{short(row.paper.title, 110)}” (arXiv:{row.paper.id}, {row.dated})"
    if row.unjudged:
        said = f"{name} could not be judged by the {e.assessment.judge.name} judge"
    elif row.unsure:
        leaning = VERB[row.leaning] if row.leaning else "takes a stand"
        chance = f" ({phrases.sureness(row)})" if phrases.sureness(row) else ""
        said = f"{name} perhaps {leaning}: the {e.assessment.judge.name} judge was not sure{chance}"
    elif e.assessment.judge.name is JudgeName.PERSON:
        said = f"{name} {VERB[row.stance]} ({short(e.assessment.explanation, 160)})"
    else:
        sure = f", {numbers.share(e.assessment.confidence)} sure by the {e.assessment.judge.name} judge"
        said = f"{name} {VERB[row.stance]}{sure}"
    quote = next(iter(row.quotes), None)
    words = f": “{short(quote.text, MAX_QUOTE)}” ({whose_words(quote)})." if quote else "."
    aside = f" It does not count: {row.why_not}." if row.why_not else ""
    return said + words + aside


def measured_line(row: Row) -> str:
    """Say what an experiment of ours measured, with interval, seeds and scale."""
    e = row.evidence
    assert isinstance(e, ExperimentEvidence)
    number = f": {e.estimate.name} {numbers.estimate(e.estimate)}" if e.estimate else ": nothing was measured"
    aside = f" It does not count: {row.why_not}." if row.why_not else ""
    return (
        f"Our own {e.protocol} experiment ({e.profile}, {e.scope.scale} models, {e.measured_on}) is "
        f"{OUTCOME[e.outcome]}{number}.{aside}"
    )


OUTCOME = {
    "supports": "for the claim",
    "refutes": "against the claim",
    "inconclusive": "inconclusive so far",
    "invalid": "invalid (it broke its own checks)",
}
"""What an experiment's outcome means, in a few words."""


def short(text: str, limit: int) -> str:
    """Fold white space and cut at `limit` characters, at a word where there is one; the cut is marked."""
    folded = " ".join(text.split())
    if len(folded) <= limit:
        return folded
    cut = folded[:limit]
    return (cut.rsplit(" ", 1)[0] if " " in cut[limit // 2 :] else cut).rstrip(" ,;:") + " …"
