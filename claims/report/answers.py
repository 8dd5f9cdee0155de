"""What a report says to the document's own tasks and research questions. Chosen by words; no model is asked."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from claims.evidence import Stance
from claims.family import family_of
from claims.inquiry import ResearchQuestion, Task
from claims.report.view import ClaimView, InquiryView, Row


class TaskKind(StrEnum):
    """Which part of the report answers a task."""

    RETEST = "retest"
    """claim by claim: does it still hold, what is durable, what changed it"""
    CONTRADICTIONS = "contradictions"
    """the strongest contradicting work of the last months"""
    QUESTIONS = "questions"
    """research questions, with what bears on them and how to test them"""
    OTHER = "other"
    """nothing here answers it, and the report says so"""


def kind_of(task: Task) -> TaskKind:
    """Tell which part of the report answers a task, from its words."""
    low = task.text.lower()
    if re.search(r"research question|propose|hypothes", low):
        return TaskKind.QUESTIONS
    if re.search(r"contradict|counter-?evidence|against", low) and re.search(
        r"last|recent|month|newest|strongest", low
    ):
        return TaskKind.CONTRADICTIONS
    if re.search(r"re-?test|relaxed|overturned|still hold|each claim|assess", low):
        return TaskKind.RETEST
    return TaskKind.OTHER


class Design(NamedTuple):
    """A protocol, as a proposal tells it. The lab's own pre-registration is what counts once it runs."""

    protocol: str
    arms: str
    metric: str
    reading: str


DESIGNS = {
    d.protocol: d
    for d in (
        Design(
            "data-quantity",
            "the base model; tuned on N curated examples; on 10 N noisy; on 10 N curated; a dose-response over N",
            "held-out task score",
            "If N curated examples do not come within the smallest effect of 10 N curated ones, quantity matters here.",
        ),
        Design(
            "contrastive-pairs",
            "SFT; SFT then DPO at equal data; SFT on twice the data",
            "share of calls that are exactly valid, format errors apart",
            "If SFT on twice the data closes the gap, the pairs carried volume and not contrast.",
        ),
        Design(
            "proxy-tuning",
            "the base model; direct tuning; proxy-tuning at decoding time",
            "share of the alignment gap that is closed, and planted knowledge that is retained",
            "If direct tuning retains as much as proxy-tuning, leaving the weights alone was not what preserved it.",
        ),
        Design(
            "rl-generalisation",
            "SFT; SFT then GRPO",
            "gain in distribution against the change on n-1 and n+1 variants",
            "If the variants gain as well, the training taught more than templates.",
        ),
        Design(
            "verification-gap",
            "rounds of self-training checked by the model itself; by an external verifier; no rounds",
            "gain per round, and where it levels off",
            "If self-checked rounds go on gaining as externally checked ones do, the gap is not the bound.",
        ),
        Design(
            "homogeneity",
            "several models tuned on shared data by one procedure; as many on different data, with several validators",
            "similarity between models on open prompts",
            "If the heterogeneous arm is less similar by more than the smallest effect, it breaks the floor.",
        ),
        Design(
            "in-context-alignment",
            "the base model; the base model with k examples in context; the model tuned on N examples",
            "held-out task score",
            "If examples in context come within the smallest effect of tuning, they can stand in for tuning data here.",
        ),
    )
}
"""What each protocol would compare."""


@dataclass(frozen=True)
class QuestionView:
    """A research question with what bears on it."""

    question: ResearchQuestion
    family: str | None
    design: Design | None
    claims: tuple[ClaimView, ...]
    """claims of its family first, then those that share its words"""
    rows: tuple[tuple[ClaimView, Row], ...]
    """papers that share its words: those that counted for or against a claim first, then silent ones"""


NEAR = {"in-context-alignment": ("data-quantity",), "homogeneity": ("verification-gap",)}
"""Families whose claims bear on another family's question: how much tuning data, and who validates."""

MAX_BEARING = 5
"""Claims, and pieces of evidence, named for one question."""

ENOUGH = 4
"""Shared telling words from which a paper bears on a question; a claim of the question's family counts as two."""

_DULL = frozenset(
    "about above after again all also and any are ask assume assumes because been before being between both but can "
    "case could data does doing done each either else even ever every example examples few fine for from further "
    "give had has have here how into its itself just language large less like llm llms made make makes many may "
    "method model models more most much must need needs new not now off one only other our out over own paper "
    "papers propose question questions really regime research results same show showing shows some still such task "
    "tasks than that the their them then there these they this those through too training tune tuned tuning two "
    "under until upon use used uses using very via was way well were what when where whether which while who why "
    "will with without work would yet you your".split()
)


def question_views(view: InquiryView) -> tuple[QuestionView, ...]:
    """Say for each research question which claims and evidence bear on it, and which protocol would test it."""
    inquiry = view.source.inquiry
    return tuple(_question(q, view) for q in (inquiry.questions if inquiry else ()))


def _question(question: ResearchQuestion, view: InquiryView) -> QuestionView:
    family = family_of(question.text)
    kin = _kin(question.text, family, view)
    held = [(v, r) for v in view.claims for r in v.rows]
    counted = _bearing(question.text, kin, [(v, r) for v, r in held if r.counted])
    silent = _bearing(question.text, kin, [(v, r) for v, r in held if not r.counted and not r.why_not], 2 * ENOUGH)
    rows = (*counted, *(s for s in silent if s[1].paper not in [r.paper for _, r in counted]))[:MAX_BEARING]
    return QuestionView(question, family, DESIGNS.get(family or ""), kin, rows)


@dataclass(frozen=True)
class AskedView:
    """One thing that a task asks for by name, with what was found."""

    text: str
    claims: tuple[ClaimView, ...]
    rows: tuple[tuple[ClaimView, Row], ...]
    """contradicting or qualifying work of the last six months that shares its words, most first"""


def asked_views(task: Task, view: InquiryView) -> tuple[AskedView, ...]:
    """Say for each thing that a task names behind its colon what was found; empty when it names none."""
    _, colon, named = task.text.partition(":")
    clauses = [c.strip(" .;,") for c in re.split(r";\s+|,\s+(?:or|and)\s+", named)] if colon else []
    first, last = view.window
    recent = [(v, r) for v in view.claims for r in v.rows if first <= r.on <= last and not r.why_not and _against(r)]
    out = []
    for clause in clauses:
        if words(clause):
            kin = _kin(clause, family_of(clause), view)
            out.append(AskedView(clause, kin, _bearing(clause, kin, recent)))
    return tuple(out)


def _against(row: Row) -> bool:
    return (row.leaning if row.unsure else row.stance) in (Stance.CONTRADICTS, Stance.QUALIFIES)


def _kin(text: str, family: str | None, view: InquiryView) -> tuple[ClaimView, ...]:
    """Find claims of the same family, then those whose family's name or sentence shares telling words."""
    asked = words(text)
    ranked = []
    for v in view.claims:
        own = v.claim.scope.family or family_of(v.claim.text) or ""
        topics = " ".join(a.stated_topic or "" for a in v.claim.anchors)
        shared = len(asked & words(f"{v.claim.text} {topics}")) + 2 * len(asked & words(own))
        if (family and (family == own or own in NEAR.get(family, ()))) or shared >= 2:
            ranked.append((family != own, -shared, v.number, v))
    return tuple(v for *_, v in sorted(ranked, key=lambda r: r[:3]))[:MAX_BEARING]


def _bearing(
    text: str, kin: Sequence[ClaimView], rows: Sequence[tuple[ClaimView, Row]], enough: int = ENOUGH
) -> tuple[tuple[ClaimView, Row], ...]:
    """Choose the papers that share most telling words with a text, a title's word counting three times."""
    asked = words(text)
    scored = []
    for v, row in rows:
        if row.paper is not None:
            body = " ".join((row.paper.title, row.paper.abstract or "", row.paper.finding or ""))
            score = len(asked & words(body)) + 2 * len(asked & words(row.paper.title)) + 2 * (v in kin)
            if score >= enough:
                scored.append((-score, row.unsure, -row.on.toordinal(), row.evidence.id, v, row))
    found: dict[str, tuple[ClaimView, Row]] = {}
    for *_, v, row in sorted(scored, key=lambda s: s[:4]):
        found.setdefault(row.paper.id if row.paper else row.evidence.id, (v, row))
    return tuple(found.values())[:MAX_BEARING]


def words(text: str) -> frozenset[str]:
    """Give the telling words of a text, cut to a rough stem."""
    found = re.findall(r"[a-z]{3,}", text.lower()[:20_000])
    return frozenset(w[:7] for w in found if w not in _DULL)
