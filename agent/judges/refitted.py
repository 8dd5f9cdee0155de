"""The refitted local judge as a person's data folder holds it: numbers, who fitted them, when, and from what.

It is used until it is reset, or until the package ships another model: a refit is bound to the model that it started
from, because the same numbers would mean something else beside another encoder.
"""

import json
import logging
import os
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import ValidationError

from agent.judges.fit import Compared, PersonLabel, Refit
from agent.judges.model import LocalModel, load_model, shipped_model
from claims.errors import InputError
from claims.evidence import JudgeName
from claims.ids import digest
from claims.store import Store

log = logging.getLogger(__name__)

FILE: Final = "local-judge.json"
"""In the data folder."""


class Refitted(LocalModel):
    """A refitted model with where it comes from."""

    fitted_by: str
    """the person who asked for it"""
    fitted_at: datetime
    """UTC"""
    base_version: str
    """the shipped model that it started from"""
    n_labels: int
    """stances of people that it was fitted on, beside the shipped ones"""
    persons: tuple[str, ...]
    """who gave them"""
    labels_digest: str
    """of claim texts, paper texts and stances"""
    compared: tuple[Compared, ...]


class Labels(NamedTuple):
    """What people have said in a store, as far as it can be learned from."""

    labels: tuple[PersonLabel, ...]
    persons: tuple[str, ...]
    n_changed: int
    """stances left out, because the paper's text was rewritten since"""


def labels_of(store: Store) -> Labels:
    """Read every claim's current stances that a person gave."""
    labels: list[PersonLabel] = []
    persons: set[str] = set()
    n_changed = 0
    for claim in store.claims():
        given = [
            e for e in store.evidence(claim.id) if e.kind == "paper" and e.assessment.judge.name is JudgeName.PERSON
        ]
        papers = store.papers(e.paper_id for e in given)
        for e in given:
            paper = papers.get(e.paper_id)
            if paper is None or paper.text_digest != e.paper_digest:
                n_changed += 1
                continue
            labels.append(PersonLabel(claim, paper, e.stance))
            persons.add(e.assessment.judge.version)
    return Labels(tuple(labels), tuple(sorted(persons)), n_changed)


def bind(refit: Refit, given: Labels, *, by: str, at: datetime) -> Refitted:
    """Put the facts of a refit beside its numbers."""
    said = sorted([p.claim.text, p.paper.text_digest, p.stance.value] for p in given.labels)
    return Refitted(
        **refit.model.model_dump(),
        fitted_by=by,
        fitted_at=at,
        base_version=shipped_model().version,
        n_labels=len(given.labels),
        persons=given.persons,
        labels_digest=digest(said),
        compared=refit.compared,
    )


def save(model: Refitted, home: Path) -> Path:
    """Write it so that a killed process leaves the former one or the new one, never half of it."""
    home.mkdir(parents=True, exist_ok=True)
    path = home / FILE
    half = path.with_suffix(f".{os.getpid()}.half")
    half.write_text(model.model_dump_json(indent=1) + "\n", encoding="utf-8")
    half.replace(path)
    return path


def held(home: Path) -> Refitted | None:
    """Give the refit that this folder holds; None when it holds none. Raises InputError for a file that is not one.

    One that started from another shipped model may be over other features: only what can be used is held to them.
    """
    path = home / FILE
    if not path.exists():
        return None
    try:
        found = Refitted.model_validate(json.loads(path.read_bytes()))
    except (OSError, ValueError, ValidationError) as exc:
        load_model(path)  # says so when it is no model at all
        raise InputError(f"{path} does not say where it comes from ({exc}); `retest judge fit` makes it anew") from exc
    if found.base_version == shipped_model().version:
        load_model(path)
    return found


def in_use(home: Path) -> Path | None:
    """Give the refit's file for `local_judge(overrides=...)`; None when the shipped model is to be used."""
    path = home / FILE
    if not path.exists():
        return None
    found = held(home)
    if found is not None and found.base_version != shipped_model().version:
        log.warning(
            "%s was fitted from model %s and this version ships %s, which is used: `retest judge fit` fits it again, "
            "`--reset` removes it",
            path,
            found.base_version,
            shipped_model().version,
        )
        return None
    return path


def reset(home: Path) -> bool:
    """Go back to the shipped model; tell whether there was a refit."""
    path = home / FILE
    was_there = path.exists()
    path.unlink(missing_ok=True)
    return was_there


def machine_judged(store: Store, claim_id: str) -> list[str]:
    """Give the papers of a claim on which the local judge has said something, in the order of their ids."""
    found = store.evidence(claim_id, everything=True)
    return sorted({e.paper_id for e in found if e.kind == "paper" and e.assessment.judge.name is JudgeName.LOCAL})
