"""`retest serve` in a process of its own, as a person, a script and an operator meet it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent.web.serve import serve
from claims.errors import InputError
from tests.webs import TOKEN, filled, settings_for

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
MAIN = "from agent.cli.main import main; main()"


def environment(home: Path, **more: str) -> dict[str, str]:
    return {
        "RETEST_HOME": str(home),
        "RETEST_ARXIV_URL": "http://127.0.0.1:9/api/query",
        "RETEST_ARXIV_GAP_S": "0",
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "200",
        **more,
    }


def start(home: Path, *flags: str, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", MAIN, "serve", *flags],
        env=environment(home, **more),
        cwd=home,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@contextmanager
def serving(home: Path, *flags: str, **more: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start the server on a free port, and give its address when it can be called."""
    process = start(home, "--port", "0", "--json", *flags, **more)
    try:
        assert process.stdout is not None
        line = ""
        while not line.strip().endswith("}"):
            read = process.stdout.readline()
            assert read, process.stderr.read() if process.stderr else ""
            line += read
        yield json.loads(line)["url"], process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    filled(f"sqlite:///{folder / 'retest.sqlite3'}")
    return folder


def test_it_prints_its_address_answers_and_stops_when_told(home: Path) -> None:
    with serving(home) as (url, process):
        assert httpx.get(f"{url}/health").json()["status"] == "ok"
        assert httpx.get(f"{url}/ready").status_code == 200
        assert httpx.get(f"{url}/api/v1/claims").json()["total"] == 3
        assert "few-examples" in httpx.get(f"{url}/").text
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 0, err
        assert "stopped" in err


def test_a_port_that_is_taken_is_said_with_what_to_do(home: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        process = start(home, "--port", str(port))
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert f"port {port} of 127.0.0.1 is taken" in err
    assert "--port 0" in err


@pytest.mark.parametrize(
    ("host", "token", "said"),
    [
        ("0.0.0.0", None, "RETEST_WEB_TOKEN"),
        ("::", None, "RETEST_WEB_PROXY_HEADER"),
        ("no.such.name.invalid", TOKEN, "cannot serve on"),
        ("192.0.2.1", TOKEN, "cannot serve on"),
    ],
)
def test_an_address_that_cannot_be_had_or_is_open_to_strangers_is_refused(
    host: str, token: str | None, said: str, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path, f"sqlite:///{tmp_path / 'retest.sqlite3'}", web_host=host, web_token=token)
    with pytest.raises(InputError, match=said):
        serve(settings, announce=lambda url: None)


def test_nothing_secret_and_no_question_is_logged(home: Path) -> None:
    with serving(home, "--host", "0.0.0.0", RETEST_WEB_TOKEN=TOKEN) as (url, process):
        secret = {"Authorization": f"Bearer {TOKEN}"}
        with httpx.Client(base_url=url) as client:
            assert client.get("/api/v1/claims", headers=secret).status_code == 200
            assert client.get("/api/v1/claims", headers={"Authorization": "Bearer a-wrong-guess"}).status_code == 401
            form = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/login").text)
            assert form is not None
            data = {"csrf_token": form[1], "token": TOKEN}
            assert client.post("/login", data=data).status_code == 303
            session = dict(client.cookies)
            assert (
                client.post("/api/v1/ask", headers=secret, json={"question": "my private thought"}).status_code == 200
            )
            assert client.get("/claims/no-such-claim").status_code == 404
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert process.returncode == 0
        for private in (TOKEN, "a-wrong-guess", "private thought", form[1], *session.values()):
            assert private not in out + err


def test_a_job_that_the_server_was_stopped_under_goes_on_with_the_next(home: Path) -> None:
    with serving(home) as (url, process):
        started = httpx.post(f"{url}/api/v1/claims/self-improvement/retest", json={"source": "library"})
        assert started.status_code == 202
        process.kill()
        process.wait()
    with serving(home) as (url, _):
        path = f"{url}{started.headers['location']}"
        until = time.monotonic() + 60
        while (job := httpx.get(path).json())["state"] in ("queued", "running") and time.monotonic() < until:
            time.sleep(0.1)
        assert job["state"] == "done", job


def test_an_open_stream_does_not_keep_the_server_from_stopping(home: Path) -> None:
    with serving(home) as (url, process):
        job = httpx.post(f"{url}/api/v1/claims/few-examples/retest", json={"source": "auto"}).json()
        told: list[Any] = []

        def listen() -> None:
            try:
                with httpx.stream("GET", url + job["events"], timeout=30) as stream:
                    told.extend(stream.iter_lines())
            except httpx.HTTPError as exc:
                told.append(exc)

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        time.sleep(0.3)
        asked_at = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert time.monotonic() - asked_at < 20
        listener.join(10)
        assert told


def test_the_page_needs_nothing_but_the_base_install() -> None:
    code = (
        "import sys\n"
        "class Extras:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in {'torch', 'transformers', 'trl', 'langchain', 'langchain_openai', 'openai',\n"
        "                                  'mcp', 'psycopg', 'ray', 'playwright', 'schemathesis', 'httpx2'}:\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Extras())\n"
        "from agent.settings import load_settings\n"
        "from agent.web.app import create_app\n"
        "print(len(create_app(load_settings()).openapi()['paths']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 25
