"""The lab's HTTP interface: who may ask, what is refused and how, what is streamed."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from claims.clock import SystemClock
from claims.experiment import ExperimentSpec, Progress, RunState, RunView, Submission
from lab.app import make_app
from lab.catalogue import Catalogue
from lab.control import Queue
from lab.errors import LabError
from lab.events import _step
from lab.ledger import Ledger
from lab.progress import ProgressFile
from lab.runs import AttemptSpec, End, Ending, Exit, Order, ProcessNote, Result, bytes_digest, write_model
from lab.server import is_loopback, serve
from lab.settings import LabSettings
from lab.summary import Usual
from tests.labs import PROTOCOL, TOKEN, LabUnderTest, kill

SPEC = ExperimentSpec(protocol="fast", protocol_version=1)


class Served:
    """The application with its folder, and no worker: runs are written by the test."""

    def __init__(self, home: Path) -> None:
        self.settings = LabSettings(
            data_home=home, token=SecretStr(TOKEN), protocols=PROTOCOL, max_body_bytes=4096, cpu_slots=2, gpu_slots=0
        )
        catalogue = Catalogue(PROTOCOL)
        self.ledger = Ledger(self.settings.home, catalogue, SystemClock())
        self.queue = Queue(self.settings)
        app = make_app(self.settings, self.ledger, catalogue, self.queue)
        self.http = TestClient(app, headers={"Authorization": f"Bearer {TOKEN}"}, raise_server_exceptions=False)

    def post(self, n_seeds: object = 1, **change: object) -> tuple[int, dict[str, object]]:
        body = Submission(spec=SPEC, n_seeds=1).model_dump(mode="json") | {"n_seeds": n_seeds} | change
        answer = self.http.post("/experiments", json=body)
        return answer.status_code, answer.json()

    def finish(self, seed: int = 0) -> None:
        """Write what a run would have written."""
        run = self.ledger.run(SPEC.run(seed).id)
        order = run.order()
        assert isinstance(order, Order)
        attempt, now = run.attempt(order.first_attempt), SystemClock().now()
        attempt.prepare(AttemptSpec(spec=order.spec, limits=order.limits, attempt=1))
        write_model(attempt.folder / "process.json", ProcessNote(pid=1, started=1.0, host="h", at=now))
        with ProgressFile(attempt.progress, SystemClock()) as report:
            report(arm="a", phase="train", step=1, steps=2, loss=0.5, seconds_left=3.0)
            report(arm="a", phase="evaluate", step=2, steps=2, metric=0.7)
        write_model(attempt.folder / "result.json", Result(measurements=()))
        digest = bytes_digest((attempt.folder / "result.json").read_bytes())
        exit = Exit(ending=Ending.SUCCEEDED, at=now, seconds=1.0, result_digest=digest)
        write_model(attempt.folder / "exit.json", exit)
        run.settle(order, End(ending=Ending.SUCCEEDED, attempts=1, at=now))


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path)
    yield served
    served.queue.close()


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}])
def test_nobody_gets_in_without_the_token(lab: Served, headers: dict[str, str]) -> None:
    lab.http.headers.pop("Authorization")
    for method, path in (
        ("GET", "/experiments"),
        ("POST", "/experiments"),
        ("GET", f"/experiments/{SPEC.id}"),
        ("DELETE", f"/experiments/{SPEC.id}"),
        ("GET", f"/experiments/{SPEC.id}/events"),
        ("GET", "/protocols"),
    ):
        answer = lab.http.request(method, path, headers=headers)
        assert answer.status_code == 401, (method, path)
        assert answer.json() == {"detail": "a bearer token is needed"}
    assert lab.http.get("/health").status_code == 200, "health is for whoever starts the lab"
    assert TOKEN not in lab.http.get("/health").text


def test_the_same_submission_twice_starts_once(lab: Served) -> None:
    first, view = lab.post(2)
    second, again = lab.post(2)
    assert (first, second) == (201, 200)
    assert view["id"] == again["id"] == SPEC.id
    third, more = lab.post(3)
    assert (third, len(more["runs"])) == (201, 3)  # type: ignore[arg-type]
    listed = lab.http.get("/experiments").json()
    assert [one["id"] for one in listed] == [SPEC.id]
    assert lab.http.get(f"/experiments/{SPEC.id}").json() == more


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"spec": {"protocol": "nothing", "protocol_version": 1}}, "no protocol 'nothing' in this lab"),
        ({"spec": {"protocol": "fast", "protocol_version": 2}}, "is at version 1"),
        ({"spec": {"protocol": "fast", "protocol_version": 1, "params": {"x": 1}}}, "unknown parameters"),
        ({"spec": {"protocol": "fast", "protocol_version": 1, "profile": "huge"}}, "no profile"),
        ({"n_seeds": 0}, "greater than or equal to 1"),
        ({"n_seeds": 257}, "less than or equal to 256"),
        ({"n_seeds": 17}, "asks for 17 seeds; fast is registered for at most 16"),
        ({"spec": {"protocol": "fast", "protocol_version": 1, "first_seed": 2**31}}, "less than or equal to"),
        ({"limits": {"memory_gib": -1}}, "greater than 0"),
        ({"limits": {"gpus": 2}}, "asks for 2 GPU(s); this lab has 0"),
        ({"surprise": 1}, "Extra inputs are not permitted"),
    ],
)
def test_what_cannot_be_run_is_refused_clearly(lab: Served, change: dict[str, object], says: str) -> None:
    status, answer = lab.post(**change)
    assert status == 422
    assert says in json.dumps(answer)
    assert lab.http.get("/experiments").json() == []


def test_bodies_that_are_too_large_or_no_json_are_refused(lab: Served) -> None:
    assert lab.http.post("/experiments", content=b"x" * 5000).status_code == 413

    def endless() -> Iterator[bytes]:
        for _ in range(10):
            yield b"x" * 1000

    refused = lab.http.post("/experiments", content=endless(), headers={"Content-Type": "application/json"})
    assert refused.status_code == 413
    assert refused.json() == {"detail": "the body is larger than 4096 bytes"}
    assert lab.http.post("/experiments", content=b"{").status_code == 422
    assert lab.http.post("/experiments", content=b"\xff\xfe").status_code == 422
    for value in ("Infinity", "NaN", '"\\ud800"', "1e999", "9" * 500, "-0.0"):
        spec = f'{{"protocol": "fast", "protocol_version": 1, "params": {{"seconds": {value}, "do": "x"}}}}'
        sent = lab.http.post(
            "/experiments", content=f'{{"spec": {spec}, "n_seeds": 1}}', headers={"Content-Type": "application/json"}
        )
        assert sent.status_code in (201, 422), (value, sent.text)


@pytest.mark.parametrize("id", ["exp-000000000000", "exp-0", "run-000000000000", "..%2f..%2fetc", "exp-zzzzzzzzzzzz"])
def test_an_experiment_that_was_not_submitted_is_not_here(lab: Served, id: str) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/events")):
        assert lab.http.request(method, f"/experiments/{id}{path}").status_code in (404, 422)


def test_cancelling_stops_what_waits_and_keeps_what_is_done(lab: Served) -> None:
    lab.post(2)
    lab.finish(0)
    view = lab.http.delete(f"/experiments/{SPEC.id}").json()
    assert view["state"] == "cancelled"
    assert [run["state"] for run in view["runs"]] == ["succeeded", "cancelled"]
    assert view["result"]["reason"] == "1 seeds"


def _events(lab: Served, last_id: str = "") -> list[tuple[str, Progress]]:
    headers = {"Last-Event-ID": last_id} if last_id else {}
    answer = lab.http.get(f"/experiments/{SPEC.id}/events", headers=headers)
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in answer.text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        found.append((fields["id"], Progress.model_validate_json(fields["data"])))
    return found


def test_events_tell_each_step_and_end_with_the_experiment(lab: Served) -> None:
    lab.post()
    lab.finish()
    events = _events(lab)
    steps = [(p.seed, p.arm, p.phase, p.step, p.loss, p.metric) for _, p in events if p.step]
    assert steps == [(0, "a", "train", 1, 0.5, None), (0, "a", "evaluate", 2, None, 0.7)]
    assert not any(p.seconds_left for _, p in events), "nothing is left of a seed that is over"
    last = events[-1][1]
    assert (last.run_id, last.state.value, last.message) == (None, "succeeded", "1 seeds")


def test_a_step_says_what_is_left_of_its_seed() -> None:
    now = SystemClock().now()
    run = RunView(id="run-0", spec=SPEC.run(0), state=RunState.RUNNING, started_at=now - timedelta(seconds=5))
    line = {"at": now.isoformat(), "arm": "a", "phase": "train", "seconds_left": 3.0}
    for took, left in ((Usual(20.0, 0.0), 15.0), (Usual(4.0, 0.0), 3.0), (Usual(None, 0.0), None)):
        told = _step("exp-0", run, line, took)
        assert told is not None
        assert told.seconds_left == left
    over = _step("exp-0", run.model_copy(update={"state": RunState.SUCCEEDED}), line, Usual(20.0, 0.0))
    assert over is not None
    assert over.seconds_left is None


def test_a_reader_that_was_cut_off_goes_on_where_it_was(lab: Served) -> None:
    lab.post()
    lab.finish()
    events = _events(lab)
    again = _events(lab, last_id=events[-1][0])
    assert not [p for _, p in again if p.step], "steps are told once"
    assert again[-1][1].state.value == "succeeded"
    assert len(_events(lab, last_id="nonsense")) == len(events)


def test_a_reader_cut_off_after_any_event_gets_exactly_the_rest(lab: Served) -> None:
    lab.post(2)
    lab.finish(0)
    lab.finish(1)
    events = _events(lab)
    told = [progress for _, progress in events]
    assert len(told) == 2 * 3 + 1
    for n, (event_id, _) in enumerate(events[:-1], start=1):
        again = [progress for _, progress in _events(lab, last_id=event_id)]
        assert again[:-1] == told[n:-1], event_id
        assert again[-1].state is told[-1].state


def test_the_end_of_a_long_run_is_told_after_all_its_steps(lab: Served) -> None:
    lab.post()
    lab.finish()
    (progress,) = lab.ledger.runs.glob("*/a1/progress.jsonl")
    line = '{"at": "2026-08-21T12:00:00Z", "phase": "train", "step": 7}\n'
    progress.write_text(line * 40_000 + "torn\n" + line)
    events = [one for _, one in _events(lab)]
    assert len([one for one in events if one.step == 7]) == 40_001
    assert events[-1].run_id is None


def test_a_broken_file_of_one_experiment_is_a_conflict_and_leaves_the_others(lab: Served) -> None:
    lab.post()
    (lab.ledger.experiments / f"{SPEC.id}.json").write_text("{")
    assert lab.http.get(f"/experiments/{SPEC.id}").status_code == 409
    assert lab.post()[0] == 409
    assert lab.http.get("/experiments").json() == []


def test_protocols_are_shown_with_their_pre_registration(lab: Served) -> None:
    shown = {one["name"]: one for one in lab.http.get("/protocols").json()}
    assert shown["fast"]["preregistration"]["contrast"] == "a - b"
    assert "data-quantity" in shown
    assert lab.http.get("/openapi.json").json()["info"]["title"] == "retest lab"
    page = lab.http.get("/docs").text
    for told in ("POST /experiments", "spec.first_seed", "limits.gpus", "retry_failed", "nothing new starts"):
        assert told in page
    assert not re.search(r"<script|(src|href)=.https?:", page), "a lab may have no network"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_the_lab_refuses_to_serve_others_without_a_token(tmp_path: Path, host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(LabError, match="without a token: set RETEST_LAB_TOKEN"):
        serve(host, 0, settings=LabSettings(data_home=tmp_path, token=None))


def test_an_empty_token_is_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETEST_LAB_TOKEN", "")
    assert LabSettings(data_home=tmp_path).token is None
    assert LabSettings(data_home=tmp_path, token=SecretStr("  ")).token is None


def test_a_setting_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETEST_LAB_CPU_SLOTS", "many")
    with pytest.raises(LabError, match="setting RETEST_LAB_CPU_SLOTS: Input should be a valid integer"):
        LabSettings.load()


def test_a_database_that_cannot_be_opened_is_said(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(LabError, match="database cannot be opened"):
        Queue(LabSettings(data_home=tmp_path, database_url=f"sqlite:///{tmp_path / 'folder'}"))


def test_a_disk_that_cannot_be_used_is_said_and_not_a_crash(lab: Served) -> None:
    (lab.settings.home / "ledger.lock").mkdir()
    assert lab.post() == (503, {"detail": "the lab's disk cannot be used: Is a directory"})


@pytest.mark.slow
def test_a_taken_port_and_a_second_lab_are_said_in_one_line(tmp_path: Path) -> None:
    environment = {**os.environ, "RETEST_HOME": str(tmp_path / "a")}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "lab.server", "--port", port]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines() == [f"error: cannot serve on 127.0.0.1:{port}: Address already in use"]


@pytest.mark.slow
def test_a_second_lab_on_one_folder_is_refused_and_the_first_leaves_in_order(tmp_path: Path) -> None:
    with LabUnderTest(tmp_path / "home") as lab:
        server = lab.serve()
        second = lab.start("--port", "0")
        assert second.wait(60) == 2
        assert "serves" in lab.logs()
        note = lab.home / "lab" / "lab.json"
        assert note.stat().st_mode & 0o077 == 0, "others may not read the token"
        kill(server, 15)
        assert server.returncode == 0
        assert not note.exists()
