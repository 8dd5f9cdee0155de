"""Prints attack class by door: how many attacks were sent, and the first thing that went wrong.

Run: python -m tests.hostile.table
"""

from tests.hostile.attacks import ATTACKS, Kind
from tests.hostile.doors import DOORS
from tests.hostile.outer_doors import OUTER


def main() -> None:
    """Print the table as Markdown."""
    print("| attack class | n | " + " | ".join(DOORS | OUTER) + " |")
    print("|---|---|" + "---|" * len(DOORS | OUTER))
    for kind in Kind:
        attacks = [a for a in ATTACKS if a.kind is kind]
        cells = []
        for door in (DOORS | OUTER).values():
            try:
                door(attacks)
                cells.append("held")
            except Exception as exc:  # noqa: BLE001 - whatever went wrong is the cell
                cells.append(f"FAILED: {type(exc).__name__} {str(exc)[:60]!r}")
        print(f"| {kind.value} | {len(attacks)} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
