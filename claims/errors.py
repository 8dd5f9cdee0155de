"""The errors of what we hold.

    RetestError
    ├── InputError                what was given cannot be used; giving it again fails again (exit code 2)
    │   ├── MalformedId           not an arXiv id
    │   ├── MalformedDate         not a date, month, year or range
    │   └── UnreadableDocument    bytes that are not a text document (a PDF, an image, nothing at all)
    ├── CouldNotLook              a place could not be asked or read: not the same as finding nothing (exit code 3)
    │   └── Unmirrored            the local mirror holds no papers yet
    ├── QuoteMismatch             a quote is not a byte-exact part of the text it names
    └── StoreError                the database
        ├── NotHeld               no such claim, paper, evidence, verdict or experiment (exit code 2)
        ├── Damaged               a row that is held cannot be read; what it says has to be put back
        ├── StoreLocked           another process kept the database locked too long; nothing was written
        ├── StoreFull             the disk is full or read-only; nothing was written
        └── SchemaMismatch        the database has another schema than this version expects

Whether to retry is the class, never a word in a message: only `StoreLocked` is worth repeating as it is.
"""


class RetestError(Exception):
    """Everything that retest itself raises."""


class InputError(RetestError):
    """What was given cannot be used, and giving it again will fail again."""


class MalformedId(InputError):
    """A text that is not an arXiv id. `text` is what was got."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(f"not an arXiv id: {text[:80]!r} (expected something like 2305.11206 or cs/0112017)")


class MalformedDate(InputError):
    """A text that is not a date, month, year or range. `text` is what was got."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(f"not a date: {text[:80]!r} (expected 2024, 2024-10, 2024-10-24, Oct 2024 or 2023-2025)")


class UnreadableDocument(InputError):
    """Bytes that hold no readable text document."""


class CouldNotLook(RetestError):
    """A place could not be asked or read. Never an empty result: `place` says where, `why` says what happened."""

    def __init__(self, place: str, why: str) -> None:
        self.place = place
        self.why = why
        super().__init__(f"could not look in {place}: {why}")


class Unmirrored(CouldNotLook):
    """The local mirror holds no papers yet."""


class QuoteMismatch(RetestError):
    """A quote is not a byte-exact part of the text it names."""


class StoreError(RetestError):
    """The database could not do what was asked."""


class NotHeld(StoreError):
    """Nothing of that id is held. `kind` is the word (claim, paper, ...), `id` what was asked for."""

    def __init__(self, kind: str, id: str) -> None:
        self.kind = kind
        self.id = id
        super().__init__(f"no {kind} {id!r} is held here; `retest list` shows what is")


class Damaged(StoreError):
    """A row is held in a form that cannot be read.

    `kind` is the word (claim, paper, ...), `id` whose, `why` how; `claim_id` the claim it bears on, where it is known.
    """

    def __init__(self, kind: str, id: str, why: str, claim_id: str | None = None) -> None:
        self.kind = kind
        self.id = id
        self.why = why
        self.claim_id = id if kind == "claim" else claim_id
        again = "import it again, or put back a backup" if kind in ("claim", "inquiry") else "put back a backup"
        super().__init__(f"{kind} {id!r} is held in a form that cannot be read: {why}; {again}")


class StoreLocked(StoreError):
    """Another process kept the database locked for longer than the time-out. Nothing was written; try again."""


class StoreFull(StoreError):
    """The disk is full or read-only. Nothing was written."""


class SchemaMismatch(StoreError):
    """The database has another schema than this version of retest expects."""
