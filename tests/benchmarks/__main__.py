"""The benchmarks that give a table of rows, as one table: `python -m tests.benchmarks [NAME ...]`."""

import importlib
import sys

from tests.benchmarks.rows import Row, print_rows

NAMES = (
    "cli_start",
    "mirror_import",
    "search_latency",
    "index_growth",
    "recall",
    "judge",
    "judge_refit",
    "grounding",
    "verdict_thresholds",
    "hostile",
    "topics",
)
"""Those that run by themselves; the others need minutes or a database (see the files beside this one)."""


def main(names: list[str]) -> None:
    """Run the named ones, or all of `NAMES`, and print one table."""
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        sys.exit(f"no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    rows: list[Row] = []
    for name in names or NAMES:
        print(f"measuring {name} ...", file=sys.stderr)
        rows += importlib.import_module(f"tests.benchmarks.{name}").rows()
    print_rows("Benchmarks", rows)


if __name__ == "__main__":
    main(sys.argv[1:])
