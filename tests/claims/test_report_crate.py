"""A report as an RO-Crate and its citation file: what other tools read must be whole, true and valid."""

import csv
import hashlib
import io
import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from datetime import date, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from bibtexparser.entrypoint import parse_string

from claims.dossier import InquiryDossier
from claims.evidence import Stance
from claims.experiment import ExperimentSpec, RunState, RunView
from claims.paper import Paper
from claims.report import citation, crate, render
from claims.report.crate import METADATA, Software, files, pack
from tests.claims.test_report import attacked
from tests.dossiers import AS_OF, NOW, claim, dossier, experiment, full, paper, weighed

HERE = Software("0.1.0", "c0ffee" * 6 + "0123")
SPEC = ExperimentSpec(protocol="data-quantity", protocol_version=1, claim_id="few-examples", params={"n_curated": 64})


def run(seed: int, state: RunState = RunState.SUCCEEDED, **more: object) -> RunView:
    spec = SPEC.run(seed)
    fields: dict[str, object] = {
        "id": spec.id,
        "spec": spec,
        "state": state,
        "attempts": 1,
        "started_at": NOW - timedelta(minutes=9),
        "ended_at": NOW - timedelta(minutes=8),
        "record": {
            "code_commit": "a" * 40,
            "packages": {"trl": "1.16.0", "torch": "2.13.0"},
            "device": {"cpu": "EPYC"},
        },
    }
    return RunView.model_validate({**fields, **more})


def held() -> InquiryDossier:
    """The full dossier, its experiment with three runs, one of them failed."""
    all_of_it = full()
    runs = (run(0), run(1), run(2, RunState.FAILED, error="CUDA out of memory"))
    first = all_of_it.claims[0].model_copy(update={"experiments": (experiment(spec=SPEC, runs=runs),)})
    return all_of_it.model_copy(update={"claims": (first, *all_of_it.claims[1:])})


def graph(of: InquiryDossier) -> dict[str, dict[str, Any]]:
    return {e["@id"]: e for e in json.loads(files(of, HERE)[METADATA])["@graph"]}


def typed(entities: dict[str, dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [e for e in entities.values() if kind in ([e["@type"]] if isinstance(e["@type"], str) else e["@type"])]


def ids(value: Any) -> list[str]:
    """The ids that a property refers to; RO-Crate writes one as itself and several as a list."""
    return [v["@id"] for v in ([value] if isinstance(value, dict) else value or [])]


def test_the_same_evidence_gives_the_same_crate_to_the_byte() -> None:
    assert pack(held(), HERE) == pack(held(), HERE)


def test_every_quote_in_the_crate_is_at_its_offsets_in_the_text_that_is_held() -> None:
    of = held()
    papers = {p.url: p for one in of.claims for p in one.papers.values()}
    quotes = typed(graph(of), "Quotation")
    assert len(quotes) >= 4
    for quote in quotes:
        texts = [
            t for t in _texts(papers[quote["isPartOf"]["@id"]]) if t[quote["start"] : quote["end"]] == quote["text"]
        ]
        assert texts, quote


def _texts(paper: Paper) -> list[str]:
    return [paper.title, paper.abstract or "", paper.finding or ""]


def test_a_verdict_leads_to_its_evidence_and_from_there_to_papers_judges_and_experiments() -> None:
    entities = graph(held())
    verdict = next(e for e in typed(entities, "ClaimReview") if ids(e["itemReviewed"]) == ["#few-examples"])
    assert entities[verdict["reviewRating"]["@id"]]["alternateName"] == "overturned"
    grounds = [entities[i] for i in ids(verdict["isBasedOn"])]
    assert {e["reviewAspect"] for e in grounds} == {"contradicts", "qualifies", "supports"}
    for ground in grounds:
        assert ground["creativeWorkStatus"] == "counted"
        assert ids(ground["isBasedOn"])
    urls = {i for ground in grounds for i in ids(ground["isBasedOn"])}
    assert {"https://arxiv.org/abs/2604.00001", "experiments/exp-0123456789ab.json"} <= urls
    judges = {entities[ground["author"]["@id"]]["softwareVersion"] for ground in grounds if "author" in ground}
    assert judges == {"test-1"}


def test_what_did_not_count_is_told_with_its_reason() -> None:
    statuses = {e["creativeWorkStatus"] for e in typed(graph(held()), "Review")}
    assert any("withdrawn" in status for status in statuses)


def test_a_run_names_its_code_its_inputs_its_times_and_how_it_ended() -> None:
    entities = graph(held())
    good, failed = entities[f"#{SPEC.run(0).id}"], entities[f"#{SPEC.run(2).id}"]
    code = entities[good["instrument"]["@id"]]
    assert code["softwareVersion"] == f"1, commit {'a' * 40}"
    assert code["softwareRequirements"] == ["torch 2.13.0", "trl 1.16.0"]
    given = {entities[i]["name"]: entities[i]["value"] for i in ids(good["object"]) if "value" in entities[i]}
    assert given == {"n_curated": 64, "profile": "tiny", "seed": 0}
    assert good["startTime"] < good["endTime"]
    assert good["actionStatus"].endswith("CompletedActionStatus")
    assert failed["actionStatus"].endswith("FailedActionStatus")
    assert failed["error"] == "CUDA out of memory"
    assert json.loads(files(held(), HERE)[good["result"]["@id"]])["id"] == SPEC.run(0).id


def test_the_verdict_history_is_in_the_crate_each_leading_to_the_one_before() -> None:
    one = dossier(claim(), [weighed(it := paper("2401.00001", "2024-01-02"), Stance.SUPPORTS)], [it])
    old = one.history[0]
    new = old.model_copy(update={"id": "later", "supersedes": old.id, "recorded_at": NOW + timedelta(days=1)})
    both = one.model_copy(update={"history": (old, new)})
    entities = graph(full().model_copy(update={"inquiry": None, "claims": (both,), "groundings": ()}))
    assert entities["#later"]["wasRevisionOf"] == {"@id": f"#{old.id}"}
    assert {"verdicts/later.json", f"verdicts/{old.id}.json"} <= entities.keys()


def test_every_file_is_described_with_its_digest_and_every_reference_leads_somewhere() -> None:
    with zipfile.ZipFile(io.BytesIO(pack(held(), HERE))) as archive:
        names = archive.namelist()
        content = {name: archive.read(name) for name in names}
    assert len(names) == len(set(names))
    entities = {e["@id"]: e for e in json.loads(content[METADATA])["@graph"]}
    described = ids(entities["./"]["hasPart"])
    assert set(described) == set(names) - {METADATA}
    for name in described:
        assert entities[name]["sha256"] == hashlib.sha256(content[name]).hexdigest()
        assert entities[name]["contentSize"] == str(len(content[name]))

    def lead(value: Any) -> None:
        if isinstance(value, list):
            for one in value:
                lead(one)
        elif isinstance(value, dict) and set(value) == {"@id"}:
            assert value["@id"] in entities or value["@id"] == "https://w3id.org/ro/crate/1.1", value

    for entity in entities.values():
        for value in entity.values():
            lead(value)


def test_every_word_of_the_metadata_is_in_the_context_that_it_names() -> None:
    known = set(json.loads(_context())["@context"])
    metadata = json.loads(files(held(), HERE)[METADATA])
    url, own = metadata["@context"]
    assert url == "https://w3id.org/ro/crate/1.1/context"
    for entity in metadata["@graph"]:
        types = [entity["@type"]] if isinstance(entity["@type"], str) else entity["@type"]
        for word in {*types, *entity} - {"@id", "@type"}:
            assert word in known or word in own, word


def test_an_independent_reader_finds_the_files_the_runs_and_the_claims(tmp_path: Path) -> None:
    rocrate = pytest.importorskip("rocrate.rocrate", reason="the package rocrate is not installed")
    (tmp_path / "crate.zip").write_bytes(pack(held(), HERE))
    read = rocrate.ROCrate(tmp_path / "crate.zip")
    assert read.root_dataset["conformsTo"].id == "https://w3id.org/ro/wfrun/process/0.5"
    assert {c["identifier"] for c in read.root_dataset["about"]} == {"few-examples", "models-alike", "self-improvement"}
    actions = [e for e in read.get_entities() if e.type == "CreateAction"]
    assert sum(action["instrument"]["name"].startswith("protocol") for action in actions) == 3
    html = next(e for e in read.data_entities if e.id == "report.html")
    assert Path(html.source).read_text(encoding="utf-8") == render(held(), "html")


@pytest.mark.parametrize("of", [held, attacked])
def test_the_public_validator_finds_no_breach_of_the_profile(tmp_path: Path, of: Callable[[], InquiryDossier]) -> None:
    command = shutil.which("rocrate-validator", path=os.environ.get("RETEST_VALIDATORS"))
    if command is None:
        pytest.skip("no rocrate-validator; its dependencies exclude ours: RETEST_VALIDATORS names a folder with one")
    (tmp_path / "crate.zip").write_bytes(pack(of(), HERE))
    (tmp_path / "context.json").write_text(_context(), encoding="utf-8")
    script = Path(__file__).parents[1] / "crate_validator.py"
    python = Path(command).with_name("python")
    told = subprocess.run(
        [python, script, tmp_path / "crate.zip", tmp_path / "context.json"], capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stdout) == (0, ""), told.stderr


def _context() -> str:
    """The context of RO-Crate 1.1 as the package rocrate carries it."""
    pytest.importorskip("rocrate", reason="the package rocrate is not installed")
    return resources.files("rocrate").joinpath("data/ro-crate.jsonld").read_text(encoding="utf-8")


# Citing a report


def test_a_report_is_named_by_its_date_and_by_what_it_rests_on_not_by_when_it_was_written() -> None:
    name = citation.name_of(full())
    later = full().model_copy(update={"generated_at": NOW + timedelta(days=9)})
    assert citation.name_of(later) == name
    assert str(name) == f"retest-{AS_OF}-{name.short}"
    assert citation.name_of(held()).digest != name.digest


@pytest.mark.parametrize("of", [full, attacked])
def test_the_citation_file_reads_as_yaml_and_holds_what_cff_requires(of: Callable[[], InquiryDossier]) -> None:
    read = yaml.safe_load(render(of(), "cff"))
    name = citation.name_of(of())
    assert read["cff-version"] == "1.2.0"
    assert read["authors"] == [{"name": "retest"}]
    assert read["date-released"] == name.on == date(2026, 8, 21)
    assert read["identifiers"][0]["value"] == name.digest
    assert read["message"] and read["title"] and isinstance(read["version"], str)
    papers = [r["url"] for r in read.get("references", [])]
    assert len(papers) == len(set(papers)) == render(of(), "bib").count("@misc{")


@pytest.mark.parametrize("of", [full, attacked])
def test_the_public_validator_finds_the_citation_file_valid(tmp_path: Path, of: Callable[[], InquiryDossier]) -> None:
    command = shutil.which("cffconvert", path=os.environ.get("RETEST_VALIDATORS"))
    if command is None:
        pytest.skip("no cffconvert; its dependencies exclude ours: RETEST_VALIDATORS names a folder with one")
    (tmp_path / "CITATION.cff").write_text(render(of(), "cff"), encoding="utf-8")
    told = subprocess.run([command, "--validate"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


def test_the_bibtex_entry_of_a_report_reads_back_with_its_digest() -> None:
    name = citation.name_of(attacked())
    (entry,) = parse_string(citation.bibtex_entry(name)).entries
    assert entry.key == str(name)
    assert name.digest in entry["note"]


@pytest.mark.parametrize("format", ["md", "html"])
def test_a_report_says_how_it_is_cited(format: str) -> None:
    assert "Cite this report as" in render(full(), format)
    assert citation.name_of(full()).short in render(full(), format)


def test_the_crate_carries_the_same_table_as_the_report() -> None:
    rows = list(csv.reader(io.StringIO(files(held(), HERE)["evidence.csv"].decode())))
    assert rows == list(csv.reader(io.StringIO(render(held(), "csv"))))


def test_the_software_that_writes_a_crate_is_named_by_its_release() -> None:
    assert crate.this_software().version.count(".") >= 2
