"""Sentences that every format of a report shares."""

from itertools import groupby

from claims.evidence import Assessment, JudgeName, JudgeRef, PaperEvidence, Stance
from claims.grounding import GroundingStatus
from claims.report import numbers
from claims.report.view import ClaimView, InquiryView, Row
from claims.verdict import VerdictKind

GROUNDING = {
    GroundingStatus.OK: "grounded",
    GroundingStatus.MISMATCH: "real, but not as described",
    GroundingStatus.WITHDRAWN: "withdrawn",
    GroundingStatus.NOT_FOUND: "not found: flag as ungrounded",
    GroundingStatus.MALFORMED: "not an arXiv id: flag as ungrounded",
    GroundingStatus.UNCHECKED: "could not be checked",
}
"""What a grounding says, for people."""


HOW_TO_READ = (
    "Quotes in “…” are byte-exact parts of a stored text. What is ours and not the paper's is marked as our summary.",
    "Papers that share authors count as one voice. Only work dated certainly after the claim counts.",
    "Confidence comes from the judges' calibrated confidences and the independent voices, in steps of 5 %.",
    "A judge that is unsure takes no stand; what it leans to stands beside the chances of any stand and of that one.",
    "“Since” is the date from which the evidence held now gives this verdict, as exactly as the papers' dates tell it.",
    "⟦ungrounded⟧ stands behind an arXiv id in a text for which this report holds no paper: do not cite it from here.",
    "⟨U+…⟩ stands for an invisible or direction-changing character that was in a text.",
)
"""What a reader must know."""


def tally(view: InquiryView) -> str:
    """Say how much was looked at, in one line."""
    rows = [r for v in view.claims for r in v.rows if not r.unjudged]
    judged = {r.evidence.paper_id for r in rows if isinstance(r.evidence, PaperEvidence)}
    counted = {r.evidence.paper_id for r in rows if isinstance(r.evidence, PaperEvidence) and r.counted}
    experiments = sum(len(v.dossier.experiments) for v in view.claims)
    return (
        f"{numbers.count(len(view.claims), 'claim')}, {numbers.count(len(judged), 'paper')} judged, "
        f"{len(counted):,} of them counted, {numbers.count(experiments, 'experiment')}."
    )


def confidence(v: ClaimView) -> str:
    """Say how sure the verdict is; of a claim on which nobody has taken a stand there is nothing to be sure of."""
    if v.verdict is None or v.verdict.kind is VerdictKind.UNTESTED:
        return "–"
    return numbers.share(v.verdict.confidence)


def as_of(v: ClaimView) -> str:
    """Say up to which day the verdict looked, and how sure it is."""
    if v.verdict is None:
        return ""
    sure = "" if v.verdict.kind is VerdictKind.UNTESTED else f", confidence {confidence(v)}"
    return f"as of {v.verdict.as_of}{sure}"


def unmoved(v: ClaimView) -> str:
    """Say that nothing changed the verdict; behind a colon the reader finds `v.outweighed`."""
    verdict = v.verdict
    if verdict is not None and verdict.changed_by:
        return f"Evidence that is not held in this form any more: {', '.join(verdict.changed_by)}."
    if v.outweighed:
        noun = "paper" if all(isinstance(r.evidence, PaperEvidence) for r in v.outweighed) else "paper or experiment"
        told = [
            f"{numbers.count(n, noun, noun.replace(' ', 's ') + 's')} {said}{'s' if n == 1 else ''} it"
            for stance, said in ((Stance.CONTRADICTS, "contradict"), (Stance.QUALIFIES, "narrow"))
            if (n := sum(row.stance is stance for row in v.outweighed))
        ]
        return f"Nothing changed it; {' and '.join(told)}, and what supports it outweighs that:"
    if verdict is not None and verdict.kind is VerdictKind.UNTESTED:
        return "Nothing: no newer work that counts takes a stand on it."
    return "Nothing: no newer evidence speaks against it or narrows it."


def durable(v: ClaimView) -> str:
    """Say which part of the claim holds whatever ages; of a narrowed or disputed sentence that is not always known."""
    if v.verdict is None:
        return ""
    told_apart = v.verdict.perishable or v.verdict.kind in (VerdictKind.STANDS, VerdictKind.UNTESTED)
    return v.verdict.durable if told_apart else f"{UNPARTED[v.verdict.kind]} was not told apart: see what changed it."


UNPARTED = {
    VerdictKind.RELAXED: "Which part of it is narrowed",
    VerdictKind.CONTESTED: "Which part of it is disputed",
    VerdictKind.OVERTURNED: "Whether a part of it is left",
}
"""Of a claim whose sentence names nothing that ages first: what a reader will miss, by verdict."""


def record(v: ClaimView) -> str:
    """Say since when the current verdict is on record, and how many verdicts are."""
    held, first = v.held, v.recorded_since
    if held is None or first is None:
        return "never"
    n = numbers.count(len(v.dossier.history), "verdict")
    told = f"first as this on {first.recorded_at:%Y-%m-%d}, last on {held.recorded_at:%Y-%m-%d}; {n} held"
    changes = [h for _, (h, *_) in groupby(v.dossier.history, key=lambda h: h.verdict.kind)]
    if len(changes) < 2:
        return told
    return told + ": " + " → ".join(f"{h.verdict.kind} ({h.recorded_at:%Y-%m-%d})" for h in changes)


def unlooked(view: InquiryView) -> list[tuple[str, str, str]]:
    """Name what could not be looked at, once each: the place, what happened, and the numbers of the claims."""
    said: dict[tuple[str, str], list[str]] = {}
    for v in view.claims:
        for search in v.failed_searches:
            told = said.setdefault((search.source, search.could_not_look or ""), [])
            if str(v.number) not in told:
                told.append(str(v.number))
    return [(source, why, ", ".join(told)) for (source, why), told in said.items()]


def unsearched(view: InquiryView) -> str:
    """Name the claims for which no search is on record."""
    return ", ".join(str(v.number) for v in view.claims if not v.dossier.searches)


def unreadable(view: InquiryView) -> int:
    """Count the entries of search answers that could not be read."""
    return sum(s.unreadable for v in view.claims for s in v.dossier.searches)


def ungrounded(view: InquiryView) -> list[str]:
    """Name the claims without a paper as their ground, by why."""
    whys: dict[str, list[str]] = {}
    for v in view.claims:
        if v.ungrounded:
            whys.setdefault(v.ungrounded, []).append(str(v.number))
    return [f"claim {', '.join(told)}: {why}" for why, told in whys.items()]


def stance(row: Row) -> str:
    """Say what a piece of evidence says."""
    if row.unjudged:
        return "could not be judged"
    return f"unsure, leaning {row.leaning or 'nowhere'}" if row.unsure else str(row.stance)


def sureness(row: Row) -> str:
    """Say how sure a machine was of its stance, or the chances where it was unsure; empty without a figure."""
    if not isinstance(row.evidence, PaperEvidence) or row.evidence.assessment.judge.name is JudgeName.PERSON:
        return ""
    said = row.evidence.assessment
    return chances(said) if said.unsure else numbers.share(said.confidence)


def chances(said: Assessment) -> str:
    """Say how likely an unsure judge finds any stand, and the one that it leans to; empty without a figure."""
    if said.stand_chance is None:
        return ""
    told = f"chance that it takes a stand: {numbers.share(said.stand_chance)}"
    if said.leaning is None or said.leaning_chance is None:
        return told
    return f"{told}, that it {said.leaning}: {numbers.share(said.leaning_chance)}"


def said(a: Assessment) -> str:
    """Say what a judge says in one phrase, with the chances where it was unsure."""
    if a.could_not_judge:
        return "could not be judged"
    if not a.unsure:
        return str(a.stance)
    told = chances(a)
    return f"unsure, leaning {a.leaning} ({told})" if told else f"unsure, leaning {a.leaning}"


def given_by(ref: JudgeRef) -> str:
    """Say who gave a stance, a person by name."""
    return f"{ref.version}, a person" if ref.name is JudgeName.PERSON else judge(ref.name)


def not_judged(view: InquiryView) -> list[str]:
    """Name the claims with papers that could not be judged, with how many and why."""
    return [f"{v.not_judged} (claim {v.number})" for v in view.claims if v.not_judged]


def judge(name: JudgeName) -> str:
    """Say who gave a stance, as a reader would."""
    return {
        JudgeName.LOCAL: "local judge",
        JudgeName.LIBRARY: "our reading of the abstract",
        JudgeName.NLI: "NLI model",
        JudgeName.LLM: "language model",
        JudgeName.PERSON: "a person",
    }[name]
