"""What every protocol can do: describe itself, run one seed, and say what the finished seeds mean."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from claims.experiment import ExperimentResult, ExperimentSpec, Measurement, ProtocolView, RunSpec, Scalar


class Report(Protocol):
    """Takes the progress of a run; called often, cheap, never raises."""

    def __call__(
        self,
        *,
        arm: str | None = None,
        phase: str | None = None,
        step: int | None = None,
        steps: int | None = None,
        loss: float | None = None,
        metric: float | None = None,
        seconds_left: float | None = None,
        base_seconds: float | None = None,
        message: str = "",
    ) -> None:
        """Tell where the run is.

        metric: the primary one, of the arm that is named. seconds_left: of this arm in this phase. base_seconds: what
        went into building bases so far; the lab knows what a seed takes beside that, and tells people the seed's time.
        """
        ...


class SeedResult(NamedTuple):
    """What one seed gave."""

    measurements: tuple[Measurement, ...]
    """every metric of every arm"""
    record: dict[str, object]
    """data digest, model revision or config, parameters of the largest model (`scale_params`), learning curves"""


class Finished(NamedTuple):
    """A seed that has its result."""

    seed: int
    measurements: tuple[Measurement, ...]
    record: Mapping[str, object]


class LabProtocol(Protocol):
    """A pre-registered design for one family of claims."""

    name: str
    version: int

    def view(self) -> ProtocolView:
        """Describe the design. Imports no torch."""
        ...

    def parameters(self, profile: str, params: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """Give all parameters of a profile with `params` over its defaults. Raises InvalidSpec on unknown ones."""
        ...

    def run(self, spec: RunSpec, folder: Path, report: Report) -> SeedResult:
        """Train and measure one seed, in this process, writing only inside `folder` (and the base-model cache)."""
        ...

    def analyse(self, spec: ExperimentSpec, finished: Sequence[Finished]) -> ExperimentResult:
        """Say what the finished seeds mean, in seed order. Pure; imports no torch."""
        ...
