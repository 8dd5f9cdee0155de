"""Talk to the lab over HTTP, and say of every failure what it means to whoever waits for a run.

A refused connection is tried again: nothing ran. A request that was sent and not answered is asked about by the
experiment's digest and never sent again by itself.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType, TracebackType
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from httpx_sse import EventSource, SSEError
from pydantic import BaseModel, TypeAdapter, ValidationError

from agent.errors import AgentError, LabRefused, LabUnreachable, RunStateUnknown
from claims.entailment import Answer, Pair, Question
from claims.errors import InputError
from claims.experiment import ExperimentView, Progress, ProtocolView, Submission
from claims.served import ServedModel
from claims.vectors import Texts, Vectors

LAB_ERRORS: Mapping[type[Exception], type[AgentError]] = MappingProxyType(
    {
        # Nothing ran: send again.
        httpx.ConnectError: LabUnreachable,
        httpx.ConnectTimeout: LabUnreachable,
        httpx.PoolTimeout: LabUnreachable,
        httpx.ProxyError: LabUnreachable,
        # It may be running: ask, never send again.
        httpx.ReadTimeout: RunStateUnknown,
        httpx.ReadError: RunStateUnknown,
        httpx.WriteTimeout: RunStateUnknown,
        httpx.WriteError: RunStateUnknown,
        httpx.CloseError: RunStateUnknown,
        httpx.RemoteProtocolError: RunStateUnknown,
        httpx.DecodingError: RunStateUnknown,
        httpx.TooManyRedirects: RunStateUnknown,
        SSEError: RunStateUnknown,
        # The families of the above: of a member that httpx adds later, the careful reading is the right one.
        httpx.TimeoutException: RunStateUnknown,
        httpx.NetworkError: RunStateUnknown,
        httpx.ProtocolError: RunStateUnknown,
        httpx.TransportError: RunStateUnknown,
        httpx.RequestError: RunStateUnknown,
        httpx.HTTPError: RunStateUnknown,
    }
)
"""What each httpx failure means. A test fails if httpx has one that is named neither here nor below."""

ADDRESS_ERRORS = (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError)
"""The address or the token cannot be used as it is set; an InputError."""

NEVER_RAISED = (
    httpx.HTTPStatusError,  # raise_for_status() is not called: statuses are read
    httpx.CookieConflict,  # cookies are not read
    httpx.StreamError,  # misuse of a stream, which would be our own mistake
    httpx.StreamConsumed,
    httpx.StreamClosed,
    httpx.ResponseNotRead,
    httpx.RequestNotRead,
)
"""What this client gives httpx no reason for."""

CONNECT_WAITS_S = (0.2, 0.5, 1.0)
"""Seconds before each further try of a refused connection."""
ASK_WAITS_S = (0.0, 0.5, 2.0)
"""Seconds before each question about a submission that was not answered."""
QUIET_S = 45.0
"""Seconds without a line after which a stream counts as broken; the lab sends a comment every 10."""

COMMENT_S = 10.0
"""Seconds after which the lab sends a comment into a silent stream; a limit is kept to within them."""

READ_S = 600.0
"""Seconds that a question to a model of the lab may take; the first one loads it, and may download it before."""

SUBMIT_TIMES = 6
"""How many times as long as another answer that to a submission may take: the lab names a local model by its content,
which it reads at a few hundred megabytes a second."""

T = TypeVar("T")
_ID = re.compile(r"exp-[0-9a-f]{12}")
_PROTOCOLS = TypeAdapter(list[ProtocolView])
_EXPERIMENTS = TypeAdapter(list[ExperimentView])


class LabClient:
    """A lab at an address. Threads may share it."""

    def __init__(self, url: str, token: str | None = None, *, timeout_s: float = 20.0) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.url = url.rstrip("/")
        self._timeout_s = timeout_s
        try:
            self._http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout_s, trust_env=False)
        except (httpx.InvalidURL, UnicodeEncodeError) as exc:
            raise InputError(f"RETEST_LAB_URL or RETEST_LAB_TOKEN cannot be used: {exc}") from exc

    def __enter__(self) -> "LabClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @property
    def authorization(self) -> dict[str, str]:
        """The headers that a request of another client needs, such as an asynchronous one that follows events."""
        return {name: value for name, value in self._http.headers.items() if name.lower() == "authorization"}

    def health(self) -> dict[str, Any]:
        """Ask whether the lab answers, and what it has. Needs no token."""
        answer = self._ask("GET", "/health")
        try:
            found = answer.json()
        except ValueError as exc:
            raise LabRefused(answer.status_code, f"{self.url} does not answer like a lab") from exc
        if not isinstance(found, dict):
            raise LabRefused(answer.status_code, f"{self.url} does not answer like a lab")
        return found

    def protocols(self) -> list[ProtocolView]:
        """List the designs that this lab can run."""
        return _read(self._ask("GET", "/protocols"), _PROTOCOLS)

    def experiments(self, limit: int = 100) -> list[ExperimentView]:
        """List experiments, newest first."""
        return _read(self._ask("GET", "/experiments", params={"limit": limit}), _EXPERIMENTS)

    def submit(self, submission: Submission, *, retry_failed: bool = False) -> ExperimentView:
        """Bring an experiment to its number of seeds; the same submission twice starts it once.

        Raises LabUnreachable when nothing ran, LabRefused when the lab said no, and RunStateUnknown when it took the
        request, did not answer, and did not know the experiment when it was asked about it.
        """
        try:
            answer = self._ask(
                "POST",
                "/experiments",
                timeout=httpx.Timeout(self._timeout_s, read=SUBMIT_TIMES * self._timeout_s),
                params={"retry_failed": "true"} if retry_failed else None,
                # What is not named here is the lab's to say, such as what a run of this profile may use.
                content=submission.model_dump_json(exclude_unset=True),
                headers={"Content-Type": "application/json"},
            )
        except RunStateUnknown as unknown:
            return self._ask_about(submission, unknown)
        return _read(answer, TypeAdapter(ExperimentView))

    def _ask_about(self, submission: Submission, unknown: RunStateUnknown) -> ExperimentView:
        for wait_s in ASK_WAITS_S:
            time.sleep(wait_s)
            try:
                view = self.get(submission.spec.id)
            except (LabUnreachable, LabRefused, RunStateUnknown):
                continue
            if len(view.runs) >= submission.n_seeds:
                return view
        raise RunStateUnknown(
            f"{unknown}; the lab did not know {submission.spec.id} when it was asked: look again with "
            "`retest lab runs` before sending it once more"
        ) from unknown

    def get(self, experiment_id: str) -> ExperimentView:
        """Show an experiment. Raises LabRefused with status 404 when it was not submitted there, InputError for what is
        no id."""
        return _read(self._ask("GET", _address(experiment_id)), TypeAdapter(ExperimentView))

    def cancel(self, experiment_id: str) -> ExperimentView:
        """Stop every run of an experiment that is not over; what is done keeps its result."""
        return _read(self._ask("DELETE", _address(experiment_id)), TypeAdapter(ExperimentView))

    def entailment_model(self) -> ServedModel:
        """Name the NLI model that this lab serves. Raises LabUnreachable, LabRefused (404: it serves none)."""
        return self._served("/nli", TypeAdapter(ServedModel), "GET")

    def entail(self, pairs: Sequence[Pair]) -> Answer:
        """Ask the lab's NLI model about pairs. Raises LabUnreachable, LabRefused."""
        return self._served("/nli", TypeAdapter(Answer), "POST", Question(pairs=tuple(pairs)))

    def encoder(self) -> ServedModel:
        """Name the sentence encoder that this lab serves. Raises LabUnreachable, LabRefused (404: it serves none)."""
        return self._served("/vectors", TypeAdapter(ServedModel), "GET")

    def encode(self, texts: Texts) -> Vectors:
        """Ask the lab's sentence encoder for vectors. Raises LabUnreachable, LabRefused."""
        return self._served("/vectors", TypeAdapter(Vectors), "POST", texts)

    def _served(self, path: str, kind: TypeAdapter[T], method: str, question: BaseModel | None = None) -> T:
        options: dict[str, Any] = {"timeout": httpx.Timeout(self._http.timeout.connect, read=READ_S, write=READ_S)}
        if question is not None:
            options |= {"content": question.model_dump_json(), "headers": {"Content-Type": "application/json"}}
        try:
            return _read(self._ask(method, path, **options), kind)
        except RunStateUnknown as exc:
            # Nothing was started that could run twice: the same question may be asked again.
            raise LabUnreachable(str(exc)) from exc

    def events(self, experiment_id: str, *, until: float | None = None) -> Iterator[Progress]:
        """Give the progress of an experiment as it happens, and end when it has. Goes on after a broken connection.

        until: moment of the monotonic clock at which it ends too, at most `COMMENT_S` later.
        Raises LabUnreachable when the lab cannot be reached any more, and LabRefused.
        """
        last_id = ""
        broken = 0
        while True:
            try:
                for event_id, progress in self._stream(experiment_id, last_id, until):
                    last_id, broken = event_id or last_id, 0
                    yield progress
                    if progress.run_id is None and progress.state.is_final:
                        return
            except (RunStateUnknown, LabUnreachable) as exc:
                broken += 1
                if broken > 5:
                    raise LabUnreachable(f"the lab at {self.url} broke off {broken} times: {exc}") from exc
                time.sleep(min(0.5 * 2**broken, 10.0))
                continue
            if _is_past(until):
                return
            # The stream was closed in order, without an end: a server that goes down does this.
            time.sleep(0.5)
            if self.get(experiment_id).state.is_final:
                return

    def _stream(self, experiment_id: str, last_id: str, until: float | None) -> Iterator[tuple[str, Progress]]:
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if last_id:
            headers["Last-Event-ID"] = last_id
        timeout = httpx.Timeout(self._http.timeout.connect, read=QUIET_S)
        path = f"{address_of(experiment_id)}/events"
        with (
            self._translated(),
            self._http.stream("GET", path, headers=headers, timeout=timeout) as answer,
        ):
            if answer.is_error:
                answer.read()
                raise _refusal(answer, sent=False)
            assert isinstance(answer.stream, httpx.SyncByteStream)
            answer.stream = _Until(answer.stream, until)
            for event in EventSource(answer).iter_sse():
                if event.event != "progress":
                    continue
                try:
                    yield event.id, Progress.model_validate_json(event.data)
                except ValidationError as exc:
                    raise LabRefused(200, f"an event that is not a Progress: {event.data[:200]!r}") from exc

    def wait(
        self,
        experiment_id: str,
        on_progress: Callable[[Progress], None] | None = None,
        timeout_s: float | None = None,
    ) -> ExperimentView:
        """Wait until an experiment is over, telling its progress, and show it.

        After `timeout_s` it is shown as it stands, which is not final then.
        """
        if timeout_s is None:
            for progress in self.events(experiment_id):
                if on_progress is not None:
                    on_progress(progress)
            return self.get(experiment_id)
        until = time.monotonic() + timeout_s
        while True:
            # With a limit it looks by itself, because a stream may be silent for longer than the limit.
            view = self.get(experiment_id)
            if view.state.is_final or _is_past(until):
                return view
            if on_progress is not None and not _is_past(until - COMMENT_S):
                try:
                    for progress in self.events(experiment_id, until=until - COMMENT_S):
                        on_progress(progress)
                except (LabUnreachable, LabRefused):
                    on_progress = None  # whoever waits wants the outcome first, and that is looked for all the same
            else:
                time.sleep(max(0.0, min(0.5, until - time.monotonic())))

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        for wait_s in (*CONNECT_WAITS_S, None):
            try:
                with self._translated():
                    answer = self._http.request(method, path, **options)
                break
            except LabUnreachable:
                if wait_s is None:
                    raise
                time.sleep(wait_s)
        if answer.is_error or answer.is_redirect:
            raise _refusal(answer, sent=method == "POST" and path == "/experiments")
        return answer

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn what httpx raises into what it means."""
        try:
            yield
        except ADDRESS_ERRORS as exc:
            raise InputError(f"RETEST_LAB_URL={self.url!r} or its token cannot be used: {exc}") from exc
        except httpx.HTTPError as exc:
            meaning = next(LAB_ERRORS[kind] for kind in type(exc).__mro__ if kind in LAB_ERRORS)
            why = f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
            raise meaning(f"the lab at {self.url}: {why}") from exc


class _Until(httpx.SyncByteStream):
    """Bytes of an answer that end in order at a moment, between two pieces."""

    def __init__(self, bytes_: httpx.SyncByteStream, until: float | None) -> None:
        self._bytes = bytes_
        self._until = until

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._bytes:
            yield piece
            if _is_past(self._until):
                return

    def close(self) -> None:
        """Close the connection."""
        self._bytes.close()


def _is_past(moment: float | None) -> bool:
    return moment is not None and time.monotonic() >= moment


def _refusal(answer: httpx.Response, *, sent: bool) -> AgentError:
    """Say what an answer that is no success means."""
    try:
        detail: Any = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = answer.text[:300]
    if isinstance(detail, list):
        detail = "; ".join(_problem(one) for one in detail[:5])
    if answer.status_code in (401, 403):
        detail = f"{detail}: check RETEST_LAB_TOKEN"
    if answer.status_code < 500:
        return LabRefused(answer.status_code, str(detail))
    if sent:
        return RunStateUnknown(f"the lab failed while it took the experiment (HTTP {answer.status_code}): {detail}")
    return LabUnreachable(f"the lab cannot answer now (HTTP {answer.status_code}): {detail}")


def address_of(experiment_id: str) -> str:
    """Give the path of an experiment at the lab, whatever somebody wrote for an id."""
    return f"/experiments/{quote(experiment_id, safe='')}"


def _address(experiment_id: str) -> str:
    if not _ID.fullmatch(experiment_id):
        raise InputError(
            f"{experiment_id!r} is no experiment's id: those are `exp-` and 12 hex digits; `retest lab runs` lists them"
        )
    return address_of(experiment_id)


def _problem(one: Any) -> str:
    if not isinstance(one, dict):
        return str(one)
    place = ".".join(str(part) for part in one.get("loc", ()) if part != "body")
    return f"{place}: {one.get('msg', '')}" if place else str(one.get("msg", ""))


def _read(answer: httpx.Response, kind: TypeAdapter[T]) -> T:
    try:
        return kind.validate_json(answer.content)
    except ValidationError as exc:
        first = exc.errors()[0]
        raise LabRefused(
            answer.status_code, f"its answer cannot be read ({first['loc']}: {first['msg']}); is it of this version?"
        ) from exc
