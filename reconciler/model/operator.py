"""The operator's file, which contains rules for every spec. Spec authors must not be able to write to it.

The file is parsed as strictly as a spec. Its kind is not accepted below the specs directory. A repository cannot loosen
these rules.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, model_validator

from reconciler.model.account_line import KindName
from reconciler.model.change_window_rule import WINDOWS_MAX, ChangeWindowRule, SelectorText
from reconciler.model.job_limits import CostLimitText
from reconciler.model.message_template import FIELDS, TemplateText
from reconciler.model.notification import NotificationSeverity, NotificationType
from reconciler.model.price_rule import OperatorPriceList
from reconciler.model.reason import Reason
from reconciler.model.scalar import Flag, Name, Word, quoted
from reconciler.model.spec import GLOBS_MAX, CredentialSource, Document, Metadata, Safety
from reconciler.model.weekly_hours import WeeklyHoursText

RULES_MAX = 1000
"""The maximum number of entries in `trust` and in `paths`. Each entry is compared with every account or spec."""
CredentialName = Annotated[Word, Field(description="The environment variable or file that contains the credential.")]
SINKS_MAX = 20
"""The maximum number of sinks, and of routes of one sink."""
SECRET_FIELDS = ("url", "secret", "key")
"""The fields of a sink that name the place of a secret."""
_REQUIRED = {"webhook": {"url", "secret"}, "slack": {"url"}, "teams": {"url"}, "pagerduty": {"key"}, "apprise": {"url"}}
"""The secrets that each type of sink needs."""
_OPTIONAL = {"pagerduty": {"url"}}


class PathRule(Document):
    """Restricts a credential to some spec files."""

    credential: CredentialName
    host: Word | None = Field(
        None, description="The host that the rule applies to, as host or host:port. Default: every trusted host."
    )
    specs: Annotated[tuple[Word, ...], Field(min_length=1, max_length=GLOBS_MAX)] = Field(
        description="The spec files that may use the credential: at most 100 globs, relative to the specs directory."
    )


class CancelSafety(Safety):
    """The guard's limits on changes per hour, and on what the jobs that are cancelled per hour have cost."""

    max_cancels_cost: CostLimitText | None = Field(
        None,
        description="The most that the jobs that are cancelled per hour may have cost before, all together. It is in "
        "the currency of prices, which are required. The upper bound of a cost counts. Default: no limit.",
    )
    unknown_cost: Literal["refuse", "ignore"] | None = Field(
        None,
        description="With maxCancelsCost, whether the cancel of a job with an unknown cost, or with no upper bound of "
        "its cost, is refused or not limited by maxCancelsCost. Default: refuse.",
    )


class OperatorSafety(CancelSafety):
    """The guard's limits on changes per hour. If a flag or variable sets the same limit, the stricter value applies."""

    kinds: dict[KindName, CancelSafety] = Field(
        default_factory=dict,
        description="The guard's limits per hour for all jobs of one kind. The general limits still apply to "
        "each account and to all jobs together.",
    )
    credentials: dict[CredentialName, CancelSafety] = Field(
        default_factory=dict,
        description="The guard's limits per hour for one credential. They replace the general limits in each of its "
        "accounts, and in all of its accounts at one host. The general limits still apply to all jobs together.",
    )


def _reason(text: str) -> str:
    if text not in set(Reason):
        msg = f"{quoted(text)} is not a reason: reconcile explain lists all reasons"
        raise ValueError(msg)
    return text


class NotifyRoute(Document):
    """Which notifications a sink receives. A notification must match every field that is set."""

    selector: SelectorText | None = Field(
        None,
        description="Labels that a job of the notification must have, such as team=support,env=prod. Default: any job.",
    )
    kind: KindName | None = Field(None, description="The kind of the jobs. Default: every kind.")
    reasons: tuple[Annotated[Word, AfterValidator(_reason)], ...] = Field(
        (),
        description="The reasons in the status of the job or of the account, such as JobFailed. Default: every reason.",
    )
    severities: tuple[NotificationSeverity, ...] = Field(
        (),
        description="How urgent the notification is. The end of a problem has the severity of the problem. Default: "
        "every severity.",
    )


class QuietHoursRule(Document):
    """Hours in which a sink receives only urgent notifications. The others are held until the hours end."""

    hours: WeeklyHoursText = Field(
        description="Days and hours, such as Mon-Fri 22:00-07:00. The day is that on which the hours begin."
    )
    time_zone: Word = Field(
        "UTC", description="The zone of the hours, as an IANA name such as Europe/Amsterdam. Default: UTC."
    )
    send_at_once: tuple[NotificationSeverity, ...] = Field(
        (NotificationSeverity.ERROR,),
        description="The severities that are not held. Default: error. The end of a problem has the severity of the "
        "problem.",
    )

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.hours.is_always:
            msg = "the hours never end: leave out some of them"
            raise ValueError(msg)
        return self


class NotifySink(Document):
    """A receiver of notifications. Its URL and its secret are in environment variables or files, never in this file."""

    name: Name = Field(description="The name of the sink in messages. It is unique.")
    type: Literal["webhook", "slack", "teams", "pagerduty", "apprise"] = Field(
        description="webhook: a POST request that follows the Standard Webhooks specification. slack: an incoming "
        "webhook. teams: a workflow that posts to a channel or chat. pagerduty: the Events API v2, only for problems. "
        "apprise: e-mail and other services, through the library Apprise (the extra notify)."
    )
    url: CredentialSource | None = Field(
        None,
        description="Where the URL is stored. It is treated as a secret. For pagerduty it is optional, for the service "
        "region EU or a proxy.",
    )
    secret: CredentialSource | None = Field(
        None, description="For webhook: where the signing secret is stored, as whsec_ and 24 to 64 bytes in base64."
    )
    key: CredentialSource | None = Field(
        None, description="For pagerduty: where the integration key of the service is stored."
    )
    routes: Annotated[tuple[NotifyRoute, ...], Field(max_length=SINKS_MAX)] = Field(
        (), description="The sink receives what matches at least one route. Without routes it receives everything."
    )

    quiet_hours: QuietHoursRule | None = Field(
        None, description="Hours in which less urgent notifications are held. Default: none."
    )
    template: TemplateText | None = Field(
        None,
        description=f"The text of each message, with fields in braces: {', '.join(FIELDS)}. A field without a value is "
        "empty. Default: {text}.",
        examples=["[prod] {text}"],
    )
    templates: dict[NotificationType, TemplateText] = Field(
        default_factory=dict,
        description="Templates for single types of message. Each replaces template for its type.",
        examples=[{"job.cancelled": "{jobs} was cancelled by {author}: {specReason}"}],
    )

    @model_validator(mode="after")
    def _has_what_its_type_needs(self) -> Self:
        required = _REQUIRED[self.type]
        for name in SECRET_FIELDS:
            is_set = getattr(self, name) is not None
            if name in required and not is_set:
                msg = f"{name} is required: write {name}: {{env: VARIABLE}} or {name}: {{file: PATH}}"
                raise ValueError(msg)
            if is_set and name not in required | _OPTIONAL.get(self.type, set()):
                msg = f"{name} is not used by the type {self.type}: remove it"
                raise ValueError(msg)
        return self


class OperatorSpec(Document):
    """The rules of the operator."""

    trust: Annotated[dict[CredentialName, tuple[Word, ...]], Field(max_length=RULES_MAX)] = Field(
        default_factory=dict,
        description="Where each credential may be sent, in addition to --trust: host, host:port or host/path.",
        examples=[{"OPENAI_API_KEY": ["gateway.example.org/v1/acme"]}],
    )
    paths: Annotated[tuple[PathRule, ...], Field(max_length=RULES_MAX)] = Field(
        (),
        description="Which spec files may use which credential. Only these files may use a credential that is listed "
        "here, whatever allowedPaths says.",
    )
    safety: OperatorSafety = Field(default_factory=OperatorSafety, description="The guard's limits.")
    suspend: Flag = Field(default=False, description="If true, no change is requested for any job.")
    shadow: Flag = Field(
        default=False,
        description="If true, every run is in shadow mode, like --shadow: a due change is reported as WouldCancel, "
        "WouldPause or WouldResume, and is not requested.",
    )
    change_windows: Annotated[tuple[ChangeWindowRule, ...], Field(max_length=WINDOWS_MAX)] = Field(
        (), description="When changes may be requested. Default: at any time."
    )
    prices: OperatorPriceList | None = Field(
        None, description="What providers charge, so that costs are shown. Without a price, a cost is unknown."
    )
    notify: Annotated[tuple[NotifySink, ...], Field(max_length=SINKS_MAX)] = Field(
        (), description="The sinks that receive notifications about jobs and accounts."
    )


class OperatorConfig(Document):
    """The operator's rules for every spec, in a file outside the specs directory (--config)."""

    api_version: Literal["jobs.reconciler/v1"]
    kind: Literal["OperatorConfig"]
    metadata: Metadata | None = Field(None, description="Optional, because there is only one such document.")
    spec: OperatorSpec


OPERATOR_KINDS: dict[str, type[BaseModel]] = {"OperatorConfig": OperatorConfig}
"""The kinds of document in the operator's file. They are not accepted below the specs directory."""
