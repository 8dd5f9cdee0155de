"""The experiment nodes: choose a protocol for a claim, ask approval when it is dear, send it, await its outcome."""

from datetime import date

from langgraph.types import interrupt

from agent.errors import Final, Retryable
from agent.graph.parts import Parts, Step
from agent.graph.state import State
from claims.claim import Claim, Scale, Scope
from claims.evidence import ExperimentEvidence
from claims.experiment import (
    ExperimentSpec,
    ExperimentView,
    Outcome,
    Progress,
    ProtocolView,
    RunState,
    Submission,
)
from claims.report import numbers
from claims.report.experiments import expected_length, expected_minutes, planned

TOY_BELOW = 50_000_000
"""Parameters; claims.claim.Scale.TOY."""

SMALL_BELOW = 3_000_000_000
"""Parameters; claims.claim.Scale.SMALL."""


def choose(state: State, parts: Parts) -> dict[str, object]:
    """Choose the protocol of the claim's family, or say why there is no experiment."""
    parts.enter("choose", state["claim_id"])
    claim = parts.store.claim(state["claim_id"])
    job = state["job"]
    family = claim.scope.family
    reason: str | None = None
    if family is None:
        reason = "no protocol: the claim belongs to no family that the lab can re-test"
    elif not job["use_lab"]:
        reason = f"protocol {family} was not run: --no-lab"
    elif parts.lab is None or parts.protocols is None:
        reason = f"protocol {family} was not run: {parts.no_lab_because}"
    elif family not in parts.protocols:
        reason = f"no protocol: this lab does not offer {family}"
    elif job["profile"] not in parts.protocols[family].profiles:
        reason = f"protocol {family} has no profile {job['profile']}"
    elif claim.id not in job["experiment_for"]:
        reason = f"protocol {family} fits; this pass starts no experiment for this claim (see --experiments)"
    parts.watch(Step(claim.id, "choose", reason or f"protocol {family}, profile {job['profile']}"))
    if reason:
        parts.store.note_no_experiment(claim.id, reason)
    return {"protocol": None if reason else family, "no_experiment": reason}


def approval_question(protocol: ProtocolView, profile: str, seeds: int, approve_minutes: float) -> str | None:
    """Ask whether to start an experiment, with what it takes and may give; None for one that may start unasked."""
    minutes = expected_minutes(protocol, profile, seeds)
    if minutes is not None and minutes <= approve_minutes:
        return None
    foretold = planned(protocol, profile, seeds)
    return (
        f"protocol {protocol.name} with {numbers.count(seeds, 'seed')} takes "
        f"{expected_length(protocol, profile, seeds)}; the limit without asking is "
        f"{numbers.duration(60 * approve_minutes)}. {foretold[0].upper()}{foretold[1:]}. Start it?"
    )


def approve(state: State, parts: Parts) -> dict[str, object]:
    """Ask a person when the experiment is expected to take longer than the approval limit."""
    parts.enter("approve", state["claim_id"])
    name, job = state.get("protocol"), state["job"]
    if name is None or job["yes"] or not parts.protocols:
        return {}
    asked = (parts.protocols[name], job["profile"], job["seeds"])
    question = approval_question(*asked, parts.approve_minutes)
    if question is None or interrupt({"claim_id": state["claim_id"], "question": question}) is True:
        return {}
    length = expected_length(*asked)
    reason = f"protocol {name} was not run: it would take {length}, and nobody approved that"
    parts.store.note_no_experiment(state["claim_id"], reason)
    return {"protocol": None, "no_experiment": reason}


def dispatch(state: State, parts: Parts) -> dict[str, object]:
    """Send the experiment to the lab. The specification's digest names it, so sending twice starts once."""
    parts.enter("dispatch", state["claim_id"])
    name, job = state["protocol"], state["job"]
    if name is None or parts.lab is None or parts.protocols is None:
        return _without(state, parts, parts.no_lab_because)
    spec = ExperimentSpec(
        protocol=name,
        protocol_version=parts.protocols[name].version,
        profile=job["profile"],
        claim_id=state["claim_id"],
    )
    try:
        view = parts.lab.submit(Submission(spec=spec, n_seeds=job["seeds"]))
    except (Retryable, Final) as exc:
        return _without(state, parts, f"protocol {name} was not run: {exc}")
    parts.store.put_experiment(view)
    foretold = planned(parts.protocols[name], job["profile"], job["seeds"])
    sent = f"{name} with {numbers.count(job['seeds'], 'seed')} is {view.id}; {foretold}"
    parts.watch(Step(state["claim_id"], "dispatch", sent))
    return {"experiment_id": view.id}


def await_run(state: State, parts: Parts) -> dict[str, object]:
    """Wait until the lab has an outcome, and keep it as evidence with the scope that was really run."""
    parts.enter("await_run", state["claim_id"])
    experiment_id = state.get("experiment_id")
    if experiment_id is None or parts.lab is None:
        return {}

    def show(progress: Progress) -> None:
        parts.watch(Step(state["claim_id"], "await_run", progress.message, progress))

    try:
        view = parts.lab.wait(experiment_id, on_progress=show)
    except (Retryable, Final) as exc:
        return _without(state, parts, f"experiment {experiment_id} has no outcome: {exc}")
    parts.store.put_experiment(view)
    claim = parts.store.claim(state["claim_id"])
    if view.state is RunState.CANCELLED and view.result is None:
        return _without(state, parts, f"experiment {experiment_id} was cancelled")
    evidence = evidence_of(claim, view, parts)
    parts.store.add_evidence([evidence])
    parts.watch(Step(claim.id, "await_run", evidence.summary))
    return {}


def evidence_of(claim: Claim, view: ExperimentView, parts: Parts) -> ExperimentEvidence:
    """Read an experiment as evidence. One without a result is `invalid`, with the reason."""
    result = view.result
    params = result.scale_params if result else None
    failed = [run for run in view.runs if run.state is RunState.FAILED]
    summary = result.reason if result else (failed[0].error or "failed") if failed else "no run was finished"
    return ExperimentEvidence(
        claim_id=claim.id,
        experiment_id=view.id,
        protocol=view.spec.protocol,
        profile=view.spec.profile,
        outcome=result.outcome if result else Outcome.INVALID,
        estimate=result.primary if result else None,
        scope=Scope(scale=scale_of(params), family=view.spec.protocol),
        measured_on=measured_on(view, parts),
        summary=summary,
    )


def measured_on(view: ExperimentView, parts: Parts) -> date:
    """Give the day on which the last finished seed ended."""
    ends = [run.ended_at for run in view.runs if run.ended_at]
    return (max(ends) if ends else parts.clock.now()).date()


def scale_of(params: int | None) -> Scale:
    """Class a model by its parameters; an unknown size counts as toy, which can never overturn."""
    if params is None or params < TOY_BELOW:
        return Scale.TOY
    return Scale.SMALL if params < SMALL_BELOW else Scale.LARGE


def _without(state: State, parts: Parts, reason: str) -> dict[str, object]:
    parts.store.note_no_experiment(state["claim_id"], reason)
    parts.watch(Step(state["claim_id"], "dispatch", reason))
    return {"no_experiment": reason, "experiment_id": None}
