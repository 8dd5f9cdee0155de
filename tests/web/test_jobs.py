"""Long actions started from the web: they outlive a page and a server, and never meet on one claim."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from agent.lease import lease
from agent.settings import Settings
from agent.web.jobs import Jobs
from agent.web.journal import JobKind, JobState, JobTaken, Journal
from claims.claim import Scale, Scope
from claims.clock import FrozenClock
from claims.errors import InputError, NotHeld
from claims.store import Store
from tests.chat_store import fill
from tests.factories import NOON, a_claim
from tests.labs import TOKEN, LabUnderTest
from tests.webs import browsing, filled, settings_for

CLOCK = FrozenClock(NOON)
INQUIRY = "inq-0123456789ab"


@pytest.fixture
def settings(tmp_path: Path, sqlite_url: str) -> Settings:
    """Settings of a home whose store holds the invented inquiry; arXiv refuses connections."""
    with Store.open(sqlite_url, clock=CLOCK) as store:
        fill(store)
        store.put_claim(a_claim("quick-one", scope=Scope(scale=Scale.LARGE, family="fast"), anchors=()))
    return Settings(home=tmp_path, database_url=sqlite_url, arxiv_url="http://127.0.0.1:9/api/query", arxiv_gap_s=0.0)


@pytest.fixture
def jobs(settings: Settings) -> Iterator[Jobs]:
    opened = Jobs(settings, CLOCK)
    yield opened
    opened.close()


def over(jobs: Jobs, id: str, *states: JobState) -> JobState:
    """Wait until a job is over, or in one of some states."""
    until = time.monotonic() + 100
    while time.monotonic() < until:
        job = jobs.get(id)
        if job.is_over or job.state in states:
            return job.state
        time.sleep(0.02)
    raise AssertionError(f"{job} is not over")


def test_a_retest_is_done_in_the_background_and_every_step_is_noted(jobs: Jobs, settings: Settings) -> None:
    started = jobs.start_retest("self-imp", source="library")
    assert started.is_new
    assert over(jobs, started.job.id) is JobState.DONE
    job = jobs.get(started.job.id)
    assert job.subject == "self-improvement"
    assert "newly judged" in (job.line or "")
    steps = jobs.events(job.id)
    assert [step.n for step in steps] == list(range(1, len(steps) + 1))
    assert "decide" in {step.node for step in steps}
    assert jobs.events(job.id, after=len(steps) - 1) == steps[-1:]
    with Store.open(settings.store_url) as store:
        assert store.verdicts("self-improvement")


def test_a_job_is_found_again_by_a_server_that_was_started_later(jobs: Jobs, settings: Settings) -> None:
    id = jobs.start_retest("self-improvement", source="library").job.id
    over(jobs, id)
    jobs.close()
    again = Jobs(settings, CLOCK)
    assert again.list("self-improvement")[0] == again.get(id)
    assert again.get(id).state is JobState.DONE
    again.close()


def test_what_cannot_be_started_is_said_at_once(jobs: Jobs) -> None:
    with pytest.raises(NotHeld):
        jobs.start_retest("no-such-claim")
    with pytest.raises(InputError, match="family"):
        jobs.start_experiment("self-improvement")
    with pytest.raises(NotHeld):
        jobs.get("job-000000000000")


def test_a_failed_job_says_why(jobs: Jobs) -> None:
    id = jobs.start_retest("self-improvement", source="moon").job.id
    assert over(jobs, id) is JobState.FAILED
    assert "no source 'moon'" in (jobs.get(id).line or "")


def test_asking_twice_starts_once_and_another_action_on_the_claim_is_refused(settings: Settings) -> None:
    journal = Journal(settings.home / "web.sqlite3", CLOCK)
    job, is_new = journal.add(JobKind.RETEST, "few-examples", ["few-examples"], {"source": "auto"})
    assert is_new
    assert journal.add(JobKind.RETEST, "few-examples", ["few-examples"], {"source": "auto"}) == (job, False)
    with pytest.raises(JobTaken) as taken:
        journal.add(JobKind.RUN, INQUIRY, ["models-alike", "few-examples"], {})
    assert taken.value.job == job
    journal.change(job.id, JobState.DONE, among=[JobState.QUEUED], line="done")
    assert journal.add(JobKind.RUN, INQUIRY, ["models-alike", "few-examples"], {})[1]


def test_a_job_whose_server_died_is_taken_over_and_finished(settings: Settings) -> None:
    journal = Journal(settings.home / "web.sqlite3", CLOCK)
    job, _ = journal.add(JobKind.RETEST, "self-improvement", ["self-improvement"], {"source": "library"})
    journal.own(job.id, "dead0server", instead_of=None)
    journal.change(job.id, JobState.RUNNING, among=[JobState.QUEUED])
    jobs = Jobs(settings, CLOCK)
    jobs.open()
    assert over(jobs, job.id) is JobState.DONE
    assert jobs.get(job.id).attempts == 2
    jobs.close()


def test_a_job_whose_server_lives_is_left_alone_and_one_that_killed_two_servers_is_not_begun_again(
    settings: Settings,
) -> None:
    journal = Journal(settings.home / "web.sqlite3", CLOCK)
    alive, _ = journal.add(JobKind.RETEST, "few-examples", ["few-examples"], {"source": "library"})
    journal.own(alive.id, "living", instead_of=None)
    deadly, _ = journal.add(JobKind.RETEST, "models-alike", ["models-alike"], {"source": "library"})
    journal.own(deadly.id, "dead0server", instead_of=None)
    for _ in range(2):
        journal.change(deadly.id, JobState.RUNNING, among=[JobState.QUEUED, JobState.RUNNING])
    jobs = Jobs(settings, CLOCK)
    with lease(settings.home / "locks", "web-server:living"):
        jobs.open()
        assert jobs.get(alive.id).state is JobState.QUEUED
    assert jobs.get(deadly.id).state is JobState.FAILED
    assert "died twice" in (jobs.get(deadly.id).line or "")
    jobs.close()


def test_a_cancelled_job_stops_and_what_was_not_begun_never_begins(jobs: Jobs) -> None:
    started = [
        jobs.start_retest(id, source="library").job.id for id in ("self-improvement", "few-examples", "models-alike")
    ]
    jobs.cancel(started[2])
    assert over(jobs, started[2]) in (JobState.CANCELLED, JobState.DONE)
    assert {over(jobs, id) for id in started[:2]} == {JobState.DONE}
    done = jobs.get(started[0])
    assert jobs.cancel(done.id) == done


def test_a_run_goes_over_every_claim_of_the_inquiry(jobs: Jobs) -> None:
    id = jobs.start_run(INQUIRY, source="library").job.id
    assert over(jobs, id) is JobState.DONE, jobs.get(id).line
    assert {step.claim_id for step in jobs.events(id)} == {"few-examples", "models-alike", "self-improvement"}
    assert jobs.list("models-alike")[0].id == id


@pytest.mark.slow
def test_a_long_experiment_waits_for_a_person_and_begins_when_approved(settings: Settings, tmp_path: Path) -> None:
    with LabUnderTest(tmp_path / "lab") as lab:
        lab.serve()
        with lab.client() as client:
            url = client.url
        strict = settings.model_copy(update={"lab_url": url, "lab_token": SecretStr(TOKEN), "approve_minutes": 0.0})
        jobs = Jobs(strict, CLOCK)
        id = jobs.start_experiment("quick-one", seeds=2).job.id
        assert over(jobs, id, JobState.WAITING) is JobState.WAITING
        assert "Start it?" in (jobs.get(id).question or "")
        assert jobs.start_experiment("quick-one", seeds=2).job.id == id
        jobs.approve(id)
        assert over(jobs, id) is JobState.DONE, jobs.get(id).line
        assert jobs.get(id).question is None
        with pytest.raises(InputError, match="waits for no approval"):
            jobs.decline(id)
        second = jobs.start_experiment("quick-one", seeds=3).job.id
        over(jobs, second, JobState.WAITING)
        assert jobs.decline(second).state is JobState.DECLINED
        jobs.close()
        with Store.open(strict.store_url) as store:
            assert [e.kind for e in store.evidence("quick-one")] == ["experiment"]


def test_many_who_ask_at_once_start_one_job(jobs: Jobs) -> None:
    with ThreadPoolExecutor(8) as pool:
        started = list(pool.map(lambda _: jobs.start_retest("self-improvement", source="library"), range(8)))
    assert len({s.job.id for s in started}) == 1
    assert sum(s.is_new for s in started) == 1
    over(jobs, started[0].job.id)


def test_two_servers_of_one_home_never_work_on_one_claim(jobs: Jobs, settings: Settings) -> None:
    other = Jobs(settings, CLOCK)
    first = jobs.start_retest("self-improvement", source="library")
    second = other.start_retest("self-improvement", source="library")
    assert second.job.id == first.job.id or jobs.get(first.job.id).is_over
    other.open()
    assert over(jobs, first.job.id) is JobState.DONE
    assert jobs.get(first.job.id).attempts == 1
    other.close()


def test_a_data_folder_that_cannot_be_written_is_said_and_pages_still_open(tmp_path: Path, sqlite_url: str) -> None:
    filled(sqlite_url)
    home = tmp_path / "a file, no folder"
    home.write_text("")
    with browsing(settings_for(home, sqlite_url)) as client:
        assert client.get("/api/v1/claims").json()["total"] == 3
        refused = client.post("/api/v1/claims/few-examples/retest", json={"source": "library"})
        assert refused.status_code == 503
        assert "data folder" in refused.json()["detail"]
