"""Evidence for a claim in the mirror, on a real index over small made-up collections."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from agent.retrieval import REORDERED, retrieve, retrieve_among
from claims.claim import Claim
from claims.dates import StatedDate
from claims.library import papers
from claims.paper import Paper, Source
from claims.paper_index import PaperIndex, Subset

FILLER = [
    "Weather balloons over the northern sea",
    "Graph colouring for timetables",
    "Protein structure from sparse contacts",
    "Speech enhancement in moving cars",
    "Robust control of a small helicopter",
    "Crop yields seen from orbit",
]


def paper(number: int, title: str, abstract: str, published: str = "2025-03-01") -> Paper:
    return Paper(
        id=f"2503.{number:05}",
        title=title,
        published=StatedDate.parse(published),
        abstract=abstract,
        source=Source.MIRROR,
    )


def claim(text: str) -> Claim:
    return Claim(id="one", text=text, asserted_on=StatedDate.parse("2024-05"))


class Shelf:
    """Papers by id, as a store gives them."""

    def __init__(self, held: Iterable[Paper]) -> None:
        self.held = {p.id: p for p in held}

    def __call__(self, ids: Sequence[str]) -> Mapping[str, Paper]:
        return {i: self.held[i] for i in ids if i in self.held}


def shelf(*made: Paper) -> tuple[PaperIndex, Shelf]:
    held = [*made, *(paper(900 + i, title, f"{title}. {title} again.") for i, title in enumerate(FILLER))]
    return PaperIndex.in_memory(held), Shelf(held)


FORGETTING = claim("Low-rank adapters preserve earlier abilities.")


def test_a_paper_that_uses_other_names_for_everything_is_found() -> None:
    index, texts = shelf(paper(1, "LoRA and forgetting", "LoRA suffers catastrophic forgetting."))
    assert [hit.paper_id for hit in retrieve(FORGETTING, index, texts=texts)] == ["2503.00001"]


def test_the_best_answers_lend_their_words_to_find_what_shares_none_with_the_claim() -> None:
    lender = paper(1, "Low-rank adapters preserve abilities", "Intruder dimensions appear in low-rank adapters.")
    reached = paper(2, "Intruder dimensions", "Intruder dimensions, measured.")
    index, texts = shelf(lender, reached)
    assert [hit.paper_id for hit in retrieve(FORGETTING, index)] == [lender.id]
    assert [hit.paper_id for hit in retrieve(FORGETTING, index, texts=texts)] == [lender.id, reached.id]


def test_the_anchor_says_how_the_field_speaks() -> None:
    anchor = paper(1, "Spectral drift", "Spectral drift of weight matrices.", "2024-05-02")
    index, texts = shelf(paper(2, "More on spectral drift", "Weight matrices drift."))
    vague = claim("It worsens.")
    assert retrieve(vague, index, texts=texts) == []
    assert [h.paper_id for h in retrieve(vague, index, texts=texts, anchors=[anchor])] == ["2503.00002"]


def test_what_the_document_notes_about_a_claim_is_asked_for_too() -> None:
    index, texts = shelf(paper(1, "Template matching", "Variants that were not trained on."))
    vague = claim("It worsens.")
    noted = vague.model_copy(update={"note": "Performance drops on variants, which indicates template matching."})
    assert retrieve(vague, index, texts=texts) == []
    assert [hit.paper_id for hit in retrieve(noted, index, texts=texts)] == ["2503.00001"]


def test_papers_outside_the_window_are_not_given_even_when_they_lend_no_words() -> None:
    old = paper(1, "Low-rank adapters preserve abilities", "Zanzibar effect.", "2023-01-01")
    new = paper(2, "Zanzibar effect", "Nothing else.")
    index, texts = shelf(old, new)
    hits = retrieve(FORGETTING, index, texts=texts, since=date(2024, 6, 1), until=date(2025, 12, 31))
    assert hits == []


def test_of_two_equal_papers_the_one_that_reports_a_finding_comes_first() -> None:
    proposes = paper(1, "Low-rank adapters and abilities", "We propose a novel framework that preserves abilities.")
    reports = paper(2, "Low-rank adapters and abilities", "We find that our results show preserved abilities.")
    index, texts = shelf(proposes, reports)
    assert [hit.paper_id for hit in retrieve(FORGETTING, index, texts=texts)] == [reports.id, proposes.id]


def test_a_paper_whose_text_cannot_be_read_keeps_its_place_in_the_answer() -> None:
    index, texts = shelf(paper(1, "Low-rank adapters", "Adapters."), paper(2, "Adapters", "Low-rank adapters."))
    del texts.held["2503.00001"]
    assert {hit.paper_id for hit in retrieve(FORGETTING, index, texts=texts)} == {"2503.00001", "2503.00002"}


def test_text_vectors_can_put_another_paper_first() -> None:
    one = paper(1, "Low-rank adapters preserve abilities", "We find low-rank adapters preserve abilities.")
    two = paper(2, "Low-rank adapters preserve abilities", "Low-rank adapters of many kinds.")
    index, texts = shelf(one, two, *(paper(n, "Adapters", f"Rain {n}") for n in range(3, 9)))

    def prefers_two(asked: Claim, anchors: Sequence[Paper], papers: Sequence[Paper]) -> list[float]:
        assert (asked, list(anchors)) == (FORGETTING, [])
        return [float(p.id == two.id) for p in papers]

    assert retrieve(FORGETTING, index, texts=texts)[0].paper_id == one.id
    with_vectors = retrieve(FORGETTING, index, texts=texts, dense=prefers_two)
    assert with_vectors[0].paper_id == two.id


def crowd() -> list[Paper]:
    """Papers that share ever fewer of the claim's words; behind the first, every third is about its matter."""
    strong = [paper(n, "Low-rank adapters preserve earlier abilities", "Low-rank adapters.") for n in range(1, 12)]
    matter = "Parameter-efficient tuning of language models, continual learning, erasure."
    weak = [
        paper(n, f"Adapters {n}", matter if n % 3 == 0 else "Plugs and sockets for kettles, lamps and irons abroad.")
        for n in range(12, 400)
    ]
    return [*strong, *weak]


def test_what_a_full_match_would_weigh_is_near_enough_for_a_night_when_it_is_new() -> None:
    index, texts = shelf(*crowd())
    everything = Subset([p.id for p in crowd()])
    full = {hit.paper_id for hit in retrieve(FORGETTING, index, texts=texts, limit=120)}
    new = {hit.paper_id for hit in retrieve_among(FORGETTING, index, everything, texts=texts, best=120)}
    assert len(full) == 120 and full <= new


def test_the_end_of_the_head_is_in_the_order_of_nearness_too() -> None:
    index, texts = shelf(*crowd())
    hits = retrieve(FORGETTING, index, texts=texts, limit=REORDERED)
    about = [int(hit.paper_id[-3:]) % 3 == 0 for hit in hits[20:]]
    assert about == sorted(about, reverse=True), "nothing beside the point before what is about the claim"
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_the_answer_is_no_longer_than_asked_holds_nothing_twice_and_is_best_first() -> None:
    held = list(papers())
    index, texts = PaperIndex.in_memory(held), Shelf(held)
    hits = retrieve(claim("Reinforcement learning memorises and does not generalise."), index, texts=texts, limit=20)
    assert len(hits) == len({hit.paper_id for hit in hits}) == 20
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert hits == retrieve(
        claim("Reinforcement learning memorises and does not generalise."), index, texts=texts, limit=20
    )


def test_an_empty_index_and_a_wordless_claim_find_nothing() -> None:
    assert retrieve(FORGETTING, PaperIndex.in_memory(), texts=Shelf([])) == []
    index, texts = shelf()
    assert retrieve(claim("?!"), index, texts=texts) == []
