"""What docker-compose.yml starts, started without docker: same commands, settings, secret files and health checks."""

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployment.compose import Machine, Service, can_jail, compose, free_port
from tests.labs import until
from tests.postgres import NoPostgres, find_binaries

pytestmark = pytest.mark.slow

PORTS = ("8700", "8765", "9464", "5432")


@contextlib.contextmanager
def database(folder: Path, port: int) -> Iterator[None]:
    """Run PostgreSQL as the compose file says: its user, its database, its password, asked for over TCP."""
    says = compose()["services"]["db"]["environment"]
    password = folder / "secrets" / Path(says["POSTGRES_PASSWORD_FILE"]).name
    binaries, data = find_binaries(), folder / "db"
    data.mkdir()
    as_owner = {}
    if os.geteuid() == 0:
        shutil.chown(data, "postgres", "postgres")
        as_owner = {"user": "postgres", "group": "postgres"}
    args = ["-D", data / "data", "-U", says["POSTGRES_USER"], f"--pwfile={password}", "--auth-local=trust", "--no-sync"]
    made = subprocess.run(
        [binaries / "initdb", *args, *says["POSTGRES_INITDB_ARGS"].split()],
        cwd=data,
        capture_output=True,
        text=True,
        check=False,
        **as_owner,
    )
    assert made.returncode == 0, made.stderr
    settings = [f"--port={port}", "--listen_addresses=127.0.0.1", f"--unix_socket_directories={data}", "--fsync=off"]
    with (folder / "db.log").open("wb") as log:
        server = subprocess.Popen(
            [binaries / "postgres", "-D", data / "data", *settings], cwd=data, stdout=log, stderr=log, **as_owner
        )
    try:
        check = [part.replace("5432", str(port)) for part in compose()["services"]["db"]["healthcheck"]["test"][1:]]
        check[0] = str(binaries / check[0])
        until(lambda: subprocess.run(check, check=False).returncode == 0, "the database answers its health check")
        make = ["-h", data, "-p", str(port), "-U", says["POSTGRES_USER"], says["POSTGRES_DB"]]
        subprocess.run([binaries / "createdb", *make], check=True)
        yield
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """Secrets, ports and PostgreSQL. The folder is not pytest's own, which the services' user may not enter."""
    folder = Path(tempfile.mkdtemp(prefix="retest-compose-"))
    folder.chmod(0o755)
    ports = {port: str(free_port()) for port in PORTS}
    places = {"@db:": "@127.0.0.1:", "//lab:": "//127.0.0.1:", "0.0.0.0": "127.0.0.1", **ports}
    made = Machine(folder, places)
    for name in compose()["secrets"]:
        (made.secrets / name).write_text(secrets.token_hex(24) + "\n")
    try:
        with database(folder, int(ports["5432"])):
            yield made
    except NoPostgres as exc:
        pytest.skip(f"no PostgreSQL: {exc}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def running(name: str, machine: Machine, **more: str) -> Iterator[Service]:
    service = Service(name, machine)
    service.env |= more
    service.start()
    try:
        yield service
    finally:
        service.kill()


def ask(url: str, token: str | None = None) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(url, headers={"Accept": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as exc:
        return exc.code, exc.read().decode()


def test_the_agent_becomes_healthy_asks_for_its_token_and_stops_in_time(machine: Machine) -> None:
    with running("agent", machine) as agent:
        assert agent.check() != 0, "the health check fails while nothing serves"
        agent.wait_until_healthy()
        url = f"http://127.0.0.1:{agent.env['RETEST_WEB_PORT']}"
        token = (machine.secrets / "web_token").read_text().strip()
        assert ask(f"{url}/api/v1/claims")[0] == 401
        status, body = ask(f"{url}/api/v1/claims", token)
        assert status == 200, body
        assert json.loads(body)
        assert agent.stop() == 0, agent.said()
    for secret in machine.secrets.iterdir():
        assert secret.read_text().strip() not in agent.log.read_text()


def test_the_nightly_service_becomes_healthy_on_the_same_database_and_stops_in_time(machine: Machine) -> None:
    with running("nightly", machine, RETEST_ARXIV_URL="http://127.0.0.1:9/api", RETEST_ARXIV_GAP_S="0") as nightly:
        nightly.wait_until_healthy()
        assert "next" in nightly.said()
        assert nightly.stop() == 0, nightly.said()


def test_the_lab_becomes_healthy_and_lets_only_the_token_in(machine: Machine) -> None:
    pytest.importorskip("torch", reason="the lab's own packages are not installed")
    with running("lab-cpu", machine) as lab:
        lab.wait_until_healthy()
        url = machine.here(compose()["services"]["agent"]["environment"]["RETEST_LAB_URL"], lab.volume)
        token = (machine.secrets / "lab_token").read_text().strip()
        assert ask(f"{url}/protocols")[0] == 401
        assert ask(f"{url}/protocols", token)[0] == 200
        began = time.monotonic()
        assert lab.stop() == 0, lab.said()
        assert time.monotonic() - began < 60


def test_the_doctor_in_the_agents_container_finds_database_and_lab(machine: Machine) -> None:
    pytest.importorskip("torch", reason="the lab's own packages are not installed")
    with running("lab-cpu", machine) as lab:
        lab.wait_until_healthy()
        agent = Service("agent", machine)
        agent.start("doctor", "--json").wait(120)
        findings = {f["what"]: f for f in json.loads(agent.log.read_text())}
        assert findings["store"]["state"] == "ok", findings
        assert findings["lab"]["state"] == "ok", findings


def test_a_service_runs_as_its_own_user_and_writes_nothing_outside_its_volume(machine: Machine) -> None:
    if not can_jail():
        pytest.skip("needs root and mount namespaces")
    agent = Service("agent", machine)
    script = "import os, pathlib, sys; print(os.getuid()); pathlib.Path(sys.argv[1]).write_text('x')"
    inside = agent.jailed(["python", "-c", script, str(agent.volume / "note")])
    assert subprocess.run(inside, env=agent.env, capture_output=True, check=True).stdout.strip() == b"10001"
    outside = agent.jailed(["python", "-c", script, "/var/tmp/note"])
    refused = subprocess.run(outside, env=agent.env, capture_output=True, check=False)
    assert b"Read-only file system" in refused.stderr
