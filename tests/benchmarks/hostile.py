"""How many attacks of the hostile corpus were sent through how many doors, and how many got through.

    python -m tests.benchmarks.hostile

One row a class of attacks; which door gave way, and how, is printed by `python -m tests.hostile.table`.
"""

from tests.benchmarks.rows import Row, print_rows
from tests.hostile.attacks import ATTACKS, Kind
from tests.hostile.table import EVERY, first_problem


def rows() -> list[Row]:
    """Send every class of attacks through every door."""
    out = []
    for kind in Kind:
        problems = {name: p for name, door in EVERY.items() if (p := first_problem(door, kind)) is not None}
        n = sum(a.kind is kind for a in ATTACKS)
        note = "; ".join(f"{name}: {p}" for name, p in problems.items())
        out.append(
            Row(f"doors that {kind.value} get through", len(problems), "", n, "0", note or f"{len(EVERY)} doors")
        )
    return out


if __name__ == "__main__":
    print_rows("Hostile text", rows())
