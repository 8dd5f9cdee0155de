"""A report as an RO-Crate: a folder or zip file that another group can read, check and cite without retest.

RO-Crate 1.1 with the profile Process Run Crate 0.5. Inside lie the report as HTML, JSON, CSV and BibTeX, its
CITATION.cff, and one JSON file for each verdict, experiment and run; `ro-crate-metadata.json` says how they hang
together. Source: https://w3id.org/ro/crate/1.1.
"""

import hashlib
import io
import json
import zipfile
from typing import NamedTuple

from pydantic import BaseModel

from claims.checkout import code_commit, release
from claims.dossier import InquiryDossier
from claims.report import bibtex, citation, html, record, table
from claims.report.provenance import RETEST, TERMS, Entity, Graph, describe_claim, file_name, ref
from claims.report.view import InquiryView, view_of

METADATA = "ro-crate-metadata.json"
MEDIA_TYPE = "application/zip"
_CRATE = "https://w3id.org/ro/crate/1.1"
_PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_TERMS_OF_USE = (
    "No licence was chosen by whoever wrote this crate. Titles and quotes belong to the papers' authors; arXiv's "
    "metadata is in the public domain; the rest belongs to whoever asked for the report."
)


class Software(NamedTuple):
    """Which retest writes a crate."""

    version: str
    commit: str | None = None
    """of the checkout, ending in `-dirty` when files differ from it; None for an installed package"""


def this_software() -> Software:
    """Say which retest runs here."""
    return Software(release(), code_commit("agent", "lab", "claims"))


class _File(NamedTuple):
    name: str
    media_type: str
    about: str
    content: bytes


def files(dossier: InquiryDossier, software: Software) -> dict[str, bytes]:
    """Write the crate's files, by name. Deterministic: the same dossier and software give the same bytes."""
    view = view_of(dossier)
    payload = _payload(dossier, view)
    metadata = json.dumps(_metadata(dossier, view, payload, software), indent=1, ensure_ascii=True, allow_nan=False)
    return {METADATA: (metadata + "\n").encode(), **{file.name: file.content for file in payload}}


def pack(dossier: InquiryDossier, software: Software) -> bytes:
    """Write the crate as one zip file with the metadata at its root. Deterministic."""
    day = view_of(dossier).as_of
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files(dossier, software).items():
            entry = zipfile.ZipInfo(name, (max(day.year, 1980), day.month, day.day, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return out.getvalue()


def _payload(dossier: InquiryDossier, view: InquiryView) -> list[_File]:
    out = [
        _File("report.html", "text/html", "the report for people", html.render(dossier).encode()),
        _File("report.json", "application/json", "everything that is held", record.render(dossier).encode()),
        _File("evidence.csv", "text/csv", "one line per piece of evidence", table.render(dossier).encode()),
        _File("papers.bib", "application/x-bibtex", "every paper of the report", bibtex.render(dossier).encode()),
        _File("CITATION.cff", "application/yaml", "how to cite this report", citation.render(dossier).encode()),
    ]
    for one in view.claims:
        for held in one.dossier.history:
            told = f"verdict on {one.claim.id} as of {held.verdict.as_of}"
            out.append(_json(file_name("verdicts", held.id), told, held))
        for experiment in one.dossier.experiments:
            told = f"experiment {experiment.id}: pre-registration, effect by seed, controls and outcome"
            out.append(_json(file_name("experiments", experiment.id), told, experiment))
            for run in experiment.runs:
                told = f"run {run.id}: measurements, and everything needed to run it again"
                out.append(_json(file_name("runs", run.id), told, run))
    # Two claims may share a run; it is one file.
    return list({file.name: file for file in out}.values())


def _json(name: str, about: str, model: BaseModel) -> _File:
    text = json.dumps(model.model_dump(mode="json"), indent=1, sort_keys=True, allow_nan=False)
    return _File(name, "application/json", about, (text + "\n").encode())


def _metadata(dossier: InquiryDossier, view: InquiryView, payload: list[_File], software: Software) -> Entity:
    name = citation.name_of(dossier)
    graph = Graph()
    for one in view.claims:
        describe_claim(graph, one)
    for file in payload:
        graph.add(
            file.name,
            "File",
            name=file.about,
            encodingFormat=file.media_type,
            contentSize=str(len(file.content)),
            sha256=hashlib.sha256(file.content).hexdigest(),
        )
    graph.add(RETEST, "SoftwareApplication", name="retest", softwareVersion=_version(software))
    graph.add("#terms", "CreativeWork", name="terms of use", description=_TERMS_OF_USE)
    graph.add(_PROFILE, "CreativeWork", name="Process Run Crate", version="0.5")
    root: Entity = {
        "@id": "./",
        "@type": "Dataset",
        "name": name.title,
        "description": f"Evidence up to {name.on} on {len(view.claims)} dated claim(s): verdicts with their history, "
        "the quotes and experiments that they rest on, and how each was made.",
        "identifier": [str(name), name.digest],
        "datePublished": dossier.generated_at.isoformat(),
        "license": ref("#terms"),
        "creator": ref(RETEST),
        "conformsTo": ref(_PROFILE),
        "hasPart": [ref(file.name) for file in payload],
        "about": graph.of_type("Claim"),
        "mentions": graph.of_type("CreateAction", "ClaimReview", "Review"),
    }
    root = {k: v[0] if isinstance(v, list) and len(v) == 1 else v for k, v in root.items() if v != []}
    descriptor = {"@id": METADATA, "@type": "CreativeWork", "about": ref("./"), "conformsTo": ref(_CRATE)}
    return {"@context": [f"{_CRATE}/context", TERMS], "@graph": [descriptor, root, *graph.entities]}


def _version(software: Software) -> str:
    return f"{software.version}, commit {software.commit}" if software.commit else software.version
