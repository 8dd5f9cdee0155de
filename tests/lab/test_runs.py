"""Run folders and the book: what is read back is what was written, or it is said to be something else."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from claims.clock import FrozenClock
from claims.experiment import ExperimentSpec, Limits, RunState, RunView, Submission
from lab.catalogue import Catalogue
from lab.errors import CorruptRunFolder, InvalidSpec, NoSuchExperiment
from lab.events import Place, parse_places, show_places
from lab.ledger import Ledger
from lab.progress import ProgressFile, last_line, read_from
from lab.runs import (
    Attempt,
    AttemptSpec,
    Cancel,
    End,
    Ending,
    Exit,
    Order,
    ProcessNote,
    Result,
    bytes_digest,
    held,
    is_held,
    take,
    write_atomic,
    write_model,
)
from lab.slots import take_slots
from lab.summary import Left, Usual, left_of, seconds_left, usual
from lab.workers import Seat, Watch
from tests.factories import NOON
from tests.labs import PROTOCOL, until

SPEC = ExperimentSpec(protocol="fast", protocol_version=1)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path, Catalogue(PROTOCOL), FrozenClock(NOON))


def _submit(
    ledger: Ledger, n_seeds: int = 1, *, limits: Limits | None = None, retry_failed: bool = False
) -> list[Order]:
    submission = Submission(spec=SPEC, n_seeds=n_seeds, limits=limits or Limits())
    return list(ledger.submit(submission, retry_failed=retry_failed).waiting)


def test_an_experiment_on_fresh_seeds_is_another_one_that_shares_no_run(ledger: Ledger) -> None:
    fresh = SPEC.model_copy(update={"first_seed": 100})
    _submit(ledger, 3)
    ledger.submit(Submission(spec=fresh, n_seeds=2))
    assert [run.spec.seed for run in ledger.view(SPEC.id).runs] == [0, 1, 2]
    assert [run.spec.seed for run in ledger.view(fresh.id).runs] == [100, 101]
    assert [order.spec.seed for order in ledger.cancel(fresh.id)] == [100, 101]
    assert {run.state for run in ledger.view(SPEC.id).runs} == {RunState.QUEUED}


def test_an_experiment_keeps_the_name_that_it_had_before_seeds_could_begin_elsewhere() -> None:
    assert SPEC.id == "exp-707e8b57987f"


def test_a_refused_number_of_seeds_leaves_the_book_as_it_was(ledger: Ledger) -> None:
    _submit(ledger, 2)
    with pytest.raises(InvalidSpec, match="registered for at most 16"):
        _submit(ledger, 17)
    assert len(ledger.view(SPEC.id).runs) == 2
    _submit(ledger, 16)
    assert len(ledger.view(SPEC.id).runs) == 16


def _attempt(ledger: Ledger, order: Order, number: int = 1) -> Attempt:
    attempt = ledger.run(order.spec.id).attempt(number)
    attempt.prepare(AttemptSpec(spec=order.spec, limits=order.limits, attempt=1))
    write_model(attempt.folder / "process.json", ProcessNote(pid=1, started=1.0, host="h", at=ledger._clock.now()))
    return attempt


def _succeed(ledger: Ledger, order: Order, number: int = 1) -> Attempt:
    attempt = _attempt(ledger, order, number)
    write_model(attempt.folder / "result.json", Result(measurements=()))
    digest = bytes_digest((attempt.folder / "result.json").read_bytes())
    exit = Exit(ending=Ending.SUCCEEDED, at=ledger._clock.now(), seconds=2.0, result_digest=digest)
    write_model(attempt.folder / "exit.json", exit)
    return attempt


def _end(ledger: Ledger, order: Order, ending: Ending, reason: str = "") -> None:
    ledger.run(order.spec.id).settle(order, End(ending=ending, attempts=1, reason=reason, at=ledger._clock.now()))


def test_a_result_file_means_done_whatever_the_engine_says(ledger: Ledger) -> None:
    (order,) = _submit(ledger)
    assert ledger.view(SPEC.id).state is RunState.QUEUED
    _succeed(ledger, order)
    view = ledger.view(SPEC.id)
    assert (view.state, view.runs[0].attempts, view.runs[0].seconds) == (RunState.SUCCEEDED, 1, 2.0)
    assert _submit(ledger) == []


def test_more_seeds_begin_only_what_is_new(ledger: Ledger) -> None:
    (first,) = _submit(ledger)
    _succeed(ledger, first)
    assert [order.spec.seed for order in _submit(ledger, 3)] == [1, 2]
    assert [order.spec.seed for order in _submit(ledger, 2)] == [1, 2], "fewer seeds change nothing"
    assert len(ledger.view(SPEC.id).runs) == 3


def test_two_claims_with_one_design_share_its_runs(ledger: Ledger) -> None:
    (order,) = _submit(ledger)
    _succeed(ledger, order)
    other = SPEC.model_copy(update={"claim_id": "another-claim"})
    assert ledger.submit(Submission(spec=other, n_seeds=1)).waiting == ()
    assert ledger.view(other.id).state is RunState.SUCCEEDED


def test_the_pre_registration_stays_as_it_was(ledger: Ledger) -> None:
    _submit(ledger)
    path = ledger.experiments / f"{SPEC.id}.json"
    entry = json.loads(path.read_text())
    entry["preregistration"]["hypothesis"] = "as it was at first"
    path.write_text(json.dumps(entry))
    _submit(ledger, 4)
    assert ledger.view(SPEC.id).preregistration.hypothesis == "as it was at first"
    assert ledger.view(SPEC.id).defaults["seconds"] == 0.0


def test_a_failed_run_makes_the_outcome_invalid_and_stays_failed(ledger: Ledger) -> None:
    first, second = _submit(ledger, 2)
    _succeed(ledger, first)
    _attempt(ledger, second)
    _end(ledger, second, Ending.CRASHED, "killed by SIGKILL; it was tried 2 times")
    view = ledger.view(SPEC.id)
    assert view.state is RunState.FAILED
    assert view.result is not None
    assert (view.result.outcome.value, view.result.reason) == ("invalid", "1 of 2 runs failed (seed 1); else: 1 seeds")
    assert _submit(ledger, 2) == []
    (again,) = _submit(ledger, 2, retry_failed=True)
    assert (again.round, again.first_attempt, again.spec.seed) == (2, 3, 1)


def test_a_run_that_broke_a_limit_begins_again_under_another_limit_only(ledger: Ledger) -> None:
    (order,) = _submit(ledger, limits=Limits(time_s=10))
    _attempt(ledger, order)
    _end(ledger, order, Ending.TIME_LIMIT)
    assert _submit(ledger, limits=Limits(time_s=10, priority=3)) == []
    assert [o.round for o in _submit(ledger, limits=Limits(time_s=20))] == [2]


def test_a_cancelled_experiment_says_so_at_once_and_can_be_sent_again(ledger: Ledger) -> None:
    _submit(ledger, 2)
    assert len(ledger.cancel(SPEC.id)) == 2
    assert ledger.view(SPEC.id).state is RunState.CANCELLED
    assert [order.round for order in _submit(ledger, 2)] == [2, 2]
    assert ledger.view(SPEC.id).state is RunState.QUEUED


def test_the_first_end_that_is_written_stands(ledger: Ledger) -> None:
    (order,) = _submit(ledger)
    _attempt(ledger, order)
    _end(ledger, order, Ending.CANCELLED)
    _end(ledger, order, Ending.CRASHED)
    assert ledger.view(SPEC.id).state is RunState.CANCELLED


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("a1/result.json", b'{"measurements": []}'),
        ("a1/result.json", None),
        ("a1/exit.json", b"\0\0\0"),
        ("a1/exit.json", b'{"ending": "succeeded"}'),
        ("a1/record.json", b"not json"),
        ("order.json", b""),
        ("end-1.json", b"[]"),
    ],
)
def test_what_was_not_written_by_the_run_is_never_a_result(ledger: Ledger, file: str, content: bytes | None) -> None:
    (order,) = _submit(ledger)
    _succeed(ledger, order)
    _end(ledger, order, Ending.SUCCEEDED)
    path = ledger.run(order.spec.id).folder / file
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content)
    (run,) = ledger.view(SPEC.id).runs
    assert run.state is RunState.FAILED
    assert "corrupt run folder" in str(run.error)
    assert run.measurements == ()
    (again,) = _submit(ledger)
    assert again.first_attempt > 1
    assert ledger.view(SPEC.id).state is RunState.QUEUED


def test_unknown_protocols_versions_profiles_and_parameters_are_refused(ledger: Ledger) -> None:
    for change in ({"protocol": "nothing"}, {"protocol_version": 9}, {"profile": "huge"}, {"params": {"x": 1}}):
        with pytest.raises(InvalidSpec):
            ledger.submit(Submission(spec=SPEC.model_copy(update=change), n_seeds=1))
    assert list(ledger.entries()) == []
    with pytest.raises(NoSuchExperiment):
        ledger.view("exp-../../etc")


def test_a_protocol_of_ones_own_that_cannot_be_loaded_is_named() -> None:
    with pytest.raises(InvalidSpec, match=r"no\.such:Thing"):
        Catalogue("no.such:Thing")


def test_shipped_protocols_are_known() -> None:
    assert "data-quantity" in [protocol.name for protocol in Catalogue()]


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    write_atomic(path, b"old")
    with path.open("rb") as reader:
        write_atomic(path, b"new and longer")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new and longer"
    assert [p.name for p in tmp_path.iterdir()] == ["f.json"]


def test_a_lock_is_let_go_by_its_last_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_held(path)
    fd = take(path)
    assert fd is not None
    assert is_held(path)
    assert take(path) is None
    copy = os.dup(fd)
    os.close(fd)
    assert is_held(path), "a child that inherited it still holds it"
    os.close(copy)
    assert not is_held(path)
    with held(path):
        assert is_held(path)


def test_slots_are_taken_all_or_none(tmp_path: Path) -> None:
    first = take_slots(tmp_path, cpus=2, of_cpus=3, gpus=1, of_gpus=1)
    assert first is not None
    assert first.gpus == (0,)
    assert take_slots(tmp_path, cpus=2, of_cpus=3, gpus=0, of_gpus=1) is None
    assert take_slots(tmp_path, cpus=1, of_cpus=3, gpus=1, of_gpus=1) is None
    second = take_slots(tmp_path, cpus=1, of_cpus=3, gpus=0, of_gpus=1)
    assert second is not None, "a failed wish keeps nothing"
    first.let_go()
    second.let_go()
    whole = take_slots(tmp_path, cpus=99, of_cpus=3, gpus=0, of_gpus=0)
    assert whole is not None, "one that wants more cores than there are gets them all"
    assert len(whole.fds) == 3
    whole.let_go()


def test_progress_is_read_on_from_where_it_was_left(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    with ProgressFile(path, FrozenClock(NOON)) as report:
        report(arm="a", phase="train", step=1, steps=3, loss=float("nan"))
        report(arm="a", phase="train", step=2, steps=3)
        report(arm="a", phase="train", step=3, steps=3, metric=0.5, seconds_left=1)
    first = read_from(path, 0)
    assert [line["step"] for line in first.lines] == [1, 3], "a line a moment old is not repeated; the last always is"
    assert "loss" not in first.lines[0], "a loss that is not a number is none"
    with path.open("a") as file:
        file.write('{"step": 4}\nnonsense\n{"step": ')
    second = read_from(path, first.offset)
    assert [line["step"] for line in second.lines] == [4]
    assert read_from(path, second.offset).lines == []
    assert last_line(path) == {"step": 4}
    assert last_line(tmp_path / "none") is None


def test_event_ids_survive_the_wire_and_nonsense_is_the_beginning() -> None:
    places = {0: Place(1, 20), 12: Place(2, 0, RunState.FAILED), 13: Place(0, 0, RunState.QUEUED)}
    assert parse_places(show_places(places)) == places
    assert parse_places("x_1.2_3.4.5.6_٣.1.1_9.9." + "9" * 40) == {}


def test_a_worker_is_gone_when_its_lock_is_free_or_its_beat_stands_still(tmp_path: Path) -> None:
    with Seat(tmp_path, 0.4, host="here") as mine, Seat(tmp_path, 0.4, host="here") as other:
        assert (mine.name, other.name) == ("here-0", "here-1")
        watch = Watch(tmp_path, 0.4, host="here")
        assert not watch.is_gone("here-1")
    assert watch.is_gone("here-1"), "the lock of a dead one is free"
    far = Watch(tmp_path, 0.4, host="elsewhere")
    assert not far.is_gone("here-1"), "silence must last a heartbeat"
    until(lambda: far.is_gone("here-1"), "a beat that stands still")
    with Seat(tmp_path, 0.4, host="here") as back:
        assert back.name == "here-0"
        until(lambda: not far.is_gone("here-0"), "one who came back is seen")


def test_time_left_counts_what_runs_side_by_side(ledger: Ledger) -> None:
    orders = _submit(ledger, 4)
    assert ledger.view(SPEC.id, cores=2).seconds_left == pytest.approx(4 * 1.0 / 2)
    _succeed(ledger, orders[0])
    assert ledger.view(SPEC.id, cores=2).seconds_left == pytest.approx(3 * 2.0 / 2), "what a seed took replaces it"
    ledger.cancel(SPEC.id)
    assert ledger.view(SPEC.id, cores=2).seconds_left == 0.0


def _at_work(**line: object) -> tuple[RunView, dict[str, object]]:
    run = RunView(id="run-0", spec=SPEC.run(0), state=RunState.RUNNING, started_at=NOON)
    return run, {"at": (NOON + timedelta(seconds=30)).isoformat(), **line}


def test_what_is_left_of_a_seed_is_more_than_what_is_left_of_its_arm() -> None:
    run, line = _at_work(arm="a", phase="train", step=9, steps=10, seconds_left=1.0, base_seconds=18.0)
    now = NOON + timedelta(seconds=32)
    assert left_of(run, line, Usual(20.0, 70.0), now) == Left(0.0, 6.0), "14 s of 32 were its own"
    assert left_of(run, line, Usual(5.0, 0.0), now) == Left(0.0, 1.0), "longer than usual"
    slow = {**line, "seconds_left": 40.0}
    assert left_of(run, slow, Usual(20.0, 0.0), now) == Left(0.0, 38.0), "an arm alone needs more than usual"
    assert left_of(run, line, Usual(None, 0.0), now) is None
    assert left_of(run, {"at": "never"}, Usual(40.0, 0.0), now) == Left(0.0, 8.0)


def test_a_machine_that_is_slower_than_the_measured_one_does_not_say_that_a_seed_is_nearly_done() -> None:
    run, line = _at_work(arm="b 2", phase="train", step=1, steps=10, seconds_left=2.0, base_seconds=10.0)
    now = NOON + timedelta(seconds=30)
    assert left_of(run, line, Usual(5.0, 0.0), now) == Left(0.0, 2.0)
    assert left_of(run, line, Usual(5.0, 0.0, ("a", "b", "c", "d")), now) == Left(0.0, 40.0), (
        "one arm in 20 s, two wait"
    )
    first = {**line, "arm": "a"}
    assert left_of(run, first, Usual(5.0, 0.0, ("a", "b")), now) == Left(0.0, 2.0), "no arm is done"


def test_the_base_that_a_seed_builds_first_is_part_of_what_is_left() -> None:
    run, line = _at_work(arm="base", phase="pretrain", step=1, steps=2, seconds_left=10.0, base_seconds=28.0)
    now = NOON + timedelta(seconds=30)
    assert left_of(run, line, Usual(20.0, 70.0), now) == Left(42.0, 20.0), "a second base follows"
    assert left_of(run, line, Usual(20.0, 0.0), now) == Left(10.0, 20.0)
    assert left_of(run, None, Usual(20.0, 70.0), now) == Left(40.0, 20.0)
    waits = RunView(id="run-1", spec=SPEC.run(1), state=RunState.QUEUED)
    took = Usual(20.0, 70.0)
    assert seconds_left([waits, waits], {}, took, now, side_by_side=2) == 70.0 + 20.0
    assert seconds_left([run, waits], {run.id: line}, took, now, side_by_side=1) == 42.0 + 20.0 + 20.0


def test_a_seed_that_built_the_base_does_not_make_the_others_look_as_long() -> None:
    done = RunView(
        id="run-0", spec=SPEC.run(0), state=RunState.SUCCEEDED, started_at=NOON, seconds=90.0,
        record={"base_seconds": 70.0},
    )  # fmt: skip
    catalogue = Catalogue(PROTOCOL)
    assert usual(catalogue, SPEC, [done]) == Usual(20.0, 0.0)
    assert usual(catalogue, SPEC, []) == Usual(1.0, 0.0, ("a", "b"))
    changed = SPEC.model_copy(update={"params": {"seconds": 9.0}})
    assert usual(catalogue, changed, []) == Usual(None, 0.0), "nobody measured another length"


def test_an_experiment_of_a_protocol_that_is_gone_is_still_shown(ledger: Ledger, tmp_path: Path) -> None:
    (order,) = _submit(ledger)
    _succeed(ledger, order)
    later = Ledger(tmp_path, Catalogue(), FrozenClock(NOON))
    view = later.view(SPEC.id)
    assert view.state is RunState.SUCCEEDED
    assert view.result is not None
    assert view.result.outcome.value == "inconclusive"
    assert "no protocol 'fast' in this lab" in view.result.reason


def test_a_wish_to_stop_is_of_one_round(ledger: Ledger) -> None:
    (order,) = _submit(ledger)
    run = ledger.run(order.spec.id)
    run.ask_to_stop(order, Cancel(at=NOON + timedelta(hours=1)))
    (again,) = _submit(ledger)
    assert run.cancel(order) is not None
    assert run.cancel(again) is None


def test_a_corrupt_attempt_is_kept_aside(ledger: Ledger) -> None:
    (order,) = _submit(ledger)
    run = ledger.run(order.spec.id)
    attempt = run.attempt(1)
    attempt.folder.mkdir()
    (attempt.folder / "spec.json").write_text("x")
    with pytest.raises(CorruptRunFolder):
        attempt.prepare(AttemptSpec(spec=order.spec, limits=order.limits, attempt=1))
    assert run.set_aside(attempt).name == "corrupt-1-a1"
    attempt.prepare(AttemptSpec(spec=order.spec, limits=order.limits, attempt=1))
