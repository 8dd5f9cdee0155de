"""One night: harvest once, match what is new against every due claim on this machine, judge only what matches, decide.

arXiv is asked a few times however many claims there are. Every step is stored before the next, and every step skips
what is stored: kill the process anywhere and start it again, or start several at once (on one machine, or on several
that share a PostgreSQL), and what is held in the end is the same. What could not be done is said in the digest; the
claims that it befell stay where they were, so the next try or the next night makes it up.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from threading import Lock
from typing import TypeVar

from agent.errors import Final, Retryable
from agent.graph.find import grounded_anchors, may_count
from agent.graph.parts import Parts, Step
from agent.graph.weigh import add_readings, evidence_of
from agent.judges.judge import Judge
from agent.refresh.news import harvest_once, ready_index
from agent.refresh.plan import Due, NightPlan, is_new, plan_night
from agent.refresh.seeds import add_seeds, collect
from agent.refresh.state import NightState, first_state, holder, is_gone, state_of
from agent.retrieval import REORDERED, Rarity, retrieve
from agent.sources.pacing import Pace
from claims.claim import Claim
from claims.digest import Digest, Problem, read_digest
from claims.errors import RetestError, StoreFull, StoreLocked
from claims.paper import Paper, Source
from claims.paper_index import PaperIndex
from claims.search import SearchRecord
from claims.store import Store
from claims.verdict import decide

log = logging.getLogger(__name__)

T = TypeVar("T")

AT_ONCE = 2
"""Claims that one process works on side by side: searching and judging leave Python's lock."""
BATCH = 8
"""Claims that a process takes at a time: what another one waits for at most before it takes them over."""
LEASE_S = 300.0
"""After which the claims of a process that says nothing more may be taken over from another machine."""
TRIES = 3
"""Of a claim while the database is locked by others; each waits as long as the store does."""
CLAIM = "claim"
"""Where a claim's own failure happened, as the digest says it."""
KEPT_PAPERS = 20_000
"""Papers kept in memory while claims are matched: claims of one field bring up the same ones."""


@dataclass(frozen=True)
class NightWish:
    """What a night is to do."""

    until: date
    """papers and verdicts up to this day; also names the night"""
    max_claims: int | None = None
    """in this night, over all tries; the others are first the next time"""
    due_days: int = 30
    """days after which a claim is matched against every held paper again"""
    papers_per_claim: int = 120
    seeds_budget: int = 0
    """seeds that undecided experiments may be given in this night"""
    lab_wait_s: float = 3600.0
    """for an experiment; one that takes longer is collected the next night"""
    harvest: bool = True
    oai_url: str = ""
    oai_sets: tuple[str, ...] = ("cs",)
    lag_days: int = 2
    """days before the harvest's cursor that are asked for again: arXiv announces some papers late"""
    harvest_tries: int = 5


@dataclass
class Night:
    """A night at work in this process."""

    wish: NightWish
    parts: Parts
    index: PaperIndex
    sleep: Callable[[float], None] = time.sleep
    name: str = field(default_factory=holder)
    """of this process, on what it takes"""
    can_match: bool = True

    def __post_init__(self) -> None:
        self.texts = _Texts(self.store)
        self._rarity: Rarity | None = None

    def rarity(self) -> Rarity:
        """Give how telling words are, looked up once a night; the index must be ready."""
        if self._rarity is None:
            self._rarity = Rarity(self.index)
        return self._rarity

    @property
    def store(self) -> Store:
        """The store."""
        return self.parts.store

    def change(self, change: Callable[[NightState], NightState]) -> NightState:
        """Change the stored state in one transaction."""

        def in_json(state: str) -> str:
            return change(NightState.model_validate_json(state)).model_dump_json()

        return state_of(patiently(lambda: self.store.change_night(self.wish.until, in_json), self.sleep))

    def trouble(self, where: str, what: str, claim_id: str | None = None) -> None:
        """Say that something could not be done."""
        log.warning("refresh %s: %s%s: %s", self.wish.until, where, f", claim {claim_id}" if claim_id else "", what)
        problem = Problem(where=where, what=what, claim_id=claim_id)
        self.change(lambda state: state.with_problem(problem))


def refresh(
    wish: NightWish,
    parts: Parts,
    index: PaperIndex,
    *,
    pace: Pace = lambda: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Digest:
    """Go over every due claim, and give the digest, which is stored too.

    A second call for the same day changes nothing, judges nothing and gives the same digest, unless something came in.
    pace: waits before each request to arXiv. Raises StoreError when the night itself can neither be begun nor be told.
    """
    store = parts.store
    started = time.monotonic()
    try:
        begun = patiently(lambda: store.begin_night(wish.until, first_state(store).model_dump_json()), sleep)
    except StoreFull as exc:
        nothing = Problem(where="the store", what=f"the night could not begin: {exc}")
        return Digest(night=wish.until, judge=judge_name(parts.judge), problems=(nothing,))
    night = Night(wish, parts, index, sleep)
    left = 0
    stopped: str | None = None
    try:
        left = _work(night, pace)
    except StoreFull as exc:
        stopped = str(exc)
    return _tell(night, begun.digest, started, left=left, stopped=stopped)


def _work(night: Night, pace: Pace) -> int:
    """Do all of a night but the telling. Gives how many due claims were left for the next one."""
    wish, store = night.wish, night.store
    harvest_once(night, pace=pace, sleep=night.sleep)
    night.can_match = ready_index(night)
    plan = plan_night(store, wish.until, due_days=wish.due_days)
    chosen = plan.due
    if wish.max_claims is not None:
        room = max(0, wish.max_claims - len(plan.done))
        pinned = sum(due.care.pinned for due in plan.due)
        chosen = plan.due[: max(room, pinned)]
    sent = add_seeds(night, [due.claim for due in chosen])
    work = {due.claim.id: due for due in sorted(chosen, key=lambda due: due.claim.id in sent)}
    _work_off(work, night, plan, sent)
    return len(plan.due) - len(chosen)


def patiently(act: Callable[[], T], sleep: Callable[[float], None]) -> T:
    """Do something again while the database is locked, a few times."""
    for n in range(1, TRIES):
        try:
            return act()
        except StoreLocked as exc:
            log.info("the database is locked (try %d of %d): %s", n, TRIES, exc)
            sleep(1.0)
    return act()


def _work_off(work: dict[str, Due], night: Night, plan: NightPlan, sent: Mapping[str, list[str]]) -> None:
    """Go over the claims, sharing them with whoever works on the same night."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="claim") as pool:
        _take_and_do(work, night, plan, sent, pool)


def _take_and_do(
    work: dict[str, Due], night: Night, plan: NightPlan, sent: Mapping[str, list[str]], pool: ThreadPoolExecutor
) -> None:
    store, until = night.store, night.wish.until
    while work:
        names = {f"claim:{id}": id for id in work}
        taken = patiently(
            lambda names=names: store.take_leases(  # type: ignore[misc]
                list(names), night.name, seconds=LEASE_S, at_most=BATCH, is_gone=is_gone
            ),
            night.sleep,
        )
        ids = [names[name] for name in taken]
        cared = store.care(ids or list(work))
        for id in [id for id in (ids or work) if id in cared and plan.is_done(cared[id], until)]:
            del work[id]  # another process was quicker
        try:
            batch = [work.pop(id) for id in ids if id in work]
            list(pool.map(lambda due: _go_over(due, night, plan, sent.get(due.claim.id, [])), batch))
        finally:
            if taken:
                _give_back(taken, night)
        if not taken and work:
            night.sleep(0.5)


def _give_back(taken: list[str], night: Night) -> None:
    try:
        night.store.give_back(taken, night.name)
    except (StoreLocked, StoreFull):
        log.info("could not give back %s; it runs out by itself", ", ".join(taken))


def _go_over(due: Due, night: Night, plan: NightPlan, sent: list[str]) -> None:
    """Do one claim. What fails is said in the digest and stops no other claim."""
    claim_id = due.claim.id
    try:
        patiently(lambda: _refresh_claim(due, night, plan, sent), night.sleep)
    except StoreFull:
        raise
    except RetestError as exc:
        night.trouble(CLAIM, str(exc), claim_id)
    except Exception as exc:
        log.exception("claim %s stopped by a defect of retest", claim_id)
        night.trouble(CLAIM, f"a defect of retest: {type(exc).__name__}: {exc}", claim_id)


def _refresh_claim(due: Due, night: Night, plan: NightPlan, sent: list[str]) -> None:
    claim, until, parts = due.claim, night.wish.until, night.parts
    parts.enter("match", claim.id)
    found: list[str] = []
    if night.can_match:
        found = match(claim, night.index, parts, until, night.wish.papers_per_claim, night.texts, night.rarity())
    if not due.full:
        found = [id for id in found if id in plan.changes and is_new(plan.changes[id], due.care)]
    ids = list(dict.fromkeys([*found, *sorted(due.moved)]))
    judged, failure = _weigh(claim, ids, night)
    collect(claim, sent, night)
    touched = due.full or bool(due.moved) or judged > 0 or bool(sent)
    if touched:
        _decide(claim, night)
    parts.watch(Step(claim.id, "refresh", f"{'; '.join(due.why)}: {judged} papers judged"))
    if failure is not None:
        raise failure
    if not night.can_match:
        return  # the mirror could not be searched, which is said once for all claims
    parts.enter("mark", claim.id)
    night.store.claim_refreshed(claim.id, until, checked_to=plan.checked_to, seen_to=plan.seen_to, full=due.full)
    _forget_problem(claim, night)


def match(
    claim: Claim,
    index: PaperIndex,
    parts: Parts,
    until: date,
    limit: int,
    texts: Callable[[Iterable[str]], Mapping[str, Paper]],
    rarity: Rarity,
) -> list[str]:
    """Rank the mirror's papers for a claim as `retest run` does, best first: ids that may count and will be weighed."""
    since = claim.asserted_on.end + timedelta(days=1)
    anchors = grounded_anchors(claim, parts)
    own = {a.arxiv_id for a in claim.anchors}
    n = limit + len(own)
    hits = retrieve(
        claim,
        index,
        since=since,
        until=until,
        limit=n,
        anchors=anchors,
        texts=lambda ids: texts(ids),
        rarity=rarity,
        reorder=n < REORDERED,  # beyond that, the order at the head does not decide who is among the best
    )
    return [hit.paper_id for hit in hits if hit.paper_id not in own][:limit]


def _weigh(claim: Claim, ids: list[str], night: Night) -> tuple[int, RetestError | None]:
    """Judge what this judge has not judged on this claim in this text. Gives how many, and what stopped it."""
    parts, judge = night.parts, night.parts.judge
    if not ids:
        return 0, None
    held = parts.store.papers(ids)
    if ours := [paper for paper in held.values() if paper.finding]:
        add_readings(claim, ours, parts)
    done = parts.store.judged(claim.id, judge.ref)
    papers = [
        p
        for p in (held[id] for id in ids if id in held)
        if not p.withdrawn and (p.id, p.text_digest) not in done and may_count(claim, p, night.wish.until)
    ]
    n = 0
    for start in range(0, len(papers), judge.at_once):
        some = papers[start : start + judge.at_once]
        parts.enter("judge", claim.id)
        try:
            assessments = judge.assess(claim, some)
        except (Retryable, Final) as exc:
            return n, exc
        pairs = zip(some, assessments, strict=True)
        parts.enter("judged", claim.id)
        parts.store.add_evidence([evidence_of(claim, paper, given, parts) for paper, given in pairs])
        n += len(some)
    if papers:
        parts.store.add_searches([_searched(claim, night, n)])
    return n, None


def _searched(claim: Claim, night: Night, n: int) -> SearchRecord:
    return SearchRecord(
        claim_id=claim.id,
        source=Source.MIRROR,
        query=claim.text,
        aim=f"refresh {night.wish.until}",
        since=claim.asserted_on.end + timedelta(days=1),
        until=night.wish.until,
        n_found=n,
        searched_at=night.parts.clock.now(),
    )


def _decide(claim: Claim, night: Night) -> None:
    """Decide from all that is held, unless a later day's verdict is held already."""
    night.parts.enter("decide", claim.id)
    history = night.store.verdicts(claim.id)
    if history and history[-1].verdict.as_of > night.wish.until:
        return
    night.store.record_verdict(decide(claim, night.store.evidence(claim.id), night.wish.until))


def _forget_problem(claim: Claim, night: Night) -> None:
    """Take back what an earlier try said of this claim; what is said of its experiments stays."""
    held = night.store.night(night.wish.until)
    problem = Problem(where=CLAIM, what="", claim_id=claim.id)
    if held is not None and len(state_of(held).without(problem).problems) < len(state_of(held).problems):
        night.change(lambda state: state.without(problem))


def _tell(
    night: Night,
    told: str | None,
    started: float,
    *,
    left: int,
    stopped: str | None,
) -> Digest:
    """Read the digest from what is held, and store it; one that says what was said before is left as it is."""
    store, until = night.store, night.wish.until
    night.parts.enter("tell", str(until))
    marks = store.marks()
    held = store.night(until)
    assert held is not None
    state = state_of(held)
    done = sum(care.refreshed_on == until for care in store.care().values())
    state = state.model_copy(update={"left": left, "seconds": state.seconds + time.monotonic() - started})
    if stopped is not None:
        state = state.with_problem(Problem(where="the store", what=stopped))
    digest = read_digest(
        store,
        until,
        state.marks,
        judge=judge_name(night.parts.judge),
        since=state.since,
        problems=sorted(state.problems, key=lambda p: (p.claim_id or "", p.where)),
        cost=state.cost(claims=done),
    )
    if told is not None:
        before = Digest.model_validate_json(told)
        if same_findings(before, digest):
            return before
    ended = state.model_copy(update={"end_marks": marks})

    def finish(held_state: str) -> str:
        now = NightState.model_validate_json(held_state)
        return now.model_copy(
            update={"end_marks": marks, "left": left, "seconds": now.seconds + ended.seconds - state_of(held).seconds}
        ).model_dump_json()

    try:
        patiently(lambda: store.change_night(until, finish, digest=digest.model_dump_json()), night.sleep)
    except StoreFull as exc:
        unstored = Problem(where="the store", what=f"this digest could not be stored: {exc}")
        return digest.model_copy(update={"problems": (*digest.problems, unstored)})
    return digest


def same_findings(one: Digest, other: Digest) -> bool:
    """Tell whether two digests say the same, whatever the nights took."""
    return one.model_dump(exclude={"cost"}) == other.model_dump(exclude={"cost"}) and (
        one.cost.pairs_judged,
        one.cost.claims,
        one.cost.left,
    ) == (other.cost.pairs_judged, other.cost.claims, other.cost.left)


def judge_name(judge: Judge) -> str:
    """Name a judge with its version."""
    return f"{judge.ref.name.value} {judge.ref.version}"


class _Texts:
    """Papers by id, the ones asked for lately kept in memory. For ranking only: what is judged is read afresh."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[str, Paper] = OrderedDict()
        self._lock = Lock()

    def __call__(self, ids: Iterable[str]) -> Mapping[str, Paper]:
        wanted = list(ids)
        with self._lock:
            found = {id: self._kept[id] for id in wanted if id in self._kept}
        missing = [id for id in wanted if id not in found]
        if missing:
            found |= self._store.papers(missing)
        with self._lock:
            for id, paper in found.items():
                self._kept[id] = paper
                self._kept.move_to_end(id)
            while len(self._kept) > KEPT_PAPERS:
                self._kept.popitem(last=False)
        return found
