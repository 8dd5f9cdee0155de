"""The lab client: what each failure means, and that a request that was sent is asked about and never sent again."""

import inspect
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from agent import lab_client
from agent.errors import LabRefused, LabUnreachable, RunStateUnknown
from agent.lab_client import ADDRESS_ERRORS, LAB_ERRORS, NEVER_RAISED, LabClient
from claims.clock import SystemClock
from claims.errors import InputError
from claims.experiment import (
    ExperimentSpec,
    ExperimentView,
    PreRegistration,
    RunState,
    RunView,
    Submission,
)

SPEC = ExperimentSpec(protocol="fast", protocol_version=1)
SUBMISSION = Submission(spec=SPEC, n_seeds=1)
Handler = Callable[[str, socket.socket], None]


def _view(state: RunState = RunState.SUCCEEDED) -> ExperimentView:
    preregistration = PreRegistration(
        hypothesis="h", prediction="p", arms=("a",), primary_metric="m", contrast="a - b", smallest_effect=0.1,
        smallest_effect_because="r", alpha=0.05, max_seeds=4, equalised="e", positive_control="c", null_arm="n",
    )  # fmt: skip
    run = RunView(id="run-1", spec=SPEC.run(0), state=state)
    return ExperimentView(
        id=SPEC.id,
        spec=SPEC,
        state=state,
        submitted_at=SystemClock().now(),
        preregistration=preregistration,
        runs=(run,),
    )


class FaultyLab:
    """A server on loopback that plays one scripted answer a request, and keeps the requests."""

    def __init__(self, *script: Handler) -> None:
        self._script = list(script)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.requests: list[str] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        for handler in self._script:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += connection.recv(65536)
                line = head.split(b"\r\n", 1)[0].decode()
                self.requests.append(line.rsplit(" ", 1)[0])
                length = next(
                    (int(h.split(b":")[1]) for h in head.lower().split(b"\r\n") if h[:15] == b"content-length:"), 0
                )
                body = head.split(b"\r\n\r\n", 1)[1]
                while len(body) < length:
                    body += connection.recv(65536)
                handler(head.decode(), connection)

    def close(self) -> None:
        self._socket.close()


@contextmanager
def playing(*script: Handler, timeout_s: float = 0.5) -> Iterator[tuple[FaultyLab, LabClient]]:
    lab = FaultyLab(*script)
    try:
        with LabClient(lab.url, "t", timeout_s=timeout_s) as client:
            yield lab, client
    finally:
        lab.close()


def answer(status: int, body: str, kind: str = "application/json", extra: str = "") -> Handler:
    def handle(_: str, connection: socket.socket) -> None:
        data = body.encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\nConnection: close\r\n"
        connection.sendall(f"{head}{extra}\r\n".encode() + data)

    return handle


def silence(_: str, connection: socket.socket) -> None:
    connection.settimeout(10)
    with pytest.MonkeyPatch.context():
        try:
            connection.recv(1)
        except OSError:
            return


def hang_up(_: str, connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def cut(_: str, connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{")


def test_every_exception_of_httpx_is_named() -> None:
    theirs = {kind for _, kind in inspect.getmembers(httpx, inspect.isclass) if issubclass(kind, Exception)}
    named = {*LAB_ERRORS, *ADDRESS_ERRORS, *NEVER_RAISED}
    assert theirs - named == set()
    assert not set(ADDRESS_ERRORS) & set(LAB_ERRORS)


def test_a_refused_connection_is_tried_again_and_then_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with LabClient(f"http://127.0.0.1:{port}") as client, pytest.raises(LabUnreachable, match="ConnectError"):
        client.submit(SUBMISSION)


@pytest.mark.parametrize("fault", [silence, hang_up, cut])
def test_a_submission_without_an_answer_is_asked_about_and_not_sent_again(fault: Handler) -> None:
    with playing(fault, answer(200, _view().model_dump_json())) as (lab, client):
        assert client.submit(SUBMISSION).state is RunState.SUCCEEDED
        assert lab.requests == ["POST /experiments", f"GET /experiments/{SPEC.id}"]


def test_a_lab_may_take_longer_over_a_submission_whose_model_it_has_to_read() -> None:
    taken = answer(201, _view().model_dump_json())

    def late(head: str, connection: socket.socket) -> None:
        threading.Event().wait(1.0)
        taken(head, connection)

    with playing(late) as (lab, client):
        assert client.submit(SUBMISSION).id == SPEC.id
        assert lab.requests == ["POST /experiments"], "it was not asked about meanwhile"


def test_a_submission_that_the_lab_does_not_know_of_is_unknown_and_not_sent_again() -> None:
    lost = answer(404, '{"detail": "no experiment"}')
    with playing(silence, lost, lost, lost) as (lab, client):
        with pytest.raises(RunStateUnknown, match="did not know"):
            client.submit(SUBMISSION)
        assert [request.split()[0] for request in lab.requests] == ["POST", "GET", "GET", "GET"]


def test_a_lab_that_fails_while_it_takes_the_experiment_is_asked_about() -> None:
    with playing(answer(500, "oops", "text/plain"), answer(200, _view().model_dump_json())) as (lab, client):
        assert client.submit(SUBMISSION).id == SPEC.id
        assert len(lab.requests) == 2


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (401, '{"detail": "a bearer token is needed"}', "check RETEST_LAB_TOKEN"),
        (404, '{"detail": "no experiment"}', "no experiment"),
        (413, '{"detail": "the body is larger than 10 bytes"}', "larger than 10 bytes"),
        (422, '{"detail": [{"loc": ["body", "n_seeds"], "msg": "too many"}]}', "n_seeds: too many"),
        (418, "<html>", "<html>"),
    ],
)
def test_a_no_of_the_lab_is_final_and_says_why(status: int, body: str, says: str) -> None:
    with playing(answer(status, body)) as (lab, client):
        with pytest.raises(LabRefused, match="refused") as caught:
            client.submit(SUBMISSION)
        assert caught.value.status == status
        assert says in str(caught.value)
        assert len(lab.requests) == 1


def test_a_lab_that_cannot_answer_a_question_now_may_later() -> None:
    with playing(answer(503, "busy", "text/plain")) as (_, client), pytest.raises(LabUnreachable, match="503"):
        client.get(SPEC.id)


@pytest.mark.parametrize("body", ["not json", "[]", '{"id": 3}'])
def test_an_answer_that_is_no_lab_s_is_refused_not_believed(body: str) -> None:
    with playing(answer(200, body)) as (_, client), pytest.raises(LabRefused, match="cannot be read"):
        client.get(SPEC.id)


@pytest.mark.parametrize("url", ["ftp://somewhere", "not a url", "http://[::1"])
def test_an_address_that_is_none_is_the_user_s_to_mend(url: str) -> None:
    with pytest.raises(InputError, match="RETEST_LAB_URL"), LabClient(url) as client:
        client.health()


def _event(id: str, **fields: object) -> str:
    progress = {"experiment_id": SPEC.id, "state": "running", "at": "2026-08-21T12:00:00Z", **fields}
    return f"id: {id}\nevent: progress\ndata: {json.dumps(progress)}\n\n"


def test_a_stream_that_breaks_is_taken_up_where_it_was() -> None:
    asked: list[str] = []

    def keep(handler: Handler) -> Handler:
        def handle(head: str, connection: socket.socket) -> None:
            asked.append(
                next((h.split(": ")[1] for h in head.split("\r\n") if h.lower().startswith("last-event-id")), "")
            )
            handler(head, connection)

        return handle

    def broken(_: str, connection: socket.socket) -> None:
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 99999\r\n\r\n"
        connection.sendall((head + ": still here\n\n" + _event("0.1.50", seed=0, run_id="run-1", step=1)).encode())

    rest = _event("0.1.90", seed=0, run_id="run-1", step=2) + _event("0.1.90", state="succeeded")
    script = (keep(broken), keep(answer(200, rest, "text/event-stream")), answer(200, _view().model_dump_json()))
    seen: list[int | None] = []
    with playing(*script, timeout_s=5) as (_, client):
        view = client.wait(SPEC.id, on_progress=lambda progress: seen.append(progress.step))
    assert view.state is RunState.SUCCEEDED
    assert seen == [1, 2, None]
    assert asked == ["", "0.1.50"]


def test_a_wait_with_a_limit_shows_what_there_is() -> None:
    running = answer(200, _view(RunState.RUNNING).model_dump_json())
    with playing(running) as (_, client):
        assert client.wait(SPEC.id, timeout_s=0.0).state is RunState.RUNNING


def _until_it_is_left(_: str, connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
    connection.sendall(_event("0.1.50", seed=0, run_id="run-1", step=1).encode())
    connection.settimeout(0.02)
    while True:
        try:
            connection.sendall(b": still here\n\n")
            if not connection.recv(1):
                return
        except TimeoutError:
            continue
        except OSError:
            return


def test_a_wait_with_a_limit_tells_what_happens_and_keeps_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab_client, "COMMENT_S", 0.2)
    running = answer(200, _view(RunState.RUNNING).model_dump_json())
    seen: list[int | None] = []
    with playing(running, _until_it_is_left, *[running] * 20, timeout_s=5) as (lab, client):
        view = client.wait(SPEC.id, on_progress=lambda progress: seen.append(progress.step), timeout_s=0.6)
        assert lab.requests[1].endswith("/events")
    assert (view.state, seen) == (RunState.RUNNING, [1])


def test_a_wait_with_a_limit_goes_on_without_a_stream_that_cannot_be_read() -> None:
    running, done = (answer(200, _view(state).model_dump_json()) for state in (RunState.RUNNING, RunState.SUCCEEDED))
    with playing(running, answer(404, '{"detail": "no events here"}'), done, timeout_s=5) as (_, client):
        assert client.wait(SPEC.id, on_progress=lambda progress: None, timeout_s=60).state is RunState.SUCCEEDED


def test_events_of_an_unknown_experiment_are_refused() -> None:
    with playing(answer(404, '{"detail": "no experiment"}')) as (_, client), pytest.raises(LabRefused, match="404"):
        list(client.events(SPEC.id))
