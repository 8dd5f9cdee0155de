"""The Kaggle arXiv snapshot, read as a stream: one JSON record a line, plain or packed as gzip, xz or zip.

`read_snapshot` never stops at a bad line: it gives the line's number and what was wrong with it. `import_snapshot` puts
papers away first and indexes them second; a file's cursor moves when both are durable, so a killed import goes on from
there, and repeats at most what it had not finished.
"""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from agent.sources.mirror import MirrorStore, catch_up, settle
from agent.sources.record import BadRecord, paper_of
from claims.errors import UnreadableDocument
from claims.paper import Paper
from claims.paper_index import PaperIndex

MAX_LINE_BYTES: Final = 8_000_000
"""A longer line is no record; the rest of it is skipped without being held."""
CHUNK: Final = 4000
"""Lines that are read before they are put away: two of the store's transactions."""
COMMIT_EVERY: Final = 40_000
"""Lines between two durable states of the index, and so what a killed import may have to repeat."""
PROBLEMS_SHOWN: Final = 50
"""Malformed lines that a report names; all are counted."""


class Line(NamedTuple):
    """One line of a snapshot."""

    number: int
    """from 1"""
    paper: Paper | None
    """None when it could not be read"""
    problem: str | None = None
    """what was wrong with it"""
    breaks_off: bool = False
    """the file cannot be read beyond this line: it was cut short or is damaged"""


class BadLine(NamedTuple):
    """A line that could not be read."""

    file: str
    line: int
    """from 1"""
    why: str


@dataclass
class ImportReport:
    """What an import did so far."""

    n_files: int = 0
    """files read to their end"""
    n_lines: int = 0
    """lines read, blank ones left out"""
    n_new: int = 0
    """papers that were not held"""
    n_changed: int = 0
    n_unchanged: int = 0
    n_malformed: int = 0
    """lines that could not be read"""
    problems: list[BadLine] = field(default_factory=list)
    """the first of them"""
    broken_off: dict[str, str] = field(default_factory=dict)
    """files that could not be read to their end, and why: what came before is kept"""
    resumed_from: dict[str, int] = field(default_factory=dict)
    """the line behind which each file was begun; 0 is its start"""
    seconds: float = 0.0

    @property
    def n_papers(self) -> int:
        """Papers that were read, twice if they came twice."""
        return self.n_lines - self.n_malformed

    def note(self, path: Path, line: Line) -> None:
        """Count one line."""
        if line.breaks_off:
            self.broken_off[path.name] = line.problem or ""
        else:
            self.n_lines += 1
        if line.problem is not None:
            self.n_malformed += not line.breaks_off
            if len(self.problems) < PROBLEMS_SHOWN:
                self.problems.append(BadLine(path.name, line.number, line.problem))


def read_snapshot(path: Path, *, skip: int = 0) -> Iterator[Line]:
    """Give a snapshot's lines one by one, blank ones left out, beginning behind the first `skip` lines.

    Memory stays flat whatever the file's size. Raises UnreadableDocument when the file cannot be opened.
    """
    number = 0
    with ExitStack() as stack:
        try:
            streams = _streams(path, stack)
        except (OSError, zipfile.BadZipFile, EOFError, lzma.LZMAError) as exc:
            raise UnreadableDocument(f"{path.name} cannot be opened: {exc}") from exc
        for stream in streams:
            while True:
                try:
                    raw = stream.readline(MAX_LINE_BYTES)
                    if not raw:
                        break
                    number += 1
                    too_long = len(raw) == MAX_LINE_BYTES and not raw.endswith(b"\n")
                    while too_long and raw and not raw.endswith(b"\n"):
                        raw = stream.readline(MAX_LINE_BYTES)
                except (OSError, EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile) as exc:
                    yield Line(number + 1, None, f"the file breaks off here: {exc}", breaks_off=True)
                    return
                if number <= skip or not (too_long or raw.strip()):
                    continue
                if too_long:
                    yield Line(number, None, f"longer than {MAX_LINE_BYTES // 1_000_000} MB")
                    continue
                try:
                    yield Line(number, paper_of(_json(raw)))
                except BadRecord as exc:
                    yield Line(number, None, str(exc))


def import_snapshot(
    paths: Sequence[Path],
    store: MirrorStore,
    index: PaperIndex,
    report: Callable[[ImportReport], None] | None = None,
    *,
    chunk: int = CHUNK,
    commit_every: int = COMMIT_EVERY,
) -> ImportReport:
    """Import snapshot files into the mirror, each from where an earlier, killed import of it stopped.

    Importing a file again changes nothing. `report` is called with the counts so far, after every `chunk` of lines;
    `commit_every` lines the index and the file's cursor become durable.
    Raises UnreadableDocument when a file is missing, is no snapshot, or holds no record at all (other files are not
    begun then), StoreLocked when another process writes the mirror for too long, StoreFull.
    """
    done = ImportReport()
    started = time.monotonic()
    for path in paths:
        _fingerprint(path)
    catch_up(store, index)
    with index.writing(bulk=True) as batch:
        for path in paths:
            cursor = f"snapshot:{_fingerprint(path)}"
            skip = _int(store.get_cursor(cursor))
            done.resumed_from[path.name] = skip
            n_readable, last, uncommitted = 0, skip, 0
            for lines in _chunks(read_snapshot(path, skip=skip), chunk):
                papers = [line.paper for line in lines if line.paper is not None]
                for line in lines:
                    done.note(path, line)
                if papers:
                    counts = store.put_papers(papers)
                    done.n_new += counts.new
                    done.n_changed += counts.changed
                    done.n_unchanged += counts.unchanged
                    if counts.new or counts.changed:  # The index has seen what the store held before.
                        batch.add(papers)
                n_readable += len(papers)
                last = lines[-1].number
                uncommitted += len(lines)
                if uncommitted >= commit_every:
                    batch.commit()
                    settle(store, index)
                    store.set_cursor(cursor, str(last))
                    uncommitted = 0
                done.seconds = time.monotonic() - started
                if report:
                    report(done)
            if not n_readable and not skip:
                why = f": line {done.problems[-1].line}: {done.problems[-1].why}" if done.problems else " (it is empty)"
                raise UnreadableDocument(f"{path.name} holds no record of a paper{why}")
            batch.commit()
            # A whole file begins anew when it is given again; one that broke off goes on behind its last line.
            store.set_cursor(cursor, str(last) if path.name in done.broken_off else "0")
            done.n_files += 1
        settle(store, index)
    done.seconds = time.monotonic() - started
    return done


def _json(raw: bytes) -> dict[str, Any]:
    try:
        record = json.loads(raw)
    except (ValueError, RecursionError) as exc:
        raise BadRecord(f"not JSON: {exc}") from exc
    if not isinstance(record, dict):
        raise BadRecord(f"not a JSON object but a {type(record).__name__}")
    return record


def _chunks(lines: Iterator[Line], size: int) -> Iterator[list[Line]]:
    while chunk := list(islice(lines, size)):
        yield chunk


def _int(text: str | None) -> int:
    return int(text) if text else 0


def _fingerprint(path: Path) -> str:
    """Name a file by its size and first megabyte, so that a moved or renamed one keeps its cursor."""
    try:
        with path.open("rb") as file:
            head = file.read(1_000_000)
        return f"{hashlib.sha256(head).hexdigest()[:24]}-{path.stat().st_size}"
    except OSError as exc:
        raise UnreadableDocument(f"{path} cannot be read: {exc.strerror}") from exc


def _streams(path: Path, stack: ExitStack) -> Iterator[IO[bytes]]:
    """Open what the file is by its first bytes, whatever its name says."""
    plain = stack.enter_context(path.open("rb"))
    head = plain.read(6)
    plain.seek(0)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _members(stack.enter_context(zipfile.ZipFile(plain)), stack)
    if head.startswith(b"\x1f\x8b"):
        return iter([_buffered(stack.enter_context(gzip.open(plain, "rb")))])
    if head.startswith(b"\xfd7zXZ"):
        return iter([_buffered(stack.enter_context(lzma.open(plain, "rb")))])
    if head.startswith(b"BZh"):
        return iter([_buffered(stack.enter_context(bz2.open(plain, "rb")))])
    return iter([plain])


def _members(archive: zipfile.ZipFile, stack: ExitStack) -> Iterator[IO[bytes]]:
    names = [name for name in archive.namelist() if name.lower().endswith((".json", ".jsonl", ".ndjson"))]
    if not names:
        raise UnreadableDocument(f"{archive.filename or 'the archive'} holds no .json or .jsonl file")
    for name in names:
        try:
            member = archive.open(name)
        except (RuntimeError, NotImplementedError) as exc:  # a password, a compression that zipfile does not know
            raise UnreadableDocument(f"{name} in the archive cannot be opened: {exc}") from exc
        yield _buffered(stack.enter_context(member))


def _buffered(stream: Any) -> IO[bytes]:
    return io.BufferedReader(stream, 1 << 18)
