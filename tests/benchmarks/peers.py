"""What else one could search papers with: bm25s in memory, and an SQLite FTS5 table."""

import json
import re
import sqlite3
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import bm25s
import numpy as np

from agent.sources.snapshot import read_snapshot
from claims.paper import Paper
from tests.benchmarks.rows import SHARED, SNAPSHOTS


def shared_papers(limit: int | None = None) -> list[Paper]:
    """Read the shared snapshots, or the first `limit` papers of the larger one."""
    papers: list[Paper] = []
    for path in SNAPSHOTS if limit is None else reversed(SNAPSHOTS):
        for line in read_snapshot(path):
            if line.paper is not None:
                papers.append(line.paper)
            if limit is not None and len(papers) >= limit:
                return papers
    return papers


def questions() -> list[str]:
    """Give thirty questions as long as a claim: the labelled claims, or our own where they are absent."""
    path = SHARED / "bench" / "dev.jsonl"
    if path.is_file():
        return [json.loads(line)["text"] for line in path.read_text().splitlines()]
    return [
        f"Small curated sets of {what} match far larger noisy ones when a language model is tuned on them"
        for what in ("prompts", "dialogues", "proofs", "programs", "preferences", "summaries")
    ] * 5


class InMemoryBm25:
    """bm25s over title and abstract; a window is a mask over its scores."""

    def __init__(self, papers: Sequence[Paper]) -> None:
        started = time.perf_counter()
        tokens = bm25s.tokenize([f"{p.title} {p.abstract}" for p in papers], stopwords="en", show_progress=False)
        self._engine = bm25s.BM25()
        self._engine.index(tokens, show_progress=False)
        self.build_s = time.perf_counter() - started
        self._first = np.array([p.published.start.toordinal() for p in papers])
        self._last = np.array([p.published.end.toordinal() for p in papers])

    def search(self, text: str, since: date, until: date, limit: int) -> object:
        """Rank papers."""
        tokens = bm25s.tokenize([text], stopwords="en", show_progress=False)
        mask = (self._last >= since.toordinal()) & (self._first <= until.toordinal())
        return self._engine.retrieve(tokens, k=limit, show_progress=False, weight_mask=mask.astype(np.float32))


class Fts5:
    """An SQLite FTS5 table with the Porter stemmer."""

    def __init__(self, path: Path, papers: Sequence[Paper]) -> None:
        started = time.perf_counter()
        self._database = sqlite3.connect(path)
        self._database.execute("PRAGMA temp_store = MEMORY")
        self._database.execute(
            "CREATE VIRTUAL TABLE papers USING fts5(id UNINDEXED, day UNINDEXED, title, abstract, tokenize='porter')"
        )
        rows = ((p.id, p.published.start.isoformat(), p.title, p.abstract) for p in papers)
        with self._database:
            self._database.executemany("INSERT INTO papers VALUES (?, ?, ?, ?)", rows)
        self.build_s = time.perf_counter() - started

    def search(self, text: str, since: date, until: date, limit: int) -> object:
        """Rank papers."""
        words = " OR ".join(f'"{word}"' for word in dict.fromkeys(re.findall(r"\w+", text.lower())))
        return self._database.execute(
            "SELECT id FROM papers WHERE papers MATCH ? AND day BETWEEN ? AND ? ORDER BY rank LIMIT ?",
            (words, since.isoformat(), until.isoformat(), limit),
        ).fetchall()
