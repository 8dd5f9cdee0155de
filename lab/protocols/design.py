"""What all protocols share: parameters by profile, contrasts between arms, and the judgement of finished seeds.

A protocol file declares its pre-registration and contrasts and says in `measure` what is trained and measured. The
judgement below is the same for all: pure, without torch, and fixed before the first step.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from claims.experiment import (
    Control,
    Estimate,
    ExperimentResult,
    ExperimentSpec,
    Measurement,
    Outcome,
    PreRegistration,
    ProtocolView,
    RunSpec,
    Scalar,
)
from lab import statistics
from lab.errors import InvalidSpec
from lab.protocols.protocol import Finished, Report, SeedResult

if TYPE_CHECKING:
    from lab.protocols.workbench import Workbench

ALPHA = 0.05
"""One minus the coverage of every interval."""

MAX_SEEDS = 60
"""The budget of seeds that protocols register."""

PLANNING_SD = 0.06
"""Seed-to-seed standard deviation of a primary effect that is assumed where a protocol had no pilots."""

PILOT_SEEDS = 6
"""Seeds behind each `seed_sd`; as many degrees of freedom less one it keeps while real seeds come in."""

MODELS = {"model": "revision", "small_model": "small_revision"}
"""Parameters that name a model, and those that pin it."""

Count = Annotated[int, Field(le=100_000)]
"""How many of something: more than any world holds is a slip, and refused before a run begins."""

CEILING, FLOOR = 0.98, 0.02
"""Where a bounded metric has no room left: one wrong or right answer in fifty."""

NEARLY_ALL = 0.9
"""Share of the seeds in which both compared arms lie at one end before an experiment counts as saturated."""


class Parameters(BaseModel):
    """What every protocol can be told; protocols add their own."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    model: str = "tiny"
    """`tiny` (built on the spot), a hub id, a local folder or a `.gguf` file"""
    revision: str = ""
    """of a hub model: 40 hex digits; of a local one: the digest of its content"""
    width: int = Field(default=64, ge=8, le=1024)
    layers: int = Field(default=3, ge=1, le=32)
    heads: int = Field(default=4, ge=1, le=32)
    context: int = Field(default=160, ge=16, le=4096)
    base_seed: int = Field(default=0, ge=0, lt=2**31)
    """of the base's weights and pre-training data; all seeds of an experiment share the base"""
    pretrain_steps: Count = Field(default=600, ge=1)
    pretrain_batch: Count = Field(default=64, ge=1)
    pretrain_learning_rate: float = Field(default=5e-3, gt=0, le=1)
    tune_steps: Count = Field(default=120, ge=1)
    batch_size: Count = Field(default=16, ge=1)
    learning_rate: float = Field(default=3e-3, gt=0, le=1)
    lora_rank: int = Field(default=16, ge=1, le=1024)
    n_items: Count = Field(default=240, ge=8)
    """held-out items behind every score"""

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> Self:
        check_heads("width", self.width, self.heads)
        return self


def check_heads(name: str, width: int, heads: int) -> None:
    """Raise ValueError for a width that the heads cannot share: each turns its positions in pairs."""
    if width % (2 * heads):
        raise ValueError(f"{name} {width} is no multiple of {2 * heads}, twice the {heads} heads")


HUB: dict[str, Any] = {"model": "", "pretrain_learning_rate": 2e-4, "learning_rate": 2e-4, "pretrain_batch": 32}
"""What profile `small` changes for every protocol: `model` has to be named, and LoRA wants smaller steps than a tiny
model trained whole."""


class Contrast(NamedTuple):
    """One arm minus another on one metric, positive in the direction that the claim (or the control) predicts."""

    metric: str
    plus: str
    minus: str
    smallest_effect: float = 0.0
    bound: float = 1.0
    """registered cut: a seed's difference beyond it counts as it (see lab/statistics.py)"""
    minus_metric: str | None = None
    """metric of the `minus` arm where it is another one than `metric`"""

    @property
    def name(self) -> str:
        """How reports call it."""
        return f"{self.metric}: {self.plus} - {self.minus}"


class Design(ABC):
    """A pre-registered design: the parts that differ are declared, the judgement is common."""

    name: str
    version: int = 1
    title: ClassVar[str]
    family: ClassVar[str]
    registration: ClassVar[PreRegistration]
    profiles: ClassVar[Mapping[str, Parameters]]
    primary: ClassVar[Contrast]
    positive: ClassVar[Contrast]
    """the effect that must be found; its interval must lie above `smallest_effect`"""
    null: ClassVar[Contrast]
    """the A/A comparison; its interval must keep 0"""
    secondary: ClassVar[tuple[Contrast, ...]] = ()
    saturable: ClassVar[tuple[str, ...]] = ()
    """metrics at whose ends the compared arms cannot differ as the claim says; none named means the primary metric"""
    seconds_per_seed: ClassVar[Mapping[str, float]] = {}
    """By profile, as lab/LOG.md measured: processor seconds of one seed on one thread, which is wall time where nothing
    else runs. Training the base, once, is not in it. `small` has none: it takes what the model that is named takes."""
    base_seconds: ClassVar[Mapping[str, float]] = {}
    """likewise, of building the base or bases, with the imports of the first seed"""
    seed_sd: ClassVar[Mapping[str, float]] = {}
    """By profile, as lab/LOG.md measured: standard deviation of the primary effect over `PILOT_SEEDS` seeds, which are
    in no outcome."""
    no_room: ClassVar[Mapping[str, str]] = {}
    """by profile whose pilots left the compared arms no room to differ: where they were"""

    @abstractmethod
    def measure(self, params: Any, bench: "Workbench") -> list[Measurement]:
        """Train and measure every arm of one seed."""

    def view(self) -> ProtocolView:
        """Describe the design."""
        return ProtocolView(
            name=self.name,
            version=self.version,
            title=self.title,
            family=self.family,
            profiles=tuple(self.profiles),
            defaults={name: defaults.model_dump() for name, defaults in self.profiles.items()},
            preregistration=self.registration,
            seconds_per_seed=dict(self.seconds_per_seed),
            base_seconds=dict(self.base_seconds),
            seed_sd=dict(self.seed_sd),
            pilot_seeds=PILOT_SEEDS if self.seed_sd else None,
            seeds_to_decide={profile: self._plan(profile) for profile in self.seed_sd},
            no_room=dict(self.no_room),
        )

    def parameters(self, profile: str, params: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """Give all parameters of a profile with `params` over its defaults. Raises InvalidSpec on unknown ones."""
        return self._parse(profile, params).model_dump()

    def run(self, spec: RunSpec, folder: Path, report: Report) -> SeedResult:
        """Train and measure one seed, writing only inside `folder` and the cache of bases."""
        from lab.protocols.workbench import Workbench

        params = self._parse(spec.profile, spec.params)
        bench = Workbench(params, seed=spec.seed, folder=folder, report=report, protocol=self.name)
        measurements = self.measure(params, bench)
        bench.report(phase="evaluate", metric=self._value(measurements, self.primary), message="seed finished")
        return SeedResult(tuple(measurements), bench.record())

    def analyse(self, spec: ExperimentSpec, finished: Sequence[Finished]) -> ExperimentResult:
        """Say what the finished seeds mean, in seed order."""
        registered = self.registration
        seeds = sorted(finished, key=lambda one: one.seed)
        alpha = registered.alpha
        numbers, differences = self._differences(seeds, self.primary)
        plan = self._plan(spec.profile, differences)
        if not differences:
            return ExperimentResult(
                outcome=Outcome.INVALID if seeds else Outcome.INCONCLUSIVE,
                reason=f"no finished seed of {len(seeds)} measured {self.primary.name}",
                primary=None,
                seeds_to_decide=plan,
            )
        primary = self._estimate(seeds, self.primary)
        assert primary is not None, "its differences were just counted"
        controls = (self._control(seeds, "positive"), self._control(seeds, "null"))
        end = _saturation(seeds, self.primary, self.saturable or (self.primary.metric,))
        outcome, reason = _judge(primary, controls, statistics.cut_mean(differences), plan, end)
        return ExperimentResult(
            outcome=outcome,
            reason=reason,
            primary=primary,
            path=tuple(statistics.path(numbers, differences, alpha=alpha, bound=self.primary.bound)),
            secondary=tuple(e for c in self.secondary if (e := self._estimate(seeds, c)) is not None),
            controls=controls,
            arm_means=_arm_means(seeds, self.primary.metric),
            seeds_to_decide=None if end else plan,
            is_saturated=bool(end),
            scale_params=max((p for s in seeds if isinstance(p := s.record.get("scale_params"), int)), default=None),
        )

    def _plan(self, profile: str, differences: Sequence[float] = ()) -> int | None:
        """Give the seeds that decide, from the spread of the pilots pooled with that of the seeds so far."""
        squares, freedom = (PILOT_SEEDS - 1) * self.seed_sd.get(profile, PLANNING_SD) ** 2, PILOT_SEEDS - 1
        if differences:
            mean = sum(differences) / len(differences)
            squares += sum((one - mean) ** 2 for one in differences)
            freedom += len(differences) - 1
        return statistics.seeds_to_decide(
            smallest_effect=self.primary.smallest_effect,
            alpha=self.registration.alpha,
            bound=self.primary.bound,
            seed_sd=round(math.sqrt(squares / freedom), 3),
            max_seeds=self.registration.max_seeds,
        )

    def _parse(self, profile: str, params: Mapping[str, Scalar]) -> Parameters:
        defaults = self.profiles.get(profile)
        if defaults is None:
            raise InvalidSpec(f"{self.name} has no profile {profile!r}; it has {', '.join(self.profiles)}")
        try:
            parsed = type(defaults).model_validate({**defaults.model_dump(), **params})
        except ValidationError as exc:
            wrong = "; ".join(map(_said, exc.errors()))
            raise InvalidSpec(f"{self.name} cannot run with these parameters: {wrong}") from exc
        if not parsed.model:
            raise InvalidSpec(
                f"profile {profile!r} needs `model`: a local folder, a .gguf file, or a hub id and `revision`"
            )
        return parsed

    def _value(self, measurements: Sequence[Measurement], contrast: Contrast) -> float | None:
        """Give one seed's difference, or None when an arm was not measured."""
        by = {(m.arm, m.name): m.value for m in measurements}
        plus = by.get((contrast.plus, contrast.metric))
        minus = by.get((contrast.minus, contrast.minus_metric or contrast.metric))
        return None if plus is None or minus is None else plus - minus

    def _differences(self, seeds: Sequence[Finished], contrast: Contrast) -> tuple[list[int], list[float]]:
        pairs = [(s.seed, d) for s in seeds if (d := self._value(s.measurements, contrast)) is not None]
        return [seed for seed, _ in pairs], [difference for _, difference in pairs]

    def _estimate(self, seeds: Sequence[Finished], contrast: Contrast) -> Estimate | None:
        _, differences = self._differences(seeds, contrast)
        if not differences:
            return None
        return statistics.estimate(
            contrast.name,
            differences,
            smallest_effect=contrast.smallest_effect,
            alpha=self.registration.alpha,
            bound=contrast.bound,
            item_se=_item_se(seeds, contrast),
        )

    def _control(self, seeds: Sequence[Finished], kind: Literal["positive", "null"]) -> Control:
        contrast = self.positive if kind == "positive" else self.null
        found = self._estimate(seeds, contrast)
        if found is None:
            return Control(name=contrast.name, kind=kind, passed=False, reason="its arms were not measured")
        span = f"{found.effect:+.3f} [{found.low:+.3f}, {found.high:+.3f}] over {found.n_seeds} seeds"
        passed: bool | None
        if kind == "positive":
            passed = True if found.low > contrast.smallest_effect else None
            passed = False if found.high < contrast.smallest_effect else passed
            reason = {True: "found", False: "not found", None: "not found yet"}[passed]
        else:
            enough = statistics.fewest_seeds(against=0.0, alpha=found.alpha, bound=contrast.bound)
            passed = True if found.n_seeds >= enough else None
            passed = False if not found.low <= 0 <= found.high else passed
            reason = {True: "decides nothing", False: "decided, which it must not", None: "too few seeds to tell"}[
                passed
            ]
        return Control(name=contrast.name, kind=kind, passed=passed, estimate=found, reason=f"{reason}: {span}")


def _said(error: Any) -> str:
    """Give one problem of pydantic's as a person would put it."""
    if error["type"] == "extra_forbidden":
        return f"there is no parameter {error['loc'][0]!r}"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    return f"{error['loc'][0]}: {error['msg']}"


def _judge(
    primary: Estimate, controls: Sequence[Control], plain_mean: float, plan: int | None, end: str
) -> tuple[Outcome, str]:
    """Give the outcome with its sentence: controls first, then room to differ, then the interval.

    end: where both arms have no room left; empty when they have. It only ever turns a decision into none, so the rate
    of wrong decisions stays what the interval gives.
    """
    numbers = (
        f"{primary.effect:+.3f} [{primary.low:+.3f}, {primary.high:+.3f}] at {1 - primary.alpha:.0%} over "
        f"{primary.n_seeds} seeds, smallest effect of interest {primary.smallest_effect:+.3f}"
    )
    if abs(plain_mean - primary.effect) > 0.005:
        numbers += f" (mean before cutting {plain_mean:+.3f})"
    for control in controls:
        if control.passed is False:
            return Outcome.INVALID, f"the {control.kind} control {control.name} {control.reason}; primary {numbers}"
    if end:
        return Outcome.INCONCLUSIVE, f"{end}, where they cannot differ, and more seeds will not change that: {numbers}"
    outcome = statistics.decide(statistics.Interval(primary.low, primary.high), primary.smallest_effect)
    beyond = plain_mean > primary.smallest_effect
    if outcome is not Outcome.INCONCLUSIVE and beyond is not (outcome is Outcome.SUPPORTS):
        return Outcome.INCONCLUSIVE, f"a few extreme seeds pull the plain mean across the boundary: {numbers}"
    waiting = [c.name for c in controls if c.passed is None and c.kind == "positive"]
    if outcome is not Outcome.INCONCLUSIVE and waiting:
        return Outcome.INCONCLUSIVE, f"the positive control {waiting[0]} is not found yet; primary {numbers}"
    if outcome is Outcome.INCONCLUSIVE:
        beside = f"an effect {abs(primary.smallest_effect):g} above or below the smallest of interest"
        more = f"takes about {plan} seeds in all" if plan else "may take more seeds than are registered"
        return outcome, f"undecided: {numbers}; telling {beside} {more}"
    return outcome, numbers


def _saturation(seeds: Sequence[Finished], contrast: Contrast, metrics: Sequence[str]) -> str:
    """Say at which end of a metric both compared arms lie in nearly all seeds; empty when they have room."""
    for metric in metrics:
        pairs = []
        for seed in seeds:
            by = {m.arm: m.value for m in seed.measurements if m.name == metric and m.value is not None}
            if contrast.plus in by and contrast.minus in by:
                pairs.append((by[contrast.plus], by[contrast.minus]))
        high = sum(min(pair) >= CEILING for pair in pairs)
        low = sum(max(pair) <= FLOOR for pair in pairs)
        for n, end, limit in ((high, "ceiling", f"at least {CEILING:g}"), (low, "floor", f"at most {FLOOR:g}")):
            if n and n >= NEARLY_ALL * len(seeds):
                return f"both arms at the {end} ({metric} {limit} in {n} of {len(seeds)} seeds)"
    return ""


def _item_se(seeds: Sequence[Finished], contrast: Contrast) -> float | None:
    """Mean over seeds of the standard error that items alone give one seed's difference."""
    errors = []
    for seed in seeds:
        by = {(m.arm, m.name): m for m in seed.measurements}
        plus = by.get((contrast.plus, contrast.metric))
        minus = by.get((contrast.minus, contrast.minus_metric or contrast.metric))
        error = statistics.item_standard_error(plus, minus) if plus and minus else None
        if error is not None:
            errors.append(error)
    return sum(errors) / len(errors) if errors else None


def _arm_means(seeds: Sequence[Finished], metric: str) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for seed in seeds:
        for m in seed.measurements:
            if m.name == metric and m.value is not None:
                values.setdefault(m.arm, []).append(m.value)
    return {arm: sum(v) / len(v) for arm, v in values.items()}
