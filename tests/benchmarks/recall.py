"""How much of the labelled evidence a search for a claim brings up, beside one query of the claim's own words.

    python -m tests.benchmarks.recall [--own-index FOLDER] [--claims dev|train|both] [--dense MODEL]

Both shared snapshots, 128,140 papers; only papers after the claim's month and, where it is stated, up to its `as_of`.
Recall is over papers that a reader labelled as taking a stand (supports, qualifies, contradicts); an unlabelled paper
is not known to be beside the point, so precision cannot be had. The training claims' evidence was itself found by
full-text search, which flatters every row of theirs. `retrieve` and `planned questions` know the claim's anchor paper,
as a document's claim does; the rows without it say what is left when it names none. `50 of each` is what the live API
is asked for, answered by this index. `--dense` adds `retrieve` with a sentence encoder (hub id or folder), run in this
process; vectors are kept beside the index.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from agent.dense import Nearness
from agent.fusion import RankedAnswer, fuse
from agent.graph.find import PER_LIVE_QUESTION
from agent.queries import plan_queries
from agent.retrieval import Dense, retrieve
from agent.word_vectors import shipped_word_vectors
from claims.claim import Anchor, Claim
from claims.dates import StatedDate
from claims.paper import Paper
from claims.paper_index import PaperIndex
from claims.served import ServedModel
from claims.store import Store
from claims.vectors import Texts, Vectors
from tests.benchmarks.peers import shared_papers
from tests.benchmarks.rows import SHARED, SNAPSHOTS, Row, print_rows

DEPTHS = (20, 50, 200)
STANCES = ("takes a stand", "supports", "qualifies", "contradicts", "neutral")
LAST_DAY = date(2026, 8, 31)


class Labelled(NamedTuple):
    """A claim with the stances of its labelled evidence."""

    claim: Claim
    since: date
    until: date
    stances: dict[str, str]


class Found(NamedTuple):
    """Recall by stance and depth, and how many papers each stance has."""

    recall: dict[tuple[str, int], float]
    n: Counter[str]


Search = Callable[[Labelled], Sequence[str]]
Read = Callable[[list[str]], dict[str, Paper]]
NOT_HERE = Row("recall", None, "", note="no shared snapshots or labels beside the repository")


def labelled(path: Path) -> list[Labelled]:
    """Read a file of labelled claims."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        row: dict[str, Any] = json.loads(line)
        asserted = StatedDate.parse(row["asserted_on"])
        anchors = tuple(Anchor(arxiv_id=i) for i in row["anchors"])
        claim = Claim(id=f"claim-{number}", text=row["text"], asserted_on=asserted, anchors=anchors)
        until = StatedDate.parse(row["as_of"]).end if "as_of" in row else LAST_DAY
        stances = {e["arxiv_id"]: e["stance"] for e in row["evidence"]}
        found.append(Labelled(claim, asserted.end + timedelta(days=1), until, stances))
    return found


def measure(claims: Iterable[Labelled], search: Search) -> Found:
    """Count what a search brings up."""
    hit: Counter[tuple[str, int]] = Counter()
    n: Counter[str] = Counter()
    for one in claims:
        rank = {paper_id: i for i, paper_id in enumerate(search(one))}
        for paper_id, stance in one.stances.items():
            for name in (stance, *(("takes a stand",) if stance != "neutral" else ())):
                n[name] += 1
                hit.update((name, depth) for depth in DEPTHS if rank.get(paper_id, depth) < depth)
    return Found({(s, k): hit[s, k] / n[s] for s in STANCES for k in DEPTHS if n[s]}, n)


class InProcess:
    """The lab's sentence encoder without a lab."""

    def __init__(self, model: str) -> None:
        from lab.encoder import load

        self._model = load(model)

    def encoder(self) -> ServedModel:
        """Name the model."""
        return self._model.named

    def encode(self, texts: Texts) -> Vectors:
        """Encode."""
        said: Any = self._model.answer(texts.model_dump(mode="json"))
        return Vectors(model=self._model.named, vectors=tuple(said["vectors"]))


def searches(index: PaperIndex, held: Mapping[str, Paper], dense: Dense | None = None) -> dict[str, Search]:
    """Give the searches to compare, by name. dense: adds one with text vectors."""
    limit = max(DEPTHS)

    def texts(ids: Sequence[str]) -> dict[str, Paper]:
        return {i: held[i] for i in ids if i in held}

    def anchors(one: Labelled) -> list[Paper]:
        return list(texts([a.arxiv_id for a in one.claim.anchors if a.arxiv_id]).values())

    def own_words(one: Labelled) -> list[str]:
        return [h.paper_id for h in index.search(one.claim.text, since=one.since, until=one.until, limit=limit)]

    def planned(one: Labelled, rests_on: Sequence[Paper], n: int = limit, near: bool = False) -> list[str]:
        answers = [
            RankedAnswer(
                [h.paper_id for h in index.search(q.text, since=one.since, until=one.until, limit=n)], q.weight
            )
            for q in plan_queries(one.claim, rests_on)
        ]
        if not near:
            return fuse(answers)
        found = [held[i] for i in dict.fromkeys(i for answer in answers for i in answer.ids)]
        nearness = shipped_word_vectors().nearness(one.claim, rests_on, found)
        return fuse(answers, dict(zip((paper.id for paper in found), nearness, strict=True)))

    def weighted(
        one: Labelled, rests_on: Sequence[Paper], dense: Dense | None = None, reorder: bool = True
    ) -> list[str]:
        hits = retrieve(
            one.claim,
            index,
            since=one.since,
            until=one.until,
            limit=limit,
            anchors=rests_on,
            texts=texts,
            dense=dense,
            reorder=reorder,
        )
        return [hit.paper_id for hit in hits]

    with_vectors: dict[str, Search] = {}
    if dense is not None:
        with_vectors["retrieve, text vectors, no anchor"] = lambda one: weighted(one, (), dense)
        with_vectors["retrieve, text vectors"] = lambda one: weighted(one, anchors(one), dense)
    return {
        "own words, one query": own_words,
        "planned questions, no anchor": lambda one: planned(one, ()),
        "planned questions": lambda one: planned(one, anchors(one)),
        "50 of each, ranks alone": lambda one: planned(one, anchors(one), PER_LIVE_QUESTION),
        "50 of each, and nearness": lambda one: planned(one, anchors(one), PER_LIVE_QUESTION, near=True),
        "50 of each, nearness, no anchor": lambda one: planned(one, (), PER_LIVE_QUESTION, near=True),
        "words' scores alone, no anchor": lambda one: weighted(one, (), reorder=False),
        "words' scores alone": lambda one: weighted(one, anchors(one), reorder=False),
        "retrieve, no anchor": lambda one: weighted(one, ()),
        "retrieve": lambda one: weighted(one, anchors(one)),
        **with_vectors,
    }


def table(name: str, claims: Sequence[Labelled], compared: Mapping[str, Search]) -> str:
    """Draw recall at each depth, by search and stance."""
    lines = [f"\n{name}: {len(claims)} claims, recall of labelled evidence at {', '.join(map(str, DEPTHS))}"]
    results = {what: measure(claims, search) for what, search in compared.items()}
    n = next(iter(results.values())).n
    lines.append(" " * 34 + "".join(f"{s} (n={n[s]})".rjust(24) for s in STANCES))
    for what, result in results.items():
        cells = ("  ".join(f"{result.recall.get((s, k), 0):.2f}" for k in DEPTHS).rjust(24) for s in STANCES)
        lines.append(f"{what:<34}" + "".join(cells))
    return "\n".join(lines)


def latency(claims: Sequence[Labelled], index: PaperIndex, held: Read) -> list[Row]:
    """Time a claim's whole plan in the mirror, texts read from the store, and one search of its own words."""
    took: dict[str, list[float]] = {
        "a claim's whole plan, p50": [],
        "one search, 50 best, p50": [],
        "a whole plan, papers not read before, p50": [],
    }
    work: list[float] = []
    for one in claims:  # warms the machine's file cache, and nothing of this process
        held(
            [hit.paper_id for hit in index.search(one.claim.text, since=one.since, until=one.until, limit=max(DEPTHS))]
        )
    shipped_word_vectors.cache_clear()
    shipped_word_vectors()
    for turn in range(3):
        for one in claims:
            rests_on = list(held([a.arxiv_id for a in one.claim.anchors if a.arxiv_id]).values())
            started, worked = time.perf_counter(), time.process_time()
            retrieve(
                one.claim,
                index,
                since=one.since,
                until=one.until,
                anchors=rests_on,
                texts=lambda ids: held(list(ids)),
            )
            between = time.perf_counter()
            name = "a claim's whole plan, p50" if turn else "a whole plan, papers not read before, p50"
            took[name].append((between - started) * 1000)
            if turn:
                work.append((time.process_time() - worked) * 1000)
            between = time.perf_counter()
            index.search(one.claim.text, since=one.since, until=one.until, limit=50)
            if turn:
                took["one search, 50 best, p50"].append((time.perf_counter() - between) * 1000)
    targets = ("p50 <= 50 ms", "p50 <= 5 ms", "")
    rows = [
        Row(what, statistics.median(t), "ms", len(t), target, f"p95 {statistics.quantiles(t, n=20)[-1]:.1f} ms")
        for (what, t), target in zip(took.items(), targets, strict=True)
    ]
    return [*rows, Row("the plan's processor time, p50", statistics.median(work), "ms", len(work))]


def rows() -> list[Row]:
    """Measure recall on the development claims, and what a plan costs."""
    with _opened() as opened:
        if opened is None:
            return [NOT_HERE]
        index, held, read = opened
        dev = labelled(SHARED / "bench" / "dev.jsonl")
        compared = searches(index, held)
        base, ours = (measure(dev, compared[name]) for name in ("own words, one query", "retrieve"))
        said = []
        for stance in ("takes a stand", "contradicts"):
            for depth in DEPTHS:
                beside = base.recall[stance, depth]
                target = {20: f">= {2 * beside:.2f}", 50: ">= 0.70"}.get(depth, "") if stance == STANCES[0] else ""
                name, note = f"recall@{depth}, {stance}", f"one query of the claim's words {beside:.2f}"
                said.append(Row(name, ours.recall[stance, depth], "", ours.n[stance], target, note))
        return [*said, *latency(dev, index, read)]


@contextmanager
def _opened(own: Path | None = None) -> Iterator[tuple[PaperIndex, dict[str, Paper], Read] | None]:
    """Hold both snapshots in a store and its index; None where they are absent. own: a folder to keep them in."""
    if not all(path.is_file() for path in SNAPSHOTS) or not (SHARED / "bench" / "dev.jsonl").is_file():
        yield None
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = own or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        papers = shared_papers()
        held = {paper.id: paper for paper in papers}
        with Store.open(f"sqlite:///{folder}/retest.db") as store:
            index = PaperIndex.open(folder / "index")
            if index.count() != len(held):
                store.put_papers(papers)
                index.rebuild(papers)
            yield index, held, store.papers


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--own-index", type=Path, help="folder to keep the index and the store in between runs")
    parser.add_argument("--claims", choices=("dev", "train", "both"), default="both")
    parser.add_argument("--dense", metavar="MODEL", help="sentence encoder: hub id or folder")
    chosen = parser.parse_args()
    with _opened(chosen.own_index) as opened:
        if opened is None:
            print_rows("recall", [NOT_HERE])
            return
        index, held, read = opened
        near = Nearness(InProcess(chosen.dense), chosen.own_index or Path(tempfile.mkdtemp())) if chosen.dense else None
        compared = searches(index, held, near)
        dev = labelled(SHARED / "bench" / "dev.jsonl")
        if chosen.claims != "train":
            print(table("development claims", dev, compared))
        if chosen.claims != "dev":
            print(table("training claims", labelled(SHARED / "bench" / "train.jsonl"), compared))
        print_rows("latency, texts read from the store", latency(dev, index, read))


if __name__ == "__main__":
    main()
