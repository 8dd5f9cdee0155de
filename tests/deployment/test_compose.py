"""The compose file is well formed, names what is there, opens nothing that it need not, and leaks no secret."""

import json
import re
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from agent.cli.main import retest
from agent.settings import Settings
from lab.settings import LabSettings
from tests.deployment.compose import COMPOSE, ROOT, Machine, compose

SERVICES = sorted(compose()["services"])
OURS = [name for name in SERVICES if name != "db"]
LABS = ["lab", "lab-cpu"]


def service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = compose()["services"][name]
    return found


def test_the_file_follows_the_compose_specification() -> None:
    vendored = pytest.importorskip("check_jsonschema", reason="the specification's schema comes with check-jsonschema")
    schema = json.loads((files(vendored) / "builtin_schemas" / "vendor" / "compose-spec.json").read_text())
    jsonschema.validate(compose(), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(compose() | {"services": {"db": {"imaeg": "postgres"}}}, schema)


def test_what_stands_for_a_containers_place_is_not_replaced_again(tmp_path: Path) -> None:
    machine = Machine(tmp_path, {"9464": "45432", "5432": "40345", "@db:": "@127.0.0.1:"})
    assert (
        machine.here("/var/lib/retest 9464 @db:5432", tmp_path / "9464")
        == f"{tmp_path / '9464'} 45432 @127.0.0.1:40345"
    )


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_kept_small(name: str) -> None:
    says = service(name)
    assert says["read_only"] is True
    assert says["cap_drop"] == ["ALL"]
    assert says["security_opt"] == ["no-new-privileges:true"]
    assert says["user"].split(":")[0] not in ("0", "root")
    assert "privileged" not in says
    assert "network_mode" not in says
    assert re.fullmatch(r"[\w./-]+:[\w.-]*\d[\w.-]*", says["image"]), "an image is pinned by a tag with a version"


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_says_how_it_is_watched_and_stopped(name: str) -> None:
    says = service(name)
    assert says["healthcheck"]["test"][0] == "CMD"
    assert {"interval", "timeout", "retries", "start_period"} <= says["healthcheck"].keys()
    assert says["stop_signal"].startswith("SIG")
    assert re.fullmatch(r"\d+s", says["stop_grace_period"])


def test_one_port_is_open_and_only_on_loopback() -> None:
    assert {name: service(name)["ports"] for name in SERVICES if "ports" in service(name)} == {
        "agent": ["127.0.0.1:8700:8700"]
    }


def test_the_database_and_the_lab_cannot_reach_out() -> None:
    networks = compose()["networks"]
    for name in ("db", *LABS):
        assert all(networks[network]["internal"] for network in service(name)["networks"]), name


@pytest.mark.parametrize("name", SERVICES)
def test_secrets_come_as_files_that_are_mounted(name: str) -> None:
    says = service(name)
    named = {value for value in says["environment"].values() if value.startswith("/run/secrets/")}
    assert named == {f"/run/secrets/{secret}" for secret in says["secrets"]}
    assert set(says["secrets"]) <= compose()["secrets"].keys()
    for key in says["environment"]:
        if re.search(r"PASSWORD|TOKEN|KEY|SECRET", key):
            assert key.endswith("_FILE"), f"{key} would show in `docker inspect`"


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting_that_somebody_reads(name: str) -> None:
    known = {f"RETEST_{field.upper()}" for field in Settings.model_fields}
    known |= {f"RETEST_LAB_{field.upper()}" for field in LabSettings.model_fields}
    given = {key.removesuffix("_FILE") for key in service(name)["environment"] if key.startswith("RETEST_")}
    assert given <= known


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_one_of_retest(name: str) -> None:
    command = service(name)["command"]
    found = retest.get_command(retest.make_context("retest", ["doctor"]), command[0])
    assert found is not None, command


@pytest.mark.parametrize("name", SERVICES)
def test_every_volume_and_network_is_declared(name: str) -> None:
    says, whole = service(name), compose()
    assert {volume.partition(":")[0] for volume in says["volumes"]} <= whole["volumes"].keys()
    assert set(says["networks"]) <= whole["networks"].keys()


@pytest.mark.parametrize("name", LABS)
def test_either_lab_answers_where_the_others_look_for_it(name: str) -> None:
    says = service(name)
    assert says["profiles"] == [name]
    host, port = service("agent")["environment"]["RETEST_LAB_URL"].removeprefix("http://").split(":")
    assert host in says["networks"]["lab"]["aliases"]
    assert says["command"][-2:] == ["--port", port]


def test_the_gpu_is_reserved_for_one_lab_only() -> None:
    reserved = service("lab")["deploy"]["resources"]["reservations"]["devices"]
    assert reserved == [{"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}]
    assert "deploy" not in service("lab-cpu")


@pytest.mark.parametrize("name", OURS)
def test_every_image_is_built_from_a_file_that_is_there_for_the_version_that_is_there(name: str) -> None:
    says = service(name)
    assert (ROOT / says["build"]["context"] / says["build"]["dockerfile"]).is_file()
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    assert says["image"].partition(":")[2].startswith(version[1])


def test_a_variable_of_the_machine_is_never_needed() -> None:
    for found in re.finditer(r"\$\{?[A-Z_]+[^}]*\}?", COMPOSE.read_text()):
        assert ":-" in found[0], found[0]


def test_the_lines_that_make_the_secrets_make_those_that_are_named(tmp_path: Path) -> None:
    lines = [
        line.removeprefix("#   ")
        for line in COMPOSE.read_text().splitlines()
        if line.startswith(("#   install", "#   for"))
    ]
    subprocess.run(["bash", "-euc", "\n".join(lines)], cwd=tmp_path, check=True, capture_output=True)
    for secret in compose()["secrets"].values():
        made = tmp_path / secret["file"]
        assert len(made.read_text().strip()) == 48
        assert made.parent.stat().st_mode & 0o077 == 0
