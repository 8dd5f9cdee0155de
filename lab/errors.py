"""The errors of the lab.

RetestError (claims)
└── LabError
    ├── InvalidSpec           the experiment asked for cannot be run: unknown protocol, profile or parameter
    ├── NoSuchExperiment      nothing of that id was submitted here
    ├── RunFailed             a run ended without a result: crashed twice, or broke a limit; `log_tail` says more
    └── CorruptRunFolder      a run folder that holds something other than what was written there
"""

from claims.errors import RetestError


class LabError(RetestError):
    """Everything that the lab itself raises."""


class InvalidSpec(LabError, ValueError):
    """The experiment asked for cannot be run: trying again gives the same. Also what worlds and recipes raise."""


class NoSuchExperiment(LabError):
    """Nothing of that id was submitted here."""

    def __init__(self, id: str) -> None:
        self.id = id
        super().__init__(f"no experiment {id!r} was submitted to this lab")


class RunFailed(LabError):
    """A run ended without a result."""

    def __init__(self, run_id: str, why: str, log_tail: str = "") -> None:
        self.run_id = run_id
        self.why = why
        self.log_tail = log_tail
        super().__init__(f"{run_id} failed: {why}")


class CorruptRunFolder(LabError):
    """A run folder that holds something other than what was written there."""
