"""The documents that users write: `FineTuningJob`, `Provider`, `Settings`.

Every scalar arrives here as the text that stands in the file, and `scalar` says what that text means, so that
YAML 1.1's surprises (`no`, `0123`, `1:30`) cannot happen. Unknown keys are errors. Whoever needs a
document's place in a file has it in `Located`, not here.
"""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from reconciler.model.job import Account
from reconciler.model.scalar import (
    Address,
    Count,
    Duration,
    Flag,
    Instant,
    LabelKey,
    LabelValue,
    Name,
    Number,
    Text,
    Variable,
    Word,
    parse_duration,
    parse_instant,
    read_flag,
    render_duration,
    render_instant,
)

__all__ = [
    "API_VERSION",
    "INTERVAL_MIN",
    "CredentialSource",
    "DesiredState",
    "Document",
    "Duration",
    "FineTuningJob",
    "Flag",
    "Instant",
    "JobSpec",
    "Limits",
    "Metadata",
    "Name",
    "Provider",
    "ProviderSpec",
    "RateLimit",
    "Safety",
    "Settings",
    "SettingsSpec",
    "Suspension",
    "Text",
    "Word",
    "parse_duration",
    "parse_instant",
    "render_duration",
    "render_instant",
    "spec_digest",
]

API_VERSION = "jobs.reconciler/v1"
INTERVAL_MIN = timedelta(seconds=15)
INTERVAL_MAX = timedelta(days=1)
"""Health, readiness and every look go by the interval: a longer one would put everything to sleep."""
RATE_MIN = 0.1
"""Requests a second: a document that asks for less would stop an account without saying so."""
GLOBS_MAX = 100


class DesiredState(StrEnum):
    """What a spec can want of its job."""

    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    OBSERVED = "observed"


def _often_enough(span: timedelta) -> timedelta:
    if not INTERVAL_MIN <= span <= INTERVAL_MAX:
        msg = f"must be at least {render_duration(INTERVAL_MIN)} and at most {render_duration(INTERVAL_MAX)}"
        raise ValueError(msg)
    return span


class Document(BaseModel):
    """Base of everything a user writes: frozen, camelCase in the file, unknown keys refused."""

    model_config = ConfigDict(
        frozen=True,
        defer_build=True,  # building all models takes longer than reading a small repository
        extra="forbid",
        hide_input_in_errors=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
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
    flag = read_flag(value)
    if flag is True:
        return {}
    return None if flag is False else flag


class JobSpec(Document):
    """What should be true of one job."""

    provider: Word = Field(description="A Provider document's name, or a provider type that needs none.")
    job_id: Word = Field(description="The id that the provider gave the job.")
    desired_state: DesiredState = Field(description="What should be true of the job.")
    reason: Text | None = Field(None, description="Why; shown in plan and status.")
    limits: Limits | None = Field(None, description="When an unfinished job must be cancelled by itself.")
    suspend: Annotated[
        Suspension | None, BeforeValidator(_suspension, json_schema_input_type=bool | Suspension | None)
    ] = Field(None, description="true, or a reason and an end: change nothing for this job, and say so.")


class CredentialSource(Document):
    """Where a credential is. Never the credential itself."""

    env: Variable | None = Field(None, description="The environment variable that holds it.")
    file: Word | None = Field(
        None, description="The file that holds it, below /run/secrets or where the operator says."
    )

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if (self.env is None) == (self.file is None):
            msg = "must have exactly one of env and file"
            raise ValueError(msg)
        return self


class RateLimit(Document):
    """How gently an account is asked. All jobs of the account share it."""

    requests_per_second: Annotated[Number, Field(ge=RATE_MIN, le=1000, allow_inf_nan=False)] | None = None
    burst: Annotated[Count, Field(ge=1, le=10_000)] | None = None
    concurrency: Annotated[Count, Field(ge=1, le=256)] | None = None


class ProviderSpec(Document):
    """How one account of one provider type is reached."""

    type: Word = Field(description="The provider type.")
    base_url: Address | None = Field(None, description="Where its API is, if not at the type's own address.")
    credentials: CredentialSource | None = Field(None, description="Where the credential is; never the credential.")
    allowed_paths: Annotated[tuple[Word, ...], Field(max_length=GLOBS_MAX)] | None = Field(
        None,
        description="At most 100 globs below the specs directory: only files that match may use this credential at "
        "this host, under any provider's name.",
    )
    rate_limit: RateLimit = Field(default_factory=RateLimit, description="How gently the account is asked.")
    options: dict[str, Any] = Field(default_factory=dict, description="The type's own options.")


class Safety(Document):
    """Brakes on too many changes at once. May only tighten what the operator set."""

    max_cancels: Annotated[Count, Field(ge=0)] | None = Field(
        None, description="Changes an hour, together with the percentage."
    )
    max_cancel_percent: Annotated[Count, Field(ge=0, le=100)] | None = Field(
        None, description="Share of the unfinished jobs."
    )
    max_cancels_absolute: Annotated[Count, Field(ge=0)] | None = Field(
        None, description="Changes an hour, whatever the share."
    )


class SettingsSpec(Document):
    """What holds for the whole repository."""

    interval: Annotated[Duration, AfterValidator(_often_enough)] | None = Field(
        None,
        description="How often a watch reads all specs anew; from 15s to 1d. A job is observed when something is "
        "expected of it, and at least once in five intervals until it has ended.",
    )
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
