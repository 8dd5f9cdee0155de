"""Starts long actions in the background, and keeps them in the journal: one at a time for each claim.

Jobs run in threads of the server. A server that stops asks them to stop at their next step and leaves the rest to the
checkpoints; one that died leaves its jobs marked as running, and the next server of the same home takes them over
once. Who is alive is told by a file lock, which the kernel frees with the process.
"""

import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, NamedTuple

from agent.act import NOT_RUN, OneClaim
from agent.graph.parts import Parts, Step
from agent.lease import ThreadTaken, lease
from agent.main_job import Wish, run_inquiry
from agent.settings import Settings
from agent.web.journal import LIVE, Job, JobKind, JobState, JobStep, Journal
from agent.wiring import (
    claim_searches,
    connect_lab,
    open_checkpoints,
    open_judge,
    open_lab,
    open_sources,
    open_store,
)
from claims.clock import Clock
from claims.errors import InputError, RetestError, StoreError
from claims.paper import Source
from claims.report import numbers

log = logging.getLogger(__name__)

AT_ONCE = 2
"""Jobs that run side by side in one server."""

MAX_ATTEMPTS = 2
"""Times that a job is begun: a second server that dies under it makes it a failure."""

BETWEEN_S = 0.25
"""Seconds between two noted steps of an experiment's progress; more often nobody reads them."""

STOPPING_S = 3.0
"""Seconds that a stopping server waits for its jobs to reach a step."""


class Stopped(RetestError):
    """A person cancelled the job, or the server stops."""


class NeedsApproval(RetestError):
    """An experiment takes longer than may be started unasked. `question` says how long."""

    def __init__(self, question: str) -> None:
        self.question = question
        super().__init__(question)


class Started(NamedTuple):
    """What a start came to."""

    job: Job
    is_new: bool
    """False when the same was asked for before and is not over"""


class Jobs:
    """All long actions of one home. Safe to share between threads."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._journal = Journal(settings.home / "web.sqlite3", clock)
        self._server = secrets.token_hex(6)
        self._held = ExitStack()
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._cancelled: set[str] = set()
        self._leaving = threading.Event()

    def open(self) -> None:
        """Take over what a server that died left behind."""
        self._workers()
        for id, server in self._journal.owned().items():
            if server == self._server or (server is not None and self._is_alive(server)):
                continue
            if not self._journal.own(id, self._server, instead_of=server):
                continue
            if self._journal.get(id).attempts >= MAX_ATTEMPTS:
                why = "the server died twice while it ran; what was finished is kept"
                self._journal.change(id, JobState.FAILED, among=LIVE, line=why)
                continue
            log.info("job %s is taken over from a server that is gone", id)
            self._workers().submit(self._work, id)

    def close(self) -> None:
        """Ask what runs to stop at its next step, and leave it to the next server."""
        self._leaving.set()
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)
            until = time.monotonic() + STOPPING_S
            while any(thread.is_alive() for thread in pool._threads) and time.monotonic() < until:
                time.sleep(0.05)
            try:
                self._journal.let_go(self._server)
            except StoreError as exc:
                log.error("the next server takes up what this one leaves as if it had died: %s", exc)
        self._held.close()

    def start_retest(self, claim_id: str, *, source: str = "auto") -> Started:
        """Start a re-test of a claim. Raises NotHeld, JobTaken."""
        with open_store(self._settings, self._clock) as store:
            claim = store.claim(claim_id)
        return self._start(JobKind.RETEST, claim.id, [claim.id], {"source": source})

    def start_experiment(
        self, claim_id: str, *, profile: str = "tiny", seeds: int | None = None, approved: bool = False
    ) -> Started:
        """Start the experiment of a claim; a long one waits for approval. Raises NotHeld, InputError, JobTaken."""
        with open_store(self._settings, self._clock) as store:
            claim = store.claim(claim_id)
        if claim.scope.family is None:
            raise InputError(f"no protocol re-tests {claim.id}: it belongs to no family of claims")
        wish = {"profile": profile, "seeds": seeds or self._settings.seeds} | ({"approved": True} if approved else {})
        return self._start(JobKind.EXPERIMENT, claim.id, [claim.id], wish)

    def start_run(self, inquiry_id: str, *, source: str = "auto", use_lab: bool = False) -> Started:
        """Start the main job over an inquiry that is held. Raises NotHeld, JobTaken."""
        with open_store(self._settings, self._clock) as store:
            inquiry = store.inquiry(inquiry_id)
        ids = [claim.id for claim in inquiry.claims]
        return self._start(JobKind.RUN, inquiry.id, ids, {"source": source, "use_lab": use_lab})

    def approve(self, job_id: str) -> Job:
        """Let a waiting experiment begin. Raises NotHeld, InputError when it does not wait, JobTaken."""
        wish = json.dumps({**self._journal.get(job_id).wish, "approved": True}, sort_keys=True)
        among = (JobState.WAITING,)
        fields = {"wish": wish, "question": None, "server": self._server, "attempts": 0}
        if not self._journal.change(job_id, JobState.QUEUED, among=among, **fields):
            raise InputError(f"{job_id} waits for no approval; it is {self._journal.get(job_id).state}")
        self._workers().submit(self._work, job_id)
        return self._journal.get(job_id)

    def decline(self, job_id: str) -> Job:
        """Say no to a waiting experiment. Raises NotHeld, InputError."""
        if not self._journal.change(job_id, JobState.DECLINED, among=(JobState.WAITING,), line="declined by a person"):
            raise InputError(f"{job_id} waits for no approval; it is {self._journal.get(job_id).state}")
        return self._journal.get(job_id)

    def cancel(self, job_id: str) -> Job:
        """Stop a job: at once when it has not begun, else at its next step. One that is over stays as it is."""
        among = (JobState.QUEUED, JobState.WAITING)
        stopped = self._journal.change(job_id, JobState.CANCELLED, among=among, line="cancelled before it began")
        job = self._journal.get(job_id)
        if not stopped and not job.is_over:
            self._cancelled.add(job_id)
        return job

    def get(self, job_id: str) -> Job:
        """Give a job. Raises NotHeld."""
        return self._journal.get(job_id)

    def list(self, claim_id: str | None = None, *, limit: int = 100) -> Sequence[Job]:
        """Give jobs, newest first."""
        return self._journal.list(claim_id=claim_id, limit=limit)

    def events(self, job_id: str, after: int = 0) -> Sequence[JobStep]:
        """Give what happened in a job after a step, oldest first."""
        return self._journal.steps(job_id, after=after)

    def _start(self, kind: JobKind, subject: str, claim_ids: Sequence[str], wish: dict[str, Any]) -> Started:
        self._workers()
        job, is_new = self._journal.add(kind, subject, claim_ids, wish)
        if is_new and self._journal.own(job.id, self._server, instead_of=None):
            self._workers().submit(self._work, job.id)
        return Started(job, is_new)

    def _workers(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                if self._leaving.is_set():
                    raise Stopped("the server is stopping")
                try:
                    self._held.enter_context(lease(self._settings.home / "locks", f"web-server:{self._server}"))
                except OSError as exc:
                    raise StoreError(f"jobs need a data folder that can be written: {exc}") from exc
                self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="job")
            return self._pool

    def _is_alive(self, server: str) -> bool:
        try:
            with lease(self._settings.home / "locks", f"web-server:{server}"):
                return False
        except ThreadTaken:
            return True

    def _work(self, job_id: str) -> None:
        """Do a job, and write down how it ended, whatever that is."""
        if not self._journal.change(job_id, JobState.RUNNING, among=(JobState.QUEUED,)):
            return
        job = self._journal.get(job_id)
        try:
            state, line = JobState.DONE, self._do(job)
            if line.startswith(NOT_RUN):
                state = JobState.FAILED
        except NeedsApproval as exc:
            self._journal.change(job_id, JobState.WAITING, among=LIVE, question=exc.question)
            return
        except Exception as exc:  # the worker's outermost loop: a job never ends without a word
            if self._leaving.is_set():
                return
            state, line = JobState.FAILED, str(exc)
            if job_id in self._cancelled:
                state, line = JobState.CANCELLED, "cancelled; what was finished is kept"
            elif not isinstance(exc, RetestError):
                log.exception("job %s stopped by a defect of retest", job_id)
                line = f"a defect of retest: {type(exc).__name__}; the server's log has more"
        self._cancelled.discard(job_id)
        self._journal.change(job_id, state, among=LIVE, line=line[:2000])
        log.info("job %s is %s", job_id, state)

    def _do(self, job: Job) -> str:
        with ExitStack() as stack:
            store = stack.enter_context(open_store(self._settings, self._clock))
            for claim_id in sorted(job.claim_ids):
                stack.enter_context(lease(self._settings.home / "locks", f"web-job:{claim_id}"))
            watch = self._watch(job)
            if job.kind is JobKind.RUN:
                return self._run(job, watch)
            one = OneClaim(
                store,
                self._settings,
                self._clock,
                source=job.wish.get("source", "auto"),
                profile=job.wish.get("profile", "tiny"),
                watch=watch,
                consent=_let_pass if job.wish.get("approved") else _ask,
            )
            claim = store.claim(job.subject)
            if job.kind is JobKind.RETEST:
                return one.retest(claim)
            try:
                return one.experiment(claim, seeds=job.wish.get("seeds"))
            except Stopped:
                if job.id in self._cancelled:
                    watch.cancel()
                raise

    def _run(self, job: Job, watch: "_Watch") -> str:
        settings, clock = self._settings, self._clock
        with (
            open_store(settings, clock) as store,
            open_checkpoints(settings) as saver,
            open_lab(settings, wanted=bool(job.wish["use_lab"])) as lab,
        ):
            sources = open_sources(job.wish["source"], store, settings)

            def ask_later(question: dict[str, Any]) -> bool:
                wish = {"profile": "tiny", "seeds": settings.seeds}
                claim_id = question["claim_id"]
                self._journal.wait_for_approval(JobKind.EXPERIMENT, claim_id, wish, question["question"])
                return False

            done = run_inquiry(
                store.inquiry(job.subject),
                Wish(
                    as_of=clock.now().date(),
                    sources=tuple(Source(name) for name in sources),
                    use_lab=bool(job.wish["use_lab"]),
                    seeds=settings.seeds,
                    experiments=settings.experiments,
                    papers_per_claim=settings.papers_per_claim,
                ),
                Parts(
                    store=store,
                    sources=sources,
                    judge=open_judge("local", settings),
                    clock=clock,
                    claim_search=claim_searches(sources, store, settings),
                    lab=lab.client,
                    no_lab_because=lab.why_not,
                    protocols=lab.protocols,
                    approve_minutes=settings.approve_minutes,
                    watch=watch,
                ),
                saver,
                locks=settings.home / "locks",
                document=store.inquiry_text(job.subject),
                approve=ask_later,
            )
        stopped = [f"{outcome.claim_id} stopped: {outcome.error}" for outcome in done.outcomes if outcome.error]
        if stopped:
            raise RetestError("; ".join(stopped)[:1500])
        aside = "".join(f" Could not look in {place}: {why}." for place, why in done.could_not_look.items())
        if done.nowhere:
            raise RetestError(f"No source answered.{aside}")
        return f"{numbers.count(len(done.outcomes), 'claim')} gone over.{aside}"

    def _watch(self, job: Job) -> "_Watch":
        return _Watch(job, self._journal, self._settings, lambda: self._leaving.is_set() or job.id in self._cancelled)


class _Watch:
    """Notes what happens in a job, and stops it there when it is to stop."""

    def __init__(self, job: Job, journal: Journal, settings: Settings, is_to_stop: Callable[[], bool]) -> None:
        self._job = job
        self._journal = journal
        self._settings = settings
        self._is_to_stop = is_to_stop
        self._experiment: str | None = None
        self._noted = -BETWEEN_S

    def __call__(self, step: Step) -> None:
        if self._is_to_stop():
            raise Stopped("the job was stopped")
        if step.progress is not None:
            self._experiment = step.progress.experiment_id
            if time.monotonic() - self._noted < BETWEEN_S and not step.progress.state.is_final:
                return
            self._noted = time.monotonic()
        self._journal.note(self._job.id, step)

    def cancel(self) -> None:
        """Stop in the lab what this job had begun there."""
        if self._experiment is not None:
            with connect_lab(self._settings) as lab:
                lab.cancel(self._experiment)


def _ask(question: str) -> None:
    raise NeedsApproval(question)


def _let_pass(question: str) -> None:
    del question
