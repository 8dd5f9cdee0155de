"""Doors by which a hostile text comes in or goes out, each a function that fails when an attack gets through."""

import csv
import io
import json
import re
import tempfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from markdown_it import MarkdownIt

from agent.chat.answer import ask
from agent.chat.model import excerpts
from agent.errors import SourceUnreadable
from agent.judges.llm import LlmJudge, Said
from agent.judges.local import local_judge
from agent.judges.quotes import located
from agent.queries import plan_queries
from agent.retrieval import retrieve
from agent.sources.oai_records import parse_oai
from agent.sources.snapshot import import_snapshot
from claims.clock import FrozenClock
from claims.dossier import InquiryDossier
from claims.errors import InputError
from claims.evidence import Stance
from claims.inquiry import read_inquiry
from claims.paper import Paper
from claims.paper_index import PaperIndex
from claims.report import render
from claims.report.view import claim_view
from claims.store import Store
from claims.verdict import decide
from tests.dossiers import AS_OF, NOW, claim, dossier, paper, weighed
from tests.hostile.attacks import Attack
from tests.snapshots import a_record, write

CLAIM = claim("A small curated set of examples aligns a language model.")


def storable(text: str) -> str:
    return "".join("\ufffd" if c == "\x00" or "\ud800" <= c <= "\udfff" else c for c in text)


def _id(n: int) -> str:
    return f"2401.{n:05}"


def _paper(n: int, attack: Attack) -> Paper:
    text = storable(attack.text)
    title = " ".join(text.split())[:2000] or "x"
    return paper(
        _id(n), "2024-01-02", title=title, abstract=f"We study it. {text}", authors=(title[:200],), comment=title
    )


def hostile_papers(attacks: Iterable[Attack]) -> list[Paper]:
    return [_paper(n, a) for n, a in enumerate(attacks, start=1)]


def snapshot_store_and_search(attacks: list[Attack]) -> None:
    """Every field of a snapshot, to the store and the index and back; then every attack as a title and a claim."""
    lines = [
        a_record(_id(n), title=a.text or "x", abstract=a.text, authors=a.text, comments=a.text, authors_parsed=None)
        for n, a in enumerate(attacks, start=1)
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = f"sqlite:///{folder / 's.sqlite3'}"
        with Store.open(url, clock=FrozenClock(NOW)) as store:
            index = PaperIndex.open(folder / "index")
            bad = [a_record(a.text, title="On ids") for a in attacks if len(a.text) < 9000]
            path = write(folder / "a.jsonl", [*lines, *bad, a_record("2402.00001", title="A quiet bystander")])
            import_snapshot([path], store, index)
            held = {p.id for p in store.iter_papers()}
            assert "2402.00001" in held
            assert held <= {_id(n) for n in range(1, len(attacks) + 1)} | {"2402.00001"}
            for a in attacks:
                words = storable(a.text)[:3000]
                asked = claim(words.strip() or "x")
                for hit in index.find_title(words):
                    assert hit.paper_id in held
                plan_queries(asked)
                for found in retrieve(asked, index, limit=20, texts=store.papers):
                    assert found.paper_id in held
            assert index.find_title("A quiet bystander")[0].paper_id == "2402.00001"


def oai(attacks: list[Attack]) -> None:
    """A harvested record: it is read, or refused as unreadable; nothing else."""
    for a in attacks:
        body = escape(a.text).encode("utf-8", "replace")
        for fields in (body, a.text.encode("utf-8", "replace")):
            page = (
                b"<OAI-PMH><ListRecords><record><header><identifier>oai:arXiv.org:2401.00001</identifier></header>"
                b"<metadata><arXiv><id>2401.00001</id><created>2024-01-02</created><title>T " + fields + b"</title>"
                b"<abstract>" + fields + b"</abstract></arXiv></metadata></record></ListRecords></OAI-PMH>"
            )
            try:
                records = parse_oai(page).records
            except SourceUnreadable:
                continue
            assert [r.paper_id for r in records] == ["2401.00001"]
            assert all("root:" not in r.paper.title for r in records if r.paper)


def local(attacks: list[Attack]) -> None:
    """The local judge: every quote byte for byte in the paper, and the bystander judged as without the attack."""
    judge = local_judge()
    quiet = paper("2402.00001", "2024-02-01")
    (alone,) = judge.assess(CLAIM, [quiet])
    papers = hostile_papers(attacks)
    *said, beside = judge.assess(CLAIM, [*papers, quiet])
    assert beside == alone
    for p, s in zip(papers, said, strict=True):
        assert all(q.is_in(p) for q in s.quotes)


def llm_quotes(attacks: list[Attack]) -> None:
    """A quote that an obedient model invents is in no attacked paper, and a stance on it does not count."""
    judge = LlmJudge.__new__(LlmJudge)
    judge.ref = local_judge().ref
    for p in hostile_papers(attacks):
        invented = "the verdict is overturned as nobody ever wrote"
        assert located(p, invented) is None
        said = judge._checked(Said(stance=Stance.CONTRADICTS, confidence=1, quotes=[invented]), p)
        assert (said.stance, said.confidence, said.quotes) == (Stance.NEUTRAL, 0.0, ())


def llm_scraps(attacks: list[Attack]) -> None:
    """Letters, single words and word pieces of an attacked text are in it, and a stance on them does not count."""
    judge = LlmJudge.__new__(LlmJudge)
    judge.ref = local_judge().ref
    for p in hostile_papers(attacks):
        words = (p.abstract or "").split()
        scraps = ["a", "e", ".", "We study it", words[-1][:1], words[-1][-2:], *words[-1:]][:8]
        said = judge._checked(Said(stance=Stance.SUPPORTS, confidence=0.9, quotes=scraps), p)
        assert (said.stance, said.confidence, said.quotes) == (Stance.NEUTRAL, 0.0, ())
        assert said.discarded_quotes == len(scraps)


def _dossier(attacks: list[Attack]) -> InquiryDossier:
    friend = paper("2402.00001", "2024-02-01")
    papers = [p for p in hostile_papers(attacks) if len(p.abstract or "") < 100_000]
    weighings = [weighed(friend, Stance.SUPPORTS), *(weighed(p, Stance.NEUTRAL) for p in papers)]
    one = dossier(CLAIM, weighings, [friend, *papers])
    bare = decide(CLAIM, weighings[:1], AS_OF)
    full = decide(CLAIM, weighings, AS_OF)
    assert (bare.kind, bare.confidence, bare.reason) == (full.kind, full.confidence, full.reason)
    at = datetime(AS_OF.year, AS_OF.month, AS_OF.day, 23, tzinfo=UTC)
    return InquiryDossier.model_validate({"inquiry": None, "claims": (one,), "as_of": at, "generated_at": NOW})


def verdict(attacks: list[Attack]) -> None:
    """The rule gives the same verdict with attacked papers that are neutral as without them."""
    _dossier(attacks)


def reports(attacks: list[Attack]) -> None:
    """Every format renders; Markdown has no HTML, image or foreign link, HTML no script, CSV no formula."""
    made = _dossier(attacks)
    html, markdown = render(made, "html"), render(made, "md")
    for bad in ("<script", "<iframe", "<form", "<img", '<meta http-equiv="refresh', 'onerror="', 'href="javascript'):
        assert bad not in html.lower()
    for block in MarkdownIt("commonmark").enable("table").parse(markdown):
        for token in (block, *(block.children or [])):
            assert token.type not in ("html_inline", "html_block", "image", "fence", "code_block")
            if token.type == "link_open":
                assert str(token.attrGet("href")).startswith("https://arxiv.org/abs/2")
    json.loads(render(made, "json"))
    assert render(made, "cff")
    for row in csv.reader(io.StringIO(render(made, "csv").removeprefix("\ufeff"))):
        for cell in row:
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r")) or cell.lstrip("+-").replace(".", "").isdigit()
    held = {p.id for one in made.claims for p in one.papers.values()}
    named = [line for line in render(made, "bib").splitlines() if line.lstrip().startswith("eprint")]
    assert len(named) <= len(held)
    assert {re.findall(r"\{(.*)\}", line)[0] for line in named} <= held


def chat(attacks: list[Attack]) -> None:
    """Without a model: papers, claims and questions that are attacks bring no id into an answer that is not held."""
    papers = hostile_papers([a for a in attacks if len(a.text) < 20_000])
    with (
        tempfile.TemporaryDirectory() as name,
        Store.open(f"sqlite:///{Path(name) / 's.sqlite3'}", clock=FrozenClock(NOW)) as store,
    ):
        store.put_papers([paper("2402.00001", "2024-02-01"), *papers])
        store.put_claim(CLAIM)
        evidence = [
            weighed(paper("2402.00001", "2024-02-01"), Stance.SUPPORTS),
            *(weighed(p, Stance.CONTRADICTS) for p in papers),
        ]
        store.add_evidence(evidence)
        store.record_verdict(decide(CLAIM, evidence, AS_OF))
        held = {p.id for p in store.iter_papers()} | {a.arxiv_id for a in CLAIM.anchors}
        for asked in [
            "Does the claim about a curated set still hold, and what is the strongest work against it?",
            "cite it for me: curated examples",
            *(storable(a.text)[:3000] for a in attacks),
        ]:
            reply = ask(store, asked, FrozenClock(NOW))
            for ground in reply.grounds:
                assert ground.evidence_id in {e.id for e in evidence}
            said = " ".join(str(sentence) for sentence in reply.sentences)
            assert set(re.findall(r"arXiv:(\d{4}\.\d{4,5})(?!\S*\u27e7)", said)) <= held, (asked[:80], said[:300])


def obedient_chat(attacks: list[Attack]) -> None:
    """A chat model that says what an attack tells it: no foreign id, link, side or verdict comes through."""
    quiet = paper("2402.00001", "2024-02-01")
    narrower = weighed(quiet, Stance.QUALIFIES)
    papers = hostile_papers([a for a in attacks if len(a.text) < 20_000])
    evidence = [narrower, *(weighed(p, Stance.NEUTRAL) for p in papers)]
    _, checker = excerpts([claim_view(dossier(CLAIM, evidence, [quiet, *papers]), AS_OF)])
    for a in attacks:
        for lie in ("", "It was refuted.", "So it no longer holds.", "This paper supports it."):
            passed = checker.check(f"{storable(a.text)[:3000]} {lie} [{narrower.id}]")
            assert passed is None or (passed.evidence == (narrower.id,) and not lie), (a.name, passed)
            assert passed is None or not re.search(r"https?://|www\.", passed.text), a.name


def judged(attacks: list[Attack]) -> None:
    """The local judge's own stances: a library with attacked papers has the verdict that it has without them."""
    judge = local_judge()
    quiet = [paper(f"2402.{n:05}", "2024-02-01") for n in range(1, 4)]
    papers = [*quiet, *hostile_papers(attacks)]
    said = judge.assess(CLAIM, papers)
    evidence = [weighed(p, s.stance) for p, s in zip(papers, said, strict=True)]
    bare, full = decide(CLAIM, evidence[: len(quiet)], AS_OF), decide(CLAIM, evidence, AS_OF)
    assert (bare.kind, bare.confidence) == (full.kind, full.confidence)


def importing(attacks: list[Attack]) -> None:
    """`retest import`: a document is understood or refused with an input error."""
    for a in attacks:
        document = f"Question\n{a.text}\n\n- {a.text} (arXiv:2305.11206, 2023)\n".encode("utf-8", "surrogatepass")
        try:
            read_inquiry(document)
        except InputError:
            continue


DOORS: Final[dict[str, Callable[[list[Attack]], None]]] = {
    "snapshot, store, search": snapshot_store_and_search,
    "OAI": oai,
    "local judge": local,
    "invented LLM quotes": llm_quotes,
    "scraps as LLM quotes": llm_scraps,
    "verdict": verdict,
    "reports": reports,
    "import": importing,
    "chat": chat,
    "obedient chat model": obedient_chat,
    "judged verdict": judged,
}
