"""The documents that users write: `FineTuningJob`, `Provider`, `Settings`.

Every scalar arrives here as the text that stands in the file; this module says what that text means, so
that YAML 1.1's surprises (`no`, `0123`, `1:30`) cannot happen. Unknown keys are errors. Whoever needs a
document's place in a file has it in `Located`, not here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from reconciler.model.job import Account

API_VERSION = "jobs.reconciler/v1"

_DURATION = re.compile(r"(?P<count>[0-9]{1,9})(?P<unit>[smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
REASON_MAX = 1024


class DesiredState(StrEnum):
    """What a spec can want of its job."""

    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    OBSERVED = "observed"


def parse_duration(text: str) -> timedelta:
    """Return what `90s`, `15m`, `6h` or `7d` means. Raises ValueError with a sentence for people."""
    match = _DURATION.fullmatch(text)
    if match is None:
        msg = f"{text!r} is not a duration: write a whole number and one of s, m, h, d, such as 90s or 6h"
        raise ValueError(msg)
    return timedelta(**{_UNITS[match["unit"]]: int(match["count"])})


def render_duration(span: timedelta) -> str:
    """Return the shortest text that `parse_duration` reads back as this span."""
    seconds = int(span.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def parse_instant(text: str) -> datetime:
    """Return the moment that an RFC 3339 text with a zone names, in UTC. Raises ValueError."""
    if _INSTANT.fullmatch(text) is None:
        msg = f"{text!r} is not a time with a zone: write it as 2026-12-01T00:00:00Z"
        raise ValueError(msg)
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        msg = f"{text!r} is not a time that exists: {error}"
        raise ValueError(msg) from None


def render_instant(moment: datetime) -> str:
    """Return a moment as UTC seconds with `Z`, the only form that we write."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _flag(value: object) -> object:
    if isinstance(value, str):
        try:
            return {"true": True, "false": False}[value]
        except KeyError:
            msg = f"{value!r} is not true or false"
            raise ValueError(msg) from None
    return value


def _span(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _moment(value: object) -> object:
    return parse_instant(value) if isinstance(value, str) else value


def _positive(span: timedelta) -> timedelta:
    if span <= timedelta(0):
        msg = "must be longer than nothing"
        raise ValueError(msg)
    return span


def _matching(pattern: re.Pattern[str], sentence: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if pattern.fullmatch(value) is None:
            msg = f"{value!r} {sentence}"
            raise ValueError(msg)
        return value

    return check


def _printable(value: str) -> str:
    if _CONTROL.search(value):
        msg = "holds control characters"
        raise ValueError(msg)
    return value


Duration = Annotated[
    timedelta,
    BeforeValidator(_span),
    AfterValidator(_positive),
    PlainSerializer(render_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]{1,9}[smhd]$", "examples": ["90s", "15m", "6h", "7d"]}),
]
Instant = Annotated[
    datetime,
    BeforeValidator(_moment),
    PlainSerializer(render_instant, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Flag = Annotated[bool, BeforeValidator(_flag)]
Name = Annotated[
    str,
    AfterValidator(
        _matching(
            _LABEL,
            "is not a name: use at most 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit",
        )
    ),
    WithJsonSchema({"type": "string", "pattern": f"^{_LABEL.pattern}$"}),
]
LabelKey = Annotated[str, AfterValidator(_matching(_LABEL_KEY, "is not a label key"))]
LabelValue = Annotated[str, AfterValidator(_matching(_LABEL_VALUE, "is not a label value"))]
Text = Annotated[str, Field(min_length=1, max_length=REASON_MAX), AfterValidator(_printable)]
Word = Annotated[str, Field(min_length=1, max_length=512), AfterValidator(_printable)]


class Document(BaseModel):
    """Base of everything a user writes: frozen, camelCase in the file, unknown keys refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )


class Metadata(Document):
    """Who the document is."""

    name: Name = Field(description="A DNS-1123 label, unique in the repository.")
    labels: dict[LabelKey, LabelValue] = Field(
        default_factory=dict, description="Free labels, for --selector.", examples=[{"team": "support"}]
    )


class Limits(Document):
    """An unfinished job over any of these is treated as if `cancelled` were wanted."""

    max_age: Duration | None = Field(None, description="Longest life since the provider created the job.")
    max_queued: Duration | None = Field(None, description="Longest life without ever having started.")
    not_after: Instant | None = Field(None, description="The moment after which the job must not run.")


class Suspension(Document):
    """Change nothing, and say so."""

    reason: Text | None = Field(None, description="Why; shown in plan and status.")
    until: Instant | None = Field(None, description="When the suspension ends by itself.")


def _suspension(value: object) -> object:
    """Read `suspend: true` and `suspend: false` as what they are short for."""
    if isinstance(value, dict):
        return value
    flag = _flag(value)
    if flag is True:
        return {}
    return None if flag is False else flag


class JobSpec(Document):
    """What should be true of one job."""

    provider: Word = Field(description="A Provider document's name, or a provider type that needs none.")
    job_id: Word = Field(description="The id that the provider gave the job.")
    desired_state: DesiredState = Field(description="What should be true of the job.")
    reason: Text | None = Field(None, description="Why; shown in plan, status and notifications.")
    limits: Limits | None = Field(None, description="When an unfinished job must be cancelled by itself.")
    suspend: Annotated[Suspension | None, BeforeValidator(_suspension)] = Field(
        None, description="true, or a reason and an end: change nothing for this job, and say so."
    )


class CredentialSource(Document):
    """Where a credential is. Never the credential itself."""

    env: (
        Annotated[Word, AfterValidator(_matching(re.compile(r"[A-Za-z_][A-Za-z0-9_]*"), "is not a variable's name"))]
        | None
    ) = Field(None, description="The environment variable that holds it.")
    file: Word | None = Field(
        None, description="The file that holds it, below /run/secrets or where the operator says."
    )


class RateLimit(Document):
    """How gently an account is asked. All jobs of the account share it."""

    requests_per_second: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] | None = None
    burst: Annotated[int, Field(ge=1, le=10_000)] | None = None
    concurrency: Annotated[int, Field(ge=1, le=256)] | None = None


class ProviderSpec(Document):
    """How one account of one provider type is reached."""

    type: Word = Field(description="The provider type.")
    base_url: Word | None = Field(None, description="Where its API is, if not at the type's own address.")
    credentials: CredentialSource | None = Field(None, description="Where the credential is; never the credential.")
    allowed_paths: tuple[Word, ...] | None = Field(
        None, description="Globs below the specs directory: which files may name this provider."
    )
    rate_limit: RateLimit = Field(default_factory=RateLimit, description="How gently the account is asked.")
    options: dict[str, Any] = Field(default_factory=dict, description="The type's own options.")


class Safety(Document):
    """Brakes on too many changes at once. May only tighten what the operator set."""

    max_cancels: Annotated[int, Field(ge=0)] | None = Field(
        None, description="Changes an hour, together with the percentage."
    )
    max_cancel_percent: Annotated[int, Field(ge=0, le=100)] | None = Field(
        None, description="Share of the unfinished jobs."
    )
    max_cancels_absolute: Annotated[int, Field(ge=0)] | None = Field(
        None, description="Changes an hour, whatever the share."
    )


class SettingsSpec(Document):
    """What holds for the whole repository."""

    interval: Duration | None = Field(None, description="How often everything is looked at; at least 15s.")
    suspend: Flag = Field(default=False, description="true: nothing anywhere is changed.")
    safety: Safety = Field(default_factory=Safety, description="Brakes; they may only tighten the operator's.")


class FineTuningJob(Document):
    """A job that exists at a provider, and what should be true of it."""

    api_version: Literal["jobs.reconciler/v1"]
    kind: Literal["FineTuningJob"]
    metadata: Metadata
    spec: JobSpec


class Provider(Document):
    """An account at a provider."""

    api_version: Literal["jobs.reconciler/v1"]
    kind: Literal["Provider"]
    metadata: Metadata
    spec: ProviderSpec


class Settings(Document):
    """What holds for the whole repository. At most one."""

    api_version: Literal["jobs.reconciler/v1"]
    kind: Literal["Settings"]
    metadata: Metadata
    spec: SettingsSpec


KINDS: dict[str, type[FineTuningJob | Provider | Settings]] = {
    "FineTuningJob": FineTuningJob,
    "Provider": Provider,
    "Settings": Settings,
}


def spec_digest(spec: JobSpec, account: Account) -> str:
    """Return the digest by which a status names the spec that it speaks of.

    It is of the canonical JSON of what was written, values normalised and unset fields left out, without the
    words that change nothing (`reason`), and of the account. Golden digests pin it: it must never change.
    """
    written = spec.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    written.pop("reason", None)
    if isinstance(written.get("suspend"), dict):
        written["suspend"].pop("reason", None)
    text = json.dumps(
        {"account": str(account), "spec": written}, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
