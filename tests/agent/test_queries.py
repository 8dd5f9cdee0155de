"""A claim's questions: its own words, other names, its anchors' words, its negation, a contrary vocabulary."""

import pytest

from agent.queries import plan_queries
from agent.vocabulary import content_words, names_in, opposite_words, other_names
from claims.claim import Claim
from claims.dates import StatedDate
from claims.library import papers


def claim(text: str) -> Claim:
    return Claim(id="one", text=text, asserted_on=StatedDate.parse("2024-05"))


FORGETTING = claim("Low-rank adapters preserve abilities outside the task better than full fine-tuning does.")


def test_a_claim_asks_in_its_own_words_negated_and_in_the_vocabulary_of_a_contrary_finding() -> None:
    queries = plan_queries(FORGETTING)
    assert [query.aim for query in queries][:1] == ["same"]
    assert {query.aim for query in queries} == {"same", "methods", "negation", "contrary"}
    negation = next(query for query in queries if query.aim == "negation")
    assert {"not", "erode", "worse"} <= set(negation.text.split())
    assert queries[0].weight > negation.weight


def test_the_words_of_the_papers_it_rests_on_are_asked_for_too() -> None:
    lima = next(paper for paper in papers() if paper.id == "2305.11206")
    text = "A thousand good examples are enough."
    without = plan_queries(claim(text))
    with_anchor = plan_queries(claim(text), [lima])
    assert not any("LIMA" in query.text for query in without)
    assert any({"LIMA", "Alignment"} <= set(query.text.split()) for query in with_anchor)
    assert any("pretraining" in query.text.split() for query in with_anchor)


@pytest.mark.parametrize(
    "text",
    [".", '"', "a", "it is", "AND OR NOT", 'title:"x" OR (', "*?[]{}^~", "中文", "x" * 5_000, "word " * 5_000],
)
def test_any_claim_gets_a_few_questions_none_of_them_empty_or_asked_twice(text: str) -> None:
    queries = plan_queries(claim(text))
    assert 1 <= len(queries) <= 5
    assert all(query.text.strip() for query in queries)
    assert len({query.text.lower() for query in queries}) == len(queries)


def test_planning_is_the_same_every_time() -> None:
    assert plan_queries(FORGETTING, papers()[:3]) == plan_queries(FORGETTING, papers()[:3])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Low-rank adapters keep more.", "lora"),
        ("DPO is enough.", "direct preference optimization"),
        ("Chains of thought are faithful.", "cot"),
        ("Supervised finetuning memorises.", "sft"),
        ("models converge: an artificial hivemind", "mode collapse"),
    ],
)
def test_other_names_for_a_thing_are_known_and_plurals_are_no_obstacle(text: str, name: str) -> None:
    assert name in other_names(text)


def test_a_text_is_never_told_the_names_that_it_uses_itself() -> None:
    assert "lora" not in other_names("LoRA forgets less")
    assert other_names("The weather was fine.") == []


def test_opposites_are_found_in_both_directions_and_whatever_the_ending() -> None:
    assert "degrade" in opposite_words("it improves accuracy")
    assert "improve" in opposite_words("accuracy degraded")
    assert opposite_words("a plain noun") == []


def test_names_are_acronyms_mixed_case_digits_and_quoted_words() -> None:
    assert names_in("The 'aha moment' of GRPO on Llama2 and GSM8K is real") == ["aha moment", "GRPO", "Llama2", "GSM8K"]


def test_telling_words_keep_their_order_and_their_hyphens_and_lose_what_says_nothing() -> None:
    assert content_words("On-policy RL is better than the on-policy SFT of it") == ["On-policy", "RL", "better", "SFT"]
