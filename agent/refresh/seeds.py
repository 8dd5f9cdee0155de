"""Seeds for undecided experiments: a night adds some, within its budget, and collects what the lab measured."""

import logging
from collections.abc import Sequence

from agent.errors import Final, Retryable
from agent.graph.dispatch import evidence_of
from agent.graph.parts import Step
from agent.observe.spans import span
from agent.refresh.night import Night
from agent.refresh.state import NightState
from claims.claim import Claim
from claims.due import is_undecided
from claims.experiment import ExperimentView, Progress, Submission

log = logging.getLogger(__name__)

STEP = 4
"""Seeds that one experiment is given in a night."""
LAB = "the lab"


def undecided(views: Sequence[ExperimentView]) -> list[ExperimentView]:
    """Give the experiments that more seeds may decide, and those that are not over.

    One that was run anew under a later version of its protocol is left as it is: a lab has only the latest.
    """
    newest: dict[tuple[str | None, str], int] = {}
    for view in views:
        key = (view.spec.claim_id, view.spec.protocol)
        newest[key] = max(newest.get(key, 0), view.spec.protocol_version)
    return [
        view
        for view in views
        if view.spec.claim_id is not None
        and view.spec.protocol_version == newest[view.spec.claim_id, view.spec.protocol]
        and is_undecided(
            view.state,
            view.result.outcome if view.result else None,
            n_seeds(view),
            view.preregistration.max_seeds,
            is_saturated=view.result is not None and view.result.is_saturated,
        )
    ]


def n_seeds(view: ExperimentView) -> int:
    """Count the seeds that an experiment was brought to."""
    measured = view.result.primary.n_seeds if view.result and view.result.primary else 0
    return max(measured, len(view.runs))


def add_seeds(night: Night, claims: Sequence[Claim]) -> dict[str, list[str]]:
    """Ask the lab for more seeds of these claims' undecided experiments: claim to the experiments that were asked for.

    How many is fixed and stored before the lab is asked, so that a night that was killed asks for the same.
    """
    if night.wish.seeds_budget <= 0:
        return {}
    wanted = {claim.id for claim in claims}
    views = {v.id: v for v in night.store.readable_experiments().experiments if v.spec.claim_id in wanted}
    open_ = undecided(list(views.values()))
    if not open_:
        return {}
    lab = night.parts.lab
    if lab is None:
        night.trouble(LAB, f"{len(open_)} undecided experiments got no seeds: {night.parts.no_lab_because}")
        return {}

    def fix(state: NightState) -> NightState:
        targets, spent = dict(state.seed_targets), state.seeds
        for view in open_:
            if view.id in targets:
                continue
            have = n_seeds(view)
            more = 0 if not view.state.is_final else min(STEP, view.preregistration.max_seeds - have)
            if spent + more > night.wish.seeds_budget:
                continue
            targets[view.id] = max(1, have + more)
            spent += more
        return state.model_copy(
            update={
                "seed_targets": targets,
                "seeds": spent,
                "problems": [p for p in state.problems if p.where != LAB],
            }
        )

    targets = night.change(fix).seed_targets
    sent: dict[str, list[str]] = {}
    for view in open_:
        claim_id = view.spec.claim_id
        target = targets.get(view.id)
        if claim_id is None or target is None or (view.state.is_final and n_seeds(view) >= target):
            continue
        try:
            night.store.put_experiment(lab.submit(Submission(spec=view.spec, n_seeds=target)))
        except (Retryable, Final) as exc:
            night.trouble(LAB, f"{view.id} got no seeds: {exc}", claim_id)
            continue
        sent.setdefault(claim_id, []).append(view.id)
    return sent


def collect(claim: Claim, experiment_ids: Sequence[str], night: Night) -> None:
    """Wait for a claim's experiments and keep their outcomes as evidence; what has none yet is said in the digest."""
    lab = night.parts.lab

    def show(progress: Progress) -> None:
        night.parts.watch(Step(claim.id, "experiment", progress.message, progress))

    for id in experiment_ids:
        assert lab is not None
        try:
            with span("experiment", experiment=id):
                view = lab.wait(id, on_progress=show, timeout_s=night.wish.lab_wait_s)
        except (Retryable, Final) as exc:
            night.trouble(LAB, f"{id} has no outcome yet: {exc}", claim.id)
            continue
        night.store.put_experiment(view)
        for run in view.runs:
            log.info("%s: %s", run.id, run.state.value, extra={"ids": {"experiment": id, "run": run.id}})
        if not view.state.is_final:
            night.trouble(LAB, f"{id} is still running; the next night collects it", claim.id)
        elif view.result is not None:
            evidence = evidence_of(claim, view, night.parts)
            night.store.add_evidence([evidence])
            night.parts.watch(Step(claim.id, "refresh", evidence.summary))
