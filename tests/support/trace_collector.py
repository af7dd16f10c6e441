"""A collector of traces on a loopback socket, which receives them by OTLP over HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reconciler.testing import served


@dataclass(frozen=True, slots=True)
class SeenSpan:
    """A span that arrived."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, object]


@dataclass(slots=True)
class Collector:
    """The collector. `status` is that of its next responses."""

    url: str = ""
    status: int = 200
    spans: list[SeenSpan] = field(default_factory=list)
    resource: dict[str, object] = field(default_factory=dict)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def named(self, name: str) -> list[SeenSpan]:
        """Return the spans with a name, in the order in which they arrived."""
        return [each for each in self.spans if each.name == name]

    async def receive(self, request: Request) -> Response:
        """Record the spans of a request, unless the response is an error."""
        body = await request.body()
        self.headers.append(dict(request.headers))
        self.bodies.append(body)
        if self.status == 200:
            for traced in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.resource = _values(traced.resource.attributes)
                self.spans += [_seen(span) for scope in traced.scope_spans for span in scope.spans]
        return Response(b"", self.status, media_type="application/x-protobuf")


def _seen(span: Span) -> SeenSpan:
    ids = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
    return SeenSpan(span.name, *ids, _values(span.attributes))


def _values(attributes: Iterable[KeyValue]) -> dict[str, object]:
    return {each.key: getattr(each.value, str(each.value.WhichOneof("value"))) for each in attributes}


@contextmanager
def collecting() -> Iterator[Collector]:
    """Serve a collector while the body runs."""
    collector = Collector()
    with served(Starlette(routes=[Route("/v1/traces", collector.receive, methods=["POST"])])) as url:
        collector.url = url
        yield collector
