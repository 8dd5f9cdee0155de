"""Numbers as people may read them: no more digits than the interval supports, and a reason where one is missing."""

from math import floor, log10

from claims.experiment import Estimate


def decimals(half_width: float) -> int:
    """Give the decimals that keep two significant digits of an interval's half-width, as is usual for uncertainty."""
    if half_width <= 0:
        return 3
    return min(4, max(0, 1 - floor(log10(half_width))))


def signed(value: float, places: int) -> str:
    """Print with sign (a true minus) and this many decimals; never `-0.00`."""
    text = f"{value:+.{places}f}"
    if float(text) == 0:
        return f"{0:.{places}f}"
    return text.replace("-", "−")


def estimate(e: Estimate) -> str:
    """Print an effect with its interval, coverage and n: `+0.21 [+0.12, +0.30] (95 %, n = 8 seeds)`."""
    places = decimals((e.high - e.low) / 2)
    interval = f"[{signed(e.low, places)}, {signed(e.high, places)}]"
    return f"{signed(e.effect, places)} {interval} ({coverage(e.alpha)}, n = {count(e.n_seeds, 'seed')})"


def coverage(alpha: float) -> str:
    """Print 1 - alpha in percent."""
    return f"{100 * (1 - alpha):g} %"


def share(value: float) -> str:
    """Print a probability in steps of 5 %: there is no interval behind it that would carry more."""
    steps = round(value * 20) * 5
    if steps >= 100:
        return "over 95 %"
    return "below 5 %" if steps <= 0 else f"about {steps} %"


def duration(seconds: float) -> str:
    """Print a length of time: seconds below two minutes, else minutes."""
    if round(seconds) < 120:
        return count(round(seconds), "second")
    return count(round(seconds / 60), "minute")


def count(n: int, noun: str, plural: str | None = None) -> str:
    """Print a count with its noun in the right number."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"
