"""Harvest arXiv over OAI-PMH into the mirror: what is new, revised, withdrawn or deleted since the last time.

A page is put away before the next is asked for, and the cursor of a set moves only past days that are put away whole:
to the day of the last record while the repository lists in order of change, else at the end of the list (a list that
turns out to have no order takes the cursor back). The cursor's day is asked for again, as it may have grown; putting a
record twice changes nothing. A harvest that begins later than the cursor leaves a gap, so it does not move it. A first
harvest sets the cursor to its own beginning with its first page, so that one that is stopped is not taken for a whole
one. Records that could not be read are asked for again.
Protocol: https://www.openarchives.org/OAI/openarchivesprotocol.html; arXiv's side: https://info.arxiv.org/help/oa/.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import Final

import httpx
from pydantic import BaseModel

from agent.errors import SourceBusy, SourceRefused, SourceUnreachable, SourceUnreadable
from agent.observe.spans import span
from agent.sources.mirror import MirrorStore, catch_up
from agent.sources.oai_records import OaiPage, OaiRecord, parse_oai
from agent.sources.pacing import Pace, backoff_s, hold_others, retry_after_s
from agent.sources.unread import MOST, Unread
from claims.clock import Clock, SystemClock
from claims.errors import InputError, StoreLocked
from claims.paper import Paper
from claims.paper_index import PaperIndex

log = logging.getLogger(__name__)

OAI_URL: Final = "https://oaipmh.arxiv.org/oai"
"""Where arXiv's repository answers."""
NAME: Final = "arXiv OAI-PMH"
MAX_ANSWER_BYTES: Final = 256_000_000
"""More than any page can be."""
RESTARTS: Final = 5
"""Expired tokens in a row, without a day's progress in between, after which the repository counts as unreadable."""
DELETED: Final = "deleted from arXiv"
"""Why a paper counts as withdrawn whose record arXiv deleted."""


class HarvestReport(BaseModel):
    """What a harvest did so far."""

    n_requests: int = 0
    n_records: int = 0
    """records that came, deleted ones included; a record may come twice"""
    n_new: int = 0
    """papers that were not held"""
    n_changed: int = 0
    """papers that were held otherwise: revisions, withdrawals"""
    n_unchanged: int = 0
    n_deleted: int = 0
    """held papers whose record arXiv deleted, now withdrawn"""
    n_unreadable: int = 0
    """records that could not be read"""
    problems: list[str] = []
    """the first of them"""
    given_up: list[str] = []
    """unreadable records that are not asked for again: they were too often, or are gone"""
    n_restarts: int = 0
    """times that an expired token made the list begin anew"""
    began_on: dict[str, date] = {}
    """set to the first day that was asked for"""
    cursor: dict[str, date | None] = {}
    """set to the day that the next harvest begins with"""
    gaps: dict[str, date] = {}
    """set to the day to which the mirror is complete, where this harvest began later and so moved no cursor"""
    n_sets_done: int = 0
    seconds: float = 0.0


def harvest(
    store: MirrorStore,
    index: PaperIndex,
    *,
    pace: Pace,
    base_url: str = OAI_URL,
    since: date | None = None,
    until: date | None = None,
    complete_to: date | None = None,
    sets: Sequence[str] = ("cs",),
    report: Callable[[HarvestReport], None] | None = None,
    timeout_s: float = 120.0,
    tries: int = 5,
    longest_wait_s: float = 600.0,
    clock: Clock | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> HarvestReport:
    """Harvest each set from its cursor, or from `since`, to `until` (days of change, included).

    complete_to: the day to which the mirror may be taken to be complete, for sets that were never harvested; a harvest
    that begins later moves no cursor, so that the days between are not lost. `report` is called after every page.
    timeout_s: for one whole answer; tries: requests per page in all; longest_wait_s: a throttled answer that asks for
    more is not waited for. What was put away before a failure stays.
    Raises InputError when a set was never harvested and `since` is not given; SourceBusy, SourceUnreachable,
    SourceRefused, SourceUnreadable; StoreError.
    """
    done = HarvestReport()
    started = time.monotonic()
    with httpx.Client(timeout=min(30.0, timeout_s), follow_redirects=True) as http:
        door = _Door(http, base_url, pace, timeout_s, tries, longest_wait_s, clock or SystemClock(), sleep, done)
        for name in sets or ("",):
            first = since or cursor_of(store, base_url, name)
            if first is None:
                raise InputError(f"set {name!r} was never harvested: say from which day on with --since")
            done.began_on[name] = first
            unread = Unread(store, _cursor_name(base_url, name))
            for page in _pages(door, name, first, until, store, done, complete_to):
                _put_away(page.records, store, index, done)
                unread.note(page.records)
                done.seconds = time.monotonic() - started
                if report:
                    report(done)
                if done.n_unreadable > max(MOST, done.n_records / 2):
                    raise SourceUnreadable(NAME, f"{done.n_unreadable} of {done.n_records} records: {done.problems[0]}")
            for identifier in unread.to_ask():
                again = door.get_record(identifier)
                records = [record for record in again.records if record.identifier == identifier]
                _put_away(records, store, index, done)
                readable = [record for record in records if record.problem is None]
                if unread.asked(identifier, is_gone="idDoesNotExist" in again.errors) and not readable:
                    done.given_up.append(identifier)
                unread.note(readable)
                if report:
                    report(done)
            done.n_sets_done += 1
        _index(store, index)
    done.seconds = time.monotonic() - started
    return done


def cursor_of(store: MirrorStore, base_url: str = OAI_URL, set_name: str = "cs") -> date | None:
    """Give the day that the next harvest of a set begins with; None when it was never harvested."""
    held = store.get_cursor(_cursor_name(base_url, set_name))
    return date.fromisoformat(held) if held else None


def _pages(
    door: "_Door",
    name: str,
    first: date,
    until: date | None,
    store: MirrorStore,
    done: HarvestReport,
    complete_to: date | None,
) -> Iterator[OaiPage]:
    """Give the pages of one set; when the caller comes back for more, the last one is put away."""
    progress = _Progress(store, _cursor_name(door.base_url, name), first, done, name, complete_to)
    token: str | None = None
    restarts, began_on = 0, first
    end: date | None = None
    while True:
        page = door.list_records(name, progress.restart_on, until, token)
        if "noRecordsMatch" in page.errors:
            # Nothing in this window, which is an answer.
            progress.finish(_earliest(until, end or _day_before(page.responded_on)))
            return
        if "badResumptionToken" in page.errors and token is not None:
            restarts = restarts + 1 if progress.restart_on == began_on else 1
            began_on = progress.restart_on
            done.n_restarts += 1
            if restarts > RESTARTS:
                raise SourceUnreadable(NAME, f"its resumption tokens expire at once: {page.errors}")
            log.info("a resumption token of set %r expired; beginning again on %s", name, progress.restart_on)
            token = None
            continue
        if page.errors:
            raise SourceRefused(NAME, "; ".join(f"{code}: {said}" for code, said in page.errors.items()))
        if token is None:
            end = end or _day_before(page.responded_on)
        elif page.token == token:
            raise SourceUnreadable(NAME, f"it gave the same resumption token twice: {token[:60]!r}")
        progress.begin()
        yield page
        if page.token is None:
            progress.finish(_earliest(until, end))
            return
        progress.passed(page)
        token = page.token


class _Progress:
    """How far one set's list is put away, and where its cursor may stand."""

    def __init__(
        self,
        store: MirrorStore,
        cursor: str,
        first: date,
        done: HarvestReport,
        name: str,
        complete_to: date | None,
    ) -> None:
        self._store = store
        self._cursor = cursor
        self._done = done
        self._name = name
        held = store.get_cursor(cursor)
        self._held = date.fromisoformat(held) if held else None
        seen_to = self._held or complete_to
        self._leaves_gap = seen_to is not None and first > seen_to
        if seen_to is not None and self._leaves_gap:
            done.gaps[name] = seen_to
        self._first = first
        self._began_with = self._held or first
        self._in_order = True
        self._reached = first
        self.restart_on = first
        """the day from which a list that begins anew must begin"""
        self._done.cursor[name] = self._held

    def begin(self) -> None:
        """Note, before a page is put away, that the first harvest of all began: stopped, it begins there again."""
        if self._held is None:
            self._move(self._reached)

    def passed(self, page: OaiPage) -> None:
        """Note that a page is put away and another follows."""
        for record in page.records:
            if record.datestamp is None or record.datestamp < self._reached:
                self._in_order = False
                self._take_back()
                return
            self._reached = record.datestamp
        if self._in_order:
            self.restart_on = self._reached
            self._move(self._reached)

    def _take_back(self) -> None:
        """Put the cursor where this list found it: days that it has moved past may have more to come."""
        self.restart_on = self._first
        if self._held is not None and self._held > self._began_with:
            self._store.set_cursor(self._cursor, self._began_with.isoformat())
            self._done.cursor[self._name] = self._held = self._began_with

    def finish(self, end: date | None) -> None:
        """Note that the list is put away to its end, and with it every day up to `end`."""
        self._move(end or self._reached)

    def _move(self, to: date) -> None:
        if self._leaves_gap or (self._held is not None and to <= self._held):
            return
        self._store.set_cursor(self._cursor, to.isoformat())
        self._held = to
        self._done.cursor[self._name] = to


class _Door:
    """Asks for one page at a time, politely."""

    def __init__(
        self,
        http: httpx.Client,
        base_url: str,
        pace: Pace,
        timeout_s: float,
        tries: int,
        longest_wait_s: float,
        clock: Clock,
        sleep: Callable[[float], None],
        done: HarvestReport,
    ) -> None:
        self._http = http
        self.base_url = base_url
        self._pace = pace
        self._timeout_s = timeout_s
        self._tries = tries
        self._longest_wait_s = longest_wait_s
        self._clock = clock
        self._sleep = sleep
        self._done = done

    def list_records(self, name: str, first: date, until: date | None, token: str | None) -> OaiPage:
        """Ask for the list's first page, or the one that a token names."""
        asked = {"verb": "ListRecords"}
        if token is not None:
            asked["resumptionToken"] = token
        else:
            asked |= {"metadataPrefix": "arXiv", "from": first.isoformat()}
            if until is not None:
                asked["until"] = until.isoformat()
            if name:
                asked["set"] = name
        return self._page(asked)

    def get_record(self, identifier: str) -> OaiPage:
        """Ask for one record by the identifier that its header had."""
        return self._page({"verb": "GetRecord", "metadataPrefix": "arXiv", "identifier": identifier})

    def _page(self, asked: dict[str, str]) -> OaiPage:
        for attempt in range(1, self._tries + 1):
            last = attempt == self._tries
            self._pace()
            self._done.n_requests += 1
            try:
                with span("request", place=NAME) as step:
                    status, headers, body = self._get(asked)
                    step |= {"status": str(status), "bytes": len(body)}
                if status == 200:
                    return parse_oai(body, source=NAME)
            except httpx.TransportError as exc:
                if last:
                    why = "no answer in time" if isinstance(exc, httpx.TimeoutException) else str(exc)
                    raise SourceUnreachable(NAME, why or type(exc).__name__) from exc
                self._sleep(backoff_s(attempt))
                continue
            except SourceUnreadable:
                if last:
                    raise
                self._sleep(backoff_s(attempt))
                continue
            if status in (406, 429, 503):
                wait_s = retry_after_s(headers.get("Retry-After"), self._clock)
                if last or (wait_s or 0.0) > self._longest_wait_s:
                    raise SourceBusy(NAME, status, wait_s)
                told_s = backoff_s(attempt) if wait_s is None else wait_s
                hold_others(self._pace, told_s)
                self._sleep(told_s)
            elif status >= 500:
                if last:
                    raise SourceUnreachable(NAME, f"it answered HTTP {status}")
                self._sleep(backoff_s(attempt))
            else:
                raise SourceRefused(NAME, f"HTTP {status}")
        raise AssertionError("the last try returns or raises")

    def _get(self, asked: dict[str, str]) -> tuple[int, httpx.Headers, bytes]:
        deadline = time.monotonic() + self._timeout_s
        parts, size = [], 0
        with self._http.stream("GET", self.base_url, params=asked) as response:
            for part in response.iter_bytes():
                parts.append(part)
                size += len(part)
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout(f"the answer took longer than {self._timeout_s:.0f} s")
                if size > MAX_ANSWER_BYTES:
                    raise SourceUnreadable(NAME, f"an answer of more than {MAX_ANSWER_BYTES // 1_000_000} MB")
            return response.status_code, response.headers, b"".join(parts)


def _put_away(records: list[OaiRecord], store: MirrorStore, index: PaperIndex, done: HarvestReport) -> None:
    done.n_records += len(records)
    papers = [record.paper for record in records if record.paper is not None]
    for record in records:
        if record.problem is not None:
            done.n_unreadable += 1
            if len(done.problems) < 50:
                done.problems.append(f"{record.identifier}: {record.problem}")
    gone = _deleted(records, store)
    done.n_deleted += len(gone)
    counts = store.put_papers([*papers, *gone])
    done.n_new += counts.new
    done.n_changed += counts.changed
    done.n_unchanged += counts.unchanged
    _index(store, index)


def _deleted(records: list[OaiRecord], store: MirrorStore) -> list[Paper]:
    """Give the held papers among the deleted records, as withdrawn: we never forget what evidence was drawn from."""
    ids = [record.paper_id for record in records if record.is_deleted]
    held = store.papers([paper_id for paper_id in ids if paper_id is not None])
    return [
        paper.model_copy(update={"withdrawn": True, "withdrawn_because": DELETED})
        for paper in held.values()
        if not paper.withdrawn
    ]


def _index(store: MirrorStore, index: PaperIndex) -> None:
    try:
        catch_up(store, index, lock_wait_s=2.0)
    except StoreLocked:
        log.info("another process writes the index; the next search brings it up to date")


def _cursor_name(base_url: str, set_name: str) -> str:
    return f"oai:{httpx.URL(base_url).host}:{set_name or 'all'}"


def _day_before(day: date | None) -> date | None:
    """The repository's last whole day: its own clock may be ahead of the days that it stamps."""
    return None if day is None else day - timedelta(days=1)


def _earliest(one: date | None, other: date | None) -> date | None:
    return min((day for day in (one, other) if day is not None), default=None)
