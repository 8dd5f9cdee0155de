"""Doors that face people: an obedient model, digests, grounding, the web page and its JSON API."""

import re
import tempfile
from collections.abc import Callable
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from xml.etree import ElementTree

from markdown_it import MarkdownIt

from agent.citations import read_citations
from agent.cli.documents import read_ids
from agent.grounding import ground_all
from agent.judges.addressed import unbidden
from agent.judges.llm import LlmJudge, Said
from agent.lookups import grounding_document
from claims.claim import Anchor
from claims.clock import FrozenClock
from claims.digest import Change, Contrary, Digest, Ground, Problem
from claims.errors import InputError
from claims.evidence import JudgeName, JudgeRef, Stance
from claims.grounding import GroundingStatus
from claims.inquiry import Inquiry
from claims.paper import TextField
from claims.report.digest import render_digest
from claims.store import Store
from claims.verdict import VerdictKind, decide
from tests.dossiers import AS_OF, NOW, claim, paper, weighed
from tests.fakes import ListSource
from tests.hostile.attacks import Attack
from tests.hostile.doors import CLAIM, hostile_papers, storable
from tests.webs import browsing, settings_for

OURS: Final = re.compile(r"/(?:claims/attack-\d+|papers/2401\.\d{5}|papers)?")
OBEDIENT: Final = JudgeRef(name=JudgeName.LLM, version="obeys whatever it reads")


class Seen(HTMLParser):
    """A page as a browser reads it; fails on whatever of a foreign text would act."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert tag not in ("iframe", "object", "embed", "base", "math", "foreignobject", "image"), tag
        assert not any(name.startswith("on") or name in ("srcdoc", "xlink:href") for name in given), given
        assert (given.get("http-equiv") or "").lower() not in ("refresh", "set-cookie"), given
        for name in ("href", "src", "action", "formaction"):
            led = given.get(name) or "/"
            assert led.startswith(("/", "#", "?", "data:image/", "https://arxiv.org/", "https://doi.org/")), (tag, led)
            assert not led.startswith("//"), (tag, led)
        if tag in ("script", "link"):
            assert given.get("src", given.get("href")), f"<{tag}> without an address of ours"
        if tag == "img":
            assert (given.get("src") or "").startswith("/static/"), given


def obeyed(attacks: list[Attack]) -> None:
    """A model obeys, and quotes the order itself, byte for byte: its stance is unsure and the verdict the same."""
    judge = LlmJudge.__new__(LlmJudge)
    judge.ref = OBEDIENT
    friends = [paper(f"2402.{n:05}", "2024-02-01") for n in (1, 2)]
    support = [weighed(p, Stance.SUPPORTS) for p in friends]
    bare = decide(CLAIM, support, AS_OF)
    for a, p in zip(attacks, hostile_papers(attacks), strict=True):
        words = " ".join(storable(a.text)[:2000].split())
        answer = Said(stance=Stance.CONTRADICTS, confidence=1.0, quotes=[words], reason=words[:500])
        said = unbidden(CLAIM, p, judge._checked(answer, p))
        assert all(q.is_in(p) for q in said.quotes)
        if a.orders:
            assert (said.stance, said.unsure) == (Stance.NEUTRAL, True), a.name
            evidence = weighed(p, Stance.NEUTRAL).model_copy(update={"assessment": said})
            full = decide(CLAIM, [*support, evidence], AS_OF)
            assert (full.kind, full.confidence, full.changed_by) == (bare.kind, bare.confidence, bare.changed_by)


def digests(attacks: list[Attack]) -> None:
    """A digest in every format: nothing of a text is markup, and the feed stays XML."""
    for a in attacks:
        text = storable(a.text)[:20_000] or "x"
        ground = Ground(
            evidence_id="ev-000000000001",
            paper_id="2401.00001",
            title=text,
            said="contradicts",
            confidence=0.9,
            judge="local",
            quote=text,
            quoted_from=TextField.ABSTRACT,
        )
        change = Change(
            claim_id="small-sets-suffice-000001",
            claim=text,
            before=VerdictKind.STANDS,
            after=VerdictKind.CONTESTED,
            confidence=0.8,
            reason=text,
            because=(ground,),
        )
        contrary = Contrary(claim_id=change.claim_id, claim=text, verdict=VerdictKind.STANDS, grounds=(ground,))
        problems = (Problem(where="arXiv", what=text),)
        made = Digest(
            night=date(2026, 8, 21), judge="local", changes=(change,), contrary=(contrary,), problems=problems
        )
        for block in MarkdownIt("commonmark").enable("table").parse(render_digest(made, "md")):
            for token in (block, *(block.children or [])):
                assert token.type not in ("html_inline", "html_block", "image", "fence", "code_block"), a.name
                assert token.type != "link_open" or str(token.attrGet("href")).startswith("https://arxiv.org/abs/")
        Seen(render_digest(made, "html"))
        assert "<script" not in render_digest(made, "html").lower()
        assert Digest.model_validate_json(render_digest(made, "json")) == made
        ElementTree.fromstring(render_digest(made, "atom"))


def grounding(attacks: list[Attack]) -> None:
    """`retest ground`: as an id, as a title, and in files of citations; what is not held is never said to be there."""
    held = paper("2401.00001", "2024-01-02", title="On quiet things")
    source = ListSource([held], complete=True)
    for a in attacks:
        text = storable(a.text)[:20_000]
        names, anchors = read_ids((text, "2401.00001"))
        anchors.append(Anchor(stated_title=text, arxiv_id="2412.54321"))
        anchors.append(Anchor(stated_title=text))
        *forged, missing, loose = ground_all(anchors, [source])
        assert forged[-1].status is GroundingStatus.OK
        assert missing.status is GroundingStatus.NOT_FOUND
        assert {g.paper_id for g in (*forged[:-1], missing, loose)} <= {None, held.id}, a.name
        document = grounding_document(names[0], forged[0], {held.id: held})
        assert document["status"] != "ok", a.name
        for form in (
            f"@misc{{k, title = {{{text}}}, eprint = {{2412.54321}}}}",
            f'{{"title": {text!r}, "arxiv_id": "2412.54321"}}',
            a.text,
        ):
            try:
                cited = read_citations(form.encode("utf-8", "replace").decode())
            except InputError:
                continue
            for told in ground_all([c.anchor for c in cited.citations][:50], [source]):
                assert told.paper_id in (None, held.id), a.name


def pages(attacks: list[Attack]) -> None:
    """The web page and its API: claims, papers and inquiries that are attacks, and attacks as what is asked for."""
    small = [a for a in attacks if len(a.text) < 20_000]
    papers = hostile_papers(small)
    asked = [
        claim(storable(a.text).strip()[:2000] or "x", id=f"attack-{n}", inquiry_id="inq-00000000bad1")
        for n, a in enumerate(small, start=1)
    ]
    with tempfile.TemporaryDirectory() as name:
        url = f"sqlite:///{Path(name) / 's.sqlite3'}"
        with Store.open(url, clock=FrozenClock(NOW)) as store:
            store.put_papers(papers)
            if asked:
                store.put_inquiry(
                    Inquiry(id="inq-00000000bad1", question=asked[0].text, claims=tuple(asked), anchors=())
                )
            for one in asked:
                evidence = [weighed(p, Stance.CONTRADICTS, claim_id=one.id) for p in papers]
                store.add_evidence(evidence)
                store.record_verdict(decide(one, evidence, AS_OF))
        with browsing(settings_for(Path(name), url), raise_server_exceptions=False) as client:
            paths = ["/", "/papers", "/inquiries/inq-00000000bad1" if asked else "/digests", "/experiments"]
            for n, a in enumerate(small, start=1):
                given = quote(storable(a.text)[:1500], safe="")
                paths += [f"/papers/2401.{n:05}", f"/claims/attack-{n}", f"/claims/attack-{n}/judge"]
                paths += [f"/papers?q={given[:500]}", f"/papers/{given[:600]}", f"/claims/{given[:600]}"]
                paths += [f"/claims/attack-{n}?as_of={given[:80]}", f"/evidence/{given[:200]}"]
                paths += [
                    f"/api/v1/claims/attack-{n}",
                    f"/api/v1/papers/{given[:200]}",
                    f"/api/v1/claims?q={given[:200]}",
                ]
            for path in paths:
                answer = client.get(path)
                assert answer.status_code == 200 or not OURS.fullmatch(path), (answer.status_code, path)
                _harmless(answer, path)


def _harmless(answer: Any, path: str) -> None:
    assert answer.status_code < 500, (answer.status_code, path[:120])
    assert "set-cookie: a=b" not in str(answer.headers).lower(), path[:120]
    if answer.headers.get("content-type", "").startswith("text/html"):
        assert "script-src" in (policy := answer.headers["content-security-policy"]) or "default-src" in policy
        assert "'unsafe-inline'" not in policy.split("style-src")[0], path[:120]
        Seen(answer.text)
    elif answer.status_code == 200 and "json" in answer.headers.get("content-type", ""):
        answer.json()


OUTER: Final[dict[str, Callable[[list[Attack]], None]]] = {
    "obeyed quotes": obeyed,
    "digests": digests,
    "grounding": grounding,
    "pages and API": pages,
}
"""Every attack of the corpus through every door that faces people."""
