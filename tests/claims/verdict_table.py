"""Which evidence gives which verdict. `python -m tests.claims.verdict_table` writes the table into VERDICTS.md."""

from datetime import date
from pathlib import Path
from typing import NamedTuple

from claims.claim import Scale
from claims.evidence import Evidence, Stance
from claims.experiment import Outcome
from claims.verdict import decide
from tests.dossiers import AS_OF, claim, measured, paper, weighed

PAGE = Path(__file__).resolve().parents[2] / "claims" / "VERDICTS.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
S, C, Q = Stance.SUPPORTS, Stance.CONTRADICTS, Stance.QUALIFIES
CLAIM = claim(scope={"scale": "large", "family": "data-quantity"})


class Case(NamedTuple):
    """Evidence in words, and as the rule gets it."""

    words: str
    evidence: list[Evidence]


def papers(*stances: Stance, same_authors: bool = False, **more: object) -> list[Evidence]:
    out: list[Evidence] = []
    for n, stance in enumerate(stances, 1):
        authors = {"authors": ("Ada Lovelace", f"Number {'abcdefgh'[n]}")} if same_authors else {}
        out.append(weighed(paper(f"2506.{n:05}", f"2025-06-{n:02}", **authors, **more), stance))
    return out


def toy(outcome: Outcome) -> Evidence:
    return measured(outcome, scale=Scale.TOY)


def large(outcome: Outcome) -> Evidence:
    return measured(outcome, scale=Scale.LARGE)


def cases() -> list[Case]:
    return [
        Case("nothing, or only neutral papers", papers(Stance.NEUTRAL, Stance.NEUTRAL)),
        Case("one paper supports", papers(S)),
        Case("three support, one qualifies", papers(S, S, S, Q)),
        Case("two support, one qualifies", papers(S, S, Q)),
        Case("one qualifies", papers(Q)),
        Case("one contradicts, three qualify", papers(C, Q, Q, Q)),
        Case("one contradicts", papers(C)),
        Case("two papers with a common author contradict", papers(C, C, same_authors=True)),
        Case("two contradict", papers(C, C)),
        Case("two contradict, two qualify", papers(C, C, Q, Q)),
        Case("two contradict, one supports", papers(C, C, S)),
        Case("three contradict, one supports", papers(C, C, C, S)),
        Case("one contradicts, five support", papers(C, S, S, S, S, S)),
        Case("one contradicts, six support", papers(C, S, S, S, S, S, S)),
        Case("our toy experiment supports", [toy(Outcome.SUPPORTS)]),
        Case("our toy experiment refutes", [toy(Outcome.REFUTES)]),
        Case("our toy experiment refutes, one paper supports", [*papers(S), toy(Outcome.REFUTES)]),
        Case("our toy experiment refutes, three papers support", [*papers(S, S, S), toy(Outcome.REFUTES)]),
        Case("our toy experiment refutes, one paper contradicts", [*papers(C), toy(Outcome.REFUTES)]),
        Case("an experiment at the claim's own scale refutes", [large(Outcome.REFUTES)]),
        Case(
            "an experiment at the claim's own scale refutes, one paper contradicts",
            [*papers(C), large(Outcome.REFUTES)],
        ),
        Case("our experiment is inconclusive, or broke its own checks", [toy(Outcome.INCONCLUSIVE)]),
        Case("two withdrawn papers contradict", papers(C, C, withdrawn=True)),
        Case("two papers older than the claim contradict", _older(C, C)),
    ]


def _older(*stances: Stance) -> list[Evidence]:
    return [weighed(paper(f"2201.{n:05}", f"2022-01-{n:02}"), s) for n, s in enumerate(stances, 1)]


def table(as_of: date = AS_OF) -> str:
    """Write the table, each verdict as `decide` gives it with judges of confidence 0.9."""
    lines = ["| Newer evidence | Verdict | Confidence |", "|---|---|--:|"]
    for case in cases():
        verdict = decide(CLAIM, case.evidence, as_of)
        lines.append(f"| {case.words} | {verdict.kind} | {verdict.confidence:.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Put the table between its marks."""
    page = PAGE.read_text(encoding="utf-8")
    head, rest = page.split(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
