"""A protocol that trains nothing and can do everything that goes wrong: for tests of the engine.

Named to the lab as `RETEST_LAB_PROTOCOLS=tests.lab.protocol_for_tests:FastProtocol`.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from claims.experiment import (
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
from lab.errors import InvalidSpec
from lab.protocols.protocol import Finished, Report, SeedResult

DEFAULTS: dict[str, Scalar] = {"do": "measure", "seconds": 0.0, "mark": "", "times": 1}


class FastProtocol:
    """Measures nothing real, at once; `do` says what goes wrong, for the first `times` attempts."""

    name = "fast"
    version = 1

    def view(self) -> ProtocolView:
        return ProtocolView(
            name=self.name,
            version=self.version,
            title="For tests",
            family="none",
            profiles=("tiny",),
            defaults={"tiny": DEFAULTS},
            preregistration=PreRegistration(
                hypothesis="h",
                prediction="p",
                arms=("a", "b"),
                primary_metric="score",
                contrast="a - b",
                smallest_effect=0.1,
                smallest_effect_because="r",
                alpha=0.05,
                max_seeds=16,
                equalised="all",
                positive_control="c",
                null_arm="n",
            ),
            seconds_per_seed={"tiny": 1.0},
        )

    def parameters(self, profile: str, params: Mapping[str, Scalar]) -> dict[str, Scalar]:
        if profile != "tiny":
            raise InvalidSpec(f"no profile {profile!r}")
        unknown = set(params) - set(DEFAULTS)
        if unknown:
            raise InvalidSpec(f"unknown parameters {sorted(unknown)}")
        return {**DEFAULTS, **params}

    def run(self, spec: RunSpec, folder: Path, report: Report) -> SeedResult:
        params = self.parameters(spec.profile, spec.params)
        attempt = int(folder.parent.name.removeprefix("a"))
        with _span(str(params["mark"]), spec.seed):
            if attempt <= int(params["times"]):
                _do(str(params["do"]), folder)
            steps = 10
            for step in range(1, steps + 1):
                time.sleep(float(params["seconds"]) / steps)
                left = float(params["seconds"]) * (steps - step) / steps
                report(arm="a", phase="train", step=step, steps=steps, loss=1 / step, seconds_left=left)
        measurements = tuple(
            Measurement(name="score", arm=arm, value=value, n=10) for arm, value in (("a", 0.75), ("b", 0.5))
        )
        return SeedResult(measurements, {"data_digest": "sha256:00", "scale_params": 7})

    def analyse(self, spec: ExperimentSpec, finished: Sequence[Finished]) -> ExperimentResult:
        estimate = Estimate(
            name="a - b",
            effect=0.25,
            low=0.2,
            high=0.3,
            alpha=0.05,
            n_seeds=len(finished),
            method="none",
            smallest_effect=0.1,
        )
        return ExperimentResult(outcome=Outcome.SUPPORTS, reason=f"{len(finished)} seeds", primary=estimate)


class _span:
    """Append when a run begins and ends to the file `mark`, as (word, seed, monotonic seconds)."""

    def __init__(self, mark: str, seed: int) -> None:
        self._mark, self._seed = mark, seed

    def _write(self, word: str) -> None:
        if self._mark:
            with Path(self._mark).open("a") as file:
                file.write(f"{word} {self._seed} {time.monotonic():.3f} {os.getpid()} {os.getppid()}\n")

    def __enter__(self) -> None:
        self._write("start")

    def __exit__(self, *exc: object) -> None:
        self._write("end" if exc[0] is None else "raise")


def _do(what: str, folder: Path) -> None:
    if what == "raise":
        raise ValueError("the loss is not a number")
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "refuse":
        raise InvalidSpec("this seed cannot be run")
    if what == "busy":
        # One call that stays in C and holds the interpreter's lock, with a grandchild that left the session.
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
        sum(range(10**13))
    if what == "grandchildren":
        subprocess.Popen(["sh", "-c", "sleep 600 & sleep 600"], start_new_session=True)
        subprocess.run(["sleep", "600"], check=False)
    if what == "memory":
        hoard = [bytearray(b"x" * 2**20) for _ in range(600)]
        time.sleep(600)
        assert hoard
    if what == "disk":
        with (folder / "fill").open("wb") as file:
            while True:
                file.write(b"x" * 2**20)
                file.flush()
    if what == "exit":
        os._exit(0)
    if what == "nan":
        return
