"""A report as JSON: everything that is held, for programs."""

import json

from claims.dossier import InquiryDossier

SCHEMA = "retest.report/1"
"""Named in every document; changes when a field changes its meaning or goes away."""


def render(dossier: InquiryDossier) -> str:
    """Write the dossier as one JSON document, with every evidence's id. ASCII only, so that no character is hidden."""
    body = dossier.model_dump(mode="json")
    for one, held in zip(body["claims"], dossier.claims, strict=True):
        for rows, evidence in ((one["evidence"], held.evidence), (one["superseded"], held.superseded)):
            for row, item in zip(rows, evidence, strict=True):
                row["id"] = item.id
    return json.dumps({"schema": SCHEMA, **body}, indent=2, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n"
