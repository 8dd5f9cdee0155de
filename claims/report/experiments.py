"""What people read of an experiment beside its primary effect: other effects, what was changed, what it takes."""

from claims.experiment import Estimate, ExperimentResult, ExperimentView, ProtocolView, Scalar
from claims.report import numbers

BESIDE = "each interval stands alone, and none enters the outcome"
"""How to read secondary effects."""


def secondary(result: ExperimentResult) -> list[str]:
    """Give each secondary effect as a line: what was compared, the effect with interval and n, and what it says."""
    return [f"{e.name}: {numbers.estimate(e)}, {says(e)}" for e in result.secondary]


def says(e: Estimate) -> str:
    """Say where an interval lies, seen from the smallest effect of interest."""
    at = numbers.signed(e.smallest_effect, 2) if e.smallest_effect else "0"
    if e.low > e.smallest_effect:
        return f"above {at}"
    if e.high < e.smallest_effect:
        return f"below {at}"
    return f"undecided against {at}"


MODELS = {"model": "revision", "small_model": "small_revision"}
"""Parameters that name a model, and those that pin it."""


def departures(x: ExperimentView) -> str:
    """Say which parameters differ from the registered defaults, these in brackets; empty when none does.

    A model that a profile leaves to be named is no departure; `models_of` names it.
    """
    open_ = {*MODELS.values(), *(name for name in MODELS if not x.defaults.get(name))}
    told = [
        f"{name}={_place_left_out(value)}" + (f" ({x.defaults[name]})" if x.defaults.get(name, "") != "" else "")
        for name, value in sorted(x.spec.params.items())
        if name not in open_ and (name not in x.defaults or x.defaults[name] != value)
    ]
    return f"differs from the registered defaults: {', '.join(told)}" if told else ""


def models_of(x: ExperimentView) -> str:
    """Name the models that it trains, each with the beginning of what pins it; empty when the lab builds its own."""
    told = []
    for name, pin in MODELS.items():
        model, pinned = x.spec.params.get(name, ""), str(x.spec.params.get(pin, ""))
        if model and model != "tiny":
            digits = pinned.removeprefix("sha256:")
            kind = "content " if digits != pinned else "revision " if pinned else "not pinned"
            told.append(f"{_place_left_out(model)} ({kind}{digits[:12]})")
    return f"trains {' and '.join(told)}" if told else ""


def _place_left_out(value: Scalar) -> Scalar:
    """Give a path's last part: where a model lies on one machine is nobody else's business."""
    return value.rstrip("/").rpartition("/")[2] if isinstance(value, str) and value.startswith(("/", "~")) else value


DEFAULTS_SPEAK = "Names of arms and the sentences of the design speak of the defaults."
"""Stands beside what differs."""


def expected_minutes(protocol: ProtocolView, profile: str, seeds: int) -> float | None:
    """Tell how long the base and the seeds would take one after the other, or None when nobody measured it.

    A base that was built before is kept, so that it may take less.
    """
    seconds = protocol.seconds_per_seed.get(profile)
    return None if seconds is None else (protocol.base_seconds.get(profile, 0.0) + seconds * seeds) / 60


def expected_length(protocol: ProtocolView, profile: str, seeds: int) -> str:
    """Say how long that is."""
    minutes = expected_minutes(protocol, profile, seeds)
    return "an unknown time" if minutes is None else f"about {numbers.duration(60 * minutes)}"


def seeds_needed(smallest_effect: float, n_seeds: int | None, max_seeds: int) -> str:
    """Say what deciding takes. None: the registered most, `max_seeds`, do not suffice."""
    many = f"about {numbers.count(n_seeds, 'seed')}" if n_seeds else f"more than the {max_seeds} seeds registered"
    return f"telling an effect {abs(smallest_effect):g} above or below the smallest of interest takes {many}"


def deciding(protocol: ProtocolView, profile: str) -> str:
    """Say what deciding takes at a profile, as pilots told."""
    if profile in protocol.no_room:
        return f"no number of seeds decides: in pilots {protocol.no_room[profile]}"
    if profile not in protocol.seeds_to_decide:
        return f"how many seeds decide was never measured for {protocol.name} at {profile}"
    registered = protocol.preregistration
    takes = seeds_needed(registered.smallest_effect, protocol.seeds_to_decide[profile], registered.max_seeds)
    spread = protocol.seed_sd.get(profile)
    return takes if spread is None else f"{takes} (sd {spread:.3f} over {protocol.pilot_seeds} pilot seeds)"


def planned(protocol: ProtocolView, profile: str, n_seeds: int) -> str:
    """Say, before an experiment starts, whether this many seeds will probably decide it."""
    takes = deciding(protocol, profile)
    if profile in protocol.no_room or profile not in protocol.seeds_to_decide:
        return takes
    needed = protocol.seeds_to_decide[profile]
    if needed is not None and n_seeds >= needed:
        return f"{takes}; {n_seeds} will probably do"
    return f"{takes}; {n_seeds} will probably leave such an effect undecided"
