"""Spans of passes, accounts and requests: their attributes, and what is never in them."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Mapping
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from reconciler.errors import Delivered, TransientError
from reconciler.ports import Tracer
from reconciler.redaction import KNOWN_SECRETS
from reconciler.request_span import add_status, request_span
from reconciler.telemetry.log import make_logger
from reconciler.telemetry.otel_tracer import OtelTracer, ReportingExporter
from reconciler.telemetry.tracing_options import secrets_of, tracing_options
from reconciler.throttle import Throttle
from reconciler.transport import HttpTransport
from reconciler.wiring.open_tracer import open_tracer
from tests.unit.test_transport_limits import FREELY, say_ok

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
PARENT = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}


class Recorded:
    """A tracer that exports to memory."""

    def __init__(self, parent: Mapping[str, str] | None = None) -> None:
        self._memory = InMemorySpanExporter()
        self.tracer = OtelTracer(self._memory, "1.2.3", parent or {})

    def spans(self) -> list[ReadableSpan]:
        """Return the ended spans, oldest end first."""
        asyncio.run(self.tracer.close())
        return list(self._memory.get_finished_spans())

    def attributes(self) -> dict[str, Any]:
        """Return the attributes of the only span."""
        (span,) = self.spans()
        return dict(span.attributes or {})


def test_a_request_has_a_client_span_with_the_attributes_of_the_convention() -> None:
    recorded = Recorded()

    async def main() -> None:
        transport = HttpTransport("http://sandbox.localhost:8080/v1", Throttle(FREELY), tracer=recorded.tracer)
        await transport.to_app(say_ok).send("GET", "/jobs/ftjob-1", query={"after": "secret-cursor"})

    asyncio.run(main())
    (span,) = recorded.spans()

    assert (span.name, span.kind.name, span.status.status_code.name) == ("GET", "CLIENT", "UNSET")
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "url.full": "http://sandbox.localhost:8080/v1/jobs/ftjob-1",
        "server.address": "sandbox.localhost",
        "server.port": 8080,
        "reconcile.request.waited": 0.0,
    }


def test_a_throttled_request_that_is_sent_again_has_a_span_each_time_with_its_count() -> None:
    recorded, statuses = Recorded(), [429, 200]

    async def throttle(_: object, __: object, send: Any) -> None:
        headers = [(b"date", b"Tue, 01 Dec 2026 10:00:00 GMT"), (b"retry-after", b"0")]
        await send({"type": "http.response.start", "status": statuses.pop(0), "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})

    async def main() -> None:
        transport = HttpTransport("http://sandbox.localhost/v1", Throttle(FREELY), tracer=recorded.tracer)
        await transport.to_app(throttle).send("GET", "/jobs")

    asyncio.run(main())
    first, second = (dict(each.attributes or {}) for each in recorded.spans())

    assert (first["error.type"], first["http.response.status_code"]) == ("429", 429)
    assert "http.request.resend_count" not in first
    assert (second["http.request.resend_count"], second["http.response.status_code"]) == (1, 200)


@pytest.mark.parametrize(("delivered", "kind"), [(Delivered.NO, "not_delivered"), (Delivered.UNKNOWN, "no_response")])
def test_a_request_without_a_response_is_a_failure_and_its_message_is_not_recorded(
    delivered: Delivered, kind: str
) -> None:
    recorded = Recorded()

    def fail() -> None:
        with request_span(recorded.tracer, "POST", "https://host.example/v1/jobs", waited_s=0, sends=1):
            message = "the peer said hunter2"
            raise TransientError(message, delivered=delivered)

    with pytest.raises(TransientError):
        fail()
    (span,) = recorded.spans()

    assert (span.attributes or {})["error.type"] == kind
    assert span.status.status_code.name == "ERROR"
    assert (span.status.description, span.events) == (None, ())


def test_the_user_the_query_and_the_fragment_of_a_url_are_left_out_and_secrets_are_redacted() -> None:
    recorded = Recorded()
    KNOWN_SECRETS.add("test-tracing", "sk-very-secret-key-12345")
    url = "https://ada:hunter2@host.example:8443/v1/sk-very-secret-key-12345?key=hunter2#part"

    with request_span(recorded.tracer, "GET", url, waited_s=0, sends=1) as span:
        add_status(span, 404)
    attributes = recorded.attributes()

    assert "sk-very" not in str(attributes)
    assert "hunter2" not in str(attributes)
    assert str(attributes["url.full"]).startswith("https://host.example:8443/v1/")
    assert attributes["error.type"] == "404"


def test_an_exception_is_recorded_by_its_class_alone() -> None:
    recorded = Recorded()

    def fail() -> None:
        with recorded.tracer.span("reconcile.pass", {}):
            message = "password hunter2"
            raise ValueError(message)

    with pytest.raises(ValueError, match="hunter2"):
        fail()
    (span,) = recorded.spans()

    assert dict(span.attributes or {}) == {"error.type": "ValueError"}
    assert span.events == ()


def test_a_task_that_outlives_its_pass_stays_in_the_trace_of_the_pass() -> None:
    recorded = Recorded()

    async def work() -> None:
        await asyncio.sleep(0)
        with recorded.tracer.span("reconcile.account", {}):
            await asyncio.sleep(0)

    async def main() -> None:
        with recorded.tracer.span("reconcile.pass", {}):
            running = asyncio.create_task(work())
        await running

    asyncio.run(main())
    outer, inner = recorded.spans()

    assert (outer.name, inner.name) == ("reconcile.pass", "reconcile.account")
    assert inner.parent is not None
    assert inner.parent.span_id == outer.context.span_id


def test_the_outermost_span_of_a_run_belongs_to_the_trace_of_its_pipeline() -> None:
    recorded = Recorded(PARENT)

    with recorded.tracer.span("reconcile.pass", {}), recorded.tracer.span("reconcile.account", {}):
        pass
    inner, outer = recorded.spans()

    assert outer.parent is not None
    assert f"{outer.parent.span_id:016x}" == "00f067aa0ba902b7"
    assert f"{outer.context.trace_id:032x}" == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert inner.parent is not None
    assert inner.parent.span_id == outer.context.span_id


def test_a_json_line_of_the_log_has_the_ids_of_its_span_and_other_lines_have_none() -> None:
    recorded, stream = Recorded(), io.StringIO()
    logger = make_logger(stream)

    logger.info("before")
    with recorded.tracer.span("reconcile.pass", {}):
        logger.info("within")
    logger.info("after")
    before, within, after = map(json.loads, stream.getvalue().splitlines())
    (span,) = recorded.spans()

    assert (within["trace_id"], within["span_id"]) == (
        f"{span.context.trace_id:032x}",
        f"{span.context.span_id:016x}",
    )
    assert not {"trace_id", "span_id"} & {*before, *after}


class Unreliable(SpanExporter):
    """An exporter whose exports end as a list says."""

    def __init__(self, *ends: SpanExportResult | OSError) -> None:
        self._ends = list(ends)

    def export(self, spans: object) -> SpanExportResult:  # noqa: ARG002  the interface
        """Return the next result, or raise the next error."""
        end = self._ends.pop(0)
        if isinstance(end, OSError):
            raise end
        return end


def test_failed_exports_are_logged_once_and_so_is_their_end() -> None:
    told: list[str] = []

    async def main() -> None:
        good, bad = SpanExportResult.SUCCESS, SpanExportResult.FAILURE
        error = OSError("https://ada:hunter2@collector.example")
        exporter = ReportingExporter(Unreliable(good, error, bad, bad, good, good), told.append)
        for _ in range(6):
            await asyncio.to_thread(exporter.export, [])

    asyncio.run(main())

    assert [each.partition(":")[0] for each in told] == [
        "traces cannot be exported, so spans are dropped",
        "traces are exported again",
    ]
    assert "hunter2" not in str(told)


@pytest.mark.parametrize(
    ("environ", "is_wanted"),
    [
        ({}, False),
        ({ENDPOINT: ""}, False),
        ({"OTEL_SERVICE_NAME": "jobs"}, False),
        ({ENDPOINT: "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({ENDPOINT: "http://collector:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({ENDPOINT: "http://collector:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({ENDPOINT: "http://collector:4318", "OTEL_TRACES_EXPORTER": "otlp"}, True),
    ],
)
def test_traces_are_wanted_only_if_an_endpoint_is_set(environ: dict[str, str], *, is_wanted: bool) -> None:
    assert tracing_options(environ).is_wanted is is_wanted
    assert tracing_options(environ).problem is None


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf"),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER must be otlp or none"),
    ],
)
def test_a_setting_that_is_not_supported_is_reported_and_nothing_else_happens(
    environ: dict[str, str], problem: str
) -> None:
    told: list[str] = []

    async def main() -> Tracer:
        async with open_tracer({ENDPOINT: "http://collector:4318", **environ}, told.append) as tracer:
            with tracer.span("reconcile.pass", {}) as span:
                span.fail("nothing")
            return tracer

    tracer = asyncio.run(main())

    assert not isinstance(tracer, OtelTracer)
    assert told == [f"no traces are exported: {problem}"]


def test_the_secret_in_a_header_of_the_exporter_is_known() -> None:
    headers = "authorization=Bearer%20tok-12345678,x-team=ml,x-api-key=k-87654321"

    assert secrets_of({"OTEL_EXPORTER_OTLP_HEADERS": headers}) == ["tok-12345678", "k-87654321"]
