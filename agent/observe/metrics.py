"""Prometheus metrics of the service, at `/metrics`: what it does, and how the library stands.

Needs the extra `metrics`. Names end in their unit; `step` is the name of a span (harvest, request, match, judge, ...).
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from agent.observe.spans import Ended, Value, watching
from claims.errors import InputError, RetestError

if TYPE_CHECKING:
    pass

log = logging.getLogger(__name__)

SECONDS = (0.001, 0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 1800)


class Standing(NamedTuple):
    """How the library stands; asked for at every scrape."""

    claims: Mapping[str, int]
    """verdict, or `undecided`, to how many claims have it"""
    waiting: int
    """portions of a night that nobody has taken"""
    last_night_at: float | None
    """Unix seconds at which the newest night was told; None when there was none"""
    problems: int
    """of that night"""


@contextmanager
def serving_metrics(host: str, port: int, standing: Callable[[], Standing]) -> Iterator[int]:
    """Serve `/metrics` while the block runs, and give the port. Raises InputError."""
    try:
        from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
        from prometheus_client.core import GaugeMetricFamily
        from prometheus_client.registry import Collector
    except ModuleNotFoundError as exc:
        raise InputError("RETEST_METRICS_PORT needs the extra: pip install 'retest[metrics]'") from exc
    registry = CollectorRegistry()
    took = Histogram("retest_step_seconds", "Seconds that steps took.", ["step"], buckets=SECONDS, registry=registry)
    failed = Counter("retest_step_failures", "Steps that raised.", ["step"], registry=registry)
    facts_of = Counter(
        "retest_step_facts", "Papers judged, claims gone over and the like.", ["step", "fact"], registry=registry
    )

    class Library(Collector):
        def collect(self) -> Iterator[GaugeMetricFamily]:
            up = GaugeMetricFamily("retest_store_up", "Whether the store answered this scrape.")
            try:
                now = standing()
            except RetestError as exc:
                log.warning("a scrape could not read the store: %s", exc)
                up.add_metric([], 0)
                yield up
                return
            up.add_metric([], 1)
            yield up
            claims = GaugeMetricFamily("retest_claims", "Claims that are held, by verdict.", labels=["verdict"])
            for verdict, n in sorted(now.claims.items()):
                claims.add_metric([verdict], n)
            yield claims
            yield GaugeMetricFamily("retest_portions_waiting", "Portions of a night in the queue.", value=now.waiting)
            yield GaugeMetricFamily("retest_last_night_problems", "What it could not do.", value=now.problems)
            if now.last_night_at is not None:
                yield GaugeMetricFamily(
                    "retest_last_night_timestamp_seconds", "When the newest night was told.", value=now.last_night_at
                )

    def watch(name: str, ids: Mapping[str, Value]) -> Ended:
        del ids

        def end(facts: Mapping[str, Value], seconds: float, error: BaseException | None) -> None:
            took.labels(name).observe(seconds)
            if error is not None:
                failed.labels(name).inc()
            for fact, value in facts.items():
                if isinstance(value, (int, float)) and value >= 0:
                    facts_of.labels(name, fact).inc(value)

        return end

    registry.register(Library())
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as exc:
        raise InputError(f"metrics cannot be served at {host}:{port}: {exc.strerror}; see RETEST_METRICS_PORT") from exc
    try:
        with watching(watch):
            yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
