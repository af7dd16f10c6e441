"""Open the tracer that the standard variables of OpenTelemetry configure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from reconciler.local.installed_version import version_text
from reconciler.ports import NO_TRACER, Tracer
from reconciler.redaction import KNOWN_SECRETS
from reconciler.telemetry.tracing_options import secrets_of, tracing_options

_PARENT = {"TRACEPARENT": "traceparent", "TRACESTATE": "tracestate"}


@asynccontextmanager
async def open_tracer(
    environ: Mapping[str, str], warn: Callable[[str], None], *, has_parent: bool = False
) -> AsyncIterator[Tracer]:
    """Yield the tracer of a run, and export its last spans when the body ends. Without an endpoint, record nothing.

    A problem with traces is not an error of the run. `warn` is called with the reason why they cannot be exported.
    With `has_parent`, the run belongs to the trace in the variables TRACEPARENT and TRACESTATE, if set.
    """
    options = tracing_options(environ)
    if not options.is_wanted:
        yield NO_TRACER
        return
    if options.problem is not None:
        warn(f"no traces are exported: {options.problem}")
        yield NO_TRACER
        return
    for number, secret in enumerate(secrets_of(environ)):
        KNOWN_SECRETS.add(("otel", number), secret)
    try:
        from reconciler.telemetry.otel_tracer import (  # noqa: PLC0415  an extra, and slow to import
            OtelTracer,
            ReportingExporter,
            otlp_exporter,
        )
    except ImportError:
        warn("no traces are exported, because the extra is missing: pip install 'llm-job-reconciler[otel]'")
        yield NO_TRACER
        return
    parent = {name: environ[key] for key, name in _PARENT.items() if key in environ} if has_parent else {}
    try:
        tracer = OtelTracer(ReportingExporter(otlp_exporter(), warn), version_text(), parent)
    except Exception:  # noqa: BLE001  an unusable value of a variable, which its text may contain
        warn("no traces are exported, because a variable OTEL_* has a value that cannot be used: correct it")
        yield NO_TRACER
        return
    try:
        yield tracer
    finally:
        await tracer.close()
