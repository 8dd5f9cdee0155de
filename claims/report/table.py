"""A report's evidence as CSV: one line per piece of evidence, safe to open in a spreadsheet."""

import csv
import io

from claims.dossier import InquiryDossier
from claims.evidence import ExperimentEvidence, PaperEvidence
from claims.report.view import Row, view_of, whose_words
from claims.utf8 import clean

COLUMNS = (
    "claim_id claim asserted_on verdict as_of evidence_id kind date stance counted why_not_counted unsure leaning "
    "confidence judge judge_version paper_id title authors withdrawn source quote whose_words explanation "
    "experiment_id protocol profile outcome effect low high coverage n_seeds smallest_effect interval_method "
    "revised_on stance_before stand_chance leaning_chance"
).split()
"""The header line."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "＝", "＋", "－", "＠")


def render(dossier: InquiryDossier) -> str:
    """Write the evidence as RFC 4180 CSV (UTF-8, CRLF). Texts that a spreadsheet would run get a leading apostrophe."""
    out = io.StringIO(newline="")
    write = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\r\n")
    write.writeheader()
    for view in view_of(dossier).claims:
        verdict = view.verdict
        for row in view.rows:
            cells: dict[str, object] = {
                "claim_id": view.claim.id,
                "claim": view.claim.text,
                "asserted_on": view.claim.asserted_on,
                "verdict": verdict.kind if verdict else "",
                "as_of": verdict.as_of if verdict else "",
                **_cells(row),
            }
            write.writerow({k: safe(v) for k, v in cells.items()})
    return out.getvalue()


def safe(value: object) -> str:
    """Make a cell inert: a text that begins like a formula, also behind blanks or quotes, gets a leading apostrophe.

    Numbers are written as they are: a spreadsheet reads `-0.2` as a number and runs nothing.
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return str(value)
    text = clean("".join(c for c in str(value) if c >= " " or c in "\t\r\n"))
    return f"'{text}" if text.lstrip(" \"'\ufeff\u00a0\u200b").startswith(_FORMULA) else text


def _cells(row: Row) -> dict[str, object]:
    e = row.evidence
    cells: dict[str, object] = {
        "evidence_id": e.id,
        "kind": e.kind,
        "date": str(e.published) if isinstance(e, PaperEvidence) else row.dated,
        "stance": row.stance,
        "counted": row.counted,
        "why_not_counted": row.why_not,
    }
    if isinstance(e, PaperEvidence):
        cells |= {
            "unsure": e.assessment.unsure,
            "leaning": row.leaning or "",
            "confidence": round(e.assessment.confidence, 4),
            "judge": e.assessment.judge.name,
            "judge_version": e.assessment.judge.version,
            "withdrawn": e.withdrawn,
            "source": e.source,
            "quote": " […] ".join(q.text for q in row.quotes),
            "whose_words": "; ".join(dict.fromkeys(whose_words(q) for q in row.quotes)),
            "explanation": e.assessment.explanation,
            "revised_on": e.revised.on if e.revised else "",
            "stance_before": e.revised.was if e.revised else "",
            "stand_chance": _chance(e.assessment.stand_chance),
            "leaning_chance": _chance(e.assessment.leaning_chance),
        }
        if row.paper is not None:
            cells |= {"paper_id": row.paper.id, "title": row.paper.title, "authors": "; ".join(row.paper.authors)}
        else:
            cells |= {"why_not_counted": row.why_not or "the paper's record is not held"}
    elif isinstance(e, ExperimentEvidence):
        cells |= {
            "experiment_id": e.experiment_id,
            "protocol": e.protocol,
            "profile": e.profile,
            "outcome": e.outcome,
            "explanation": e.summary,
        }
        if e.estimate is not None:
            cells |= {
                "effect": e.estimate.effect,
                "low": e.estimate.low,
                "high": e.estimate.high,
                "coverage": 1 - e.estimate.alpha,
                "n_seeds": e.estimate.n_seeds,
                "smallest_effect": e.estimate.smallest_effect,
                "interval_method": e.estimate.method,
            }
    return cells


def _chance(chance: float | None) -> float | str:
    """Write what an unsure judge thinks likely; an empty cell where it gave no figure."""
    return "" if chance is None else round(chance, 4)
