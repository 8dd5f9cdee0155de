"""An arXiv API on loopback, real HTTP: it answers from papers and recordings, and plays faults on demand.

    with ArxivServer(papers=[...]) as server:
        source = ArxivSource(pace=no_pace, url=server.url, sleep=server.note_sleep)
        server.play(status(429, retry_after="2"))     # the next answer; after it, the server behaves again

`search_query` is matched by plain words (all of `ti:`/`all:` for AND, any for OR), with the submission window and
categories kept. Ids that are not held are left out, as arXiv does; a list with a malformed id is answered by HTTP 400
with one error entry.
"""

import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

from claims.ids import ArxivId
from claims.paper import Paper

RECORDED = Path(__file__).resolve().parents[2] / "shared" / "data" / "atom"
"""Answers of the real API, where they are present."""


class Answer(NamedTuple):
    """What the server sends."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = {}
    delay_s: float = 0.0
    """before the first byte"""
    drip_s: float = 0.0
    """between packets of 64 bytes"""
    close_after: int | None = None
    """bytes after which the connection is closed, less than promised"""


Fault = Callable[["ArxivServer", dict[str, str]], Answer]
"""Makes an answer for one request's parameters."""


class ArxivServer:
    """The server; a context manager."""

    def __init__(self, papers: Iterable[Paper] = ()) -> None:
        self.papers = {paper.id: paper for paper in papers}
        self.requests: list[dict[str, str]] = []
        """parameters of every request, in order"""
        self.paths: list[str] = []
        """request targets as they came: absolute ones came through a proxy"""
        self.times: list[float] = []
        """monotonic seconds of every request"""
        self.busiest = 0
        """requests that were answered at the same time, at most"""
        self.sleeps: list[float] = []
        """what `note_sleep` was asked to sleep"""
        self._faults: deque[Fault] = deque()
        self._lock = threading.Lock()
        self._open = 0
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True

    @property
    def url(self) -> str:
        """What `RETEST_ARXIV_URL` would be."""
        return f"http://127.0.0.1:{self._http.server_port}/api/query"

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._http.server_port)

    def play(self, *faults: Fault) -> None:
        """Answer the next requests by these, one each."""
        self._faults.extend(faults)

    def note_sleep(self, seconds: float) -> None:
        """Stand in for `time.sleep`: remember, do not wait."""
        self.sleeps.append(seconds)

    def __enter__(self) -> "ArxivServer":
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def answer(self, target: str) -> Answer:
        """Answer one request."""
        asked = {k: v[0] for k, v in parse_qs(urlsplit(target).query, keep_blank_values=True).items()}
        with self._lock:
            self.requests.append(asked)
            self.paths.append(target)
            self.times.append(time.monotonic())
            fault = self._faults.popleft() if self._faults else None
        return (fault or well)(self, asked)


def well(server: ArxivServer, asked: dict[str, str]) -> Answer:
    """Answer as arXiv does."""
    ids = [i for i in asked.get("id_list", "").split(",") if i]
    found = list(server.papers.values())
    if ids:
        for text in ids:
            if not re.fullmatch(r"(\d{4}\.\d{4,5}|[a-z-]+(\.[A-Z]{2})?/\d{7})(v\d+)?", text):
                return Answer(400, error_feed(f"incorrect id format for {text}"))
        found = [server.papers[base] for base in (ArxivId.parse(i).base for i in ids) if base in server.papers]
    if query := asked.get("search_query", ""):
        found = [paper for paper in found if _matches(paper, query)]
    start, size = int(asked.get("start", 0)), int(asked.get("max_results", 10))
    return Answer(body=feed(found[start : start + size], total=len(found), start=start))


def status(code: int, *, retry_after: str | None = None, body: bytes = b"Rate exceeded.") -> Fault:
    """Answer with a bare status."""
    return lambda server, asked: Answer(code, body, {"Retry-After": retry_after} if retry_after else {})


def body(content: bytes, code: int = 200) -> Fault:
    """Answer with these bytes."""
    return lambda server, asked: Answer(code, content)


def empty_page(server: ArxivServer, asked: dict[str, str]) -> Answer:
    """Promise results and give none."""
    return Answer(body=feed([], total=25, start=int(asked.get("start", 0))))


def truncated(server: ArxivServer, asked: dict[str, str]) -> Answer:
    """Send a whole HTTP answer with half of its XML."""
    good = well(server, asked)
    return good._replace(body=good.body[: len(good.body) * 2 // 3])


def slow(delay_s: float) -> Fault:
    """Answer after a while."""
    return lambda server, asked: well(server, asked)._replace(delay_s=delay_s)


def dripping(drip_s: float) -> Fault:
    """Answer at once, 64 bytes at a time."""
    return lambda server, asked: well(server, asked)._replace(drip_s=drip_s)


def closed(server: ArxivServer, asked: dict[str, str]) -> Answer:
    """Close the connection in the middle of the answer."""
    return well(server, asked)._replace(close_after=200)


def ghost(arxiv_id: str) -> Fault:
    """Answer with one entry that has an id and nothing else."""
    entry = f"<entry><id>http://arxiv.org/abs/{arxiv_id}</id><category term='cs.GT'/></entry>"
    return lambda server, asked: Answer(body=_feed(entry, 1, 0))


def recorded(name: str) -> Fault:
    """Answer what arXiv answered once. Raises FileNotFoundError where the recordings are absent."""
    path = RECORDED / name
    if path.suffix == ".json":
        tape = json.loads(path.read_text())
        return body(tape["body"].encode(), tape["status_code"])
    content = path.read_bytes()
    return body(content[content.index(b"<?xml") :])


def feed(papers: Iterable[Paper], *, total: int, start: int = 0) -> bytes:
    """Write papers as an Atom feed."""
    return _feed("".join(_entry(paper) for paper in papers), total, start)


def error_feed(why: str) -> bytes:
    """Write the feed that arXiv sends with HTTP 400."""
    told = f"https://arxiv.org/api/errors#{why.replace(' ', '_')}"
    return _feed(f"<entry><id>{told}</id><title>Error</title><summary>{escape(why)}</summary></entry>", 1, 0)


def _feed(entries: str, total: int, start: int) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom" '
        'xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" xmlns:arxiv="http://arxiv.org/schemas/atom">'
        f"<id>https://arxiv.org/api/x</id><title>arXiv Query</title><opensearch:totalResults>{total}"
        f"</opensearch:totalResults><opensearch:startIndex>{start}</opensearch:startIndex>{entries}</feed>"
    ).encode()


def _entry(paper: Paper) -> str:
    updated = paper.updated_on or paper.published.start
    authors = "".join(f"<author><name>{escape(name)}</name></author>" for name in paper.authors)
    categories = "".join(f'<category term="{escape(c)}"/>' for c in paper.categories)
    comment = f"<arxiv:comment>{escape(paper.comment)}</arxiv:comment>" if paper.comment else ""
    return (
        f"<entry><id>http://arxiv.org/abs/{paper.id}v{paper.latest_version or 1}</id>"
        f"<title>{escape(paper.title)}</title><summary>{escape(paper.abstract or '')}</summary>{authors}"
        f"<published>{paper.published.start}T10:00:00Z</published><updated>{updated}T10:00:00Z</updated>"
        f"{comment}{categories}</entry>"
    )


def _matches(paper: Paper, query: str) -> bool:
    window = re.search(r"submittedDate:\[(\d{8})\d{4} TO (\d{8})\d{4}\]", query)
    day = paper.published.start.strftime("%Y%m%d")
    if window and not window[1] <= day <= window[2]:
        return False
    wanted = re.findall(r"cat:([\w.-]+)", query)
    if wanted and not set(wanted) & set(paper.categories):
        return False
    terms = re.findall(r'(ti|all):(?:"([^"]+)"|(\w+))', query)
    texts = {"ti": _folded(paper.title), "all": _folded(f"{paper.title} {paper.abstract} {' '.join(paper.authors)}")}
    hits = [f" {_folded(phrase or word)} " in f" {texts[field]} " for field, phrase, word in terms]
    return (any if " OR " in query.split(" AND (cat:")[0] else all)(hits)


def _folded(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _handler(server: ArxivServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with server._lock:
                server._open += 1
                server.busiest = max(server.busiest, server._open)
            try:
                self._answer(server.answer(self.path))
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True
            finally:
                with server._lock:
                    server._open -= 1

        def _answer(self, answer: Answer) -> None:
            time.sleep(answer.delay_s)
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/atom+xml; charset=UTF-8")
            self.send_header("Content-Length", str(len(answer.body)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if answer.close_after is not None:
                self.wfile.write(answer.body[: answer.close_after])
                self.wfile.flush()
                self.close_connection = True
            elif answer.drip_s:
                for at in range(0, len(answer.body), 64):
                    self.wfile.write(answer.body[at : at + 64])
                    self.wfile.flush()
                    time.sleep(answer.drip_s)
            else:
                self.wfile.write(answer.body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
