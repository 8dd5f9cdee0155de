"""Full text over papers: a tantivy index on this machine's disk, a cache that the tables can rebuild at any time.

The tables are the truth; nothing is read from here but ids and scores. Queries are built from analysed terms, never by
a query parser, so no text can be a syntax error or an operator. Title (counted twice), abstract and finding are one
field: on the shared development claims that ranks as well as fields of their own with tuned weights (recall@20 0.25
beside 0.24 for the abstract alone and 0.18 to 0.22 with a title boost; one query of the claim's own words, dated
window), and half the posting lists make a windowed query a fifth faster.
"""

import contextlib
import logging
import os
import re
import shutil
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Final

import tantivy

from claims.errors import CouldNotLook, StoreLocked
from claims.paper import Paper
from claims.paper_index.batch import IndexBatch
from claims.paper_index.fields import (
    SCHEMA,
    SCHEMA_FIELDS,
    analyse,
    analysed,
    english,
    names,
    terms_of,
    title_key,
)
from claims.paper_index.window import WIDE, Scored, Subset, Window
from claims.search import Hit
from claims.utf8 import clean

__all__ = ["SCHEMA", "IndexBatch", "PaperIndex", "Subset", "analysed", "terms_of", "title_key"]

log = logging.getLogger(__name__)

MAX_TERMS: Final = 256
"""Distinct words of a query that are looked for; the rest of a longer text (a pasted megabyte) is left out."""
SMALL_WRITER: Final = (15_000_000, 1)
"""Bytes for papers not yet on disk, and threads: a commit of a few papers costs a third of what it does in bulk."""
BULK_WRITER: Final = (128_000_000, 2)
"""The same for an import; flat in the number of papers."""

_QUOTED = re.compile(r'"([^"]{2,200})"')
_PASSING = re.compile(r"os error (?:13|23|24|28)\b|permission denied|too many open files|no space left", re.IGNORECASE)
"""Troubles of the machine, not of the index: it must not be thrown away for them."""
_Query = tantivy.Query
_SHOULD, _MUST = tantivy.Occur.Should, tantivy.Occur.Must


_SCHEMA = SCHEMA_FIELDS


class PaperIndex:
    """Papers by their words. Reads are safe from any thread; one process writes at a time and others wait for it."""

    def __init__(
        self, index: tantivy.Index, folder: Path | None, stale_because: str | None, lock_wait_s: float
    ) -> None:
        index.register_tokenizer("retest_en", english())
        index.register_tokenizer("retest_names", names())
        self._index = index
        self.folder = folder
        """where it is; None in memory"""
        self.stale_because = stale_because
        """why it was begun anew and wants `rebuild`; None when what was there could be opened"""
        self._lock_wait_s = lock_wait_s
        self._mark: str | None = None
        self._shares: dict[tuple[Window, int], float] = {}

    @classmethod
    def open(cls, folder: Path, *, lock_wait_s: float = 60.0) -> "PaperIndex":
        """Open the index under `folder`, or begin an empty one.

        What cannot be opened (damaged, or written by another schema or tantivy) is set aside and begun anew, and
        `stale_because` says why; `rebuild` fills it. Writing waits `lock_wait_s` seconds for another writer.
        Raises CouldNotLook when the folder cannot be written.
        """
        place = folder / f"schema-{SCHEMA}"
        stale: str | None = None
        try:
            others = sorted(p.name for p in folder.glob("schema-*") if p != place) if folder.is_dir() else []
            place.mkdir(parents=True, exist_ok=True)
            if tantivy.Index.exists(str(place)):
                try:
                    return cls._opened(place, lock_wait_s)
                except (ValueError, OSError, CouldNotLook) as exc:
                    if _PASSING.search(str(exc)):
                        raise
                    stale = f"it could not be read: {exc}"
                log.warning("the paper index at %s is begun anew: %s", place, stale)
                shutil.rmtree(place)
                place.mkdir()
            elif others:
                stale = f"written as {', '.join(others)}, this version reads schema-{SCHEMA}"
            try:
                return cls(tantivy.Index(_SCHEMA, path=str(place)), place, stale, lock_wait_s)
            except ValueError:
                return cls._opened(place, lock_wait_s)  # Another process began it at the same moment.
        except (OSError, ValueError) as exc:
            raise CouldNotLook("the paper index", f"{place}: {exc}") from exc

    @classmethod
    def _opened(cls, place: Path, lock_wait_s: float) -> "PaperIndex":
        opened = cls(tantivy.Index.open(str(place)), place, None, lock_wait_s)
        opened._index.reload()
        opened.search("probe", limit=1)
        return opened

    @classmethod
    def in_memory(cls, papers: Iterable[Paper] = ()) -> "PaperIndex":
        """Index a small collection without a disk."""
        index = cls(tantivy.Index(_SCHEMA), None, None, 0.0)
        index.add(papers)
        return index

    def count(self) -> int:
        """Count the papers that a search would look at."""
        return int(self._index.searcher().num_docs)

    def disk_bytes(self) -> int:
        """Give its size on disk in bytes; 0 in memory."""
        if self.folder is None:
            return 0
        return sum(p.stat().st_size for p in self.folder.iterdir() if p.is_file())

    def holds(self, paper_id: str) -> bool:
        """Tell whether a paper is indexed."""
        return bool(self._index.searcher().search(_Query.term_query(_SCHEMA, "id", paper_id), 1, count=False).hits)

    def n_papers_with(self, term: str, field: str = "text") -> int:
        """Count the papers with an index term (see `terms_of`), lately replaced ones too: how telling a word is."""
        return int(self._index.searcher().doc_freq(field, term))

    def add(self, papers: Iterable[Paper]) -> int:
        """Index papers, each replacing what was there under its id, and commit. Gives how many. Raises StoreLocked."""
        with self.writing() as batch:
            return batch.add(papers)

    def remove(self, ids: Iterable[str]) -> None:
        """Take papers out and commit. Raises StoreLocked."""
        with self.writing() as batch:
            batch.remove(ids)

    def mark(self) -> str | None:
        """Give what `set_mark` noted last: how far the index has seen its table; None when that is not known.

        When another process moved it on, what that process committed is seen from here on.
        """
        if self.folder is None:
            return self._mark
        try:
            mark = (self.folder / "seen").read_text() or None
        except OSError:
            mark = None
        if mark != self._mark:
            self._index.reload()
            self._mark = mark
        return mark

    def set_mark(self, mark: str | None) -> None:
        """Note how far the index has seen its table. Call it after the commit that made it so."""
        self._mark = mark
        if self.folder is not None:
            # A name of its own for each thread: the claims of one run look at the mirror side by side.
            fresh = self.folder / f"seen.{os.getpid()}.{threading.get_ident()}"
            fresh.write_text(mark or "")
            fresh.replace(self.folder / "seen")

    def rebuild(self, papers: Iterable[Paper], *, lock_wait_s: float | None = None) -> int:
        """Replace everything by `papers` in one commit: readers and a killed rebuild keep the old state.

        Gives how many were indexed. Raises StoreLocked.
        """
        with self.writing(bulk=True, lock_wait_s=lock_wait_s) as batch:
            n = batch.replace_all(papers)
        self.stale_because = None
        return n

    @contextlib.contextmanager
    def writing(self, *, bulk: bool = False, lock_wait_s: float | None = None) -> Iterator[IndexBatch]:
        """Hold the writer for several additions; commits at the end, rolls back on an error. Raises StoreLocked.

        bulk: take more memory and threads, for tens of thousands of papers.
        """
        wait_s = self._lock_wait_s if lock_wait_s is None else lock_wait_s
        batch = IndexBatch(self._index, self._writer(wait_s, *(BULK_WRITER if bulk else SMALL_WRITER)))
        try:
            yield batch
        except BaseException:
            batch.abandon()
            raise
        batch.finish()

    def search(
        self,
        text: str,
        *,
        since: date | None = None,
        until: date | None = None,
        limit: int = 50,
        phrases: Sequence[str] = (),
        weights: Mapping[str, float] | None = None,
        categories: Sequence[str] = (),
    ) -> list[Hit]:
        """Rank papers by the words of `text` (BM25), best first; words in double quotes count as a phrase too.

        since, until: first day of v1, both included; a paper whose day is known to the month only is in the window
        when any day of that month is. phrases: more phrases. weights: field (`text`, `title`, `authors`) to factor,
        `{"text": 1}` by default. categories: only papers in one of these.
        """
        phrases = [*phrases, *_QUOTED.findall(text)]
        terms = dict.fromkeys(terms_of(text)[:MAX_TERMS], 1.0)
        return self.search_terms(
            terms | {f'"{p}"': 1.0 for p in phrases},
            since=since,
            until=until,
            limit=limit,
            weights=weights,
            categories=categories,
            analysed=True,
        )

    def search_terms(
        self,
        terms: Mapping[str, float],
        *,
        since: date | None = None,
        until: date | None = None,
        limit: int = 50,
        weights: Mapping[str, float] | None = None,
        categories: Sequence[str] = (),
        must: Sequence[str] = (),
        analysed: bool = False,
        among: Subset | None = None,
        floor: float = 0.0,
    ) -> list[Hit]:
        """Rank papers by weighted words and phrases, best first.

        terms: a word, or several words that count as a phrase, to its factor. must: words or phrases without which
        a paper is not given. analysed: single words are index terms already (`terms_of`). among: only these papers.
        floor: lowest score of a paper that is given. Others as in `search`.
        """
        fields = weights or {"text": 1.0}
        scored = [
            (_SHOULD, _boost(query, factor * weight))
            for words, factor in list(terms.items())[: 2 * MAX_TERMS]
            for field, weight in fields.items()
            if (query := _words(field, words, analysed=analysed)) is not None and factor * weight > 0
        ]
        needed = [query for words in must if (query := _words("text", words, analysed=False)) is not None]
        if not scored and not needed:
            return []
        clauses = [(_MUST, query) for query in needed]
        clauses.append((_SHOULD if needed else _MUST, _Query.boolean_query(scored)))
        return self._ranked(clauses, since, until, categories, limit, among, floor)

    def find_title(self, title: str, *, limit: int = 5) -> list[Hit]:
        """Rank papers by title: the whole title first, then the short name before a colon (`LIMA`), then words."""
        key = title_key(title)
        if not key:
            return []
        clauses = [
            (_SHOULD, _Query.const_score_query(_Query.term_query(_SCHEMA, "title_key", key), 1000.0)),
            (_SHOULD, _Query.const_score_query(_Query.term_query(_SCHEMA, "short_name", key), 300.0)),
        ]
        for term in terms_of(title)[:MAX_TERMS]:
            clauses.append((_SHOULD, _Query.term_query(_SCHEMA, "title", term, "freq")))
        return self._ranked([(_MUST, _Query.boolean_query(clauses))], None, None, (), limit)

    def _ranked(
        self,
        clauses: list[tuple[tantivy.Occur, tantivy.Query]],
        since: date | None,
        until: date | None,
        categories: Sequence[str],
        limit: int,
        among: Subset | None = None,
        floor: float = 0.0,
    ) -> list[Hit]:
        if limit < 1:
            return []
        if categories:
            wanted = _Query.term_set_query(_SCHEMA, "category", [clean(c) for c in categories])
            clauses.append((_MUST, _Query.const_score_query(wanted, 0.0)))
        try:
            searcher = self._index.searcher()
            hits = [
                Hit.model_construct(paper_id=searcher.doc(address)["id"][0], score=float(score))
                for score, address in self._best(searcher, clauses, Window(since, until), limit, among)
                if score >= floor
            ]
        except (ValueError, OSError) as exc:
            raise CouldNotLook("the paper index", f"it is damaged, rebuild it: {exc}") from exc
        return sorted(hits, key=lambda hit: (-hit.score, hit.paper_id))

    def _best(
        self,
        searcher: tantivy.Searcher,
        clauses: list[tuple[tantivy.Occur, tantivy.Query]],
        window: Window,
        limit: int,
        among: Subset | None,
    ) -> list[Scored]:
        if among is not None:
            return searcher.search(_all_of([*clauses, among.clause, *window.clauses()]), limit, count=False).hits
        share = self._share(searcher, window)
        if share >= WIDE:
            n = limit if window.is_open else int(limit / share * 1.25) + 20
            top = searcher.search(_all_of(clauses), n, count=False).hits
            kept = window.sift(searcher, top)
            if len(kept) >= limit or len(top) < n:
                return kept[:limit]
        return searcher.search(_all_of([*clauses, *window.clauses()]), limit, count=False).hits

    def _share(self, searcher: tantivy.Searcher, window: Window) -> float:
        """Remember the shares of a few windows: a claim's questions all ask for the same one."""
        key = (window, searcher.num_docs)
        if key not in self._shares:
            if len(self._shares) > 256:
                self._shares.clear()
            self._shares[key] = window.share(searcher)
        return self._shares[key]

    def _writer(self, lock_wait_s: float, heap_bytes: int, n_threads: int) -> tantivy.IndexWriter:
        deadline = time.monotonic() + lock_wait_s
        while True:
            try:
                return self._index.writer(heap_bytes, n_threads)
            except ValueError as exc:
                if "lock" not in str(exc).lower():
                    raise CouldNotLook("the paper index", str(exc)) from exc
                if time.monotonic() >= deadline:
                    raise StoreLocked(
                        f"another process has been writing the paper index for over {lock_wait_s:.0f} s; try again"
                    ) from exc
            time.sleep(0.05)


def _words(field: str, words: str, *, analysed: bool) -> tantivy.Query | None:
    is_term = analysed and not words.startswith('"')
    terms = [words] if is_term else analyse(field, words)[:32]
    if not terms:
        return None
    if len(terms) == 1 or field == "authors":
        parts = [(_MUST, _Query.term_query(_SCHEMA, field, term, "freq")) for term in terms]
        return parts[0][1] if len(parts) == 1 else _Query.boolean_query(parts)
    return _Query.phrase_query(_SCHEMA, field, list(terms))


def _boost(query: tantivy.Query, factor: float) -> tantivy.Query:
    return query if factor == 1.0 else _Query.boost_query(query, factor)


def _all_of(clauses: list[tuple[tantivy.Occur, tantivy.Query]]) -> tantivy.Query:
    return clauses[0][1] if len(clauses) == 1 else _Query.boolean_query(clauses)
