"""The end of a night: its digest, read from what is held, and stored."""

import time

from agent.refresh.night import Night, judge_name, patiently
from agent.refresh.state import MOST_PROBLEMS, NightState, news_marks, state_of
from claims.digest import Digest, Problem, Waiting, read_digest
from claims.errors import StoreFull


def tell(night: Night, started: float, *, left: int, stopped: str | None) -> Digest:
    """Read the digest from what is held, and store it; one that says what was said before is left as it is.

    started: `time.monotonic()` when this process began; left: due claims for the next night; stopped: what ended it.
    """
    store, until = night.store, night.wish.until
    night.parts.enter("tell", str(until))
    marks = store.marks()
    held = store.night(until)
    assert held is not None
    if (told := told_before(night)) is not None:
        return told
    state = state_of(held)
    done = sum(care.refreshed_on == until for care in store.care().values())
    state = state.model_copy(update={"left": left, "seconds": state.seconds + time.monotonic() - started})
    if stopped is not None:
        state = state.with_problem(Problem(where="the store", what=stopped))
    problems = sorted(state.problems, key=lambda p: (p.claim_id or "", p.where))
    if state.more_problems:
        problems.append(
            Problem(where="more", what=f"only {MOST_PROBLEMS:,} are listed; `retest due` shows what stays due")
        )
    digest = read_digest(
        store,
        until,
        news_marks(store, held),
        judge=judge_name(night.parts.judge),
        since=state.since,
        problems=problems,
        cost=state.cost(claims=done),
    ).model_copy(update={"missed": state.missed, "assumed": tuple(state.assumed), "waiting": _waiting(state)})
    if held.digest is not None:
        before = Digest.model_validate_json(held.digest)
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


def told_before(night: Night) -> Digest | None:
    """Give the digest of a night that was told and that a later one followed: it stays as it is; None for others.

    What it left over, the later night took up.
    """
    held = night.store.night(night.wish.until)
    newest = next(iter(night.store.nights(limit=1)), None)
    if held is None or held.digest is None or newest is None or newest.night <= held.night:
        return None
    return Digest.model_validate_json(held.digest)


def _waiting(state: NightState) -> tuple[Waiting, ...]:
    most_first = sorted(state.waiting.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Waiting(claim_id=id, n_papers=n) for id, n in most_first)


def same_findings(one: Digest, other: Digest) -> bool:
    """Tell whether two digests say the same, whatever the nights took."""
    return one.model_dump(exclude={"cost"}) == other.model_dump(exclude={"cost"}) and (
        one.cost.pairs_judged,
        one.cost.claims,
        one.cost.left,
    ) == (other.cost.pairs_judged, other.cost.claims, other.cost.left)
