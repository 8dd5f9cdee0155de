"""Real, misdescribed, made up, or not to be checked: four things that grounding keeps apart."""

from datetime import date
from importlib.resources import files
from typing import Any

import pytest

from agent.errors import SourceBusy, SourceRefused, SourceUnreachable
from agent.grounding import ground, ground_all, ground_claim, ground_inquiry
from claims.claim import Anchor, Claim
from claims.dates import StatedDate
from claims.errors import CouldNotLook, Unmirrored
from claims.grounding import Grounding, GroundingStatus
from claims.inquiry import parse_inquiry
from claims.paper import Paper, PaperVersion, Source
from tests.factories import a_claim
from tests.fakes import ListSource


def paper(id: str, title: str, on: str = "2023-05-18", **fields: Any) -> Paper:
    given = {"published": StatedDate.parse(on), "source": Source.MIRROR, "abstract": f"A study called {title}."}
    return Paper(id=id, title=title, **(given | fields))


LIMA = paper(
    "2305.11206",
    "LIMA: Less Is More for Alignment",
    authors=("Chunting Zhou", "Pengfei Liu", "Puxin Xu", "Srini Iyer", "Omer Levy"),
    abstract="A strong base model is tuned on one thousand curated examples; alignment data may be few.",
)
PROXY = paper(
    "2401.08565",
    "Tuning Language Models by Proxy",
    "2024-01-16",
    abstract="Tuning is costly. We introduce **proxy-tuning**, which works at decoding time.",
)
CALLS = paper("2410.18890", "Improving Function Calling in Small Models", "2024-10-24", abstract="We use DPO.")
GAP = paper("2412.02674", "Mind the Gap: On Self-Improvement", "2024-12-03", abstract="Limits of self-improvement.")
ECHO = paper("2504.07912", "Echo Chamber: RL Amplifies Pretraining", "2025-04-10", abstract="RL amplifies behaviors.")
HIVE = paper(
    "2510.22954", "Artificial Hivemind: Open-Ended Homogeneity", "2025-10-28", abstract="Homogeneity of models."
)
ALL = [LIMA, PROXY, CALLS, GAP, ECHO, HIVE]


def cite(**stated: Any) -> Anchor:
    if isinstance(stated.get("stated_date"), str):
        stated["stated_date"] = StatedDate.parse(stated["stated_date"])
    return Anchor(**({"arxiv_id": "2305.11206"} | stated))


def fields(said: Grounding, *, serious: bool | None = None) -> list[str]:
    return [p.field for p in said.problems if serious is None or p.serious is serious]


def test_a_paper_that_agrees_in_everything_is_ok() -> None:
    said = ground(cite(stated_title="LIMA: less is more for alignment", stated_date="May 2023"), [ListSource(ALL)])
    assert (said.status, said.problems, said.paper_id, said.looked_in) == ("ok", (), "2305.11206", ("mirror",))


@pytest.mark.parametrize(
    "title",
    [
        "LIMA: Less Is More for Alignment",
        "{LIMA}: {L}ess {I}s {M}ore for {A}lignment.",
        "lima - less is more for alignment",
        r"\textbf{LIMA}: Less Is \emph{More} for Alignment",
        "LIMA",
        "LIMA : Less is More\n   for Alignment",
    ],
)
def test_markup_case_and_punctuation_are_no_difference(title: str) -> None:
    assert ground(cite(stated_title=title), [ListSource(ALL)]).status is GroundingStatus.OK


def test_accents_in_any_spelling_are_no_difference() -> None:
    held = paper(
        "2401.00001", "Où est l'élève? Über naïve Schrödinger models", authors=("Michaël Defferrard", "Łukasz Kaiser")
    )
    stated = cite(
        arxiv_id="2401.00001",
        stated_title=r"O{\`u} est l'{\'e}l{\`e}ve? {\"U}ber na{\"\i}ve Schr\"odinger models",
        stated_authors=(r"Defferrard, Micha{\"e}l", r"Kaiser, {\L}ukasz"),
    )
    assert ground(stated, [ListSource([held])]).problems == ()


def test_a_changed_word_in_the_title_is_a_misdescription() -> None:
    said = ground(cite(stated_title="LIMA: Less Is Enough for Alignment"), [ListSource(ALL)])
    assert said.status is GroundingStatus.MISMATCH
    assert fields(said) == ["title"]
    assert "enough" in said.problems[0].message


def test_an_id_with_a_wholly_different_title_is_another_paper() -> None:
    said = ground(cite(stated_title="Recurrent Giraffe Transformers for Speech"), [ListSource(ALL)])
    assert said.status is GroundingStatus.MISMATCH
    assert fields(said) == ["id"]
    assert "LIMA" in said.problems[0].message


def test_the_paper_that_has_the_stated_title_is_named_beside_a_wrong_id() -> None:
    stated = cite(arxiv_id="2412.02674", stated_title="LIMA: Less Is More for Alignment")
    said = ground(stated, [ListSource(ALL)])
    assert (said.status, fields(said), said.paper_id) == (GroundingStatus.MISMATCH, ["id"], "2412.02674")
    assert said.how.endswith("the stated title is that of 2305.11206")
    missing = ground(cite(arxiv_id="2301.99999", stated_title=LIMA.title), [ListSource(ALL)])
    assert missing.how.endswith("the stated title is that of 2305.11206")


def test_a_stated_date_that_is_off_is_a_finding_and_not_another_paper() -> None:
    said = ground(cite(stated_date="~2024"), [ListSource(ALL, name=Source.ARXIV)])
    assert said.status is GroundingStatus.OK
    assert [(p.field, p.serious) for p in said.problems] == [("date", False)]
    assert said.problems[0].message == "stated ~2024, the mirror record says 2023-05-18"


def test_the_finding_names_arxiv_when_the_record_came_from_there() -> None:
    live = LIMA.model_copy(update={"source": Source.ARXIV})
    said = ground(cite(stated_date="~2024"), [ListSource([live], name=Source.ARXIV)])
    assert said.problems[0].message == "stated ~2024, arXiv says 2023-05-18"


@pytest.mark.parametrize(
    ("year", "serious"), [("2022", True), ("2024", False), ("2025", False), ("2026", True), ("2033", True)]
)
def test_a_bibliographic_year_may_be_that_of_print_but_not_earlier_or_much_later(year: str, serious: bool) -> None:
    said = ground(cite(stated_date=year, stated_authors=("Zhou, Chunting", "others")), [ListSource(ALL)])
    assert [p.serious for p in said.problems] == [serious]
    assert (said.status is GroundingStatus.MISMATCH) is serious


@pytest.mark.parametrize(
    "authors",
    [
        ("Chunting Zhou", "Pengfei Liu", "Puxin Xu", "Srini Iyer", "Omer Levy"),
        ("Zhou, C.", "Liu, P.", "Xu, P.", "Iyer, S.", "Levy, O."),
        ("Zhou Chunting", "Liu Pengfei", "others"),
        ("Chunting Zhou et al.",),
        ("C Zhou", "et al."),
        ("Zhou C", "Liu P", "et al."),
        ("Zhou", "Liu", "Xu", "Iyer", "Levy"),
    ],
)
def test_author_lists_agree_however_they_are_written(authors: tuple[str, ...]) -> None:
    assert ground(cite(stated_authors=authors), [ListSource(ALL)]).problems == ()


@pytest.mark.parametrize(
    ("authors", "word"),
    [
        (("Elias Fernandez", "Mame Seck"), "Fernandez"),
        (("Chunting Zhou", "Pengfei Liu", "Puxin Xu", "Srini Iyer", "Omer Bitton"), "Bitton"),
        (("Yong Zhou", "Pengfei Liu", "others"), "Yong Zhou"),
        (("Chunting Zhou", "Omer Levy"), "left out"),
        (("Omer Levy", "Chunting Zhou", "others"), "order"),
    ],
)
def test_other_authors_make_it_a_misdescription(authors: tuple[str, ...], word: str) -> None:
    said = ground(cite(stated_title=LIMA.title, stated_authors=authors), [ListSource(ALL)])
    assert said.status is GroundingStatus.MISMATCH
    assert fields(said, serious=True) == ["authors"]
    assert word in said.problems[0].message


def test_three_thousand_authors_are_compared_without_delay() -> None:
    crowd = tuple(f"Given{n} Family{n}" for n in range(3000))
    held = LIMA.model_copy(update={"authors": crowd})
    backwards = tuple(f"Family{n}, G." for n in reversed(range(3000)))
    assert ground(cite(stated_authors=crowd), [ListSource([held])]).problems == ()
    assert fields(ground(cite(stated_authors=backwards), [ListSource([held])])) == ["authors"]
    # A pairwise comparison would take minutes; the suite's own time limit is the judge.
    assert ground(cite(stated_title="word " * 100_000), [ListSource([held])]).status is GroundingStatus.MISMATCH


def test_a_list_cut_at_its_end_is_only_a_finding() -> None:
    said = ground(cite(stated_authors=("Chunting Zhou", "Pengfei Liu", "Puxin Xu")), [ListSource(ALL)])
    assert said.status is GroundingStatus.OK
    assert fields(said, serious=False) == ["authors"]


@pytest.mark.parametrize("listed", [("Chunting Zhou et al.",), ("Chunting Zhou",), ()])
def test_authors_that_the_source_does_not_list_are_not_taken_on_trust(listed: tuple[str, ...]) -> None:
    short = LIMA.model_copy(update={"authors": listed})
    stated = cite(stated_title=LIMA.title, stated_authors=("Chunting Zhou", "Made Up"))
    said = ground(stated, [ListSource([short])])
    assert (said.status, said.paper_id) == (GroundingStatus.UNCHECKED, "2305.11206")
    assert "authors could not be compared" in said.how


def test_one_author_alone_is_all_of_them_when_live_arxiv_says_so() -> None:
    single = LIMA.model_copy(update={"authors": ("Chunting Zhou",), "source": Source.ARXIV})
    stated = cite(stated_authors=("Chunting Zhou", "Made Up"))
    assert ground(stated, [ListSource([single], name=Source.ARXIV)]).status is GroundingStatus.MISMATCH


def test_a_venue_that_the_record_denies_is_a_misdescription() -> None:
    held = LIMA.model_copy(update={"comment": "Accepted at NeurIPS 2023"})
    wrong = ground(cite(stated_venue="Proceedings of ICML"), [ListSource([held])])
    right = ground(cite(stated_venue="Advances in Neural Information Processing Systems 36"), [ListSource([held])])
    preprint = ground(cite(stated_venue="arXiv preprint arXiv:2305.11206"), [ListSource([held])])
    assert (wrong.status, fields(wrong)) == (GroundingStatus.MISMATCH, ["venue"])
    assert right.problems == preprint.problems == ()


@pytest.mark.parametrize(("source", "status"), [(Source.ARXIV, "mismatch"), (Source.MIRROR, "ok")])
def test_only_live_arxiv_can_say_that_a_version_does_not_exist(source: Source, status: str) -> None:
    held = LIMA.model_copy(
        update={"versions": (PaperVersion(number=1, submitted_on=date(2023, 5, 18)),), "source": source}
    )
    said = ground(cite(stated_version=4), [ListSource([held], name=source)])
    assert (said.status, fields(said)) == (status, ["version"])
    assert ground(cite(stated_version=1), [ListSource([held], name=source)]).problems == ()


def test_a_withdrawn_paper_is_real_and_withdrawn() -> None:
    gone = LIMA.model_copy(update={"withdrawn": True, "withdrawn_because": "an error in Lemma 2"})
    said = ground(cite(), [ListSource([gone])])
    assert said.status is GroundingStatus.WITHDRAWN
    assert "Lemma 2" in said.problems[0].message


def test_a_topic_without_a_common_word_is_a_finding() -> None:
    off = ground(cite(stated_topic="protein folding"), [ListSource(ALL)])
    assert (off.status, fields(off, serious=False)) == (GroundingStatus.OK, ["topic"])
    assert ground(cite(stated_topic="few curated examples"), [ListSource(ALL)]).problems == ()


def test_only_a_source_that_holds_everything_can_say_not_found() -> None:
    partial, whole = ListSource(ALL), ListSource(ALL, name=Source.ARXIV, complete=True)
    assert ground(cite(arxiv_id="2301.99999"), [partial]).status == "unchecked"
    said = ground(cite(arxiv_id="2301.99999"), [whole, partial])
    assert (said.status, said.looked_in) == (GroundingStatus.NOT_FOUND, ("arxiv", "mirror"))
    assert said.paper_id is None


@pytest.mark.parametrize(
    "failure",
    [
        SourceUnreachable("arxiv", "connection refused"),
        SourceBusy("arxiv", 429, 30),
        SourceRefused("arxiv", "bad query"),
        CouldNotLook("arxiv", "no network"),
        Unmirrored("mirror", "nothing imported"),
    ],
)
def test_a_source_that_could_not_be_asked_is_written_down_and_the_next_one_asked(failure: Exception) -> None:
    broken = ListSource(name=Source.ARXIV, failure=failure)
    said = ground(cite(), [broken, ListSource(ALL)])
    assert (said.status, said.looked_in) == (GroundingStatus.OK, ("mirror",))
    assert said.could_not_look == {"arxiv": str(failure)}
    alone = ground(cite(), [broken])
    assert (alone.status, alone.looked_in) == (GroundingStatus.UNCHECKED, ())
    assert alone.could_not_look == {"arxiv": str(failure)}
    by_name = ground(cite(arxiv_id=None, stated_title="LIMA"), [broken])
    assert (by_name.status, by_name.could_not_look) == (GroundingStatus.UNCHECKED, {"arxiv": str(failure)})


def test_a_bug_in_a_source_is_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        ground(cite(), [ListSource(failure=ZeroDivisionError())])


def test_a_malformed_id_is_said_to_be_one_and_never_looked_up() -> None:
    source = ListSource(ALL)
    said = ground(Anchor(malformed_id="2413.12345"), [source])
    assert (said.status, source.calls) == (GroundingStatus.MALFORMED, [])


@pytest.mark.parametrize("failure", [None, SourceUnreachable("arXiv", "no route")])
def test_an_id_of_a_month_to_come_is_made_up_whatever_could_be_asked(failure: Exception | None) -> None:
    sources = [ListSource([], name=Source.ARXIV, failure=failure)]
    said = ground(Anchor(arxiv_id="2406.00001"), sources, today=date(2024, 5, 31))
    assert (said.status, fields(said)) == (GroundingStatus.MALFORMED, ["id"])
    assert "2024-06, which is still to come" in said.problems[0].message
    now = ground(Anchor(arxiv_id="2405.00001"), sources, today=date(2024, 5, 31))
    assert now.status is not GroundingStatus.MALFORMED


def test_a_paper_that_a_source_holds_is_real_whatever_the_clock_says() -> None:
    assert ground(cite(), [ListSource(ALL)], today=date(2001, 1, 1)).status is GroundingStatus.OK


def test_a_short_name_is_resolved_to_the_paper_whose_title_it_leads() -> None:
    echo = paper("2309.00001", "A LIMA bean model of alignment")
    said = ground(cite(arxiv_id=None, stated_title="LIMA", stated_date="~2024"), [ListSource([*ALL, echo])])
    assert (said.status, said.paper_id) == (GroundingStatus.OK, "2305.11206")
    assert said.how.startswith("title search")
    assert fields(said) == ["date"]


def test_a_name_is_resolved_where_an_abstract_introduces_it() -> None:
    said = ground(cite(arxiv_id=None, stated_title="proxy-tuning"), [ListSource(ALL)])
    assert said.paper_id == "2401.08565"
    assert "abstract introduces" in said.how


def test_a_name_in_parts_needs_a_claim_that_speaks_of_the_same() -> None:
    bare = PROXY.model_copy(
        update={"abstract": None, "finding": "Shifts the scores of a large model at decoding time."}
    )
    other = paper("2407.00001", "CPT: Consistent Proxy Tuning", "2024-07-01", abstract="Black-box tuning of models.")
    name = cite(arxiv_id=None, stated_title="proxy-tuning")
    near = a_claim(text="Proxy-tuning shifts scores of a large model at decoding time.", asserted_on="~2024")
    far = a_claim(text="Proxy-tuning is cheap.", asserted_on="~2024")
    sources = [ListSource([bare, other])]
    assert ground(name, sources, claim=near).paper_id == "2401.08565"
    assert ground(name, sources, claim=far).paper_id is None
    assert ground(name, sources).paper_id is None


def test_a_name_that_is_only_mentioned_resolves_to_nothing() -> None:
    mention = paper("2404.00001", "A survey", abstract="Methods such as proxy-tuning and LIMA are compared.")
    for name in ("proxy-tuning", "LIMA"):
        said = ground(cite(arxiv_id=None, stated_title=name), [ListSource([mention])])
        assert (said.status, said.paper_id) == (GroundingStatus.UNCHECKED, None)
        assert name in said.how


def test_two_papers_with_one_name_are_told_apart_by_the_claim_or_not_at_all() -> None:
    soil = paper("2201.00001", "LIMA: Soil moisture from orbit", abstract="We measure water in soil.")
    lone = ground(cite(arxiv_id=None, stated_title="LIMA"), [ListSource([LIMA, soil])])
    assert lone.paper_id is None
    assert "2201.00001" in lone.how and "2305.11206" in lone.how
    claim = a_claim(text="One thousand curated examples tuned on a strong base model suffice for alignment.")
    tied = ground(cite(arxiv_id=None, stated_title="LIMA"), [ListSource([LIMA, soil])], claim=claim)
    assert (tied.paper_id, tied.claim_id) == ("2305.11206", claim.id)


def test_a_whole_title_that_live_arxiv_does_not_know_is_not_found() -> None:
    arxiv = ListSource(ALL, name=Source.ARXIV, complete=True)
    said = ground(cite(arxiv_id=None, stated_title="Giraffes Are All You Need to Align"), [arxiv])
    assert (said.status, said.paper_id) == (GroundingStatus.NOT_FOUND, None)


def test_many_citations_cost_one_look_up_a_source() -> None:
    first, second = ListSource([LIMA], name=Source.ARXIV, complete=False), ListSource(ALL)
    said = ground_all([cite(), cite(arxiv_id="2410.18890"), cite(arxiv_id="2412.02674"), cite()], [first, second])
    assert [s.status for s in said] == ["ok"] * 4
    assert len(first.calls) == len(second.calls) == 1
    assert second.calls[0] == ("look_up", ["2410.18890", "2412.02674"])


def test_the_example_is_grounded_claim_by_claim() -> None:
    inquiry = parse_inquiry((files("claims.library") / "example_inquiry.txt").read_bytes())
    said = ground_inquiry(inquiry, [ListSource(ALL)])
    of_claims = {s.claim_id: s for s in said if s.claim_id}
    assert [of_claims[c.id].paper_id for c in inquiry.claims] == [
        "2305.11206",
        "2410.18890",
        "2401.08565",
        None,
        "2412.02674",
        "2510.22954",
    ]
    lima = of_claims[inquiry.claims[0].id]
    assert [p.message for p in lima.problems] == ["stated ~2024, the mirror record says 2023-05-18"]
    nobody = of_claims[inquiry.claims[3].id]
    assert nobody.status is GroundingStatus.UNCHECKED
    assert nobody.how.startswith("ungrounded") and "2504.07912" in nobody.how
    assert [s.paper_id for s in said if s.claim_id is None] == ["2504.07912"]


def test_a_claim_without_anchor_is_said_to_be_ungrounded() -> None:
    said = ground_claim(a_claim(anchors=()), [ListSource(ALL)])
    assert [s.status for s in said] == [GroundingStatus.UNCHECKED]
    assert said[0].how.startswith("ungrounded")


def test_a_paper_that_appeared_after_the_claim_is_not_its_ground_whatever_its_name() -> None:
    namesake = Paper(
        id="2503.10125",
        title="Proxy-tuning: A Namesake About Pictures",
        published=StatedDate.parse("2025-03"),
        abstract="Pictures of one subject are made by a small model that a large one is tuned on.",
        source=Source.MIRROR,
    )
    claim = Claim(
        id="proxy-tuning-keeps-knowledge",
        text="Proxy-tuning at decoding time keeps knowledge that weight tuning loses.",
        asserted_on=StatedDate.parse("~2024"),
        anchors=(Anchor(stated_title="proxy-tuning", stated_date=StatedDate.parse("~2024")),),
    )

    grounding = ground(claim.anchors[0], [ListSource([namesake], name=Source.MIRROR)], claim=claim)

    assert grounding.paper_id is None
    assert grounding.status is GroundingStatus.UNCHECKED
    assert "after the claim" in grounding.how and "2503.10125" in grounding.how
