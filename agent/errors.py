"""The errors of the agent. Whether to retry is the class.

RetestError (claims)
└── AgentError
    ├── Retryable                 the same call may work later
    │   ├── SourceBusy            throttled (406, 429, 503); `retry_after_s` when the server said so
    │   ├── SourceUnreachable     no connection, time-out, connection closed in the middle
    │   └── LabUnreachable        nothing ran: send again
    └── Final                     the same call will fail again; record it, tell the reader, go on
        ├── SourceRefused         the source called the question malformed (400)
        ├── SourceUnreadable      an answer that is not what its protocol says
        ├── LabRefused            the lab said no: unknown protocol, bad token, over its limits
        │   └── LabServesAnother  it was given another model since it was first asked
        ├── RunStateUnknown       the lab was asked and may have begun: ask about it, never send again
        └── BudgetSpent           the limit in dollars or tokens is reached; what was done is kept
"""

from typing import TYPE_CHECKING

from claims.errors import CouldNotLook, RetestError

if TYPE_CHECKING:
    from claims.served import ServedModel


class AgentError(RetestError):
    """Everything that the agent itself raises."""


class Retryable(AgentError):
    """The same call may work later."""


class Final(AgentError):
    """The same call will fail again. Record it, tell the reader, go on."""


class SourceBusy(Retryable):
    """A source throttled us."""

    def __init__(self, source: str, status: int, retry_after_s: float | None = None) -> None:
        self.source = source
        self.status = status
        self.retry_after_s = retry_after_s
        wait = f"; it asks to wait {retry_after_s:.0f} s" if retry_after_s is not None else ""
        super().__init__(f"{source} is throttling us (HTTP {status}){wait}")


class SourceUnreachable(Retryable):
    """A source could not be reached, or the connection broke."""

    def __init__(self, source: str, why: str) -> None:
        self.source = source
        self.why = why
        super().__init__(f"{source} could not be reached: {why}")


class SourceRefused(Final):
    """A source called the question malformed."""

    def __init__(self, source: str, why: str) -> None:
        self.source = source
        self.why = why
        super().__init__(f"{source} refused the question: {why}")


class SourceUnreadable(Final):
    """A source gave an answer that is not what its protocol says."""

    def __init__(self, source: str, why: str) -> None:
        self.source = source
        self.why = why
        super().__init__(f"{source} gave an unreadable answer: {why}")


class LlmUnavailable(Retryable):
    """A language model's server is away, throttles or timed out."""

    def __init__(self, model: str, why: str) -> None:
        self.model = model
        self.why = why
        super().__init__(f"language model {model} did not answer: {why}")


class LlmRefused(Final):
    """A language model's server said no."""

    def __init__(self, model: str, why: str) -> None:
        self.model = model
        self.why = why
        super().__init__(f"language model {model} refused: {why}")


class LabUnreachable(Retryable):
    """The lab refused the connection: nothing ran."""


class LabRefused(Final):
    """The lab said no. `status` is its HTTP status."""

    def __init__(self, status: int, why: str) -> None:
        self.status = status
        self.why = why
        super().__init__(f"the lab refused (HTTP {status}): {why}")

    @property
    def is_of_the_input(self) -> bool:
        """Whether what was asked for is at fault: not there (404), too large (413), or nothing it can run (422)."""
        return self.status in (404, 413, 422)


class LabServesAnother(LabRefused):
    """The lab was given another model since it was first asked: answers of two models are not mixed."""

    def __init__(self, served: "ServedModel", wanted: "ServedModel") -> None:
        self.served = served
        self.wanted = wanted
        super().__init__(200, f"the lab serves {served.name}@{served.version} now, not {wanted.name}")


class RunStateUnknown(Final):
    """The lab may have begun: ask about it, never send again."""


class BudgetSpent(Final):
    """The limit in dollars or tokens is reached; what was done is kept."""


def reason(exc: RetestError) -> str:
    """Give what happened without the place, for a line that names the place itself."""
    return exc.why if isinstance(exc, CouldNotLook) else str(exc)
