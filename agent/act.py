"""Re-test one claim, or run its experiment, for every door that offers it: the conversation, the web page, MCP."""

from collections.abc import Callable
from dataclasses import dataclass

from agent.errors import Retryable
from agent.graph.dispatch import approval_question, evidence_of
from agent.graph.parts import Parts, Step, unwatched
from agent.graph.state import Job
from agent.hold import begin_pass, finish_pass, hold
from agent.settings import Settings
from agent.wiring import claim_searches, open_checkpoints, open_judge, open_lab, open_sources
from claims.claim import Claim
from claims.clock import Clock
from claims.errors import InputError
from claims.experiment import ExperimentSpec, Submission
from claims.report import numbers
from claims.report.experiments import expected_length, planned
from claims.store import Store
from claims.verdict import decide

NOT_RUN = "No experiment was run"
"""How the line begins when the lab could not be had."""


class ClaimStopped(Retryable):
    """A claim's thread stopped. What was finished is kept; the next try goes on from there."""

    def __init__(self, claim_id: str, why: str) -> None:
        self.claim_id = claim_id
        self.why = why
        super().__init__(f"{claim_id} stopped: {why}. What was finished is kept; the next try goes on from there.")


def asked_before(question: str) -> None:
    """Let everything pass: a person was asked before the action began."""
    del question


@dataclass(frozen=True)
class OneClaim:
    """What can be done about one claim, as this installation is set up."""

    store: Store
    settings: Settings
    clock: Clock
    source: str = "auto"
    judge: str = "local"
    profile: str = "tiny"
    watch: Callable[[Step], None] = unwatched
    """told what happens meanwhile"""
    consent: Callable[[str], None] = asked_before
    """given the question when an experiment takes longer than may be started unasked; raises to stop it"""

    def retest(self, claim: Claim) -> str:
        """Search and weigh newer work, and decide again; no experiment. Gives one line on what came of it.

        Raises ClaimStopped, and what sources, judges and the store raise when nothing could be done.
        """
        before = self._kind(claim)
        sources = open_sources(self.source, self.store, self.settings)
        chosen = open_judge(self.judge, self.settings)
        today = self.clock.now().date().isoformat()
        names = [name.value for name in sources]
        parts = Parts(
            store=self.store,
            sources=sources,
            judge=chosen,
            clock=self.clock,
            claim_search=claim_searches(sources, self.store, self.settings),
            no_lab_because="only newer work was asked for",
            watch=self.watch,
        )
        ref = chosen.ref.model_dump(mode="json")
        pass_id = begin_pass(self.store, {"claim": claim.id, "as_of": today, "sources": names, "judge": ref})
        job: Job = {
            "pass_id": pass_id,
            "as_of": today,
            "sources": names,
            "use_lab": False,
            "profile": self.profile,
            "seeds": self.settings.seeds,
            "yes": False,
            "papers_per_claim": self.settings.papers_per_claim,
            "experiment_for": [],
        }
        with open_checkpoints(self.settings) as saver:
            outcome = hold([claim], job, parts, saver, locks=self.settings.home / "locks")[0]
        if outcome.error:
            raise ClaimStopped(claim.id, outcome.error)
        finish_pass(self.store, pass_id)
        failed = {s.source.value: s.could_not_look for s in self.store.searches(claim.id) if s.could_not_look}
        aside = "".join(f" Could not look in {place}: {why}." for place, why in failed.items())
        aside += f" It {outcome.unjudged}." if outcome.unjudged else ""
        judged = numbers.count(outcome.state.get("n_judged", 0), "paper")
        return f"{claim.id}: {judged} newly judged. {self._moved(claim, before)}{aside}"

    def experiment(self, claim: Claim, *, seeds: int | None = None) -> str:
        """Run the experiment of the claim's family, and decide again. Gives one line on what came of it.

        Seeds that were finished before are not run again. Raises InputError when no protocol fits, and what the lab's
        client raises.
        """
        before = self._kind(claim)
        n = seeds or self.settings.seeds
        with open_lab(self.settings, wanted=True) as lab:
            if lab.client is None or lab.protocols is None:
                return f"{NOT_RUN}: {lab.why_not}."
            family = claim.scope.family
            if family is None or family not in lab.protocols:
                raise InputError(f"no protocol of this lab re-tests {claim.id} (family: {family or 'none'})")
            protocol = lab.protocols[family]
            if self.profile not in protocol.profiles:
                raise InputError(f"protocol {family} has no profile {self.profile!r}")
            question = approval_question(protocol, self.profile, n, self.settings.approve_minutes)
            if question is not None:
                self.consent(question)
            length, foretold = expected_length(protocol, self.profile, n), planned(protocol, self.profile, n)
            self.watch(Step(claim.id, "dispatch", f"{family}, {numbers.count(n, 'seed')}, {length}; {foretold}"))
            spec = ExperimentSpec(
                protocol=family, protocol_version=protocol.version, profile=self.profile, claim_id=claim.id
            )
            view = lab.client.submit(Submission(spec=spec, n_seeds=n))
            self.store.put_experiment(view)
            view = lab.client.wait(view.id, on_progress=lambda p: self.watch(Step(claim.id, "await_run", p.message, p)))
        self.store.put_experiment(view)
        parts = Parts(store=self.store, sources={}, judge=open_judge("local", self.settings), clock=self.clock)
        found = evidence_of(claim, view, parts)
        self.store.add_evidence([found])
        evidence = self.store.evidence(claim.id, superseded=True)
        self.store.record_verdict(decide(claim, evidence, self.clock.now().date()))
        return f"{view.id} is {found.outcome}: {found.summary} [{found.id}] {self._moved(claim, before)}"

    def _kind(self, claim: Claim) -> str:
        held = self.store.verdicts(claim.id)
        return held[-1].verdict.kind.value if held else "never decided"

    def _moved(self, claim: Claim, before: str) -> str:
        after = self._kind(claim)
        return f"The verdict is still {after}." if after == before else f"The verdict was {before} and is now {after}."
