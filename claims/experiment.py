"""The experiment words: what the agent and the lab say to each other over HTTP, and nothing else.

An experiment is a protocol with parameters, bound to a claim. A run is one seed of it. Effects are differences of a
metric bounded in [0, 1] between two arms, so that they lie in [-1, 1] and have no unit.
"""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from claims.ids import ClaimId, digest

Scalar = str | int | float | bool
"""What a protocol's parameter may be."""

MAX_SEEDS = 256
"""The most seeds that one experiment may have."""


class Outcome(StrEnum):
    """What an experiment says about the direction that the claim predicts."""

    SUPPORTS = "supports"
    """the interval lies beyond the smallest effect of interest, in the claimed direction"""
    REFUTES = "refutes"
    """the interval excludes the smallest effect of interest"""
    INCONCLUSIVE = "inconclusive"
    """neither, so far"""
    INVALID = "invalid"
    """the experiment broke its own checks: a positive control not found, a null arm that decided, runs that failed"""


class RunState(StrEnum):
    """Where a run or an experiment is."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    """its result file is there"""
    FAILED = "failed"
    """it crashed twice, or broke a limit; its log is kept"""
    CANCELLED = "cancelled"
    """a person stopped it"""

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self in (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED)


class Limits(BaseModel):
    """What one run may use."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time_s: float = Field(default=1800.0, gt=0, le=7 * 86400)
    """wall time in seconds, after which the run is killed and fails"""
    memory_gib: float = Field(default=8.0, gt=0, le=4096)
    """resident memory of the run and its children in GiB"""
    cpus: int = Field(default=1, ge=1, le=1024)
    gpus: int = Field(default=0, ge=0, le=64)
    priority: int = Field(default=10, ge=1, le=100)
    """smaller goes first"""


class RunSpec(BaseModel):
    """One seed of a design. Its digest is the run's name: sending it twice starts it once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    protocol_version: int = Field(ge=1)
    profile: str = Field(pattern=r"^[a-z0-9_-]{1,20}$")
    params: dict[str, Scalar] = Field(default_factory=dict, max_length=64)
    """what differs from the profile's defaults"""
    seed: int = Field(ge=0, lt=2**31)

    @property
    def id(self) -> str:
        """`run-` and 12 hex digits of the content."""
        return "run-" + digest(self.model_dump(mode="json")).removeprefix("sha256:")[:12]


class ExperimentSpec(BaseModel):
    """A protocol with parameters, bound to a claim. Seeds can be added to it later without a new name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    protocol_version: int = Field(ge=1)
    profile: str = Field(default="tiny", pattern=r"^[a-z0-9_-]{1,20}$")
    params: dict[str, Scalar] = Field(default_factory=dict, max_length=64)
    claim_id: ClaimId | None = None
    """the claim it bears on; None for a run that a person asked for by itself"""
    first_seed: int = Field(default=0, ge=0, le=2**31 - MAX_SEEDS)
    """where its seeds begin; an experiment on fresh seeds is another one, and counts nothing of the first"""

    @property
    def id(self) -> str:
        """`exp-` and 12 hex digits of the content."""
        # Names from before there was a first seed stay what they were.
        content = self.model_dump(mode="json", exclude=None if self.first_seed else {"first_seed"})
        return "exp-" + digest(content).removeprefix("sha256:")[:12]

    def seeds(self, n_seeds: int) -> range:
        """Give its first so many seeds."""
        return range(self.first_seed, self.first_seed + n_seeds)

    def run(self, seed: int) -> RunSpec:
        """Give the run of one seed. Two claims that ask for the same design share its runs."""
        return RunSpec(
            protocol=self.protocol,
            protocol_version=self.protocol_version,
            profile=self.profile,
            params=self.params,
            seed=seed,
        )


class Submission(BaseModel):
    """`POST /experiments`: bring the experiment to this many seeds. Fewer than it has changes nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    spec: ExperimentSpec
    n_seeds: int = Field(ge=1, le=MAX_SEEDS)
    limits: Limits = Limits()
    """what is not named here, the lab's settings say for the profile"""


class Measurement(BaseModel):
    """One number from one run. `value=None` means not measured; 0.0 is a result."""

    model_config = ConfigDict(frozen=True)

    name: str
    """the metric"""
    arm: str
    """the arm it was measured on"""
    unit: str = "1"
    """`1` for a share in [0, 1]; else `s`, `tokens`, ..."""
    value: float | None
    n: int = Field(ge=0)
    """items behind it"""
    item_sd: float | None = None
    """standard deviation over items, where items have a spread"""
    missing_because: str | None = None

    @model_validator(mode="after")
    def _missing_needs_a_reason(self) -> "Measurement":
        if self.value is None and not self.missing_because:
            raise ValueError(f"measurement {self.name} of {self.arm} has no value and no reason")
        return self


class Estimate(BaseModel):
    """An effect with its interval. The unit of n is the seed; items nest inside."""

    model_config = ConfigDict(frozen=True)

    name: str
    """which contrast, `curated - noisy` for instance"""
    effect: float
    """mean paired difference over seeds, positive in the direction that the claim predicts"""
    low: float
    high: float
    alpha: float
    """1 - coverage, valid at every moment of looking"""
    n_seeds: int
    method: str
    """of the interval, with its source"""
    smallest_effect: float
    """of interest, as pre-registered"""
    seed_sd: float | None = None
    """standard deviation of the effect over seeds"""
    item_se: float | None = None
    """mean standard error of one seed's effect from its items"""


class SeedEffect(BaseModel):
    """One seed's paired difference and the interval as it stood after that seed."""

    model_config = ConfigDict(frozen=True)

    seed: int
    effect: float
    low: float
    high: float


class Control(BaseModel):
    """A positive control or null arm, judged."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: Literal["positive", "null"]
    passed: bool | None
    """None while undecided"""
    estimate: Estimate | None = None
    reason: str = ""


class ExperimentResult(BaseModel):
    """What the finished seeds of an experiment say so far."""

    model_config = ConfigDict(frozen=True)

    outcome: Outcome
    reason: str
    """one sentence with the numbers"""
    primary: Estimate | None
    path: tuple[SeedEffect, ...] = ()
    """the confidence sequence, seed by seed"""
    secondary: tuple[Estimate, ...] = ()
    controls: tuple[Control, ...] = ()
    arm_means: dict[str, float] = Field(default_factory=dict)
    """primary metric by arm, mean over seeds"""
    seeds_to_decide: int | None = None
    """seeds in all that decide, four times in five, an effect that lies as far from the smallest of interest as 0 does;
    from the spread of the pilots and of the seeds so far. None where the registered most do not suffice"""
    scale_params: int | None = None
    """parameters of the largest model that was trained"""
    is_saturated: bool = False
    """both compared arms lie at one end of the metric, where they cannot differ: more seeds will not decide"""


class RunView(BaseModel):
    """A run as the lab shows it."""

    model_config = ConfigDict(frozen=True)

    id: str
    spec: RunSpec
    state: RunState
    attempts: int = 0
    """processes started for it, at most 2"""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    seconds: float | None = None
    """wall time of the last attempt"""
    measurements: tuple[Measurement, ...] = ()
    error: str | None = None
    """for a failed one: what happened, with the log's tail"""
    record: dict[str, object] = Field(default_factory=dict)
    """everything needed to run it again: code commit, packages, device, digests"""


class Progress(BaseModel):
    """One event of `GET /experiments/{id}/events`."""

    model_config = ConfigDict(frozen=True)

    experiment_id: str
    run_id: str | None = None
    seed: int | None = None
    state: RunState
    arm: str | None = None
    phase: str | None = None
    """`pretrain`, `train`, `evaluate`"""
    step: int | None = None
    steps: int | None = None
    loss: float | None = None
    metric: float | None = None
    """primary metric so far"""
    seconds_left: float | None = None
    """of the seed with all its arms; of the experiment where no seed is named"""
    message: str = ""
    at: datetime


class PreRegistration(BaseModel):
    """What a protocol fixes before the first step. Stored with the experiment and never edited."""

    model_config = ConfigDict(frozen=True)

    hypothesis: str
    """in the claim's own terms"""
    prediction: str
    """what the claim predicts, as a direction"""
    arms: tuple[str, ...]
    primary_metric: str
    """bounded in [0, 1]"""
    contrast: str
    """which arm minus which"""
    smallest_effect: float
    smallest_effect_because: str
    alpha: float
    max_seeds: int
    equalised: str
    """what the arms have in common: compute, data, steps"""
    positive_control: str
    null_arm: str
    threats: tuple[str, ...] = ()
    """known threats to validity"""
    departs_from: str = ""
    """how it departs from the paper, with arXiv id and section"""


class ProtocolView(BaseModel):
    """`GET /protocols`."""

    model_config = ConfigDict(frozen=True)

    name: str
    version: int
    title: str
    family: str
    """what kind of claim it can re-test, in a sentence"""
    profiles: tuple[str, ...]
    defaults: dict[str, dict[str, Scalar]] = Field(default_factory=dict)
    """parameters by profile"""
    preregistration: PreRegistration
    seconds_per_seed: dict[str, float] = Field(default_factory=dict)
    """expected wall time by profile, on the machine where it was measured"""
    base_seconds: dict[str, float] = Field(default_factory=dict)
    """what building the base takes beside that, once and before the first seed, by profile"""
    seed_sd: dict[str, float] = Field(default_factory=dict)
    """standard deviation of the primary effect over pilot seeds, by profile where there were any"""
    pilot_seeds: int | None = None
    """seeds behind each of them"""
    seeds_to_decide: dict[str, int | None] = Field(default_factory=dict)
    """by profile with pilots: seeds that decide, four times in five, an effect that lies as far from the smallest of
    interest as 0 does; None where the registered most do not suffice"""
    no_room: dict[str, str] = Field(default_factory=dict)
    """by profile where pilots showed that no number of seeds decides: why"""


class ExperimentView(BaseModel):
    """`GET /experiments/{id}`."""

    model_config = ConfigDict(frozen=True)

    id: str
    spec: ExperimentSpec
    state: RunState
    submitted_at: datetime
    preregistration: PreRegistration
    defaults: dict[str, Scalar] = Field(default_factory=dict)
    """registered parameters of its profile; empty where the lab did not keep them"""
    runs: tuple[RunView, ...] = ()
    result: ExperimentResult | None = None
    """None until a seed is finished"""
    seconds_left: float | None = None
    """estimate, or None when nothing is known yet"""
