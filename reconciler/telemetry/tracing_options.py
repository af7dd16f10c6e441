"""Whether traces are exported, as the variables of OpenTelemetry determine. Pure.

Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and
https://opentelemetry.io/docs/specs/otel/protocol/exporter/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from reconciler.http_checks import secrets_in_header

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_HEADERS = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
PROTOCOL = "http/protobuf"


@dataclass(frozen=True, slots=True)
class TracingOptions:
    """What the variables of OpenTelemetry determine about traces."""

    is_wanted: bool
    problem: str | None = None
    """Why wanted traces cannot be exported, or None if nothing prevents it."""


def tracing_options(environ: Mapping[str, str]) -> TracingOptions:
    """Return whether traces are exported. They are exported only if an endpoint is set."""
    is_wanted = (
        any(environ.get(name, "").strip() for name in _ENDPOINTS)
        and environ.get("OTEL_SDK_DISABLED", "").strip().lower() != "true"
        and environ.get("OTEL_TRACES_EXPORTER", "").strip() != "none"
    )
    if not is_wanted:
        return TracingOptions(is_wanted=False)
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp"
    if exporter != "otlp":
        return TracingOptions(is_wanted=True, problem="OTEL_TRACES_EXPORTER must be otlp or none")
    for name in _PROTOCOLS:
        if protocol := environ.get(name, "").strip():
            problem = None if protocol == PROTOCOL else f"{name} must be {PROTOCOL}"
            return TracingOptions(is_wanted=True, problem=problem)
    return TracingOptions(is_wanted=True)


def secrets_of(environ: Mapping[str, str]) -> list[str]:
    """Return the secrets in the headers that the exporter sends."""
    pairs = (pair.partition("=") for name in _HEADERS for pair in environ.get(name, "").split(","))
    named = ((unquote(key.strip()), unquote(value.strip())) for key, _, value in pairs if value.strip())
    return [secret for key, value in named for secret in secrets_in_header(key, value)]
