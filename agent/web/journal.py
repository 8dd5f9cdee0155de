"""Long actions that people started from the web, written down in `web.sqlite3` beside the store.

A page that is loaded again, and a server that is started again, find them here. What an action finds out is in the
store and in its thread's checkpoints; the journal holds only who asked for what, where it is, and what was said.
"""

import json
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from agent.errors import Retryable
from agent.graph.parts import Step
from claims.clock import Clock
from claims.errors import NotHeld, StoreError
from claims.experiment import Progress

KEPT = 500
"""Jobs that are remembered; the oldest that are over go first."""

_TABLES = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, claims TEXT NOT NULL, wish TEXT NOT NULL,
    state TEXT NOT NULL, question TEXT, line TEXT, server TEXT, attempts INTEGER NOT NULL,
    created_at TEXT NOT NULL, started_at TEXT, ended_at TEXT);
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, created_at);
CREATE TABLE IF NOT EXISTS steps (
    job TEXT NOT NULL, n INTEGER NOT NULL, at TEXT NOT NULL, claim TEXT NOT NULL, node TEXT NOT NULL,
    message TEXT NOT NULL, progress TEXT, PRIMARY KEY (job, n)) WITHOUT ROWID;
"""


class JobKind(StrEnum):
    """What can be started."""

    RETEST = "retest"
    """search and weigh newer work for one claim, and decide it again"""
    EXPERIMENT = "experiment"
    """run the experiment of one claim's family in the lab"""
    RUN = "run"
    """the main job over every claim of an inquiry"""


class JobState(StrEnum):
    """Where a job is."""

    WAITING = "waiting"
    """for a person to approve it; `question` says what it would take"""
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    """`line` says why; what was finished is kept"""
    DECLINED = "declined"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self in (JobState.DONE, JobState.FAILED, JobState.DECLINED, JobState.CANCELLED)


LIVE = (JobState.QUEUED, JobState.RUNNING)


class Job(BaseModel):
    """One long action."""

    model_config = ConfigDict(frozen=True)

    id: str
    kind: JobKind
    subject: str
    """the claim's or the inquiry's id"""
    claim_ids: tuple[str, ...]
    """claims that it works on; no other job may at the same time"""
    wish: dict[str, Any]
    """what was asked: source, profile, seeds"""
    state: JobState
    question: str | None = None
    """what a person is to approve"""
    line: str | None = None
    """what came of it, or why it failed"""
    attempts: int = 0
    """times that it was begun; more than once when a server died under it"""
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state.is_over


class JobStep(BaseModel):
    """Something that happened in a job."""

    model_config = ConfigDict(frozen=True)

    n: int
    """counts from 1; the event id of the stream"""
    at: datetime
    claim_id: str
    node: str
    message: str
    progress: Progress | None = None
    """of an experiment's run"""


class JobTaken(Retryable):
    """Another job is at work on a claim. `job` is that one."""

    def __init__(self, job: Job) -> None:
        self.job = job
        super().__init__(f"{job.id} ({job.kind}) is at work on {job.subject} already; wait for it, or cancel it")


class Journal:
    """The jobs' table. Safe to share between threads and processes of one machine."""

    def __init__(self, file: Path, clock: Clock) -> None:
        self._file = file
        self._clock = clock
        self._ready = False
        self._lock = threading.Lock()

    def add(self, kind: JobKind, subject: str, claim_ids: Sequence[str], wish: dict[str, Any]) -> tuple[Job, bool]:
        """Queue a job, and tell whether it is new: asking twice for the same gives the one that is not over.

        Raises JobTaken when another one is at work on one of the claims.
        """
        with self._writing() as db:
            for job in self._select(db, "state IN ('queued', 'running', 'waiting') ORDER BY created_at, id"):
                if (job.kind, job.subject, job.wish) == (kind, subject, wish):
                    return job, False
                if job.state in LIVE and set(job.claim_ids) & set(claim_ids):
                    raise JobTaken(job)
            job = Job(
                id="job-" + secrets.token_hex(6),
                kind=kind,
                subject=subject,
                claim_ids=tuple(claim_ids),
                wish=wish,
                state=JobState.QUEUED,
                created_at=self._clock.now(),
            )
            db.execute(
                "INSERT INTO jobs (id, kind, subject, claims, wish, state, attempts, created_at) "
                "VALUES (?, ?, ?, ?, ?, ?, 0, ?)",
                (
                    job.id,
                    kind.value,
                    subject,
                    json.dumps(list(claim_ids)),
                    json.dumps(wish, sort_keys=True),
                    job.state.value,
                    job.created_at.isoformat(),
                ),
            )
            self._forget(db)
            return job, True

    def wait_for_approval(self, kind: JobKind, subject: str, wish: dict[str, Any], question: str) -> Job:
        """Write down a job that a person has to approve first, or give the one that waits already."""
        with self._writing() as db:
            for job in self._select(db, "state = 'waiting' AND subject = ?", subject):
                if (job.kind, job.wish) == (kind, wish):
                    return job
            id = "job-" + secrets.token_hex(6)
            db.execute(
                "INSERT INTO jobs (id, kind, subject, claims, wish, state, question, attempts, created_at) "
                "VALUES (?, ?, ?, ?, ?, 'waiting', ?, 0, ?)",
                (
                    id,
                    kind.value,
                    subject,
                    json.dumps([subject]),
                    json.dumps(wish, sort_keys=True),
                    question,
                    self._clock.now().isoformat(),
                ),
            )
            return self._one(db, id)

    def get(self, id: str) -> Job:
        """Give a job. Raises NotHeld."""
        with self._reading() as db:
            return self._one(db, id)

    def list(self, *, claim_id: str | None = None, limit: int = 100) -> Sequence[Job]:
        """Give jobs, newest first; those of a claim include the runs of its inquiry."""
        with self._reading() as db:
            jobs = self._select(db, "1 ORDER BY created_at DESC, id")
        kept = [job for job in jobs if claim_id is None or claim_id in job.claim_ids]
        return kept[:limit]

    def change(self, id: str, state: JobState, *, among: Sequence[JobState], **fields: str | int | None) -> bool:
        """Move a job to a state if it is in one of `among`; tell whether it was. `fields` are columns to set."""
        now = self._clock.now().isoformat()
        fields = {**fields, "state": state.value}
        if state is JobState.RUNNING:
            fields["started_at"] = now
        if state.is_over:
            fields |= {"ended_at": now, "question": None}
        sets = ", ".join(f"{name} = ?" for name in fields)
        marks = ", ".join("?" * len(among))
        with self._writing() as db:
            more = ", attempts = attempts + 1" if state is JobState.RUNNING else ""
            if state is JobState.QUEUED:
                # An approval is a start: nothing else may be at work on the claim.
                mine = set(self._one(db, id).claim_ids)
                for job in self._select(db, "state IN ('queued', 'running') AND id != ?", id):
                    if mine & set(job.claim_ids):
                        raise JobTaken(job)
            done = db.execute(
                f"UPDATE jobs SET {sets}{more} WHERE id = ? AND state IN ({marks})",  # noqa: S608 # names are ours
                (*fields.values(), id, *(one.value for one in among)),
            )
            return done.rowcount == 1

    def owned(self) -> dict[str, str | None]:
        """Give the jobs that are queued or running with the server that has each, oldest first."""
        with self._reading() as db:
            rows = db.execute(
                "SELECT id, server FROM jobs WHERE state IN ('queued', 'running') ORDER BY created_at, id"
            )
            return {row["id"]: row["server"] for row in rows}

    def own(self, id: str, server: str, *, instead_of: str | None) -> bool:
        """Take a job over for a server; tell whether nobody was faster."""
        with self._writing() as db:
            done = db.execute(
                "UPDATE jobs SET server = ?, state = 'queued' WHERE id = ? AND server IS ? AND state IN "
                "('queued', 'running')",
                (server, id, instead_of),
            )
            return done.rowcount == 1

    def let_go(self, server: str) -> None:
        """Give up what a server that stops had, as if it had not been begun there."""
        with self._writing() as db:
            db.execute(
                "UPDATE jobs SET server = NULL, attempts = attempts - (state = 'running'), state = 'queued' "
                "WHERE server = ? AND state IN ('queued', 'running')",
                (server,),
            )

    def note(self, id: str, step: Step) -> None:
        """Write down what happened in a job."""
        with self._writing() as db:
            db.execute(
                "INSERT INTO steps SELECT ?, coalesce(max(n), 0) + 1, ?, ?, ?, ?, ? FROM steps WHERE job = ?",
                (
                    id,
                    self._clock.now().isoformat(),
                    step.claim_id,
                    step.node,
                    step.message[:1000],
                    step.progress.model_dump_json() if step.progress else None,
                    id,
                ),
            )

    def steps(self, id: str, *, after: int = 0, limit: int = 500) -> Sequence[JobStep]:
        """Give what happened after a step, oldest first."""
        with self._reading() as db:
            rows = db.execute("SELECT * FROM steps WHERE job = ? AND n > ? ORDER BY n LIMIT ?", (id, after, limit))
            return [
                JobStep(
                    n=row["n"],
                    at=row["at"],
                    claim_id=row["claim"],
                    node=row["node"],
                    message=row["message"],
                    progress=Progress.model_validate_json(row["progress"]) if row["progress"] else None,
                )
                for row in rows
            ]

    def _forget(self, db: sqlite3.Connection) -> None:
        old = "SELECT id FROM jobs WHERE ended_at IS NOT NULL ORDER BY created_at DESC LIMIT -1 OFFSET ?"
        db.execute(f"DELETE FROM steps WHERE job IN ({old})", (KEPT,))  # noqa: S608
        db.execute(f"DELETE FROM jobs WHERE id IN ({old})", (KEPT,))  # noqa: S608

    def _one(self, db: sqlite3.Connection, id: str) -> Job:
        found = self._select(db, "id = ?", id)
        if not found:
            raise NotHeld("job", id)
        return found[0]

    def _select(self, db: sqlite3.Connection, where: str, *values: str) -> Sequence[Job]:
        return [
            Job(
                id=row["id"],
                kind=row["kind"],
                subject=row["subject"],
                claim_ids=tuple(json.loads(row["claims"])),
                wish=json.loads(row["wish"]),
                state=row["state"],
                question=row["question"],
                line=row["line"],
                attempts=row["attempts"],
                created_at=row["created_at"],
                started_at=row["started_at"],
                ended_at=row["ended_at"],
            )
            for row in db.execute(f"SELECT * FROM jobs WHERE {where}", values)  # noqa: S608 # conditions are ours
        ]

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(self._connect()) as db:
                yield db
        except (sqlite3.Error, OSError) as exc:
            raise StoreError(f"the jobs in {self._file} cannot be read or written: {exc}") from exc

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as db:
            db.execute("BEGIN IMMEDIATE")
            with db:
                yield db

    def _connect(self) -> sqlite3.Connection:
        with self._lock:
            if not self._ready:
                self._file.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(self._file, timeout=20, isolation_level=None)
            db.row_factory = sqlite3.Row
            if not self._ready:
                db.execute("PRAGMA journal_mode = WAL")
                db.executescript(_TABLES)
                self._ready = True
        db.execute("PRAGMA synchronous = NORMAL")
        return db
