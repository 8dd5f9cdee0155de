"""`retest service` as a person starts it: one night, nights by a schedule, and a night that was missed."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from claims.clock import SystemClock
from claims.digest import Digest
from claims.report.digest import render_digest
from claims.store import Store
from tests.cli.test_commands import ROOT, retest
from tests.collector import collector
from tests.nights import Library, TickingClock, claim_about, paper_about

pytestmark = pytest.mark.slow

NIGHT = "2024-12-31"
CLAIM = claim_about("curated")


def filled(folder: Path) -> str:
    """Hold one claim and three papers."""
    url = f"sqlite:///{folder / 'retest.sqlite3'}"
    with Store.open(url) as store:
        store.put_claim(CLAIM)
        library = Library(store, folder, index="paper-index")
        library.put(*(paper_about("curated", "Neutral", n) for n in (1, 2, 3)))
    return url


def serve(home: Path, *args: str, **env: str) -> subprocess.Popen[str]:
    settings = {"RETEST_HOME": str(home), "PATH": os.environ["PATH"]}
    return subprocess.Popen(
        [sys.executable, "-c", "from agent.cli.main import main; main()", "service", *args],
        cwd=ROOT,
        env=settings | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_one_night_prints_its_digest_and_is_the_same_as_a_refresh(tmp_path: Path) -> None:
    filled(tmp_path)
    done = retest(tmp_path, "service", "--once", "--no-harvest", "--no-lab", "--until", NIGHT, "--json")
    assert done.code == 0, done.err
    digest = Digest.model_validate_json(done.out)
    assert [change.claim_id for change in digest.first] == [CLAIM.id]
    alone = retest(tmp_path, "refresh", "--no-harvest", "--no-lab", "--until", NIGHT, "--json")
    assert Digest.model_validate_json(alone.out) == digest


def test_a_missed_night_is_noticed_at_the_start_made_up_for_and_told(tmp_path: Path) -> None:
    url = filled(tmp_path)
    now = SystemClock().now()
    with Store.open(url) as store:
        long_ago = now - timedelta(days=3)
        library = Library(store, tmp_path, index="paper-index")
        store.clock = TickingClock(long_ago)
        library.night(long_ago.date())
    # Due an hour ago, every day: three times since that night, the last of them made up for now.
    cron = f"{(now - timedelta(hours=1)).minute} {(now - timedelta(hours=1)).hour} * * *"
    service = serve(tmp_path, "--no-harvest", "--no-lab", "--json", RETEST_REFRESH_CRON=cron)
    try:
        with Store.open(url) as store:
            until = time.monotonic() + 90
            while len(store.nights()) < 2 and time.monotonic() < until and service.poll() is None:
                time.sleep(0.2)
            newest = store.nights()[0]
    finally:
        service.send_signal(signal.SIGTERM)
        out, err = service.communicate(timeout=30)
    assert service.returncode == 0, err
    said = json.loads(out)
    assert (said["cron"], said["time_zone"]) == (cron, "UTC")
    assert said["making_up"]
    assert datetime.fromisoformat(said["next_at"]) > now
    digest = Digest.model_validate_json(newest.digest or "")
    assert digest.night >= now.date()
    assert digest.missed == 2
    assert "2 nights were missed" in render_digest(digest)
    assert "missed" in err


def test_nothing_is_made_up_for_when_the_last_night_took_place(tmp_path: Path) -> None:
    url = filled(tmp_path)
    with Store.open(url) as store:
        library = Library(store, tmp_path, index="paper-index")
        store.clock = SystemClock()
        library.night(date(2026, 8, 21))
    soon = SystemClock().now() + timedelta(hours=2)
    service = serve(
        tmp_path,
        "--no-harvest",
        "--no-lab",
        RETEST_REFRESH_CRON=f"{soon.minute} {soon.hour} * * *",
        RETEST_REFRESH_TZ="UTC",
    )
    try:
        assert service.stdout is not None
        said = service.stdout.readline()
    finally:
        service.send_signal(signal.SIGINT)
        service.communicate(timeout=30)
    assert f"next {soon:%Y-%m-%d %H:%M}Z" in said
    assert "missed" not in said


def test_every_tick_of_a_schedule_is_one_night_whoever_follows_it(tmp_path: Path) -> None:
    url = filled(tmp_path)
    (tmp_path / "paper-index").rename(tmp_path / "index")
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.agent.ticking_process", url, str(tmp_path), "12"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    seen = []
    for process in both:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        seen.append([line.split()[0] for line in out.splitlines()])
    longest = max(seen, key=len)
    assert len(longest) >= 3
    assert max(Counter(longest).values()) == 1
    assert all("+05:30" in name for name in longest), "the time zone is part of the tick"
    with Store.open(url) as store:
        assert len(store.nights()) == 1
        assert len(store.verdicts(CLAIM.id)) == 1


def test_a_service_shows_what_it_does_and_no_secret(tmp_path: Path) -> None:
    filled(tmp_path)
    seen: list[str] = []
    with collector() as (url, got):
        service = serve(
            tmp_path,
            "--no-harvest",
            "--no-lab",
            RETEST_LOG="json",
            RETEST_METRICS_PORT="0",
            RETEST_OTEL_URL=url,
            RETEST_WEBHOOK="http://127.0.0.1:9/hook?token=hush-hush-hush",
            RETEST_WEBHOOK_SECRET="hush-hush-hush",
        )
        try:
            assert service.stderr is not None
            while not any("/metrics" in line for line in seen):
                seen.append(service.stderr.readline())
                assert seen[-1], seen
            address = json.loads(seen[-1])["message"].rpartition(" ")[2]
            # The port of the metrics is the service's, whatever the one night's environment says.
            ours = {"RETEST_OTEL_URL": url, "RETEST_METRICS_PORT": address.rpartition(":")[2].partition("/")[0]}
            done = retest(tmp_path, "service", "--once", "--no-harvest", "--no-lab", "--until", NIGHT, **ours)
            assert done.code == 0, done.err
            with urllib.request.urlopen(address, timeout=30) as answer:
                text = answer.read().decode()
        finally:
            service.send_signal(signal.SIGTERM)
            _, err = service.communicate(timeout=30)
    assert 'retest_claims{verdict="untested"} 1.0' in text
    assert "retest_store_up 1.0" in text
    assert "retest_last_night_timestamp_seconds" in text
    told = [json.loads(line) for line in [*seen, *err.splitlines()]]
    assert {line["logger"].partition(".")[0] for line in told} <= {"agent", "dbos"}
    assert "hush-hush-hush" not in "".join(map(json.dumps, told))
    names = {one.name for one in got}
    assert {"prepare", "portion", "claim", "match", "judge", "decide", "tell", "deliver"} <= names
    assert len({one.trace_id for one in got}) == 1, "the processes that share a night share a trace"


@pytest.mark.parametrize(("name", "value"), [("RETEST_REFRESH_CRON", "at night"), ("RETEST_REFRESH_TZ", "Mars/Base")])
def test_a_schedule_that_cannot_be_read_is_named(name: str, value: str, tmp_path: Path) -> None:
    done = retest(tmp_path, "service", **{name: value})
    assert done.code == 2
    assert name in done.err


def test_a_day_is_only_for_one_night(tmp_path: Path) -> None:
    assert retest(tmp_path, "service", "--until", NIGHT).code == 2
    assert retest(tmp_path, "service", "--once", "--until", "2999-01-01").code == 2
