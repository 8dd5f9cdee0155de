"""Nights for tests: a judge that reads the stance off an abstract, and a library of claims with papers about them."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from agent.errors import BudgetSpent
from agent.graph.parts import Parts, Step, unwatched
from agent.judges.judge import Judge
from agent.refresh import NightWish, refresh
from agent.sources.mirror import catch_up
from claims.claim import Claim
from claims.digest import Digest
from claims.evidence import Assessment, JudgeName, JudgeRef, Quote, Stance
from claims.paper import Paper, TextField
from claims.paper_index import PaperIndex
from claims.store import Store
from tests.factories import NOON, a_claim, a_paper

SUBJECTS = ("curated", "distilled", "synthetic", "multilingual", "retrieved", "quantised", "pruned", "rewarded")
"""What the claims are about, one each; papers about one are not brought up first for another."""


class StatedJudge:
    """A judge for papers that say their stance in the first word of the abstract. It counts what it reads.

    `fails_on` raises BudgetSpent for these claims, as a model judge does that ran out of money.
    """

    at_once = 4

    def __init__(self, log: Path | None = None, fails_on: Iterable[str] = ()) -> None:
        self.ref = JudgeRef(name=JudgeName.LOCAL, version="stated-1")
        self.read: list[tuple[str, str]] = []
        self.fails_on = set(fails_on)
        self._log = log

    def assess(self, claim: Claim, papers: Sequence[Paper]) -> list[Assessment]:
        if claim.id in self.fails_on:
            raise BudgetSpent("the budget of $1.00 is spent")
        self.read += [(claim.id, paper.id) for paper in papers]
        if self._log is not None:
            with self._log.open("a") as log:
                log.writelines(f"{claim.id} {paper.id} {paper.text_digest}\n" for paper in papers)
        return [self._one(claim, paper) for paper in papers]

    def _one(self, claim: Claim, paper: Paper) -> Assessment:
        said = (paper.abstract or "").split(" ", 1)[0].lower()
        same_subject = claim.id.split("-", 1)[0] in (paper.abstract or "").split()
        if said not in {"supports", "contradicts", "qualifies"} or not same_subject:
            return Assessment(stance=Stance.NEUTRAL, confidence=0.9, judge=self.ref)
        quote = Quote.cut(paper, TextField.ABSTRACT, 0, len(said) + 4)
        return Assessment(stance=Stance(said), confidence=0.9, quotes=(quote,), explanation="says so", judge=self.ref)


def claim_about(subject: str, **fields: Any) -> Claim:
    """Make a claim of 2023 about one subject."""
    text = f"Models tuned on {subject} data match those tuned on far more data."
    return a_claim(f"{subject}-data-suffice-{hashlib.sha256(subject.encode()).hexdigest()[:6]}", text=text, **fields)


def paper_about(subject: str, stance: str, n: int, **fields: Any) -> Paper:
    """Make a paper of 2024 that takes a stance on the claim about one subject; no two share an author."""
    id = f"24{1 + SUBJECTS.index(subject):02d}.{n:05d}"
    abstract = f"{stance} the view that models tuned on {subject} data match those tuned on far more data."
    given = {"title": f"On {subject} data, study {n}", "abstract": abstract, "authors": (f"Author {id}",)}
    return a_paper(id, **(given | fields))


class TickingClock:
    """A clock that is a millisecond later whenever it is asked, so that what comes later is held as later."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        self._at += timedelta(milliseconds=1)
        return self._at


class Library:
    """A store and its index in one folder, and nights over them."""

    def __init__(self, store: Store, folder: Path, *, index: str = "index") -> None:
        self.store = store
        self.at(NOON.date())
        self.index = PaperIndex.open(folder / index)
        self.folder = folder

    def at(self, day: date, hour: int = 12) -> "Library":
        """Move the store's clock."""
        self.store.clock = TickingClock(datetime(day.year, day.month, day.day, hour, tzinfo=UTC))
        return self

    def put(self, *papers: Paper) -> None:
        """Add papers to the mirror by hand."""
        self.store.put_papers(papers)
        catch_up(self.store, self.index)

    def parts(self, judge: Judge | None = None, lab: Any = None, watch: Callable[[Step], None] = unwatched) -> Parts:
        """Give what a night works with."""
        return Parts(
            store=self.store,
            sources={},
            judge=judge or StatedJudge(),
            clock=self.store.clock,
            lab=lab,
            no_lab_because="no lab in this test",
            watch=watch,
        )

    def night(self, day: date, judge: Judge | None = None, **wish: Any) -> Digest:
        """Refresh, without asking arXiv unless `oai_url` is given."""
        options = {"harvest": "oai_url" in wish, "papers_per_claim": 60} | wish
        lab = options.pop("lab", None)
        sleep = options.pop("sleep", lambda seconds: None)
        parts = self.parts(judge, lab, options.pop("watch", unwatched))
        return refresh(NightWish(until=day, **options), parts, self.index, sleep=sleep)
