"""The commands as a person and a script meet them: output, JSON on stdout, exit codes, one-line errors."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from claims.library import example_inquiry

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


class Answer:
    """What a command printed and how it ended."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self) -> object:
        return json.loads(self.out)


def retest(home: Path, *args: str, given: str | None = None, **env: str) -> Answer:
    """Run the command in a process of its own, with a home of its own and no arXiv within reach."""
    settings = {
        "RETEST_HOME": str(home),
        "RETEST_ARXIV_URL": "http://127.0.0.1:9/api/query",
        "RETEST_ARXIV_GAP_S": "0",
        "PATH": os.environ["PATH"],
        "USER": "Ada",
    }
    return Answer(
        subprocess.run(
            [sys.executable, "-c", "from agent.cli.main import main; main()", *args],
            capture_output=True,
            text=True,
            cwd=ROOT,
            input=given,
            env=settings | env,
            timeout=240,
        )
    )


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the shipped inquiry was run once, against the starter library, without the lab."""
    home = tmp_path_factory.mktemp("home")
    done = retest(home, "run", "--no-lab", "--as-of", "2026-08-21", "--out", str(home / "report"))
    assert done.code == 0, done.err
    return home


def test_the_main_job_answers_from_the_library_and_says_that_arxiv_was_out_of_reach(held: Path, tmp_path: Path) -> None:
    done = retest(held, "run", "--no-lab", "--as-of", "2026-08-21", "--out", str(tmp_path / "report"), "--json")
    assert done.code == 0, done.err
    document = done.json
    assert isinstance(document, dict)
    assert len(document["claims"]) == 6
    assert "arxiv" in document["could_not_look"]
    assert all(claim["verdict"] for claim in document["claims"])
    assert sum(claim["papers"]["judged"] for claim in document["claims"]) > 100
    for name in ("report.md", "report.html", "report.json", "evidence.csv", "papers.bib", "CITATION.cff"):
        assert (tmp_path / "report" / name).stat().st_size > 0


def test_a_run_that_could_look_nowhere_ends_with_code_3_and_no_verdict_of_nothing_found(tmp_path: Path) -> None:
    done = retest(tmp_path, "run", "--no-lab", "--source", "arxiv", "--out", str(tmp_path / "report"), "--json")
    assert done.code == 3
    document = done.json
    assert isinstance(document, dict)
    assert document["could_not_look"]


def test_an_inquiry_of_a_persons_own_is_run_and_held(tmp_path: Path) -> None:
    document = tmp_path / "mine.txt"
    document.write_text("- Instruction tuning on a thousand examples is enough to align a large model (~2023)\n")
    done = retest(tmp_path, "run", str(document), "--no-lab", "--source", "library", "--out", str(tmp_path / "r"))
    assert done.code == 0, done.err
    listed = retest(tmp_path, "list", "--json")
    assert isinstance(listed.json, list)
    assert [line["kind"] for line in listed.json] != [None]


def test_list_show_and_report_tell_what_is_held(held: Path, tmp_path: Path) -> None:
    listed = retest(held, "list", "--json")
    assert listed.code == 0
    assert isinstance(listed.json, list)
    assert len(listed.json) == 6
    claim_id = listed.json[0]["claim_id"]
    shown = retest(held, "show", claim_id)
    assert shown.code == 0
    assert "durable" in shown.out
    report = retest(held, "report", claim_id, "--format", "csv", "--out", str(tmp_path / "a.csv"))
    assert report.code == 0
    assert (tmp_path / "a.csv").read_text().count("\n") > 1
    for out in ("crate.zip", "crate"):
        packed = retest(held, "report", claim_id, "--format", "crate", "--out", str(tmp_path / out))
        assert packed.code == 0, packed.err
    described = json.loads((tmp_path / "crate" / "ro-crate-metadata.json").read_bytes())
    assert [e for e in described["@graph"] if e["@id"] == f"#{claim_id}" and e["@type"] == "Claim"]
    with zipfile.ZipFile(tmp_path / "crate.zip") as archive:
        assert set(archive.namelist()) == {
            str(p.relative_to(tmp_path / "crate")) for p in (tmp_path / "crate").rglob("*") if p.is_file()
        }


def test_before_a_claim_was_recorded_nothing_is_listed(held: Path) -> None:
    assert retest(held, "list", "--as-of", "2020-01-01", "--json").json == []


def test_a_persons_stance_outranks_the_judge_and_undo_takes_it_back(tmp_path: Path) -> None:
    done = retest(
        tmp_path, "run", "--no-lab", "--source", "library", "--claim", "lima", "--out", str(tmp_path / "r"), "--json"
    )
    assert done.code == 0, done.err
    weighed = retest(tmp_path, "judge", "lima", "--by", "Ada", "--limit", "3", "--json", given="s\nyes\nu\nc\nno\nx\n")
    assert weighed.code == 0, weighed.err
    document = weighed.json
    assert isinstance(document, dict)
    assert [e["assessment"]["stance"] for e in document["given"]] == ["contradicts"]
    shown = retest(tmp_path, "show", "lima", "--json").json
    assert isinstance(shown, dict)
    persons = [e for e in shown["evidence"] if e["assessment"]["judge"]["name"] == "person"]
    assert [e["assessment"]["judge"]["version"] for e in persons] == ["Ada"]


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("show", "no-such-claim"), 2, "no-such-claim"),
        (("run", "no-such-file.txt"), 2, "no file no-such-file.txt"),
        (("run", "--source", "moon"), 2, "moon"),
        (("run", "--judge", "moon", "--no-lab"), 2, "moon"),
        (("run", "--claim", "zzz", "--no-lab", "--source", "library"), 2, "zzz"),
        (("import", "claims"), 2, "folder"),
        (("search", "words", "--source", "mirror"), 3, "mirror"),
        (("nonsense",), 2, "nonsense"),
        (("ground",), 2, "arXiv id"),
        (("mirror", "import", "README.md"), 2, "README.md"),
        (("lab", "run", "data-quantity", "--set", "n"), 2, "NAME=VALUE"),
        (("bench", "README.md", "--source", "library"), 2, "line 1"),
    ],
)
def test_an_error_is_one_line_that_says_what_to_do_with_its_code(
    tmp_path: Path, args: tuple[str, ...], code: int, said: str
) -> None:
    done = retest(tmp_path, *args)
    assert done.code == code, done.err
    assert said in done.out + done.err
    assert "Traceback" not in done.err


def test_an_error_with_json_is_a_document_too(tmp_path: Path) -> None:
    done = retest(tmp_path, "show", "no-such-claim", "--json")
    assert done.code == 2
    assert done.json == {"error": {"kind": "NotHeld", "message": done.err.strip().removeprefix("retest: ")}}


def test_ground_tells_real_malformed_and_unchecked_apart(tmp_path: Path) -> None:
    done = retest(tmp_path, "ground", "2305.11206", "not-an-id", "--source", "library", "--json")
    assert done.code == 1
    assert isinstance(done.json, list)
    assert {g["id"]: g["status"] for g in done.json} == {"2305.11206": "ok", "not-an-id": "malformed"}
    unknown = retest(tmp_path, "ground", "1301.00001", "1301.0001", "--source", "library", "--json")
    assert isinstance(unknown.json, list)
    assert [g["status"] for g in unknown.json] == ["malformed", "unchecked"] or unknown.code in (1, 3)


def test_import_gives_the_document_in_the_shape_that_scripts_depend_on(tmp_path: Path) -> None:
    path = tmp_path / "inquiry.txt"
    path.write_text(example_inquiry())
    document = retest(tmp_path, "import", str(path), "--json").json
    assert isinstance(document, dict)
    assert {"question", "claims", "anchors", "tasks", "questions", "warnings"} <= document.keys()
    assert {"id", "text", "asserted_on", "stated_dates", "anchors", "ungrounded"} <= document["claims"][0].keys()
    assert {"arxiv_id", "stated_date", "stated_topic"} <= document["anchors"][0].keys()
    assert retest(tmp_path, "import", "-", "--json", given=example_inquiry()).json == document


def test_doctor_changes_nothing_and_says_what_to_do(tmp_path: Path) -> None:
    done = retest(tmp_path / "new", "doctor", "--json")
    assert done.code == 0, done.out
    assert isinstance(done.json, list)
    assert {"retest", "home", "store", "arxiv", "lab"} <= {finding["what"] for finding in done.json}
    assert not (tmp_path / "new").exists()
    lost = retest(tmp_path, "doctor", RETEST_LAB_URL="http://127.0.0.1:9")
    assert lost.code == 1
    assert "retest lab serve" in lost.out


def test_a_backup_restores_into_an_empty_home_and_nowhere_else(held: Path, tmp_path: Path) -> None:
    file = tmp_path / "held.backup"
    assert retest(held, "backup", str(file)).code == 0
    assert retest(tmp_path / "new", "restore", str(file)).code == 0
    assert retest(tmp_path / "new", "list", "--json").json == retest(held, "list", "--json").json
    again = retest(held, "restore", str(file))
    assert again.code == 3
    assert "empty" in again.err


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    done = retest(tmp_path, "list", RETEST_SEEDS="many")
    assert done.code == 2
    assert "RETEST_SEEDS" in done.err
