"""OpenTelemetry traces of the work: a span for each step, sent by OTLP over HTTP. Needs the extra `otel`.

All processes that share a night's round put their spans into one trace, whose id is made from the round's name.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING

from agent.observe.secrets import Redactor
from agent.observe.spans import Ended, Value, watching
from claims.errors import InputError

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace.export import SpanExporter

ROUND = "round"
"""The id that names a trace over processes."""


@contextmanager
def sending_traces(url: str, redact: Redactor) -> Iterator[Callable[[], object]]:
    """Send traces to an OTLP/HTTP address while the block runs; gives what sends those that wait at once.

    An address that does not answer costs traces and log lines, nothing else. Raises InputError when the extra is not
    installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ModuleNotFoundError as exc:
        raise InputError("RETEST_OTEL_URL needs the extra: pip install 'retest[otel]'") from exc
    if not url.startswith(("http://", "https://")):
        raise InputError(f"setting RETEST_OTEL_URL: not a web address: {url[:80]!r}")
    with tracing(OTLPSpanExporter(endpoint=url, timeout=5), redact) as flush:
        yield flush


@contextmanager
def tracing(exporter: "SpanExporter", redact: Redactor) -> Iterator[Callable[[], object]]:
    """Hand the spans of all steps to an exporter while the block runs; what is left is handed over at its end."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import Status, StatusCode

    # A provider of our own, not the process-wide one, which a library may have set.
    provider = TracerProvider(resource=Resource.create({"service.name": "retest"}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("retest")

    def shown(values: Mapping[str, Value]) -> dict[str, Value]:
        return {f"retest.{k}": redact(v) if isinstance(v, str) else v for k, v in values.items()}

    def watch(name: str, ids: Mapping[str, Value]) -> Ended:
        began = tracer.start_as_current_span(
            name,
            context=_context(ids),
            attributes=shown(ids),
            record_exception=False,  # which would write the message as it is
            set_status_on_exception=False,
        )
        made = began.__enter__()

        def end(facts: Mapping[str, Value], seconds: float, error: BaseException | None) -> None:
            del seconds
            made.set_attributes(shown(facts))
            if error is not None:
                made.set_status(Status(StatusCode.ERROR, redact(f"{type(error).__name__}: {error}")[:500]))
            began.__exit__(None, None, None)

        return end

    try:
        with watching(watch):
            yield provider.force_flush
    finally:
        provider.shutdown()


def _context(ids: Mapping[str, Value]) -> "Context | None":
    """Give where a span belongs that is in no other span of this process; None: where it stands."""
    from opentelemetry import trace

    round = ids.get(ROUND)
    if round is None or trace.get_current_span().get_span_context().is_valid:
        return None
    name = sha256(str(round).encode()).digest()
    parent = trace.SpanContext(
        trace_id=int.from_bytes(name[:16], "big"),
        span_id=int.from_bytes(name[16:24], "big"),
        is_remote=True,
        trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED),
    )
    return trace.set_span_in_context(trace.NonRecordingSpan(parent))
