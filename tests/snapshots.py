"""Snapshot files for tests, in the Kaggle arXiv format."""

import bz2
import gzip
import json
import lzma
import zipfile
from pathlib import Path
from typing import Any


def a_record(id: str = "2401.00001", **fields: Any) -> dict[str, Any]:
    """Make one record as the snapshot has it."""
    return {
        "id": id,
        "submitter": "Ada Lovelace",
        "authors": "Ada Lovelace, Bo Li",
        "title": f"On reward models,\n  part {id}",
        "comments": "10 pages",
        "journal-ref": None,
        "doi": None,
        "report-no": None,
        "categories": "cs.CL cs.LG",
        "license": None,
        "abstract": f"  We study {id}. Small curated sets match larger ones.\n",
        "versions": [{"version": "v1", "created": "Tue, 2 Jan 2024 10:00:00 GMT"}],
        "update_date": "2024-01-03",
        "authors_parsed": [["Lovelace", "Ada", ""], ["Li", "Bo", ""]],
    } | fields


def records(n: int, month: str = "2401") -> list[dict[str, Any]]:
    """Make n records with ids that count up."""
    return [a_record(f"{month}.{i:05}") for i in range(1, n + 1)]


def write(path: Path, lines: list[Any]) -> Path:
    """Write lines (records, or texts as they are), packed as the file's name says."""
    content = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines).encode()
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(content))
    elif path.suffix == ".xz":
        path.write_bytes(lzma.compress(content))
    elif path.suffix == ".bz2":
        path.write_bytes(bz2.compress(content))
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("LICENSE.txt", "not records")
            archive.writestr("arxiv-metadata-oai-snapshot.json", content)
    else:
        path.write_bytes(content)
    return path
