"""An OAI-PMH repository on loopback, real HTTP: it pages records with resumption tokens and plays faults on demand.

    with OaiServer([a_record("2401.00001", on=date(2024, 1, 3))], page_size=2) as server:
        server.play(refuse(503, retry_after="2"))

Records come in order of their datestamp, the other way round unless `in_order`, or `as_held`. A token names the place
in the list; `expire()` makes all tokens given so far bad. The repository's own day is `today`.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape


class Record(NamedTuple):
    """A record as the repository holds it."""

    id: str
    on: date
    """datestamp"""
    title: str = "A paper"
    abstract: str = "We study small models."
    created: date | None = None
    """day of v1; the datestamp when left out"""
    updated: date | None = None
    comment: str | None = None
    categories: str = "cs.CL cs.LG"
    authors: tuple[tuple[str, str], ...] = (("Lovelace", "Ada"), ("Li", "Bo"))
    deleted: bool = False
    set: str = "cs"
    raw: str | None = None
    """metadata to send as it is, in place of a good one"""


class Answer(NamedTuple):
    """What the server sends."""

    status: int
    body: bytes
    headers: dict[str, str] = {}
    close_after: int | None = None


Fault = Callable[["OaiServer", dict[str, str]], Answer]
"""Makes an answer for one request's parameters."""


class OaiServer:
    """The repository; a context manager."""

    def __init__(
        self,
        records: Iterable[Record] = (),
        *,
        page_size: int = 100,
        today: date = date(2026, 8, 21),
        in_order: bool = True,
        as_held: bool = False,
    ) -> None:
        self.records = list(records)
        self.page_size = page_size
        self.today = today
        self.in_order = in_order
        self.as_held = as_held
        self.requests: list[dict[str, str]] = []
        """parameters of every request, in order"""
        self.sleeps: list[float] = []
        """what `note_sleep` was asked to sleep"""
        self.before_page: Callable[[int], None] = lambda n: None
        """called with the number of every list request, from 1, before it is answered"""
        self._epoch = 0
        self._faults: deque[Fault | None] = deque()
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True

    @property
    def url(self) -> str:
        """What `RETEST_OAI_URL` would be."""
        return f"http://127.0.0.1:{self._http.server_port}/oai"

    def play(self, *faults: Fault | None) -> None:
        """Answer the next requests by these, one each; None answers well."""
        self._faults.extend(faults)

    def expire(self) -> None:
        """Make every token that was given so far bad."""
        self._epoch += 1

    def note_sleep(self, seconds: float) -> None:
        """Stand in for `time.sleep`: remember, do not wait."""
        self.sleeps.append(seconds)

    def __enter__(self) -> "OaiServer":
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def answer(self, target: str) -> Answer:
        """Answer one request."""
        asked = {k: v[0] for k, v in parse_qs(urlsplit(target).query).items()}
        with self._lock:
            self.requests.append(asked)
            n = len(self.requests)
            fault = self._faults.popleft() if self._faults else None
        self.before_page(n)
        return (fault or well)(self, asked)

    def listed(self, asked: dict[str, str]) -> list[Record]:
        """Give the records of a window and set."""
        first = date.fromisoformat(asked.get("from", "1991-01-01"))
        last = date.fromisoformat(asked.get("until", "2999-01-01"))
        found = [r for r in self.records if first <= r.on <= last and r.set.startswith(asked.get("set", ""))]
        if self.as_held:
            return found
        return sorted(found, key=lambda r: (r.on, r.id), reverse=not self.in_order)


def well(server: OaiServer, asked: dict[str, str]) -> Answer:
    """Answer as the protocol says."""
    start = 0
    if token := asked.get("resumptionToken"):
        epoch, start_text, *window = token.split("|")
        if epoch != str(server._epoch):
            return error("badResumptionToken", "expired")(server, asked)
        start, asked = int(start_text), dict(zip(("from", "until", "set"), window, strict=True))
    elif asked.get("metadataPrefix") != "arXiv":
        return error("cannotDisseminateFormat", "arXiv only")(server, asked)
    elif asked["verb"] == "GetRecord":
        one = [_record(r) for r in server.records if asked["identifier"] == f"oai:arXiv.org:{r.id}"]
        if not one:
            return error("idDoesNotExist", "no such record")(server, asked)
        return Answer(200, _envelope(server, f"<GetRecord>{one[0]}</GetRecord>"))
    window = {"from": "1991-01-01", "until": "2999-01-01", "set": ""} | asked
    found = server.listed(window)
    if not found:
        return error("noRecordsMatch", "nothing in this window")(server, asked)
    page, rest = found[start : start + server.page_size], found[start + server.page_size :]
    then = ""
    if rest:
        parts = (server._epoch, start + server.page_size, window["from"], window["until"], window["set"])
        then = f"<resumptionToken>{'|'.join(map(str, parts))}</resumptionToken>"
    elif start:
        then = "<resumptionToken/>"
    return Answer(200, _envelope(server, f"<ListRecords>{''.join(map(_record, page))}{then}</ListRecords>"))


def error(code: str, said: str) -> Fault:
    """Answer with a protocol error."""
    return lambda server, asked: Answer(200, _envelope(server, f'<error code="{code}">{escape(said)}</error>'))


def refuse(code: int, *, retry_after: str | None = None) -> Fault:
    """Answer with a bare HTTP status."""
    headers = {"Retry-After": retry_after} if retry_after else {}
    return lambda server, asked: Answer(code, b"Retry later", headers)


def truncated(server: OaiServer, asked: dict[str, str]) -> Answer:
    """Send a whole HTTP answer with two thirds of its XML."""
    good = well(server, asked)
    return good._replace(body=good.body[: len(good.body) * 2 // 3])


def closed(server: OaiServer, asked: dict[str, str]) -> Answer:
    """Close the connection in the middle of the answer."""
    return well(server, asked)._replace(close_after=100)


def _envelope(server: OaiServer, inner: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
        f"<responseDate>{server.today}T04:00:00Z</responseDate><request>x</request>{inner}</OAI-PMH>"
    ).encode()


def _record(record: Record) -> str:
    state = ' status="deleted"' if record.deleted else ""
    header = (
        f"<header{state}><identifier>oai:arXiv.org:{record.id}</identifier><datestamp>{record.on}</datestamp>"
        f"<setSpec>{record.set}</setSpec></header>"
    )
    if record.deleted:
        return f"<record>{header}</record>"
    if record.raw is not None:
        return f"<record>{header}<metadata>{record.raw}</metadata></record>"
    authors = "".join(
        f"<author><keyname>{escape(k)}</keyname><forenames>{escape(f)}</forenames></author>" for k, f in record.authors
    )
    optional = f"<updated>{record.updated}</updated>" if record.updated else ""
    comment = f"<comments>{escape(record.comment)}</comments>" if record.comment else ""
    return (
        f'<record>{header}<metadata><arXiv xmlns="http://arxiv.org/OAI/arXiv/"><id>{record.id}</id>'
        f"<created>{record.created or record.on}</created>{optional}<authors>{authors}</authors>"
        f"<title>{escape(record.title)}</title><categories>{record.categories}</categories>{comment}"
        f"<abstract>  {escape(record.abstract)}\n</abstract></arXiv></metadata></record>"
    )


def _handler(server: OaiServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer = server.answer(self.path)
            try:
                self.send_response(answer.status)
                self.send_header("Content-Type", "text/xml")
                self.send_header("Content-Length", str(len(answer.body)))
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body[: answer.close_after])
                if answer.close_after is not None:
                    self.wfile.flush()
                    self.close_connection = True
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
