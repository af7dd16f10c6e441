"""A change window in the operator's file, as it is written there."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from reconciler.model.document import Document
from reconciler.model.scalar import Instant, Name, Text, Word, check_label_key, check_label_value, quoted
from reconciler.model.selector import parse_selector
from reconciler.model.weekly_hours import WeeklyHoursText

WINDOWS_MAX = 100
"""The maximum number of change windows. Each is compared with every spec."""


def parsed_selector(text: str) -> str:
    """Return the text of a selector. Raises `ValueError` if it is not one, or if no labels of a job can match it."""
    labels = parse_selector(text)
    for key, value in labels:
        check_label_key(key)
        check_label_value(value)
    if len(dict(labels)) < len(set(labels)):
        msg = f"{quoted(text)} matches no job: a job has one value of each label"
        raise ValueError(msg)
    return text


SelectorText = Annotated[Word, AfterValidator(parsed_selector)]


class FreezePeriod(Document):
    """A period in which no change is requested."""

    from_: Instant = Field(alias="from", description="When the period begins.")
    until: Instant = Field(description="When the period ends.")

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if self.from_ >= self.until:
            msg = "until must be later than from"
            raise ValueError(msg)
        return self


class ChangeWindowRule(Document):
    """When changes of jobs may be requested: only within `allow`, and neither within `deny` nor within `freeze`."""

    name: Name = Field(description="The name of the window in messages. It is unique.")
    allow: WeeklyHoursText | None = Field(
        None,
        description="Days and hours, such as Mon-Fri 08:00-18:00. If a job has windows with allow, its changes are "
        "requested only within one of them.",
    )
    deny: WeeklyHoursText | None = Field(
        None, description="Days and hours in which no change is requested, whatever other windows allow."
    )
    freeze: FreezePeriod | None = Field(
        None, description="A period in which no change is requested, whatever other windows allow."
    )
    time_zone: Word = Field(
        "UTC", description="The zone of allow and deny, as an IANA name such as Europe/Amsterdam. Default: UTC."
    )
    selector: SelectorText | None = Field(
        None, description="Labels of the jobs to which the window applies, such as team=support. Default: all jobs."
    )
    reason: Text | None = Field(
        None, description="Why the window exists; shown in the status while it prevents a change."
    )

    @model_validator(mode="after")
    def _has_one_period(self) -> Self:
        given = [each for each in (self.allow, self.deny, self.freeze) if each is not None]
        if len(given) != 1:
            msg = "must have exactly one of allow, deny and freeze"
            raise ValueError(msg)
        return self
