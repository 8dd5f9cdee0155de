"""What a newcomer meets, made for real, and what the doctor says of it."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from claims.store import Store
from claims.store.engine import Door, connect
from claims.store.schema import bring_to_head
from tests.chat_server import chat_server
from tests.cli.test_commands import ROOT, retest
from tests.deployment.compose import can_jail, free_port
from tests.labs import LabUnderTest

pytestmark = pytest.mark.slow


def findings(home: Path, **env: str) -> dict[str, dict[str, str]]:
    done = retest(home, "doctor", "--json", RETEST_WEB_PORT="0", **env)
    assert isinstance(done.json, list), done.err
    assert done.code == (1 if any(f["state"] == "problem" for f in done.json) else 0)
    return {f["what"]: f for f in done.json}


@contextlib.contextmanager
def server(date: str) -> Iterator[str]:
    """A server that has another time than we."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.end_headers()

        def date_time_string(self, timestamp: float | None = None) -> str:
            return date or super().date_time_string(timestamp)

        def log_message(self, format: str, *args: object) -> None:
            pass

    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{served.server_port}/api/query"
    finally:
        served.shutdown()
        served.server_close()


def on_a_mount(home: Path, mount: str) -> str:
    """Run the doctor where something is mounted over its home, and give its words without their line breaks."""
    if not can_jail():
        pytest.skip("needs root and mount namespaces")
    home.mkdir()
    code = "from agent.cli.main import main; main()"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", f'{mount} && exec "$@"', "sh", sys.executable, "-c", code, "doctor"],
        env={"PATH": os.environ["PATH"], "RETEST_HOME": str(home), "RETEST_ARXIV_URL": "http://127.0.0.1:9/api/query"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    return " ".join(done.stdout.split())


def test_no_network_is_a_note_with_the_ways_that_need_none(tmp_path: Path) -> None:
    found = findings(tmp_path)["arxiv"]
    assert found["state"] == "note"
    assert "--source mirror" in found["do"]


def test_a_clock_that_is_right_agrees_and_one_far_off_is_a_problem(tmp_path: Path) -> None:
    with server("") as url:
        assert findings(tmp_path, RETEST_ARXIV_URL=url)["clock"]["state"] == "ok"
    with server("Mon, 03 Mar 2036 10:00:00 GMT") as url:
        found = findings(tmp_path, RETEST_ARXIV_URL=url)["clock"]
    assert found["state"] == "problem"
    assert "behind" in found["said"]
    assert "ntp" in found["do"]


def test_a_home_that_cannot_be_written_is_a_problem(tmp_path: Path) -> None:
    home = tmp_path / "home"
    said = on_a_mount(home, f"mount -t tmpfs -o ro none {home}")
    assert "cannot be written" in said
    assert "set RETEST_HOME" in said


def test_a_disk_that_is_nearly_full_is_a_problem(tmp_path: Path) -> None:
    home = tmp_path / "home"
    said = on_a_mount(home, f"mount -t tmpfs -o size=50m none {home}")
    assert "0.0 GiB free" in said
    assert "free some disk" in said


def test_a_home_that_is_a_file_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "not a folder" in findings(tmp_path / "file")["home"]["said"]


def test_no_torch_is_a_note_that_says_how_to_get_it(tmp_path: Path) -> None:
    # An environment with everything but torch: this one's packages, linked.
    packages = Path(next(p for p in sys.path if p.endswith("site-packages")))
    lean = tmp_path / "lean"
    lean.mkdir()
    for entry in packages.iterdir():
        if not entry.name.startswith("torch") and entry.suffix != ".pth":
            (lean / entry.name).symlink_to(entry)
    code = (
        f"import sys; sys.path[:] = [p for p in sys.path if p != {str(packages)!r}] + [{str(lean)!r}, {str(ROOT)!r}]; "
    )
    done = subprocess.run(
        [sys.executable, "-c", code + "from agent.cli.main import main; main()", "doctor"],
        env={"PATH": os.environ["PATH"], "RETEST_HOME": str(tmp_path), "RETEST_ARXIV_URL": "http://127.0.0.1:9/x"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "torch is not installed" in done.stdout, done.stderr
    assert "pip install 'retest[lab]'" in done.stdout


def test_an_old_schema_and_a_newer_one_are_told_apart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'retest.sqlite3'}"
    door = Door(connect(url))
    bring_to_head(door, migrate=True, revision="0001")
    door.engine.dispose()
    before = (tmp_path / "retest.sqlite3").read_bytes()
    old = findings(tmp_path)["store"]
    assert old["state"] == "problem"
    assert "retest backup" in old["do"]
    assert (tmp_path / "retest.sqlite3").read_bytes() == before
    import sqlite3

    with contextlib.closing(sqlite3.connect(tmp_path / "retest.sqlite3")) as db, db:
        db.execute("UPDATE retest_schema SET version_num = '9999'")
    assert "newer retest" in findings(tmp_path)["store"]["do"]


def test_a_database_that_is_away_is_a_problem_and_its_password_is_not_shown(tmp_path: Path) -> None:
    found = findings(tmp_path, RETEST_DATABASE_URL="postgresql://retest:hush@127.0.0.1:9/retest")["store"]
    assert found["state"] == "problem"
    assert "hush" not in str(found)


def test_an_empty_mirror_is_a_note(tmp_path: Path) -> None:
    Store.open(f"sqlite:///{tmp_path / 'retest.sqlite3'}").close()
    assert "retest mirror import" in findings(tmp_path)["mirror"]["do"]


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = retest(tmp_path, "doctor", RETEST_WEB_PORT=port)
    assert f"127.0.0.1:{port} is taken" in done.out
    assert "set RETEST_WEB_PORT" in done.out


def test_a_page_that_would_let_strangers_in_is_a_problem(tmp_path: Path) -> None:
    assert findings(tmp_path, RETEST_WEB_HOST="0.0.0.0")["web"]["state"] == "problem"


def test_a_model_that_is_configured_but_cannot_be_reached_is_a_problem(tmp_path: Path) -> None:
    away = f"http://127.0.0.1:{free_port()}/v1"
    found = findings(tmp_path, RETEST_LLM="openai:any", RETEST_LLM_URL=away)["llm"]
    assert found["state"] == "problem"
    assert "start the model's server" in found["do"]
    with chat_server(lambda _: "hello") as there:
        assert findings(tmp_path, RETEST_LLM="openai:any", RETEST_LLM_URL=there.url)["llm"]["state"] == "ok"
        assert there.requests == []
    assert not (tmp_path / "llm.sqlite3").exists()


def test_a_model_without_its_key_or_price_is_a_problem_that_names_it(tmp_path: Path) -> None:
    assert "RETEST_LLM_USD_IN" in findings(tmp_path, RETEST_LLM="openai:any")["llm"]["said"]
    priced = {"RETEST_LLM_USD_IN": "1", "RETEST_LLM_USD_OUT": "1"}
    assert "OPENAI_API_KEY" in findings(tmp_path, RETEST_LLM="openai:any", **priced)["llm"]["said"]


def test_a_lab_that_is_away_or_refuses_us_is_a_problem(tmp_path: Path) -> None:
    away = findings(tmp_path, RETEST_LAB_URL=f"http://127.0.0.1:{free_port()}")["lab"]
    assert away["state"] == "problem"
    assert "retest lab serve" in away["do"]
    with LabUnderTest(tmp_path / "lab") as lab:
        lab.serve()
        with lab.client() as client:
            url = client.url
        refused = findings(tmp_path, RETEST_LAB_URL=url, RETEST_LAB_TOKEN="wrong")["lab"]
        assert refused["state"] == "problem"
        assert "RETEST_LAB_TOKEN" in refused["do"]
        assert findings(tmp_path, RETEST_LAB_URL=url, RETEST_LAB_TOKEN="a-token-for-tests")["lab"]["state"] == "ok"


def test_a_wrong_setting_ends_the_doctor_with_its_name(tmp_path: Path) -> None:
    done = retest(tmp_path, "doctor", RETEST_SEEDS="many")
    assert done.code == 2
    assert "RETEST_SEEDS" in done.err
