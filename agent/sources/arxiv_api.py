"""The live arXiv API as a source, through the `arxiv` package, politely.

The package builds the requests, pages, and reads the entries. What it lacks stands in `PoliteAdapter`, the transport
under it: a time-out for the whole answer, one connection, the pace over all processes, waiting as long as a throttled
answer asks, a strict look at every page, and our errors. Query text is data: it is taken apart into words and phrases,
so nothing in it can become an operator, a field or a bracket.
"""

import io
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from threading import Lock
from typing import Any, Final

import arxiv
import requests
import urllib3
from requests.adapters import HTTPAdapter

from agent.errors import SourceBusy, SourceRefused, SourceUnreachable, SourceUnreadable
from agent.observe.spans import span
from agent.sources.feed import FeedPage, check_feed, is_placeholder, paper_of_result
from agent.sources.pacing import Pace, backoff_s, hold_others, retry_after_s
from agent.sources.source import Found, LookedUp
from claims.clock import Clock, SystemClock
from claims.ids import ArxivId
from claims.paper import Paper, Source
from claims.search import Query

ARXIV_URL: Final = "https://export.arxiv.org/api/query"
"""Where the API answers."""
CATEGORIES: Final = ("cs.CL", "cs.LG", "cs.AI", "stat.ML")
"""Where papers about language models are filed; cross-listed ones count."""
THROTTLED: Final = frozenset({406, 429, 503})
"""What arXiv answers when it is asked too often; 406 since 2026."""
MAX_ANSWER_BYTES: Final = 64_000_000
"""More than any page of ours can be."""
IDS_PER_REQUEST: Final = 100
MAX_TERMS: Final = 14
"""Words and phrases of one query; arXiv times out on very long ones."""
ALL_NEEDED: Final = 3
"""Up to so many terms a paper must have all of them; of more, any, best match first."""

_TERM = re.compile(r'"([^"]+)"|([^\W_][\w\-./’\']*)')
_WORD = re.compile(r"[^\W_]+")
_DULL = frozenset(
    "a an and andnot any are as at be been but by can could do does for from had has have how if in into is it its may "
    "might more most much no nor not of on only or other our out over should so some such than that the their them "
    "then there these they this those to under up use used uses using very was we were what when which while who will "
    "with without would".split()
)


class PoliteAdapter(HTTPAdapter):
    """The transport under the `arxiv` package's session."""

    def __init__(
        self,
        *,
        pace: Pace,
        timeout_s: float,
        tries: int,
        longest_wait_s: float,
        clock: Clock,
        sleep: Callable[[float], None],
    ) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)
        self._pace = pace
        self._timeout_s = timeout_s
        self._tries = tries
        self._longest_wait_s = longest_wait_s
        self._clock = clock
        self._sleep = sleep
        self.unreadable = 0
        """entries that could not be read, since it was last set to 0"""
        self.unreadable_ids: set[str] = set()
        self.n_requests = 0
        """requests that were sent"""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send one request at our turn, again after throttling and broken connections, and check what came.

        Raises SourceBusy, SourceUnreachable, SourceRefused, SourceUnreadable.
        """
        kwargs |= {"timeout": (min(10.0, self._timeout_s), self._timeout_s), "stream": True}
        for attempt in range(1, self._tries + 1):
            last = attempt == self._tries
            self._pace()
            self.n_requests += 1
            try:
                with span("request", place="arXiv API") as step:
                    response = super().send(request, *args, **kwargs)
                    body = self._read(response)
                    step |= {"status": str(response.status_code), "bytes": len(body)}
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as exc:
                if last or _nobody_there(exc):
                    raise SourceUnreachable("arxiv", _plain_reason(exc)) from exc
                self._sleep(backoff_s(attempt))
                continue
            status = response.status_code
            if status in THROTTLED:
                asked_s = retry_after_s(response.headers.get("Retry-After"), self._clock)
                if last or (asked_s or 0.0) > self._longest_wait_s:
                    raise SourceBusy("arxiv", status, asked_s)
                told_s = backoff_s(attempt) if asked_s is None else asked_s
                hold_others(self._pace, told_s)
                self._sleep(told_s)
                continue
            if status >= 500:
                if last:
                    raise SourceUnreachable("arxiv", f"it answered HTTP {status}")
                self._sleep(backoff_s(attempt))
                continue
            if response.is_redirect:
                return _with_body(response, body)
            try:
                page = self._checked(status, body)
            except SourceUnreadable:
                if last:
                    raise
                self._sleep(backoff_s(attempt))
                continue
            if page.is_broken_promise:
                if last:
                    raise SourceUnreachable("arxiv", f"an empty page where {page.total} results were promised")
                self._sleep(backoff_s(attempt))
                continue
            self.unreadable += page.unreadable
            self.unreadable_ids |= page.unreadable_ids
            return _with_body(response, page.body)
        raise AssertionError("the last try returns or raises")

    def _read(self, response: requests.Response) -> bytes:
        """Read the whole answer within the time-out, which requests applies to each packet only."""
        deadline = time.monotonic() + self._timeout_s
        parts: list[bytes] = []
        size = 0
        while part := response.raw.read1(1 << 16, decode_content=True):
            parts.append(part)
            size += len(part)
            if time.monotonic() > deadline:
                response.close()
                raise requests.ReadTimeout(f"the answer took longer than {self._timeout_s:.0f} s")
            if size > MAX_ANSWER_BYTES:
                response.close()
                raise SourceUnreadable("arxiv", f"an answer of more than {MAX_ANSWER_BYTES // 1_000_000} MB")
        response.raw.release_conn()
        return b"".join(parts)

    def _checked(self, status: int, body: bytes) -> FeedPage:
        if status == 200:
            return check_feed(body)
        with suppress(SourceUnreadable):
            check_feed(body)  # An error entry says what arXiv disliked.
        raise SourceRefused("arxiv", f"HTTP {status}")


class ArxivSource:
    """The live API. Safe to share between threads, which then wait for one another."""

    name = Source.ARXIV

    def __init__(
        self,
        *,
        pace: Pace,
        url: str = ARXIV_URL,
        timeout_s: float = 30.0,
        tries: int = 3,
        longest_wait_s: float = 60.0,
        categories: Sequence[str] = CATEGORIES,
        clock: Clock | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare; nothing is sent yet.

        timeout_s: for connecting (at most 10 s of it) and for the whole answer. tries: requests per page in all.
        longest_wait_s: a throttled answer that asks for more is not waited for. categories: searches stay inside
        these; none means all of arXiv. Proxies are taken from the environment, as requests does.
        """
        self._adapter = PoliteAdapter(
            pace=pace,
            timeout_s=timeout_s,
            tries=tries,
            longest_wait_s=longest_wait_s,
            clock=clock or SystemClock(),
            sleep=sleep,
        )
        self._client = arxiv.Client(page_size=100, delay_seconds=0.0, num_retries=0)
        self._client.query_url_format = url.replace("{", "{{").replace("}", "}}") + "?{}"
        # The package has no door for a transport of one's own, and no time-out without one.
        self._client._session.mount("https://", self._adapter)
        self._client._session.mount("http://", self._adapter)
        self._categories = tuple(categories)
        self._lock = Lock()

    @property
    def n_requests(self) -> int:
        """Requests that were sent so far."""
        return self._adapter.n_requests

    def search(self, query: Query, *, since: date | None, until: date | None, limit: int) -> Found:
        """Find papers by words and phrases, most relevant first.

        Raises SourceBusy, SourceUnreachable, SourceRefused (also for a text without a single word), SourceUnreadable.
        """
        search_query = build_query(query.text, since=since, until=until, categories=self._categories)
        papers, unreadable, _ = self._ask(arxiv.Search(query=search_query, max_results=limit))
        return Found([(paper, 1.0 / rank) for rank, paper in enumerate(papers, 1)], unreadable)

    def look_up(self, ids: list[str]) -> LookedUp:
        """Get papers by id. Ids whose entry could not be read are unanswered; others that are not given do not exist.

        Raises MalformedId, and what `search` raises.
        """
        wanted = list(dict.fromkeys(ArxivId.parse(text).base for text in ids))
        found: dict[str, Paper] = {}
        unanswered: set[str] = set()
        for start in range(0, len(wanted), IDS_PER_REQUEST):
            part = self._look_up(wanted[start : start + IDS_PER_REQUEST])
            found |= part.papers
            unanswered |= part.unanswered
        return LookedUp(found, frozenset(unanswered))

    def find_title(self, title: str, *, limit: int = 5) -> Found:
        """Find papers by title or short name: as a phrase, and if no title has it, by all of its telling words.

        Raises what `search` raises.
        """
        words = _WORD.findall(title)
        if not words:
            raise SourceRefused("arxiv", f"no word to search for in {title[:60]!r}")
        phrase = " ".join(words[:24])
        papers, unreadable, _ = self._ask(arxiv.Search(query=f'ti:"{phrase}"', max_results=limit))
        telling = [word for word in words if word.lower() not in _DULL][:8]
        if not papers and len(telling) > 1:
            query = " AND ".join(f"ti:{word}" for word in telling)
            papers, more, _ = self._ask(arxiv.Search(query=query, max_results=limit))
            unreadable += more
        return Found([(paper, 1.0 / rank) for rank, paper in enumerate(papers, 1)], unreadable)

    def _look_up(self, ids: list[str]) -> LookedUp:
        try:
            papers, _, ghosts = self._ask(arxiv.Search(id_list=ids, max_results=len(ids)))
        except SourceRefused as exc:
            # One id that arXiv takes for no id at all spoils the whole list: find it by halves.
            if "incorrect id format" not in exc.why:
                raise
            if len(ids) == 1:
                return LookedUp({})
            half = len(ids) // 2
            left, right = self._look_up(ids[:half]), self._look_up(ids[half:])
            return LookedUp(left.papers | right.papers, left.unanswered | right.unanswered)
        found = {paper.id: paper for paper in papers if paper.id in ids}
        return LookedUp(found, frozenset(ghosts & set(ids)) - found.keys())

    def _ask(self, search: arxiv.Search) -> tuple[list[Paper], int, set[str]]:
        limit = search.max_results or 0
        if limit < 1:
            return [], 0, set()
        with self._lock, _translated():
            self._adapter.unreadable, self._adapter.unreadable_ids = 0, set()
            self._client.page_size = min(limit, 200)
            papers = [paper_of_result(result) for result in self._client.results(search) if not is_placeholder(result)]
            return papers, self._adapter.unreadable, self._adapter.unreadable_ids


def build_query(text: str, *, since: date | None, until: date | None, categories: Sequence[str] = ()) -> str:
    """Write an arXiv `search_query` of words and "quoted phrases", a window of submission days, and categories.

    Raises SourceRefused when the text holds no word to search for.
    """
    terms = []
    for phrase, word in _TERM.findall(text[:4000]):
        words = _WORD.findall(phrase or word)
        if len(words) > 1:
            terms.append('all:"' + " ".join(words[:12]) + '"')
        elif words and words[0].lower() not in _DULL:
            terms.append(f"all:{words[0]}")
    terms = list(dict.fromkeys(terms))[:MAX_TERMS]
    if not terms:
        raise SourceRefused("arxiv", f"no word to search for in {text[:60]!r}")
    parts = [f"({(' AND ' if len(terms) <= ALL_NEEDED else ' OR ').join(terms)})"]
    if categories:
        parts.append("(" + " OR ".join(f"cat:{re.sub(r'[^A-Za-z.-]', '', c)}" for c in categories) + ")")
    if since or until:
        first = (since or date(1991, 1, 1)).strftime("%Y%m%d")
        final = (until or date(2099, 12, 31)).strftime("%Y%m%d")
        parts.append(f"submittedDate:[{first}0000 TO {final}2359]")
    return " AND ".join(parts)


@contextmanager
def _translated() -> Iterator[None]:
    """Give the package's own failures our names."""
    try:
        yield
    except arxiv.UnexpectedEmptyPageError as exc:
        raise SourceUnreachable("arxiv", "an empty page in the middle of the results") from exc
    except arxiv.HTTPError as exc:
        raise SourceRefused("arxiv", f"HTTP {exc.status}") from exc
    except requests.RequestException as exc:
        raise SourceUnreachable("arxiv", _plain_reason(exc)) from exc


def _with_body(response: requests.Response, body: bytes) -> requests.Response:
    response.raw = io.BytesIO(body)
    response.headers.pop("Content-Encoding", None)
    return response


def _nobody_there(exc: BaseException) -> bool:
    """Tell whether no connection came about at all: no name, no route, refused. Seconds later it will be the same."""
    return isinstance(exc, requests.ConnectionError) and isinstance(
        exc.args[0] if exc.args else None, urllib3.exceptions.MaxRetryError
    )


def _plain_reason(exc: Exception) -> str:
    """Say what happened without the URL, which holds the whole query."""
    inner: BaseException = exc
    while inner.__cause__ or (inner.args and isinstance(inner.args[0], Exception)):
        inner = inner.__cause__ or inner.args[0]
    if isinstance(exc, requests.Timeout):
        return "no answer in time"
    return " ".join(str(getattr(inner, "reason", None) or inner).split())[:200] or type(inner).__name__
