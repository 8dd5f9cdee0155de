"""Is a cited work real, and is it the paper that the text says it is.

*Fabricated* (`not_found`, or a problem with the field `id`), *misdescribed* (`mismatch` otherwise) and *could not
check* (`unchecked`) are three things. What a source could not answer is written down beside what the others said.
"""

from collections.abc import Iterable, Sequence
from datetime import date

from agent.agreement import (
    check_authors,
    check_date,
    check_title,
    check_topic,
    check_venue,
    check_version,
    has_parts,
    introduces,
    leads_title,
    same_title,
)
from agent.errors import Final, Retryable
from agent.sources.source import LookedUp, PaperSource
from claims.claim import Anchor, Claim
from claims.clock import SystemClock
from claims.errors import CouldNotLook, StoreError
from claims.grounding import Grounding, GroundingStatus, Problem
from claims.ids import ArxivId, ClaimId
from claims.inquiry import Inquiry
from claims.paper import Paper, Source
from claims.ties import telling_words

SOURCE_FAILURES = (CouldNotLook, Retryable, Final, StoreError)
"""What a source raises when it could not be asked; anything else is a bug and goes through."""

_TITLES_READ = 10
_WHOLE_TITLE = 4
"""words from which on a stated title is taken for a whole one"""
_SHARED_WORDS = 6
"""a paper that only has the parts of a name in its title shares at least so many telling words with the claim"""
_CLEARLY_BETTER = 1.5
"""of several papers with one name, the claim must share this much more with the first than with the second"""


def ground(
    anchor: Anchor, sources: Sequence[PaperSource], *, claim: Claim | None = None, today: date | None = None
) -> Grounding:
    """Check one citation against the sources, in their order. Never raises for what a source could not do.

    today: the day in UTC after whose month no id was given out yet; the clock's when None.
    """
    return _Session(sources, today).ground(anchor, claim)


def ground_all(anchors: Sequence[Anchor], sources: Sequence[PaperSource]) -> list[Grounding]:
    """Check many citations with one look-up a source."""
    session = _Session(sources)
    session.prefetch(a.arxiv_id for a in anchors if a.arxiv_id)
    return [session.ground(anchor, None) for anchor in anchors]


def ground_claim(claim: Claim, sources: Sequence[PaperSource], *, related: Sequence[Anchor] = ()) -> list[Grounding]:
    """Check a claim's anchors; a claim without any gets one grounding that says so.

    related: anchors of the document that no claim is tied to; named as related, never as ground.
    """
    session = _Session(sources)
    session.prefetch(a.arxiv_id for a in claim.anchors if a.arxiv_id)
    return [session.ground(a, claim) for a in claim.anchors] or [ungrounded(claim, related)]


def ground_inquiry(inquiry: Inquiry, sources: Sequence[PaperSource]) -> list[Grounding]:
    """Check all that an inquiry names: each claim's anchors in turn, then the anchors tied to no claim."""
    session = _Session(sources)
    session.prefetch(a.arxiv_id for a in inquiry.anchors if a.arxiv_id)
    tied = {a.arxiv_id for c in inquiry.claims for a in c.anchors if a.arxiv_id}
    loose = [a for a in inquiry.anchors if a.arxiv_id not in tied]
    found = []
    for claim in inquiry.claims:
        found += [session.ground(a, claim) for a in claim.anchors] or [ungrounded(claim, loose)]
    return found + [session.ground(a, None) for a in loose]


def ungrounded(claim: Claim, related: Sequence[Anchor] = ()) -> Grounding:
    """Say that no paper is named for a claim, with the anchors that are related by their words."""
    words = telling_words(f"{claim.text} {claim.note or ''}")
    near = [
        a for a in related if a.arxiv_id and words & telling_words(f"{a.stated_topic or ''} {a.stated_title or ''}")
    ]
    how = "ungrounded: the document names no paper for this claim"
    if near:
        listed = ", ".join(f"{a.arxiv_id} ({a.stated_topic or a.stated_title})" for a in near[:3])
        how += f"; related by its words, but not named as its ground: {listed}"
    return Grounding(
        anchor=Anchor(stated_date=claim.asserted_on, line=claim.line),
        claim_id=claim.id,
        status=GroundingStatus.UNCHECKED,
        problems=(Problem(field="id", stated="", actual="", message="no paper is named as the ground of this claim"),),
        how=how,
    )


class _Session:
    """The sources with what they already said, so that each is asked once for many ids."""

    def __init__(self, sources: Sequence[PaperSource], today: date | None = None) -> None:
        self._sources = sources
        self._today = today or SystemClock().now().date()
        self._said: dict[Source, dict[str, Paper | bool]] = {}
        """source to id to its paper, False for a real miss, True for `cannot tell`"""
        self._failed: dict[Source, str] = {}

    def prefetch(self, ids: Iterable[str]) -> None:
        """Ask each source for the ids that no source before it has."""
        wanted = list(dict.fromkeys(ids))
        for source in self._sources:
            if not wanted:
                return
            said = self._ask(source, wanted)
            if said is not None:
                wanted = [i for i in wanted if not isinstance(said[i], Paper)]

    def _ask(self, source: PaperSource, ids: list[str]) -> dict[str, Paper | bool] | None:
        """Give what a source says about ids, or None when it could not be asked."""
        known = self._said.setdefault(source.name, {})
        new = [i for i in ids if i not in known]
        if new and source.name in self._failed:
            return None
        if new:
            try:
                answer: LookedUp = source.look_up(new)
            except SOURCE_FAILURES as exc:
                self._failed[source.name] = str(exc)
                return None
            for i in new:
                known[i] = answer.papers.get(i) or i in answer.unanswered
        return known

    def ground(self, anchor: Anchor, claim: Claim | None) -> Grounding:
        """Check one citation."""
        claim_id = claim.id if claim else None
        if anchor.malformed_id is not None:
            return Grounding(
                anchor=anchor,
                claim_id=claim_id,
                status=GroundingStatus.MALFORMED,
                problems=(
                    Problem(
                        field="id",
                        stated=anchor.malformed_id,
                        actual="",
                        message=f"{anchor.malformed_id[:60]!r} is not an arXiv id",
                    ),
                ),
                how="not looked up",
            )
        if anchor.arxiv_id is not None:
            return self._by_id(anchor, anchor.arxiv_id, claim_id)
        return self._by_title(anchor, claim)

    def _by_id(self, anchor: Anchor, wanted: str, claim_id: ClaimId | None) -> Grounding:
        looked: list[str] = []
        failed: dict[str, str] = {}
        missed_by: list[str] = []
        for source in self._sources:
            said = self._ask(source, [wanted])
            if said is None:
                failed[source.name] = self._failed[source.name]
                continue
            looked.append(source.name)
            answer = said[wanted]
            if isinstance(answer, Paper):
                how = "id"
                if (problem := check_title(anchor.stated_title, answer)) and problem.field == "id":
                    how += self._meant(anchor, wanted, failed)
                return compare(anchor, answer, claim_id=claim_id, how=how, looked_in=looked, could_not_look=failed)
            if answer is False:
                missed_by.append(source.name)
        if ArxivId.parse(wanted).month > (self._today.year, self._today.month):
            return _of_the_future(anchor, wanted, claim_id, looked, failed)
        if missed_by:
            status, how = GroundingStatus.NOT_FOUND, f"{' and '.join(missed_by)} answered and has no {wanted}"
        elif looked:
            status = GroundingStatus.UNCHECKED
            how = f"{' and '.join(looked)} does not hold {wanted}, and does not claim to hold every paper"
        else:
            status, how = GroundingStatus.UNCHECKED, "no source could be asked"
        how += self._meant(anchor, wanted, failed)
        return Grounding(
            anchor=anchor, claim_id=claim_id, status=status, how=how, looked_in=tuple(looked), could_not_look=failed
        )

    def _meant(self, anchor: Anchor, wanted: str, failed: dict[str, str]) -> str:
        """Say which paper has the stated title, when the id has not; empty when none is known."""
        title = anchor.stated_title or ""
        for source in self._sources if len(title.split()) >= _WHOLE_TITLE else ():
            if source.name in self._failed:
                continue
            try:
                found = source.find_title(title, limit=_TITLES_READ)
            except SOURCE_FAILURES as exc:
                self._failed[source.name] = failed[source.name] = str(exc)
                continue
            same = [p.id for p, _ in found.papers if p.id != wanted and same_title(title, p.title)]
            if same:
                return f"; the stated title is that of {same[0]}"
        return ""

    def _by_title(self, anchor: Anchor, claim: Claim | None) -> Grounding:
        title = anchor.stated_title or ""
        claim_id = claim.id if claim else None
        looked: list[str] = []
        failed: dict[str, str] = {}
        how = "neither an id nor a title is stated" if not title else ""
        for source in self._sources if title else ():
            if source.name in self._failed:
                failed[source.name] = self._failed[source.name]
                continue
            try:
                found = source.find_title(title, limit=_TITLES_READ)
            except SOURCE_FAILURES as exc:
                self._failed[source.name] = failed[source.name] = str(exc)
                continue
            looked.append(source.name)
            chosen, why = _choose(title, [paper for paper, _ in found.papers], claim)
            if chosen is not None:
                return compare(
                    anchor, chosen, claim_id=claim_id, how=why, looked_in=looked, could_not_look=failed, by_title=True
                )
            how = how or why
        # A whole title that live arXiv does not know is a finding; a short name may just not be a title.
        whole = Source.ARXIV in looked and len(title.split()) >= _WHOLE_TITLE
        return Grounding(
            anchor=anchor,
            claim_id=claim_id,
            status=GroundingStatus.NOT_FOUND if whole else GroundingStatus.UNCHECKED,
            how=how or "no source could be asked",
            looked_in=tuple(looked),
            could_not_look=failed,
        )


def _of_the_future(
    anchor: Anchor, wanted: str, claim_id: ClaimId | None, looked: Sequence[str], failed: dict[str, str]
) -> Grounding:
    """Say that an id is made up: it names a month that is still to come, and no source holds it."""
    year, month = ArxivId.parse(wanted).month
    why = f"{wanted} would be an id of {year}-{month:02}, which is still to come"
    return Grounding(
        anchor=anchor,
        claim_id=claim_id,
        status=GroundingStatus.MALFORMED,
        problems=(Problem(field="id", stated=wanted, actual="", message=why),),
        how="no id of that month was given out yet",
        looked_in=tuple(looked),
        could_not_look=failed,
    )


def _choose(title: str, papers: Sequence[Paper], claim: Claim | None) -> tuple[Paper | None, str]:
    """Choose the paper that a title names, with how it was found or why there is none.

    A claim cannot rest on a paper that appeared after it: such a paper only happens to carry the name.
    """
    later: list[str] = []
    words = telling_words(f"{claim.text} {claim.note or ''}") if claim else frozenset()
    for how, fitting in (
        ("the title agrees", [p for p in papers if same_title(title, p.title) and len(title.split()) > 2]),
        ("the title starts with this name", [p for p in papers if leads_title(title, p.title)]),
        ("the abstract introduces this name", [p for p in papers if introduces(title, p)]),
        (
            "the title has all parts of this name, and the text the words of the claim",
            [p for p in papers if has_parts(title, p.title) and len(words & telling_words(_text(p))) >= _SHARED_WORDS],
        ),
    ):
        if claim is not None:
            later += [f"{p.id} ({p.published})" for p in fitting if p.published.is_after(claim.asserted_on)]
            fitting = [p for p in fitting if not p.published.is_after(claim.asserted_on)]
        fitting = list({p.id: p for p in fitting}.values())
        how = f"title search: {how}"
        if len(fitting) == 1:
            return fitting[0], how
        if fitting and claim is not None:
            shared = sorted(((len(words & telling_words(_text(p))), p.id, p) for p in fitting), reverse=True)
            if shared[0][0] >= _CLEARLY_BETTER * max(1, shared[1][0]):
                return shared[0][2], f"{how}; of {len(fitting)} such papers the one that shares most with the claim"
        if fitting:
            listed = ", ".join(sorted({p.id for p in fitting})[:5])
            return None, f"several papers carry the name {title[:60]!r}: {listed}"
    if later:
        listed = ", ".join(dict.fromkeys(later[:3]))
        return None, f"only papers that appeared after the claim carry the name {title[:60]!r}: {listed}"
    return None, f"no paper of the title or name {title[:60]!r} was found"


def _text(paper: Paper) -> str:
    return " ".join(filter(None, (paper.title, paper.abstract, paper.finding)))


def compare(
    anchor: Anchor,
    paper: Paper,
    *,
    claim_id: ClaimId | None = None,
    how: str = "id",
    looked_in: Sequence[str] = (),
    could_not_look: dict[str, str] | None = None,
    by_title: bool = False,
) -> Grounding:
    """Compare what was stated with the paper that a source holds."""
    authors = check_authors(anchor.stated_authors, paper)
    checks = (
        None if by_title else check_title(anchor.stated_title, paper),
        authors.problem,
        check_date(anchor.stated_date, paper, bibliographic=bool(anchor.stated_authors)),
        check_venue(anchor.stated_venue, paper),
        check_version(anchor.stated_version, paper),
        check_topic(anchor.stated_topic, paper),
    )
    problems = [p for p in checks if p is not None]
    if paper.withdrawn:
        why = paper.withdrawn_because or "its record says so"
        problems.insert(0, Problem(field="withdrawal", stated="", actual=why, message=f"withdrawn: {why}"))
    if any(p.serious for p in problems if p.field != "withdrawal"):
        status = GroundingStatus.MISMATCH
    elif paper.withdrawn:
        status = GroundingStatus.WITHDRAWN
    elif authors.unchecked:
        status = GroundingStatus.UNCHECKED
        how = f"{how}; the authors could not be compared: {authors.unchecked}"
    else:
        status = GroundingStatus.OK
    return Grounding(
        anchor=anchor,
        claim_id=claim_id,
        status=status,
        problems=tuple(problems),
        paper_id=paper.id,
        how=how,
        looked_in=tuple(looked_in),
        could_not_look=could_not_look or {},
    )
