"""The documents that users write: `FineTuningJob`, `Provider` and `Settings`. `BatchJob` is in `model.batch_job`.

Rules: every scalar is read as the text in the file, and `model.scalar` parses it. Therefore the implicit types of
YAML 1.1 (`no`, `0123`, `1:30`) have no effect. Unknown keys are errors. The position of a document in its file is
recorded in `ports.Located`, not here.
"""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from enum import StrEnum
from json.encoder import encode_basestring as json_text
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from reconciler.model.document import Document
from reconciler.model.job import Account
from reconciler.model.job_limits import Limits
from reconciler.model.price_rule import PriceList
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
"""The maximum interval. The health checks and most polls depend on the interval, so a longer one would delay them."""
RATE_MIN = 0.1
"""The minimum rate, in requests per second. A lower one would in effect stop the account without an error."""
GLOBS_MAX = 100
"""The maximum number of globs in one list, because each glob may be matched against every spec."""


class DesiredState(StrEnum):
    """The desired state of a job."""

    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    OBSERVED = "observed"


def _valid_interval(span: timedelta) -> timedelta:
    if not INTERVAL_MIN <= span <= INTERVAL_MAX:
        msg = f"must be at least {render_duration(INTERVAL_MIN)} and at most {render_duration(INTERVAL_MAX)}"
        raise ValueError(msg)
    return span


class Metadata(Document):
    """The name and labels of a document."""

    name: Name = Field(description="A DNS-1123 label, unique among all jobs, or among all Provider documents.")
    labels: dict[LabelKey, LabelValue] = Field(
        default_factory=dict, description="Labels of your choice, for --selector.", examples=[{"team": "support"}]
    )


class Suspension(Document):
    """Suspends a job: the job is observed, but no change is requested."""

    reason: Text | None = Field(None, description="Why the job is suspended; shown by plan and in the status.")
    until: Instant | None = Field(None, description="When the suspension ends by itself.")


def _suspension(value: object) -> object:
    """Expand the short forms `suspend: true` and `suspend: false`. Raises `ValueError` for any other text."""
    if isinstance(value, dict):
        return value
    flag = read_flag(value)
    if flag is True:
        return {}
    return None if flag is False else flag


class JobSpec(Document):
    """The desired state of one job."""

    provider: Word = Field(description="The name of a Provider document, or a provider type that needs no document.")
    job_id: Word = Field(description="The id that the provider assigned to the job.")
    desired_state: DesiredState = Field(description="The desired state of the job.")
    reason: Text | None = Field(None, description="Why the job should be in this state; shown by plan and in receipts.")
    limits: Limits | None = Field(None, description="When an unfinished job is cancelled automatically.")
    suspend: Annotated[
        Suspension | None, BeforeValidator(_suspension, json_schema_input_type=bool | Suspension | None)
    ] = Field(
        None,
        description="Suspends the job, so that no change is requested for it: true, or a reason and an end, which are "
        "both optional.",
    )


class CredentialSource(Document):
    """Where a credential is stored. A document must not contain the credential itself."""

    env: Variable | None = Field(None, description="The environment variable that contains the secret value.")
    file: Word | None = Field(
        None,
        description="The file that contains the secret value. It must be below /run/secrets or a directory that the "
        "operator allows.",
    )

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if (self.env is None) == (self.file is None):
            msg = "must have exactly one of env and file"
            raise ValueError(msg)
        return self


class RateLimit(Document):
    """The upper limit on the request rate of an account, shared by all of its jobs. Below it the rate adapts."""

    requests_per_second: Annotated[Number, Field(ge=RATE_MIN, le=1000, allow_inf_nan=False)] | None = Field(
        None,
        description="The maximum number of requests per second. Without it, the rate rises until the provider "
        "throttles a request.",
    )
    burst: Annotated[Count, Field(ge=1, le=10_000)] | None = Field(
        None, description="The maximum number of requests that are sent at once after a pause."
    )
    concurrency: Annotated[Count, Field(ge=1, le=256)] | None = Field(
        None, description="The maximum number of requests in progress at the same time."
    )


class ProviderSpec(Document):
    """How to reach one account of a provider type."""

    type: Word = Field(description="The provider type, such as openai.")
    base_url: Address | None = Field(
        None, description="The base URL of the API. Default: that of the vendor's variable, or of the provider type."
    )
    credentials: CredentialSource | None = Field(
        None, description="Where the credential is stored, never the credential itself."
    )
    allowed_paths: Annotated[tuple[Word, ...], Field(max_length=GLOBS_MAX)] | None = Field(
        None,
        description="At most 100 globs, relative to the specs directory. Only spec files that match may use this "
        "credential at this host, whichever provider name they use. The operator's file may set another rule.",
    )
    rate_limit: RateLimit = Field(
        default_factory=RateLimit, description="The upper limit on the request rate of the account."
    )
    prices: PriceList | None = Field(
        None,
        description="What this account charges, where the operator's file states no price. These prices show costs of "
        "the jobs whose specs name this document, and limits.maxCost acts on them. maxCancelsCost does not use them.",
    )
    options: dict[str, Any] = Field(default_factory=dict, description="Options of the provider type.")


class Safety(Document):
    """The guard's limits on changes per hour. In Settings they can only tighten the operator's limits."""

    max_cancels: Annotated[Count, Field(ge=0)] | None = Field(
        None,
        description="The number of changes per hour that is allowed, even if it exceeds the percentage. Default: 3.",
    )
    max_cancel_percent: Annotated[Count, Field(ge=0, le=100)] | None = Field(
        None,
        description="The maximum number of changes per hour, as a percentage of the unfinished jobs. If maxCancels "
        "allows more, maxCancels applies instead. Default: 30.",
    )
    max_cancels_absolute: Annotated[Count, Field(ge=0)] | None = Field(
        None, description="The maximum number of changes per hour, whatever the percentage allows. Default: 20."
    )


class SettingsSpec(Document):
    """Settings of the whole repository."""

    interval: Annotated[Duration, AfterValidator(_valid_interval)] | None = Field(
        None,
        description="How often a watch reads all specs again; from 15s to 1d. Default: 60s. A job is observed when "
        "a change is expected, and at least once in five intervals until it has ended.",
    )
    suspend: Flag = Field(default=False, description="If true, no change is requested for any job.")
    warn_before: Duration | None = Field(
        None,
        description="The minimum time between the warning of a limit (LimitNear) and the cancel, for specs without "
        "limits.warnBefore. Default: no warning.",
    )
    safety: Safety = Field(
        default_factory=Safety, description="The guard's limits, which can only tighten the operator's."
    )


class FineTuningJob(Document):
    """A fine-tuning job that exists at a provider, and its desired state."""

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
    """Settings of the whole repository. At most one such document is allowed."""

    api_version: Literal["jobs.reconciler/v1"]
    kind: Literal["Settings"]
    metadata: Metadata
    spec: SettingsSpec


_canonical_json = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
_FEW_FIELDS = frozenset({"provider", "job_id", "desired_state", "reason"})
"""The fields of most specs."""


def spec_digest(spec: JobSpec, account: Account) -> str:
    """Return the digest that identifies a version of a spec in its status.

    The digest is computed over the account and the canonical JSON of the spec. In that JSON, values are normalised,
    unset fields are left out, and each `reason` is left out because it does not change behaviour. The computation must
    stay the same, because with new digests every spec would appear to have changed. The tests compare golden digests.
    """
    text = _json_of_few(spec, account) if spec.model_fields_set <= _FEW_FIELDS else _json_of_all(spec, account)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _json_of_all(spec: JobSpec, account: Account) -> str:
    """Return the text over which the digest of any spec is computed."""
    written = spec.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    written.pop("reason", None)
    if isinstance(written.get("suspend"), dict):
        written["suspend"].pop("reason", None)
    return _canonical_json({"account": str(account), "spec": written})


def _json_of_few(spec: JobSpec, account: Account) -> str:
    """Return the same text for a spec with no other fields than `_FEW_FIELDS`, in a third of the time."""
    job_id, provider = json_text(spec.job_id), json_text(spec.provider)
    inner = f'{{"desiredState":"{spec.desired_state}","jobId":{job_id},"provider":{provider}}}'
    return f'{{"account":{json_text(str(account))},"spec":{inner}}}'
