"""The state of one claim's thread: plain data (ids, strings, numbers). Papers and logs stay in the store."""

from typing import Annotated, NotRequired, TypedDict


class Job(TypedDict):
    """What one pass over a claim is to do. The same for every claim of the pass."""

    pass_id: str
    """names the pass; a killed pass is taken up under the same name"""
    as_of: str
    """ISO day: nothing published later is looked at"""
    sources: list[str]
    """which sources to ask, in order"""
    use_lab: bool
    """False with `--no-lab`"""
    profile: str
    seeds: int
    yes: bool
    """start experiments over the approval limit without asking"""
    papers_per_claim: int
    experiment_for: list[str]
    """claims whose experiment this pass may start"""


class Ask(TypedDict):
    """One question to one source."""

    claim_id: str
    source: str
    query: str
    aim: str
    weight: float


class Ranked(TypedDict):
    """What one question gave: ids, best first."""

    source: str
    weight: float
    ids: list[str]


class Batch(TypedDict):
    """Papers to weigh together."""

    claim_id: str
    paper_ids: list[str]


def extend(held: list[Ranked], more: list[Ranked] | None) -> list[Ranked]:
    """Join parallel search answers; None empties the list once it was screened, so that it is not stored again."""
    return [] if more is None else held + more


def add(held: int, more: int) -> int:
    """Count over parallel branches."""
    return held + more


def gather(held: list[str], more: list[str]) -> list[str]:
    """Join what parallel branches could not do."""
    return held + more


class State(TypedDict):
    """One claim's thread."""

    claim_id: str
    job: Job
    asks: NotRequired[list[Ask]]
    """set by `plan`"""
    found: Annotated[list[Ranked], extend]
    """filled by `search`, emptied by `screen`"""
    batches: NotRequired[list[list[str]]]
    """ids to weigh, set by `screen`"""
    n_found: NotRequired[int]
    """different papers that the searches gave"""
    n_judged: Annotated[int, add]
    """papers judged in this pass; those judged before are not judged again"""
    n_unjudged: Annotated[int, add]
    """papers that the judge could not judge"""
    problems: Annotated[list[str], gather]
    """why, a sentence for each batch"""
    experiment_id: NotRequired[str | None]
    protocol: NotRequired[str | None]
    no_experiment: NotRequired[str | None]
    """why there is none"""
    verdict: NotRequired[str]
    """the verdict's kind"""
    verdict_id: NotRequired[str]
    """ends the thread; empty where nothing was judged or measured, so that no verdict was recorded"""
