"""A BibTeX file as it should be after grounding: wrong fields mended where a record says how, the rest with a note.

Entries that nothing was found about stay byte for byte as they were, and so does all that stands between entries. An
entry that is changed is written anew, with its fields in their order. What was found is in `annote`, which the common
bibliography styles do not print. Which of a wrong id and its title is right nobody can tell, so neither is changed.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from agent.citations import Citation, bibtex_entries, bibtex_text
from claims.grounding import Grounding, GroundingStatus
from claims.paper import Paper
from claims.report.bibtex import MONTHS, escape


class Corrected(NamedTuple):
    """A file of citations after grounding."""

    text: str
    n_corrected: int
    """entries with a field that was mended or an id that was added"""
    n_noted: int
    """entries with a note alone"""


MENDED: Final = {
    "title": ("title",),
    "authors": ("author",),
    "date": ("year", "month", "date"),
    "version": ("version",),
}
"""Problem to the fields that a record tells."""


def corrected(
    text: str, grounded: Sequence[tuple[Citation, Grounding]], papers: Mapping[str, Paper], *, by: str = "retest"
) -> Corrected:
    """Write a BibTeX file anew, with what grounding found. Raises UnreadableDocument when it is no BibTeX.

    papers: the records that were compared, by id. by: who says so in the notes.
    """
    found = {citation.anchor.line: grounding for citation, grounding in grounded}
    whole = bibtex_text(text)
    out: list[str] = []
    at = n_corrected = n_noted = 0
    for line, entry, raw in bibtex_entries(whole):
        grounding = found.get(line)
        start = whole.find(raw, at)
        if grounding is None or start < 0:
            continue
        paper = papers.get(grounding.paper_id or "")
        fields = {field.key: str(field.value).strip() for field in entry.fields}
        mended = _mend(fields, grounding, paper)
        noted = _note(fields, grounding, f"{by}: {'corrected' if mended else grounding.status.value}")
        if not mended and not noted:
            continue
        n_corrected += mended
        n_noted += not mended
        out += [whole[at:start], _written(entry.entry_type, entry.key, fields)]
        at = start + len(raw)
    return Corrected("".join([*out, whole[at:]]), n_corrected, n_noted)


def _mend(fields: dict[str, str], grounding: Grounding, paper: Paper | None) -> bool:
    """Change the fields that the record tells otherwise, in place; False when there are none."""
    if paper is None or any(p.field == "id" for p in grounding.problems):
        return False
    before = dict(fields)
    for problem in grounding.problems:
        if problem.serious:
            for name in MENDED.get(problem.field, ()):
                _put(fields, name, _of_record(name, paper))
            if problem.field == "version":
                for held in [k for k in fields if k.lower() == "eprint"]:
                    fields[held] = paper.id
    if grounding.anchor.arxiv_id is None and grounding.status is not GroundingStatus.MISMATCH:
        _put(fields, "eprint", paper.id)
        _put(fields, "archiveprefix", "arXiv")
    return fields != before


def _of_record(name: str, paper: Paper) -> str | None:
    """Give what a paper's record says of a field; None where the field is to go."""
    on = paper.published
    one_month = (on.start.year, on.start.month) == (on.end.year, on.end.month)
    told = {
        "title": f"{{{escape(paper.title)}}}",
        "author": " and ".join(escape(name) for name in paper.authors),
        "year": str(on.start.year),
        "month": MONTHS[on.start.month - 1] if one_month else None,
    }
    return told.get(name)


def _put(fields: dict[str, str], name: str, value: str | None) -> None:
    """Set a field under the name that it has, in whatever case; a new one goes to the end."""
    held = next((k for k in fields if k.lower() == name), None)
    if value is None:
        if held is not None:
            del fields[held]
    elif held is not None or name not in ("month", "date"):
        fields[held or name] = value


def _note(fields: dict[str, str], grounding: Grounding, heading: str) -> bool:
    """Write what was found behind the entry's own annotation; False when there is nothing to say."""
    said = [p.message for p in grounding.problems if p.serious or grounding.status is not GroundingStatus.OK]
    if grounding.status is GroundingStatus.OK and not said:
        return False
    if grounding.status in (GroundingStatus.NOT_FOUND, GroundingStatus.UNCHECKED) or not said:
        said.append(grounding.how)
    note = escape(f"{heading}: {'; '.join(said)}")
    held = next((k for k in fields if k.lower() == "annote"), "annote")
    fields[held] = f"{fields[held]}; {note}" if fields.get(held) else note
    return True


_JOINED = re.compile(r'"[^"]*"\s*#\s*\S.*|\w+\s*#\s*"[^"]*".*', re.DOTALL)
"""BibTeX's joining of strings and macros, `"16~" # jan`, which the parser leaves as it is."""


def _written(kind: str, key: str, fields: Mapping[str, str]) -> str:
    def is_bare(name: str, value: str) -> bool:
        return (name.lower() == "month" and value in MONTHS) or _JOINED.fullmatch(value) is not None

    lines = [f"  {k} = {v if is_bare(k, v) else f'{{{v}}}'}," for k, v in fields.items()]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"])
