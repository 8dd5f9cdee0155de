"""What a benchmark gives: rows of one table, with unit, n and target, and the machine that they were measured on."""

import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

SHARED = Path(__file__).resolve().parents[3] / "shared"
"""Real data beside the repository; a benchmark that needs it says so where it is absent."""
SNAPSHOTS = (
    SHARED / "data" / "arxiv" / "snapshot-topical.jsonl.gz",
    SHARED / "data" / "arxiv" / "snapshot-more.jsonl.xz",
)


class Row(NamedTuple):
    """One measured figure."""

    what: str
    value: float | None
    """None when it was not measured"""
    unit: str
    n: int | None = None
    """how many it was measured on"""
    target: str = ""
    note: str = ""


def print_rows(title: str, rows: Iterable[Row]) -> None:
    """Print a table, and what the machine was doing."""
    rows = list(rows)
    print(f"\n{title}")
    print(f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}")
    width = max((len(row.what) for row in rows), default=10)
    for row in rows:
        value = "not measured" if row.value is None else f"{row.value:,.{2 if abs(row.value) < 100 else 0}f} {row.unit}"
        n = f"n={row.n:,}" if row.n else ""
        print(f"  {row.what:<{width}}  {value:>18}  {n:<11} {row.target:<16} {row.note}".rstrip())
