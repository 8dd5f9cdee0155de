"""How fast and how large `mirror import` is: both shared snapshots into an empty SQLite store and its index.

    python -m tests.benchmarks.mirror_import

Beside it, the same files into one SQLite FTS5 table (no merging, no withdrawal rule, nothing that can be resumed), and
the plain JSON reading that neither can avoid. Each in a process of its own. CPU seconds are printed because wall time
on a busy machine says little: wall can be no better than CPU seconds divided by cores.
"""

import gzip
import json
import lzma
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.rows import SNAPSHOTS, Row, print_rows


def rows(home: Path | None = None) -> list[Row]:
    """Measure; `home` keeps the imported mirror for other benchmarks."""
    if not all(path.is_file() for path in SNAPSHOTS):
        return [Row("mirror import", None, "records/s", note="no shared snapshots beside the repository")]
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, label in (
            ("retest", "mirror import"),
            ("fts5", "SQLite FTS5 table"),
            ("json", "reading the JSON alone"),
        ):
            folder = home if home is not None and name == "retest" else Path(scratch) / name
            folder.mkdir(parents=True, exist_ok=True)
            child = [sys.executable, "-m", __spec__.name if __spec__ else __name__, name, str(folder)]
            told = json.loads(subprocess.run(child, check=True, capture_output=True, text=True).stdout)
            n = told["n"]
            target = ">= 5,000" if name == "retest" else ""
            found.append(Row(label, n / told["wall_s"], "records/s", n, target, _note(told)))
            if name == "retest":
                quarter, end = told["anonymous_mib"]
                flat = "own memory; flat in file size"
                found.append(Row("  memory at a quarter of the file", quarter, "MiB", n // 4, "", flat))
                found.append(Row("  memory at its end", end, "MiB", n, "", flat))
                found.append(Row("  database", told["database_mib"], "MiB", n))
                found.append(Row("  index", told["index_mib"], "MiB", n))
                found.append(Row("  importing again", n / told["again_s"], "records/s", n, "", "nothing changes"))
    return found


def _note(told: dict[str, Any]) -> str:
    threads = f", {told['first_s']:.0f} of them in the first thread" if "first_s" in told else ""
    return f"{told['cpu_s']:.0f} CPU s{threads}"


def _retest(home: Path) -> dict[str, Any]:
    from agent.sources.snapshot import import_snapshot
    from claims.paper_index import PaperIndex
    from claims.store import Store

    memory: list[tuple[int, float]] = []
    with Store.open(f"sqlite:///{home / 'retest.db'}") as store:
        index = PaperIndex.open(home / "index")
        started = time.perf_counter()
        done = import_snapshot(SNAPSHOTS, store, index, lambda done: memory.append((done.n_lines, _anonymous_mib())))
        wall_s, cpu_s, first_s = time.perf_counter() - started, _cpu_s(), time.thread_time()
        started = time.perf_counter()
        again = import_snapshot(SNAPSHOTS[:1], store, index)
        again_s = (time.perf_counter() - started) * done.n_lines / again.n_lines
        assert again.n_new == again.n_changed == 0
        assert done.n_malformed == 0 and index.count() == done.n_new
    quarter = max(mib for n, mib in memory if n <= done.n_lines // 4)
    return {
        "n": done.n_lines,
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "first_s": first_s,
        "again_s": again_s,
        "anonymous_mib": [quarter, memory[-1][1]],
        "database_mib": (home / "retest.db").stat().st_size / 2**20,
        "index_mib": index.disk_bytes() / 2**20,
    }


def _fts5(home: Path) -> dict[str, Any]:
    started = time.perf_counter()
    with sqlite3.connect(home / "fts5.db") as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE VIRTUAL TABLE papers USING fts5(id UNINDEXED, title, abstract, tokenize='porter')")
        records = ((r["id"], r["title"], r["abstract"]) for r in _records())
        n = database.executemany("INSERT INTO papers VALUES (?, ?, ?)", records).rowcount
    return {"n": n, "wall_s": time.perf_counter() - started, "cpu_s": _cpu_s()}


def _json(home: Path) -> dict[str, Any]:
    del home
    started = time.perf_counter()
    n = sum(1 for _ in _records())
    return {"n": n, "wall_s": time.perf_counter() - started, "cpu_s": _cpu_s()}


def _records() -> Iterator[dict[str, Any]]:
    for path in SNAPSHOTS:
        with (gzip.open if path.suffix == ".gz" else lzma.open)(path, "rb") as file:
            yield from map(json.loads, file)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _anonymous_mib() -> float:
    """Memory that is ours: mapped index files, which the kernel may drop, left out."""
    for line in Path(f"/proc/{os.getpid()}/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this kernel does not tell RssAnon")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        print(json.dumps({"retest": _retest, "fts5": _fts5, "json": _json}[sys.argv[1]](Path(sys.argv[2]))))
    else:
        print_rows("mirror import", rows())
