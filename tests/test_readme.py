"""Every block of README is run, or checked by the nearest means. `python -m tests.test_readme` writes the output anew.

A block says by the comment above it, or by its language, what is done with it:

    screen, tour         the commands are run in one new home, in order; what they print is what stands there
    command one, two     CI runs the second one as it stands; both are checked to be where CI looks for them
    protocol, run        the file is written and the commands below it run, with a lab that trains
    model                the lines run against a model's server on loopback; the doctor must be content
    compose, kubernetes  against the compose specification's schema; by what the file refers to
    elsewhere            needs a machine that is not here: `bash -n`, and every `retest` line is parsed
    cron, ini, text      schedules and units are parsed, and every `retest` line is
"""

import configparser
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import click
import croniter
import pytest
import yaml

from agent.cli.main import retest
from agent.settings import Settings
from lab.settings import LabSettings
from tests.chat_server import chat_server
from tests.deployment.compose import compose

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
BLOCK = re.compile(r"(?:^<!-- (?P<mark>[^>]*) -->\n)?^```(?P<lang>\w*)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
COMMAND = ["run", "--no-lab", "--source", "library", "--as-of", "2026-08-21", "--out", "retest-report"]
SHOWN_LINES = 8
"""of a tour's longer output"""

MARKS = {
    "screen",
    "tour",
    "tour, whole",
    "command one",
    "command two",
    "protocol",
    "run",
    "model",
    "compose",
    "kubernetes",
}
PARSED = {"cron", "ini", "text"}


class Block(NamedTuple):
    """One fenced block."""

    mark: str
    lang: str
    body: str


def blocks(*marks: str) -> list[Block]:
    found = [Block(m["mark"] or "", m["lang"], m["body"]) for m in BLOCK.finditer(README.read_text())]
    return [block for block in found if not marks or block.mark in marks]


def environment(folder: Path, **more: str) -> dict[str, str]:
    """An empty home, no arXiv within reach, and `retest` on the path."""
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    shim = programs / "retest"
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from agent.cli.main import main; main()" "$@"\n')
    shim.chmod(0o755)
    return {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "RETEST_HOME": str(folder / "home"),
        "RETEST_ARXIV_URL": "http://127.0.0.1:9/api/query",
        "COLUMNS": "110",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2"),
        **more,
    }


def printed(folder: Path, *args: str) -> str:
    """Run one command of retest and give what it prints on stdout."""
    done = subprocess.run(
        ["retest", *args], capture_output=True, text=True, cwd=folder, env=environment(folder), timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return "".join(line.rstrip() + "\n" for line in done.stdout.splitlines())


def filled(folder: Path, block: Block, screen: str) -> str:
    """Run a block's commands and give the block as it has to stand in README."""
    if block.mark == "screen":
        return f"$ retest {' '.join(COMMAND[:-2])}\n{screen}"
    text = ""
    for line in block.body.splitlines():
        if not line.startswith("$ "):
            continue
        lines = printed(folder, *shlex.split(line)[2:]).splitlines()
        if block.mark == "tour" and len(lines) > SHOWN_LINES:
            lines = [*lines[:SHOWN_LINES], "..."]
        text += "\n".join([line, *lines]) + "\n"
    return text


def timeless(text: str) -> str:
    """Take out what depends on the day of the run, and how long a seed took where that was last measured."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\dZ", "NOW", text)
    text = re.sub(r"about \d+ s a seed", "about SOME s a seed", text)
    return re.sub(r"\d+ days? ago", "SOME DAYS ago", text)


@pytest.mark.slow
def test_what_the_tour_shows_is_what_the_commands_print(tmp_path: Path) -> None:
    screen = printed(tmp_path, *COMMAND)
    shown = blocks("screen", "tour", "tour, whole")
    assert len(shown) >= 4
    for block in shown:
        assert timeless(block.body) == timeless(filled(tmp_path, block, screen))


def test_every_block_is_of_a_kind_that_some_test_looks_at() -> None:
    found = blocks()
    assert len(found) > 15
    for block in found:
        is_known = (
            block.mark in MARKS or block.mark.startswith("elsewhere: ") or (not block.mark and block.lang in PARSED)
        )
        assert is_known, f"no test looks at this block: <!-- {block.mark} --> ```{block.lang}\n{block.body[:200]}"


def commands() -> Iterator[str]:
    """Give every `retest` line of every block, without what explains it."""
    for block in blocks():
        if block.lang not in ("yaml", "python"):
            for line in block.body.splitlines():
                found = None if line.startswith("#") else re.search(r"(?:^|/bin/|[\s'])retest (?=[a-z])(.*)", line)
                if found:
                    yield re.split(r" {2,}|[|&>']", found[1])[0].strip()


@pytest.mark.parametrize("line", sorted(set(commands())))
def test_every_command_line_is_one_that_retest_takes(line: str) -> None:
    command: click.Command = retest
    context, args = None, shlex.split(line)
    while True:
        try:
            context = command.make_context(command.name or "retest", list(args), parent=context)
        except click.BadParameter as exc:
            assert "does not exist" in exc.message, exc
            return
        if not isinstance(command, click.Group):
            return
        _, found, args = command.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None
        command = found


def test_the_two_commands_of_the_readme_stand_where_ci_looks_for_them() -> None:
    for name in ("one", "two"):
        (block,) = blocks(f"command {name}")
        assert block.lang == "bash"
        assert "-c .ci/constraints.txt" in block.body


@pytest.mark.parametrize("block", [b for b in blocks() if b.lang == "bash"], ids=lambda b: b.mark)
def test_every_shell_block_is_shell(block: Block) -> None:
    done = subprocess.run(["bash", "-n"], input=block.body, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_schedules_and_units_can_be_read() -> None:
    (cron,) = [b.body for b in blocks() if b.lang == "cron"]
    assert croniter.croniter.is_valid(" ".join(cron.splitlines()[1].split()[:5]))
    units = "".join(b.body for b in blocks() if b.lang == "ini")
    for unit in re.split(r"^# /etc/systemd/system/", units, flags=re.MULTILINE)[1:]:
        name, _, text = unit.partition("\n")
        read = configparser.ConfigParser(interpolation=None)
        read.read_string(text)
        assert set(read.sections()) <= {"Unit", "Service", "Timer", "Install"}, name
        for key, value in read["Service"].items() if "Service" in read else ():
            if key == "environment":
                assert {pair.split("=")[0] for pair in value.split()} <= known_settings()


def known_settings() -> set[str]:
    ours = {f"RETEST_{name.upper()}" for name in Settings.model_fields}
    return ours | {f"RETEST_LAB_{name.upper()}" for name in LabSettings.model_fields}


@pytest.mark.parametrize("block", [b for b in blocks() if b.lang in ("bash", "yaml")], ids=lambda b: b.mark)
def test_every_setting_that_a_block_names_exists(block: Block) -> None:
    named = {name.removesuffix("_FILE") for name in re.findall(r"RETEST_[A-Z_]+", block.body)}
    assert named <= known_settings()


@pytest.mark.slow
def test_a_protocol_of_ones_own_is_forty_lines_and_trains(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the lab's own packages are not installed")
    (protocol,), (run,) = blocks("protocol"), blocks("run")
    assert len(protocol.body.splitlines()) <= 40
    name = re.search(r"RETEST_LAB_PROTOCOLS=(\w+):", run.body)
    assert name is not None
    (tmp_path / f"{name[1]}.py").write_text(protocol.body)
    env = environment(tmp_path, RETEST_LAB_CACHE=str(tmp_path / "cache"))
    done = subprocess.run(
        ["bash", "-euc", run.body], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "positive control" in done.stdout
    assert "inconclusive" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("block", blocks("model"), ids=["hosted", "own"])
def test_a_model_is_connected_as_described(block: Block, tmp_path: Path) -> None:
    key = tmp_path / ".config" / "openai-key"
    key.parent.mkdir()
    key.write_text("sk-of-a-test\n")
    with chat_server(lambda _: "hello") as server:
        lines = re.sub(r"http://127\.0\.0\.1:8000/v1", server.url, block.body)
        env = environment(tmp_path, RETEST_WEB_PORT="0")
        done = subprocess.run(
            ["bash", "-c", lines], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False
        )
    assert re.search(r"^ok +llm", done.stdout, re.MULTILINE), done.stdout + done.stderr


def test_the_override_of_the_compose_file_fits_it() -> None:
    vendored = pytest.importorskip("check_jsonschema", reason="the specification's schema comes with check-jsonschema")
    import jsonschema

    schema = json.loads((files(vendored) / "builtin_schemas" / "vendor" / "compose-spec.json").read_text())
    (block,) = blocks("compose")
    override = yaml.safe_load(block.body)
    jsonschema.validate(override, schema)
    assert set(override["services"]) <= set(compose()["services"])
    for name, service in override["services"].items():
        assert {setting.removesuffix("_FILE") for setting in service["environment"]} <= known_settings()
        if name == "lab":
            folder = service["volumes"][0].split(":")[1]
            assert service["environment"]["RETEST_LAB_SMALL_MODEL"].startswith(f"{folder}/")
            continue
        assert set(service["secrets"]) <= set(override["secrets"])
        assert f"/run/secrets/{service['secrets'][0]}" in service["environment"].values()


def test_the_kubernetes_deployment_refers_to_what_it_has() -> None:
    (block,) = blocks("kubernetes")
    made = yaml.safe_load(block.body)
    pod = made["spec"]["template"]["spec"]
    assert made["spec"]["selector"]["matchLabels"] == made["spec"]["template"]["metadata"]["labels"]
    assert pod["securityContext"]["runAsNonRoot"]
    (container,) = pod["containers"]
    assert container["args"] == compose()["services"]["lab"]["command"]
    volumes = {volume["name"] for volume in pod["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
    for variable in container["env"]:
        if variable["name"].endswith("_FILE"):
            assert any(variable["value"].startswith(f"{path}/") for path in mounts)


def test_the_messages_that_are_explained_are_ones_that_retest_prints() -> None:
    table = README.read_text().partition("## When something goes wrong")[2].partition("\n## ")[0]
    messages = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    assert len(messages) > 8
    sources = "".join(path.read_text() for room in ("agent", "lab", "claims") for path in (ROOT / room).rglob("*.py"))
    assert [message for message in messages if message not in sources] == []


def rewrite() -> None:
    """Write what the commands print into README."""
    with tempfile.TemporaryDirectory() as folder:
        screen = printed(Path(folder), *COMMAND)

        def anew(match: re.Match[str]) -> str:
            block = Block(match["mark"] or "", match["lang"], match["body"])
            if block.mark not in ("screen", "tour", "tour, whole"):
                return match[0]
            return f"<!-- {block.mark} -->\n```{block.lang}\n{filled(Path(folder), block, screen)}```"

        README.write_text(BLOCK.sub(anew, README.read_text()))


if __name__ == "__main__":
    rewrite()
