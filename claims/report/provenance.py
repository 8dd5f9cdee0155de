"""What a claim's verdicts rest on, as linked data: the entities of a Process Run Crate, flat, each told once.

A verdict is a ClaimReview made by the rule out of evidence; evidence is a Review of the claim by a judge, based on
quotes of a paper (with their character offsets) or on an experiment; a run is an action of a protocol's code at a
commit. Source: https://w3id.org/ro/wfrun/process/0.5, which builds on https://w3id.org/ro/crate/1.1.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from claims.dossier import HeldVerdict
from claims.evidence import JUDGE_RANK, ExperimentEvidence, JudgeName, JudgeRef, PaperEvidence
from claims.experiment import ExperimentView, RunState, RunView
from claims.ids import digest
from claims.paper import Paper
from claims.report import phrases
from claims.report.view import ClaimView, Row

Entity = dict[str, Any]

TERMS = {
    "TextPositionSelector": "http://www.w3.org/ns/oa#TextPositionSelector",
    "start": "http://www.w3.org/ns/oa#start",
    "end": "http://www.w3.org/ns/oa#end",
    "wasRevisionOf": {"@id": "http://www.w3.org/ns/prov#wasRevisionOf", "@type": "@id"},
    "sha256": "http://schema.org/sha256",
}
"""What the context of RO-Crate 1.1 does not name: a quote's place (W3C Web Annotation) and a revision (W3C PROV)."""

STATUS = "http://schema.org/"
"""Before the name of an action's status."""
RETEST = "#retest"
"""The software that wrote the crate."""


class Graph:
    """Collects entities by id."""

    def __init__(self) -> None:
        self._by_id: dict[str, Entity] = {}

    def add(self, id: str, type: str | list[str], **properties: object) -> dict[str, str]:
        """Keep an entity, unless it was told before; empty properties are left out. Gives the reference to it.

        RO-Crate wants a list of one written as the one.
        """
        told = {k: v[0] if isinstance(v, list) and len(v) == 1 else v for k, v in properties.items()}
        told = {k: v for k, v in told.items() if v is not None and v != "" and v != []}
        self._by_id.setdefault(id, {"@id": id, "@type": type, **told})
        return ref(id)

    def of_type(self, *types: str) -> list[dict[str, str]]:
        """Give references to all entities of these types."""
        return [ref(e["@id"]) for e in self._by_id.values() if {*_types(e)} & {*types}]

    @property
    def entities(self) -> list[Entity]:
        """All of them, in the order told."""
        return list(self._by_id.values())


def ref(id: str) -> dict[str, str]:
    """Refer to an entity."""
    return {"@id": id}


def file_name(folder: str, id: str) -> str:
    """Give a safe name in the crate for what has this id."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "-", id)[:80]
    return f"{folder}/{plain if plain == id else f'{plain}-{digest(id)[7:15]}'}.json"


def describe_claim(graph: Graph, view: ClaimView) -> None:
    """Tell of one claim: its papers, its evidence, its verdicts, and the experiments that were run for it."""
    claim, papers = view.claim, view.dossier.papers
    anchors = [g.paper_id for g in view.dossier.groundings if g.paper_id in papers]
    graph.add(
        f"#{claim.id}",
        "Claim",
        name=claim.text,
        text=claim.text,
        identifier=claim.id,
        dateCreated=str(claim.asserted_on),
        citation=[_paper(graph, papers[i]) for i in dict.fromkeys(anchors) if i],
    )
    experiments = {e.id: _experiment(graph, e) for e in view.dossier.experiments}
    evidence = {row.evidence.id: _evidence(graph, row, claim.id, experiments) for row in view.rows}
    for held in view.dossier.history:
        _verdict(graph, held, view, evidence)


def _paper(graph: Graph, paper: Paper) -> dict[str, str]:
    return graph.add(
        paper.url,
        "ScholarlyArticle",
        name=paper.title,
        author=list(paper.authors),
        datePublished=str(paper.published),
        identifier=f"arXiv:{paper.id}",
        version=str(paper.latest_version) if paper.latest_version else None,
        creativeWorkStatus="Withdrawn" if paper.withdrawn else None,
        url=paper.url,
    )


def _judge(graph: Graph, judge: JudgeRef) -> dict[str, str]:
    id = f"#judge-{digest([judge.name, judge.version])[7:19]}"
    if judge.name is JudgeName.PERSON:
        return graph.add(id, "Person", name=judge.version)
    return graph.add(
        id,
        "SoftwareApplication",
        name=f"{judge.name} judge: {phrases.judge(judge.name)}",
        softwareVersion=judge.version,
        description=f"Rank {JUDGE_RANK[judge.name] + 1} of {len(JUDGE_RANK)}: the highest that judged a paper counts.",
        isPartOf=None if judge.name is JudgeName.LLM else ref(RETEST),
    )


def _evidence(graph: Graph, row: Row, claim_id: str, experiments: Mapping[str, dict[str, str]]) -> dict[str, str]:
    e = row.evidence
    silent = phrases.stance(row) if row.unjudged else "takes no stand"
    status = "counted" if row.counted else f"not counted: {row.why_not}" if row.why_not else silent
    if isinstance(e, ExperimentEvidence):
        experiment = experiments.get(e.experiment_id)
        return graph.add(
            f"#{e.id}",
            ["Review", "CreativeWork"],
            name=f"{e.outcome}: our experiment {e.experiment_id}",
            itemReviewed=ref(f"#{claim_id}"),
            reviewAspect=str(row.stance),
            reviewBody=e.summary,
            dateCreated=e.measured_on.isoformat(),
            creativeWorkStatus=status,
            isBasedOn=experiment,
        )
    assert isinstance(e, PaperEvidence), "evidence is of a paper or of an experiment"
    a = e.assessment
    paper = _paper(graph, row.paper) if row.paper else None
    ground = [paper, *_quotes(graph, row, paper)] if paper else []
    said = phrases.stance(row)
    sure = graph.add(
        f"#{e.id}-confidence",
        "Rating",
        name=f"confidence of {e.id}",
        ratingValue=round(a.confidence, 4),
        bestRating=1,
        worstRating=0,
        ratingExplanation="calibrated probability that the paper is neutral"
        if row.unsure
        else "calibrated probability that the stance is right",
    )
    return graph.add(
        f"#{e.id}",
        ["Review", "CreativeWork"],
        name=f"{said}: {f'arXiv:{e.paper_id}' if row.paper else 'a paper that is not held'}",
        itemReviewed=ref(f"#{claim_id}"),
        reviewAspect=said,
        reviewBody=a.explanation,
        reviewRating=sure,
        author=_judge(graph, a.judge),
        dateCreated=_time(e.judged_at),
        creativeWorkStatus=status,
        isBasedOn=ground,
    )


def _quotes(graph: Graph, row: Row, paper: dict[str, str]) -> list[dict[str, str]]:
    """Tell the quotes that are byte-exact parts of the text that is held, with their place in it."""
    e = row.evidence
    assert isinstance(e, PaperEvidence), "only papers are quoted"
    return [
        graph.add(
            f"#{e.id}-quote-{n}",
            ["Quotation", "TextPositionSelector"],
            name=f"characters {q.start} to {q.end} of the {q.field}"
            + (" (our own summary, not the paper's words)" if q.field == "finding" else ""),
            text=q.text,
            start=q.start,
            end=q.end,
            isPartOf=paper,
            identifier=e.paper_digest,
        )
        for n, q in enumerate(row.quotes, 1)
    ]


def _experiment(graph: Graph, experiment: ExperimentView) -> dict[str, str]:
    file = ref(file_name("experiments", experiment.id))
    for run in experiment.runs:
        _run(graph, run, experiment, file)
    return file


def _run(graph: Graph, run: RunView, experiment: ExperimentView, file: dict[str, str]) -> None:
    commit = run.record.get("code_commit")
    protocol = graph.add(
        f"#protocol-{run.spec.protocol}-{run.spec.protocol_version}-{str(commit or 'unknown')[:12]}",
        "SoftwareApplication",
        name=f"protocol {run.spec.protocol} of the retest lab",
        softwareVersion=f"{run.spec.protocol_version}, commit {commit or 'not recorded'}",
        description=experiment.preregistration.hypothesis,
        softwareRequirements=_packages(run.record.get("packages")),
    )
    graph.add(
        f"#{run.id}",
        "CreateAction",
        name=f"{run.spec.protocol}, profile {run.spec.profile}, seed {run.spec.seed}",
        description=f"Run {run.id}, {run.state}, {_counted(run.attempts, 'attempt')}; "
        f"its specification is {digest(run.spec.model_dump(mode='json'))}. Device: {_device(run.record)}.",
        instrument=protocol,
        object=[file, *_parameters(graph, run)],
        result=[ref(file_name("runs", run.id))],
        startTime=_time(run.started_at),
        endTime=_time(run.ended_at),
        actionStatus=_action_status(run.state),
        error=run.error if run.state is RunState.FAILED else None,
    )


def _parameters(graph: Graph, run: RunView) -> list[dict[str, str]]:
    given = {"profile": run.spec.profile, **run.spec.params, "seed": run.spec.seed}
    return [
        graph.add(f"#{run.id}-{digest(name)[7:15]}", "PropertyValue", name=name, value=value)
        for name, value in sorted(given.items())
    ]


def _verdict(graph: Graph, held: HeldVerdict, view: ClaimView, evidence: Mapping[str, dict[str, str]]) -> None:
    v = held.verdict
    claim = ref(f"#{view.claim.id}")
    file = file_name("verdicts", held.id)
    rule = graph.add(
        f"#rule-{digest(v.rule_version)[7:19]}",
        "SoftwareApplication",
        name="retest's verdict rule",
        softwareVersion=v.rule_version,
        description="A pure function of the claim, its evidence and a day: no model, no clock.",
        isPartOf=ref(RETEST),
    )
    used = [evidence[i] for i in dict.fromkeys((*v.support, *v.against, *v.qualifying)) if i in evidence]
    rating = graph.add(
        f"#{held.id}-rating",
        "Rating",
        name=f"{v.kind}, confidence {v.confidence:.2f}",
        alternateName=str(v.kind),
        ratingValue=round(v.confidence, 4),
        bestRating=1,
        worstRating=0,
        ratingExplanation="confidence in the verdict, from the judges' calibrated confidences and independent voices",
    )
    before = held.supersedes
    review = graph.add(
        f"#{held.id}",
        ["ClaimReview", "CreativeWork"],
        name=f"{v.kind} as of {v.as_of}",
        claimReviewed=view.claim.text,
        itemReviewed=claim,
        reviewRating=rating,
        reviewBody=v.reason,
        author=rule,
        datePublished=_time(held.recorded_at),
        isBasedOn=used,
        identifier=v.evidence_digest,
        wasRevisionOf=ref(f"#{before}") if before and any(h.id == before for h in view.dossier.history) else None,
        subjectOf=ref(file),
    )
    graph.add(
        f"#{held.id}-decision",
        "CreateAction",
        name=f"Decide on {view.claim.id} as of {v.as_of}",
        description=f"{_counted(len(used), 'piece')} of evidence counted; evidence set {v.evidence_digest}.",
        instrument=rule,
        object=used,
        result=[ref(file), review],
        endTime=_time(held.recorded_at),
        actionStatus=f"{STATUS}CompletedActionStatus",
    )


def _action_status(state: RunState) -> str:
    if state is RunState.SUCCEEDED:
        return f"{STATUS}CompletedActionStatus"
    return f"{STATUS}FailedActionStatus" if state.is_final else f"{STATUS}PotentialActionStatus"


def _packages(packages: object) -> list[str]:
    return [f"{name} {version}" for name, version in sorted(packages.items())] if isinstance(packages, Mapping) else []


def _device(record: Mapping[str, object]) -> str:
    device = record.get("device")
    if not isinstance(device, Mapping):
        return "not recorded"
    gpus: Iterable[object] = device.get("gpus") or ()
    return ", ".join([str(device.get("cpu") or "processor not recorded"), *map(str, gpus)])


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def _types(entity: Entity) -> list[str]:
    given = entity["@type"]
    return [given] if isinstance(given, str) else given
