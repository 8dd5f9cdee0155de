"""Prints attack class by door: how many attacks were sent, and the first thing that went wrong.

Run: python -m tests.hostile.table
"""

from collections.abc import Callable

from tests.hostile.attacks import ATTACKS, Attack, Kind
from tests.hostile.doors import DOORS
from tests.hostile.outer_doors import OUTER

EVERY = DOORS | OUTER


def first_problem(door: Callable[[list[Attack]], None], kind: Kind) -> str | None:
    """Send a class of attacks through a door; None when all were held."""
    try:
        door([a for a in ATTACKS if a.kind is kind])
    except Exception as exc:  # noqa: BLE001 - whatever went wrong is what is told
        return f"{type(exc).__name__} {str(exc)[:60]!r}"
    return None


def main() -> None:
    """Print the table as Markdown."""
    print("| attack class | n | " + " | ".join(EVERY) + " |")
    print("|---|---|" + "---|" * len(EVERY))
    for kind in Kind:
        problems = [first_problem(door, kind) for door in EVERY.values()]
        cells = ["held" if p is None else f"FAILED: {p}" for p in problems]
        print(f"| {kind.value} | {sum(a.kind is kind for a in ATTACKS)} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
