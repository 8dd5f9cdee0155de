"""Fits the local judge's stance model, and refits it on the shipped labels plus a person's own.

The shipped labels are numbers only (`model/pairs.npz`): features of claim-paper pairs, their stances and which claim
each belongs to, never a text. A threshold is set on predictions for claims that were left out of the fit: the lowest
one from which every call upwards had the wanted precision, or never.
"""

import hashlib
import io
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from agent.judges import metrics
from agent.judges.features import Floats
from agent.judges.local import LocalJudge
from agent.judges.metrics import Figures
from agent.judges.model import NEVER, STANCES, Linear, LocalModel, load_model
from agent.judges.terms import shipped_rarity
from claims.claim import Claim
from claims.errors import InputError
from claims.evidence import Stance
from claims.paper import Paper

Ints = npt.NDArray[np.int64]
Tell = Callable[[str], None]
"""Takes a sentence on how far it is."""


def _quiet(told: str) -> None:
    """Tell nobody."""


WANTED_PRECISION: Final = 0.75
"""Of each stance's calls on left-out claims; a little above the 0.70 that is promised, because claims differ."""
FEWEST_CALLS: Final = 12
"""Calls on left-out claims below which a precision is luck."""
STRENGTH: Final = 0.01
"""Inverse regularisation of the logistic regression, chosen on left-out training claims."""
FOLDS: Final = 5
SMALLEST_SCALE: Final = 1e-3
"""Of a number that hardly varies; above the rounding of what is saved, so that nothing is divided by zero."""
SMALLEST_SHARE: Final = 1e-6
"""Probability below which a loss is not counted further."""
PERSON_WEIGHT: Final = 5.0
"""How many shipped labels a person's label weighs."""
CLEAR: Final = 2.0
"""Standard errors from which a change in loss is told. A refit that only may be worse is used: refusing at any rise
threw away as many good refits as bad ones in 80 simulated persons (`tests/benchmarks/judge_refit.py`)."""
FEWEST_LABELS: Final = 20
"""A person's labels below which a refit cannot be told from luck: 20 answers place a share within 0.22 at best."""
FEWEST_CLAIMS: Final = 3
"""Claims that they must come from, because what is scored are claims that were left out."""


class Pairs(NamedTuple):
    """Labelled pairs as numbers."""

    x: Floats
    """(pairs, names)"""
    y: Ints
    """index into `STANCES`"""
    weight: Floats
    group: Ints
    """which claim; all wordings of one claim share it"""
    scored: npt.NDArray[np.bool_]
    """whether it counts where figures are reported: original wordings do, their variants only train"""


class PersonLabel(NamedTuple):
    """One stance that a person gave."""

    claim: Claim
    paper: Paper
    stance: Stance


class Compared(BaseModel):
    """The judge before and after a refit, on the same pairs, whose claims neither had seen."""

    model_config = ConfigDict(frozen=True)

    on: str
    """which pairs"""
    n_claims: int
    before: Figures
    """likeliest stance, without the person's labels"""
    after: Figures
    calls_before: Figures
    """with abstention"""
    calls_after: Figures
    loss_before: float
    """mean -ln of the probability of the true stance; less is better, 1.39 is a blind guess among four"""
    loss_after: float
    change_error: float
    """standard error of `loss_after - loss_before`, over pairs"""

    @property
    def told(self) -> Literal["better", "worse", "no difference that can be told"]:
        """What the change in loss says, beyond `CLEAR` of its standard errors."""
        change = self.loss_after - self.loss_before
        if abs(change) <= CLEAR * self.change_error:
            return "no difference that can be told"
        return "worse" if change > 0 else "better"


class Refit(BaseModel):
    """A refitted model with what it reaches on claims left out of the fit."""

    model_config = ConfigDict(frozen=True)

    model: LocalModel
    n_shipped: int
    n_person: int
    figures: Figures
    """with abstention, on left-out claims"""
    leanings: Figures
    """the same pairs, had it named its likeliest stance every time it might be one"""
    compared: tuple[Compared, ...] = ()
    """on the shipped claims, then on the person's own; empty without labels"""


@lru_cache(maxsize=1)
def shipped_pairs() -> Pairs:
    """Load the labelled pairs that ship with the package."""
    raw = np.load(io.BytesIO(files("agent.judges").joinpath("model/pairs.npz").read_bytes()), allow_pickle=False)
    return Pairs(
        raw["x"].astype(np.float64),
        raw["y"].astype(np.int64),
        raw["weight"].astype(np.float64),
        raw["group"].astype(np.int64),
        raw["scored"].astype(bool),
    )


def fit_stance(pairs: Pairs, names: tuple[str, ...], *, strength: float = STRENGTH) -> Linear:
    """Fit the four scores by multinomial logistic regression. Raises ValueError when a stance has no label."""
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # ships no types

    if set(pairs.y.tolist()) != set(range(len(STANCES))):
        raise ValueError("every stance needs at least one label")
    mean = pairs.x.mean(axis=0)
    scale = np.maximum(pairs.x.std(axis=0), SMALLEST_SCALE)
    z = np.clip((pairs.x - mean) / scale, -6, 6)
    fitted = LogisticRegression(C=strength, max_iter=500).fit(z, pairs.y, sample_weight=pairs.weight)
    return Linear(
        names=names,
        mean=_plain(mean),
        scale=_plain(scale),
        weights=tuple(_plain(row) for row in fitted.coef_),
        bias=_plain(fitted.intercept_),
    )


def left_out(
    pairs: Pairs,
    names: tuple[str, ...],
    *,
    folds: int = FOLDS,
    strength: float = STRENGTH,
    learn_from: npt.NDArray[np.bool_] | None = None,
    tell: Tell = _quiet,
) -> Floats:
    """Give each pair's probabilities from a model that saw no wording of its claim: (pairs, stances).

    learn_from: pairs that may be learned from; all when None. Every pair is predicted.
    """
    fold = _folds(pairs.group, folds)
    out = np.zeros((len(pairs.y), len(STANCES)))
    for k in range(folds):
        inside, outside = fold != k, fold == k
        if learn_from is not None:
            inside &= learn_from
        stance = fit_stance(_subset(pairs, inside), names, strength=strength)
        out[outside] = _softmax(stance.scores(pairs.x[outside]))
        tell(f"fit {k + 1} of {folds}, each without a part of the claims")
    return out


def thresholds(
    shares: Floats, y: Ints, *, wanted: float = WANTED_PRECISION, fewest: int = FEWEST_CALLS
) -> dict[Stance, float]:
    """Set each stance's threshold on left-out probabilities: the lowest with the wanted precision, or `NEVER`."""
    best = 1 + shares[:, 1:].argmax(axis=1)
    out = {Stance.NEUTRAL: 0.0}
    for s, stance in enumerate(STANCES[1:], start=1):
        rows = np.flatnonzero(best == s)
        order = rows[np.argsort(-shares[rows, s], kind="stable")]
        precision = np.cumsum(y[order] == s) / np.arange(1, len(order) + 1)
        good = [k for k in range(fewest - 1, len(order)) if precision[k] >= wanted]
        out[stance] = round(float(shares[order[good[-1]], s]), 4) if good else NEVER
    return out


def refit(labels: Sequence[PersonLabel], *, base: LocalModel | None = None, tell: Tell = _quiet) -> Refit:
    """Fit the stance model again on the shipped labels and a person's. Deterministic.

    A person's labels weigh `PERSON_WEIGHT` each. A claim that a person weighed is left out as a whole when its pairs
    are scored. The screen, the selector and the encoder stay as they ship.
    """
    start = base or load_model()
    shipped = shipped_pairs()
    tell("reading the papers that were weighed")
    pairs = _with(shipped, labels, LocalJudge(start, shipped_rarity()))
    shares = left_out(pairs, start.stance.names, tell=lambda step: tell(f"with your stances: {step}"))
    limits = thresholds(shares[pairs.scored], pairs.y[pairs.scored])
    tell("the fit on all claims")
    stance = fit_stance(pairs, start.stance.names)
    named = hashlib.sha256(stance.model_dump_json().encode() + str(sorted(limits.items())).encode()).hexdigest()[:8]
    model = start.model_copy(
        update={"stance": stance, "thresholds": limits, "version": f"{start.version.split('+')[0]}+refit-{named}"}
    )
    return Refit(
        model=model,
        n_shipped=len(shipped.y),
        n_person=len(labels),
        figures=scored("with abstention", pairs, _called(shares, limits)),
        leanings=scored("likeliest stance", pairs, shares.argmax(axis=1)),
        compared=_compared(pairs, len(shipped.y), shares, limits, start, tell) if labels else (),
    )


def check_enough(labels: Sequence[PersonLabel]) -> None:
    """Refuse labels from which nothing could be told. Raises InputError that says what is missing."""
    claims = {label.claim.text for label in labels}
    if len(labels) < FEWEST_LABELS or len(claims) < FEWEST_CLAIMS:
        raise InputError(
            f"too few labels to tell whether a refit helps: {len(labels)} on {len(claims)} claims are held, "
            f"{FEWEST_LABELS} on {FEWEST_CLAIMS} claims are needed; `retest judge CLAIM` asks for more"
        )


def scored(name: str, pairs: Pairs, said: Ints) -> Figures:
    """Give the figures of some answers on the pairs that count."""
    keep = pairs.scored
    return metrics.figures(
        name,
        [STANCES[i] for i in pairs.y[keep]],
        [STANCES[i] for i in said[keep]],
        metrics.STANCE_LABELS,
        silent=Stance.NEUTRAL,
        groups=pairs.group[keep].tolist(),
    )


def _compared(
    pairs: Pairs, n_shipped: int, after: Floats, limits: dict[Stance, float], start: LocalModel, tell: Tell
) -> tuple[Compared, ...]:
    is_shipped = np.arange(len(pairs.y)) < n_shipped
    before = left_out(
        pairs, start.stance.names, learn_from=is_shipped, tell=lambda step: tell(f"without them, to compare: {step}")
    )
    out = []
    for on, rows in (("shipped claims", is_shipped & pairs.scored), ("your claims", ~is_shipped)):
        part, was, now = _subset(pairs, rows), before[rows], after[rows]
        true = np.arange(len(part.y)), part.y
        loss_was, loss_now = (-np.log(np.maximum(shares[true], SMALLEST_SHARE)) for shares in (was, now))
        out.append(
            Compared(
                on=on,
                n_claims=len(np.unique(part.group)),
                before=scored("before", part, was.argmax(axis=1)),
                after=scored("after", part, now.argmax(axis=1)),
                calls_before=scored("calls before", part, _called(was, start.thresholds)),
                calls_after=scored("calls after", part, _called(now, limits)),
                loss_before=round(float(loss_was.mean()), 4),
                loss_after=round(float(loss_now.mean()), 4),
                change_error=round(float((loss_now - loss_was).std(ddof=1) / np.sqrt(len(part.y))), 4),
            )
        )
    return tuple(out)


def _called(shares: Floats, limits: dict[Stance, float]) -> Ints:
    best = 1 + shares[:, 1:].argmax(axis=1)
    floor = np.array([limits[s] for s in STANCES])
    return np.where(shares[np.arange(len(best)), best] >= floor[best], best, 0)


def _with(shipped: Pairs, labels: Sequence[PersonLabel], judge: LocalJudge) -> Pairs:
    """Put a person's pairs behind the shipped ones: those that the stance model would be asked about."""
    if not labels:
        return shipped
    by_claim: dict[str, list[PersonLabel]] = {}
    for label in labels:
        by_claim.setdefault(label.claim.text, []).append(label)
    x, y, group = [shipped.x], [shipped.y], [shipped.group]
    first = int(shipped.group.max()) + 1
    for k, (text, own) in enumerate(sorted(by_claim.items())):
        on, numbers = judge.numbers(text, judge.read(text, [p.paper for p in own]))
        x.append(numbers)
        y.append(np.array([STANCES.index(own[i].stance) for i in on], dtype=np.int64))
        group.append(np.full(len(on), first + k))
    n = sum(map(len, y[1:]))
    return Pairs(
        np.vstack(x),
        np.concatenate(y),
        np.concatenate([shipped.weight, np.full(n, PERSON_WEIGHT)]),
        np.concatenate(group),
        np.concatenate([shipped.scored, np.ones(n, dtype=bool)]),
    )


def _folds(group: Ints, folds: int) -> Ints:
    named = {int(g): i for i, g in enumerate(np.unique(group))}
    order = np.random.default_rng(0).permutation(len(named))
    return np.array([order[named[int(g)]] % folds for g in group])


def _subset(pairs: Pairs, rows: npt.NDArray[np.bool_]) -> Pairs:
    return Pairs(pairs.x[rows], pairs.y[rows], pairs.weight[rows], pairs.group[rows], pairs.scored[rows])


def _softmax(scores: Floats) -> Floats:
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Floats = e / e.sum(axis=1, keepdims=True)
    return shares


def _plain(values: npt.NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(v), 5) for v in values)
