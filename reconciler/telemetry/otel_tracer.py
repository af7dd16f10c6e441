"""Traces through OpenTelemetry's SDK, exported by OTLP over HTTP (the extra `otel`).

Rules:

- The SDK exports in a thread of its own, from a queue of limited length. If the collector is slow, spans are dropped.
- A failed export is only logged: once when exports begin to fail, and once when they work again. What the SDK and its
  libraries log may contain the headers of the exporter, so none of it is repeated.
- Known secrets are redacted in every attribute.
- The text of an exception is never recorded, only its class.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from threading import Thread

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import SpanKind, StatusCode, format_span_id, format_trace_id, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from reconciler.ports import Attributes, Span
from reconciler.redaction import KNOWN_SECRETS
from reconciler.telemetry.trace_ids import within_span

ENDS_WITHIN_S = 2.0
"""How long the end of a run waits until the last spans are exported."""
_LOGGERS = ("opentelemetry", "requests", "urllib3")
_SERVICE = "reconcile"


class OtelTracer:
    """The `Tracer` of a run.

    Args:
        exporter: exports the spans.
        version: the version of `reconcile`.
        parent: the trace to which the outermost spans belong, as `traceparent` and `tracestate`; empty for none.
    """

    def __init__(self, exporter: SpanExporter, version: str, parent: Mapping[str, str]) -> None:
        ours = Resource.create({"service.name": _SERVICE, "service.version": version})
        # Merged last, so that OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES take precedence.
        resource = ours.merge(OTELResourceDetector().detect())
        # At the exit of the process the SDK would wait for the collector for half a minute.
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("reconciler", version)
        self._parent = TraceContextTextMapPropagator().extract(dict(parent))

    @contextmanager
    def span(self, name: str, attributes: Attributes, *, is_request: bool = False) -> Iterator[Span]:
        """Record a span while the block runs, as `Tracer` describes."""
        kind = SpanKind.CLIENT if is_request else SpanKind.INTERNAL
        with self._tracer.start_as_current_span(
            name,
            context=None if get_current_span().get_span_context().is_valid else self._parent,
            kind=kind,
            attributes=_redacted(attributes),
            record_exception=False,
            set_status_on_exception=False,
        ) as inner:
            span, context = _Span(inner), inner.get_span_context()
            with within_span(format_trace_id(context.trace_id), format_span_id(context.span_id)):
                try:
                    yield span
                except Exception as error:
                    span.fail(type(error).__name__)
                    raise

    async def close(self) -> None:
        """Export the last spans, for at most `ENDS_WITHIN_S`."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def shut_down() -> None:
            self._provider.shutdown()
            with suppress(RuntimeError):  # the event loop is closed
                loop.call_soon_threadsafe(ended.set)

        # The thread is not awaited by the interpreter, so that a collector that hangs does not delay the exit.
        Thread(target=shut_down, name="traces", daemon=True).start()
        with suppress(TimeoutError):
            async with asyncio.timeout(ENDS_WITHIN_S):
                await ended.wait()


class _Span:
    def __init__(self, inner: OtelSpan) -> None:
        self._inner = inner
        self._has_failed = False

    def add(self, attributes: Attributes) -> None:
        self._inner.set_attributes(_redacted(attributes))

    def fail(self, kind: str) -> None:
        """Record the failure. If a failure is recorded already, keep it, because it is closer to the cause."""
        if not self._has_failed:
            self._has_failed = True
            self._inner.set_attributes(_redacted({"error.type": kind}))
            self._inner.set_status(StatusCode.ERROR)


class ReportingExporter(SpanExporter):
    """An exporter that passes spans on, and reports when exports begin to fail and when they work again.

    `warn` is called in the event loop that runs when this is created.
    """

    def __init__(self, inner: SpanExporter, warn: Callable[[str], None]) -> None:
        self._inner = inner
        self._warn = warn
        self._loop = asyncio.get_running_loop()
        self._is_failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export spans, and return whether that succeeded. No exception is raised."""
        try:
            result = self._inner.export(spans)
        except Exception:  # noqa: BLE001  its text may contain a secret
            result = SpanExportResult.FAILURE
        has_failed = result is not SpanExportResult.SUCCESS
        if has_failed != self._is_failing:
            self._is_failing = has_failed
            text = "traces cannot be exported, so spans are dropped: check the collector and the variables OTEL_*"
            with suppress(RuntimeError):  # the event loop is closed
                self._loop.call_soon_threadsafe(self._warn, text if has_failed else "traces are exported again")
        return result

    def shutdown(self) -> None:
        """End the inner exporter, which also ends its retries."""
        self._inner.shutdown()


def otlp_exporter() -> SpanExporter:
    """Return the exporter that the variables `OTEL_*` configure.

    What the SDK and its libraries log is discarded from here on. Raises `ValueError` or `OSError` if a variable has an
    unusable value.
    """
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
    return OTLPSpanExporter()


def _redacted(attributes: Attributes) -> Attributes:
    return {
        name: KNOWN_SECRETS.redact(value) if isinstance(value, str) else value for name, value in attributes.items()
    }
