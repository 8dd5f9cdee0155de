"""`retest judge fit`: what people said refits the local judge, which is used from then on, until it is reset."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.cli.doctor import judge
from agent.cli.judge_fit import Telling
from agent.cli.main import retest
from agent.cli.watch import QUIET_S
from agent.judges.fit import FEWEST_CLAIMS, FEWEST_LABELS
from agent.judges.model import shipped_model
from agent.judges.refitted import FILE, Refitted, held, in_use, save
from agent.settings import Settings
from agent.wiring import open_judge, open_store
from claims.claim import Claim
from claims.clock import FrozenClock
from claims.errors import InputError
from claims.evidence import Stance
from claims.paper import Paper
from tests.factories import NOON, PERSON, a_claim, a_paper, an_inquiry, paper_evidence

WORDS = {
    Stance.SUPPORTS: "We find that zeugmatic tuning improves accuracy over all baselines.",
    Stance.CONTRADICTS: "We show, contrary to common belief, that zeugmatic tuning fails to improve accuracy.",
    Stance.QUALIFIES: "We find that zeugmatic tuning improves accuracy only when the data is curated.",
    Stance.NEUTRAL: "Recent work has studied birds. We describe a corpus of birdsong.",
}
PER_CLAIM = 8


def claims() -> list[Claim]:
    """Three claims of one family."""
    return [
        a_claim(f"zeugma-{n}", text=f"Zeugmatic tuning improves accuracy on benchmark {n}.", inquiry_id=None)
        for n in range(1, FEWEST_CLAIMS + 1)
    ]


def weighed(claim: Claim, n: int) -> list[tuple[Paper, Stance]]:
    """Papers on a claim with what a person says of each."""
    k = int(claim.id[-1])
    stances = [list(WORDS)[i % 4] for i in range(n)]
    return [
        (a_paper(f"240{k}.{i:05}", abstract=f"We study benchmark {k}, run {i}. {WORDS[s]}"), s)
        for i, s in enumerate(stances, start=1)
    ]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder, in which commands of this process work."""
    monkeypatch.setenv("RETEST_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fill(home: Path, per_claim: int) -> None:
    """Hold claims and papers, let the local judge say something of each, and then a person."""
    settings = Settings(home=home)
    local = open_judge("local", settings)
    with open_store(settings, FrozenClock(NOON)) as store:
        made = claims()
        store.put_inquiry(an_inquiry(*made))
        for claim in made:
            pairs = weighed(claim, per_claim)
            store.put_papers([paper for paper, _ in pairs])
            said = local.assess(claim, [paper for paper, _ in pairs])
            store.add_evidence(
                paper_evidence(paper, claim_id=claim.id, assessment=a, judged_at=NOON)
                for (paper, _), a in zip(pairs, said, strict=True)
            )
            store.add_evidence(
                paper_evidence(paper, stance, judge=PERSON, claim_id=claim.id, judged_at=NOON + timedelta(hours=1))
                for paper, stance in pairs
            )


def call(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, Any]:
    """Run a command in this process and read its JSON."""
    capsys.readouterr()
    code = retest.main(["judge", *args, "--json"], standalone_mode=False)
    return int(code or 0), json.loads(capsys.readouterr().out)


def versions(home: Path) -> set[str]:
    """The versions of the local judge whose stances are the newest of its name."""
    settings = Settings(home=home)
    with open_store(settings, FrozenClock(NOON)) as store:
        found = [e for c in store.claims() for e in store.evidence(c.id, everything=True) if e.kind == "paper"]
    newest = {(e.claim_id, e.paper_id): e.assessment.judge.version for e in found if e.assessment.judge != PERSON}
    return set(newest.values())


def test_too_few_labels_to_tell_are_refused_with_what_is_missing(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(home, FEWEST_LABELS // FEWEST_CLAIMS)
    with pytest.raises(InputError, match=rf"18 on 3 claims are held, {FEWEST_LABELS} on {FEWEST_CLAIMS}"):
        call(capsys, "fit", "--by", "Ada")
    assert not (home / FILE).exists()


def test_a_refit_needs_the_name_of_who_made_it(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("USER", raising=False)
    with pytest.raises(InputError, match="--by NAME"):
        call(capsys, "fit")


@pytest.mark.slow
def test_a_refit_is_used_from_then_on_and_reset_goes_back(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(home, PER_CLAIM)
    shipped = shipped_model().version
    assert versions(home) == {shipped}
    code, said = call(capsys, "--by", "Ada  L", "fit")
    assert (code, said["used"], said["fitted_by"], said["persons"], said["n_labels"]) == (0, True, "Ada L", ["Ada"], 24)
    on_shipped, own = said["compared"]
    assert (on_shipped["n_claims"] > 100, own["n_claims"], own["before"]["n"]) == (True, 3, 24)
    assert own["loss_after"] < own["loss_before"]
    assert said["version"] != shipped and said["base_version"] == shipped
    assert said["n_judged_again"] == 24
    assert versions(home) == {said["version"]}
    found = held(home)
    assert found is not None and found.fitted_at.tzinfo is not None and found.labels_digest == said["labels_digest"]
    assert open_judge("local", Settings(home=home)).ref.version == said["version"]
    again, same = call(capsys, "fit", "--by", "Ada")
    assert (again, same["version"], same["n_judged_again"]) == (0, said["version"], 0), "a refit is deterministic"
    code, back = call(capsys, "fit", "--reset")
    assert (code, back["reset"], back["judge"], back["n_judged_again"]) == (0, True, shipped, 24)
    assert versions(home) == {shipped}
    assert open_judge("local", Settings(home=home)).ref.version == shipped
    assert call(capsys, "fit", "--reset")[1] == {
        "reset": False,
        "judge": shipped,
        "n_judged_again": 0,
        "verdicts_changed": {},
    }


@pytest.mark.slow
def test_a_refit_that_does_worse_on_left_out_claims_is_not_used_unless_it_is_wanted(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(home, PER_CLAIM)
    settings = Settings(home=home)
    # Claim by claim, the person now calls every paper the same, and each claim's papers something else.
    with open_store(settings, FrozenClock(NOON)) as store:
        for claim, stance in zip(claims(), (Stance.SUPPORTS, Stance.CONTRADICTS, Stance.QUALIFIES), strict=True):
            store.add_evidence(
                paper_evidence(p, stance, judge=PERSON, claim_id=claim.id, judged_at=NOON + timedelta(hours=2))
                for p, _ in weighed(claim, PER_CLAIM)
            )
    code, said = call(capsys, "fit", "--by", "Ada")
    assert (code, said["used"], said["told"]) == (1, False, "worse")
    assert said["compared"][1]["loss_after"] > said["compared"][1]["loss_before"]
    assert in_use(home) is None
    assert "n_judged_again" not in said
    code, said = call(capsys, "fit", "--by", "Ada", "--anyway")
    assert (code, said["used"]) == (0, True)
    assert in_use(home) is not None


@pytest.mark.slow
def test_what_was_fitted_is_told_to_a_person_in_one_table(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(home, PER_CLAIM)
    assert retest.main(["judge", "fit", "--by", "Ada"], standalone_mode=False) == 0
    printed, err = capsys.readouterr()
    assert "reading the papers that were weighed" in err, "a fit of many seconds says what it is at"
    assert "24 stances of Ada" in printed
    for when in ("before", "after"):
        assert f"your claims (3), 24 pairs, {when}" in printed
    assert "on your claims: better" in printed
    assert "`retest judge fit --reset` goes back" in " ".join(printed.split()), "wherever a long path wraps the line"


def test_a_long_fit_tells_how_far_it_is_now_and_then_and_never_on_stdout(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr("agent.cli.judge_fit.time.monotonic", lambda: now[0])
    with Telling() as tell:
        for step in range(5):
            tell(f"fit {step + 1} of 5")
            now[0] += QUIET_S / 2
    told = capsys.readouterr()
    assert (told.out, told.err.splitlines()) == ("", ["fit 1 of 5", "fit 3 of 5", "fit 5 of 5"])


def test_stances_on_a_text_that_was_rewritten_are_not_learned_from(home: Path) -> None:
    from agent.judges.refitted import labels_of

    fill(home, 2)
    with open_store(Settings(home=home), FrozenClock(NOON)) as store:
        paper, _ = weighed(claims()[0], 1)[0]
        store.put_papers([paper.model_copy(update={"abstract": "Rewritten.", "updated_on": NOON.date()})])
        given = labels_of(store)
    assert (len(given.labels), given.persons, given.n_changed) == (5, ("Ada",), 1)


def test_a_refit_of_another_shipped_model_is_not_used(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = Refitted(
        **shipped_model().model_dump(),
        fitted_by="Ada",
        fitted_at=NOON,
        base_version="1-older",
        n_labels=24,
        persons=("Ada",),
        labels_digest="sha256:0",
        compared=(),
    )
    save(made, home)
    assert in_use(home) is None
    assert "1-older" in caplog.text and shipped_model().version in caplog.text
    stance = made.stance.model_copy(update={"names": ("a feature of old",)})
    save(made.model_copy(update={"stance": stance}), home)
    assert in_use(home) is None, "what an older version counted is no error"
    save(made.model_copy(update={"base_version": shipped_model().version}), home)
    assert in_use(home) == home / FILE
    save(made.model_copy(update={"base_version": shipped_model().version, "stance": stance}), home)
    with pytest.raises(InputError, match="fitted on other features"):
        in_use(home)


def test_the_doctor_says_who_refitted_the_judge_and_when_that_is_not_used(home: Path) -> None:
    settings = Settings(home=home)
    assert judge(settings) == []
    made = Refitted(
        **shipped_model().model_dump(),
        fitted_by="Ada",
        fitted_at=NOON,
        base_version=shipped_model().version,
        n_labels=24,
        persons=("Ada",),
        labels_digest="sha256:0",
        compared=(),
    )
    save(made, home)
    (found,) = judge(settings)
    assert (found.state, "by Ada on 2026-08-21 with 24 stances" in found.said) == ("ok", True)
    save(made.model_copy(update={"base_version": "1-older"}), home)
    assert [f.state for f in judge(settings)] == ["problem"]
    (home / FILE).write_text("{")
    assert [(f.state, "--reset" in f.do) for f in judge(settings)] == [("problem", True)]


def test_a_damaged_refit_is_said_and_not_passed_over(home: Path) -> None:
    (home / FILE).write_text('{"version": "2')
    with pytest.raises(InputError, match="is no model of the local judge"):
        open_judge("local", Settings(home=home))
    (home / FILE).write_text(shipped_model().model_dump_json())
    with pytest.raises(InputError, match="does not say where it comes from"):
        open_judge("local", Settings(home=home))
