"""A store that holds what the report's tests draw: three claims, with everything that an answer can be made of."""

from claims.dossier import Dossier, InquiryDossier
from claims.store import Store
from tests.dossiers import full


def fill(store: Store) -> InquiryDossier:
    """Put the whole invented inquiry into a store, as passes would have, and give it."""
    made = full()
    assert made.inquiry is not None
    store.put_papers([p for d in made.claims for p in d.papers.values()])
    store.put_inquiry(made.inquiry)
    for d in made.claims:
        for view in d.experiments:
            store.put_experiment(view)
        store.add_evidence(d.evidence)
        store.put_groundings(made.inquiry.id, d.groundings)
        store.add_searches(d.searches)
        if d.no_experiment_because:
            store.note_no_experiment(d.claim.id, d.no_experiment_because)
        for held in d.history:
            store.record_verdict(held.verdict)
    return made


def hold(store: Store, dossier: Dossier) -> None:
    """Put one claim with its evidence and verdicts into a store."""
    store.put_papers(list(dossier.papers.values()))
    store.put_claim(dossier.claim)
    store.add_evidence(dossier.evidence)
    for held in dossier.history:
        store.record_verdict(held.verdict)
