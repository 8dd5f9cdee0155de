"""Evidence: one stance with its ground, which is a byte-exact quote of a paper or an experiment's outcome."""

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from claims.claim import Scope
from claims.dates import StatedDate
from claims.errors import QuoteMismatch
from claims.experiment import Estimate, Outcome
from claims.ids import ClaimId, PaperId, digest
from claims.paper import Paper, Source, TextField


class Stance(StrEnum):
    """What a paper says about a claim."""

    SUPPORTS = "supports"
    """reports a result that confirms the claim"""
    CONTRADICTS = "contradicts"
    """reports a result against its core; an effect looked for and absent counts"""
    QUALIFIES = "qualifies"
    """holds under narrower or other conditions, or a new method lifts the limit"""
    NEUTRAL = "neutral"
    """takes no stand, or only mentions the claim"""


class Quote(BaseModel):
    """A byte-exact part of one text of a paper."""

    model_config = ConfigDict(frozen=True)

    field: TextField
    start: int = Field(ge=0)
    """character offset of its first character in the field's stored text"""
    text: str = Field(min_length=1)

    @property
    def end(self) -> int:
        """Character offset behind its last character."""
        return self.start + len(self.text)

    @classmethod
    def cut(cls, paper: Paper, field: TextField, start: int, end: int) -> "Quote":
        """Cut a quote out of a paper's text. Raises QuoteMismatch when the span lies outside it."""
        text = paper.text_of(field)
        if not 0 <= start < end <= len(text):
            raise QuoteMismatch(f"{paper.id} {field}: no characters {start}:{end} in a text of {len(text)}")
        return cls(field=field, start=start, text=text[start:end])

    def is_in(self, paper: Paper) -> bool:
        """Tell whether the paper's stored text has exactly these characters at this place."""
        return paper.text_of(self.field)[self.start : self.end] == self.text


class JudgeName(StrEnum):
    """What gave a stance."""

    LOCAL = "local"
    """what ships with the package: deterministic, no key, no network"""
    LIBRARY = "library"
    """a reading that ships with a starter paper: the maintainers', for a family of claims and not for one wording"""
    NLI = "nli"
    """a sequence-classification model"""
    LLM = "llm"
    """a chat model"""
    PERSON = "person"
    """a person who read this paper on this claim"""


JUDGE_RANK = {name: rank for rank, name in enumerate(JudgeName)}
"""Which judge's stance on a paper is the current one: the highest rank that gave any, lowest first.

A judge that could not judge the paper gave none, and takes nothing from a lower one that could.
"""


class JudgeRef(BaseModel):
    """A judge by name and version; stored with every stance."""

    model_config = ConfigDict(frozen=True)

    name: JudgeName
    version: str
    """changes whenever its answers could: model digest, prompt version, or the person's name"""


class Assessment(BaseModel):
    """What a judge says of one claim and one paper, before it is evidence."""

    model_config = ConfigDict(frozen=True)

    stance: Stance
    confidence: float = Field(ge=0, le=1)
    """calibrated probability that the stance is right: for an unsure one, that the paper is neutral after all; 0 where
    an unsure judge gave no figure"""
    unsure: bool = False
    """the judge abstained: stance is neutral because no other reached its calibrated precision"""
    leaning: Stance | None = None
    """for an unsure one: the stance it would have given"""
    leaning_chance: float | None = Field(default=None, ge=0, le=1)
    """the chance that the paper takes the stance leant to; None where the judge gave no figure"""
    asserted: bool = True
    """False when the paper only mentions or motivates itself with the claim"""
    quotes: tuple[Quote, ...] = ()
    """the ground; never empty for a stance other than neutral"""
    discarded_quotes: int = 0
    """quotes that the judge offered and that are not in the text"""
    explanation: str = ""
    """the words it rests on, for a person"""
    judge: JudgeRef

    @property
    def could_not_judge(self) -> bool:
        """Whether it is no word on the paper at all: `explanation` says what went wrong."""
        return self.unsure and self.leaning is None

    @property
    def stand_chance(self) -> float | None:
        """For an unsure one: the chance that the paper takes a stand; None for a sure one, or where no figure is."""
        return 1 - self.confidence if self.unsure and self.confidence else None


class Revision(BaseModel):
    """That a paper's text changed, and its stance with it."""

    model_config = ConfigDict(frozen=True)

    on: date
    """the day of the version that brought the stance"""
    was: Stance
    """of the text before it"""
    was_id: str
    """evidence id of that stance"""
    was_version: int | None = None
    """number of the version that was judged then; None when the source did not list versions"""
    was_on: date
    """the day of that version"""


class PaperEvidence(BaseModel):
    """A stance of one paper version on one claim, with the facts of the paper that the verdict rule needs."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["paper"] = "paper"
    claim_id: ClaimId
    paper_id: PaperId
    paper_digest: str
    """`Paper.text_digest` of the text that was judged"""
    published: StatedDate
    """date of v1"""
    authors: tuple[str, ...] = ()
    withdrawn: bool = False
    """as known now; a withdrawn paper stops counting"""
    version: int | None = None
    """number of the newest version when its text was judged; None when the source does not list versions"""
    version_on: date | None = None
    """the day of that version; None when the source does not say"""
    revised: Revision | None = None
    """what the text before was said to say, where that was another stance; as known now, filled in by the store"""
    source: Source
    assessment: Assessment
    judged_at: datetime
    """UTC"""

    @property
    def id(self) -> str:
        """`ev-` and 12 hex digits: the same claim, text, judge and stance give the same id."""
        a = self.assessment
        return _evidence_id([self.claim_id, self.paper_id, self.paper_digest, a.judge.name, a.judge.version, a.stance])

    @classmethod
    def of(cls, claim_id: str, paper: Paper, assessment: Assessment, judged_at: datetime) -> "PaperEvidence":
        """Bind an assessment to the facts of the paper that was judged."""
        return cls(
            claim_id=claim_id,
            paper_id=paper.id,
            paper_digest=paper.text_digest,
            published=paper.published,
            authors=paper.authors,
            withdrawn=paper.withdrawn,
            version=paper.latest_version,
            version_on=paper.updated_on,
            source=paper.source,
            assessment=assessment,
            judged_at=judged_at,
        )

    @property
    def stance(self) -> Stance:
        """The judge's stance."""
        return self.assessment.stance

    @property
    def counts_from(self) -> date:
        """The day from which the paper says this: of v1, or of the revision that brought the stance."""
        return max(self.published.start, self.revised.on) if self.revised else self.published.start


class ExperimentEvidence(BaseModel):
    """An experiment's outcome as evidence on one claim."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["experiment"] = "experiment"
    claim_id: ClaimId
    experiment_id: str
    protocol: str
    profile: str
    outcome: Outcome
    estimate: Estimate | None = None
    """the primary effect; None when nothing was measured"""
    scope: Scope
    """what was really run, not what the claim speaks of"""
    measured_on: date
    summary: str = ""
    """one sentence, made from the numbers"""

    @property
    def id(self) -> str:
        """`ev-` and 12 hex digits: changes when seeds are added."""
        seeds = self.estimate.n_seeds if self.estimate else 0
        return _evidence_id([self.claim_id, self.experiment_id, self.outcome, seeds])


def unjudged(said: Iterable[Assessment]) -> str:
    """Say of how many papers there is no word, and why; empty when there is one of each."""
    whys = Counter(
        a.explanation.removeprefix("could not judge: ").partition(" (")[0] for a in said if a.could_not_judge
    )
    if not whys:
        return ""
    each = ", ".join(why if len(whys) == 1 else f"{why} ({n:,})" for why, n in whys.most_common())
    return f"could not judge {whys.total():,} paper{'' if whys.total() == 1 else 's'}: {each}"


Evidence = Annotated[PaperEvidence | ExperimentEvidence, Field(discriminator="kind")]
"""Either kind, told apart by `kind`."""


def _evidence_id(parts: list[object]) -> str:
    return "ev-" + digest([str(p) for p in parts]).removeprefix("sha256:")[:12]
