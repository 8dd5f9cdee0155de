"""Which held claim a question is about, asked in another wording than the claim's: by words, and by words and vectors.

    python -m tests.benchmarks.topics

Holds all labelled claims at once, and asks for each by its labelled paraphrase; then for each among the others alone,
where no claim should be taken. Reads `../shared/bench`; says so where it is absent.
"""

import json
from collections import Counter
from tempfile import TemporaryDirectory

from agent.chat import topics
from agent.chat.topics import find_topic
from claims.claim import Claim
from claims.clock import FrozenClock
from claims.dates import StatedDate
from claims.store import Store
from tests.benchmarks.rows import SHARED, Row, print_rows
from tests.factories import NOON

BENCH = SHARED / "bench"
NOBODY = 2.0
"""A nearness that no text reaches: by words alone."""


def asked() -> list[tuple[Claim, str]]:
    """Give the labelled claims, each with its paraphrase."""
    variants = {v["claim_id"]: v for v in map(json.loads, (BENCH / "dev_variants.jsonl").read_text().splitlines())}
    rows = [
        json.loads(line) for name in ("dev", "train") for line in (BENCH / f"{name}.jsonl").read_text().splitlines()
    ]
    return [
        (
            Claim(id=f"claim-{n}", text=row["text"], asserted_on=StatedDate.parse(row["asserted_on"])),
            (row if "paraphrase" in row else variants[row["claim_id"]])["paraphrase"],
        )
        for n, row in enumerate(rows)
    ]


def counted(pairs: list[tuple[Claim, str]], store: Store) -> Counter[str]:
    """Ask for every claim, held and not."""
    found: Counter[str] = Counter()
    held = [claim for claim, _ in pairs]
    for n, (claim, question) in enumerate(pairs):
        topic = find_topic(store, question, held)
        found["right"] += topic.claims[:1] == (claim,)
        found["wrong"] += bool(topic.claims) and topic.claims[0] != claim
        found["named as the nearest"] += topic.nearest == claim
        found["another"] += bool(find_topic(store, question, held[:n] + held[n + 1 :]).claims)
    return found


def rows() -> list[Row]:
    """Measure both ways."""
    if not (BENCH / "dev_variants.jsonl").is_file():
        return [Row("questions in other words", None, "", note="no shared labels beside the repository")]
    pairs = asked()
    alike, related = topics.ALIKE, topics.RELATED
    with TemporaryDirectory() as scratch, Store.open(f"sqlite:///{scratch}/s.db", clock=FrozenClock(NOON)) as store:
        try:
            topics.ALIKE = topics.RELATED = NOBODY  # type: ignore[misc]  # the way it was without vectors
            before = counted(pairs, store)
        finally:
            topics.ALIKE, topics.RELATED = alike, related  # type: ignore[misc]
        now = counted(pairs, store)
    n = len(pairs)
    return [
        Row(f"a question in other words: {what}", now[what] / n, "", n, note=f"by words alone {before[what] / n:.2f}")
        for what in ("right", "wrong", "named as the nearest")
    ] + [
        Row(
            "the same, claim not held: another is taken",
            now["another"] / n,
            "",
            n,
            note=f"by words alone {before['another'] / n:.2f}",
        )
    ]


if __name__ == "__main__":
    print_rows("which claim a question is about", rows())
