"""What a status file holds: every field once, in the order in which it is written, with the form of its value.

The writer and the parser both read these records, so that a new field is a row here beside its attribute in the model.
A key is the attribute's name in camel case. The type of a value is the model's, and so is whether a file may lack it:
a field that has a default in the model may be missing in a file.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from enum import Enum, auto
from typing import Any

from reconciler.model.job import JobError
from reconciler.model.reason import Reason
from reconciler.model.status import (
    Condition,
    ConditionStatus,
    ConditionType,
    HistoryEntry,
    JobFacts,
    JobStatus,
    Origin,
    Receipt,
    RememberedAttempt,
)


class Form(Enum):
    """How a value is written. What is None is `null` in each of them."""

    WORD = auto()
    """As it is: a number, or a word of ours that no reader of YAML takes for something else."""
    QUOTED = auto()
    """A word of ours that a reader would take for something else."""
    TEXT = auto()
    """In quotes where it needs them."""
    FOREIGN = auto()
    """The same, cleaned: a text that a provider wrote, or that repeats one."""
    MOMENT = auto()
    FLAG = auto()
    MAPPING = auto()
    """A record, one field a line."""
    FLOW = auto()
    """A record on one line."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record.

    Args:
        name: the attribute of the model.
        form: how its value is written; of a list, how each item is.
        record: the fields of the value, or of each item, where that is a record.
        is_list: whether the value is a tuple of such.
        is_left_out: whether a value that is the default of the model is not written at all.
        constant: what always stands there; the parser does not read it.
    """

    name: str
    form: Form = Form.WORD
    record: Record | None = None
    is_list: bool = False
    is_left_out: bool = False
    constant: str | None = None

    @property
    def key(self) -> str:
        """The field's name in a file."""
        first, *others = self.name.split("_")
        return first + "".join(map(str.capitalize, others))


@dataclass(frozen=True, slots=True)
class Record:
    """The fields of one class of the model, in the order in which they are written.

    Args:
        model: the class.
        fields: one for each of its attributes.
        elsewhere: the attributes that a file holds elsewhere.
    """

    model: type[Any]
    fields: tuple[Field, ...]
    elsewhere: tuple[str, ...] = ()

    def default(self, attribute: str) -> object:
        """Return the value that the model gives an attribute of which nothing is said."""
        return next(each.default for each in fields(self.model) if each.name == attribute)

    def field(self, attribute: str) -> Field:
        """Return the field of an attribute. Raises LookupError where the record does not name it."""
        found = next((each for each in self.fields if each.name == attribute), None)
        if found is None:
            msg = f"the format of a status has no field for {self.model.__name__}.{attribute}"
            raise LookupError(msg)
        return found


@dataclass(frozen=True, slots=True)
class ProviderCondition:
    """Why an account cannot be observed, as a condition."""

    reason: Reason
    message: str
    last_transition_time: datetime


@dataclass(frozen=True, slots=True)
class ProviderTree:
    """What a file holds of a `ProviderStatus`, which has one condition."""

    account: str
    conditions: tuple[ProviderCondition, ...]
    jobs: tuple[str, ...] = ()


CONDITION = Record(
    Condition,
    (
        Field("type"),
        Field("status", Form.QUOTED),
        Field("reason"),
        Field("message", Form.FOREIGN),
        Field("observed_generation"),
        Field("last_transition_time", Form.MOMENT),
    ),
)
ERROR = Record(JobError, (Field("code", Form.FOREIGN), Field("message", Form.FOREIGN), Field("param", Form.FOREIGN)))
JOB = Record(
    JobFacts,
    (
        Field("account", Form.TEXT),
        Field("id", Form.TEXT),
        Field("provider_status", Form.FOREIGN),
        Field("model", Form.FOREIGN),
        Field("fine_tuned_model", Form.FOREIGN),
        Field("created_at", Form.MOMENT),
        Field("started_at", Form.MOMENT),
        Field("finished_at", Form.MOMENT),
        Field("trained_tokens"),
        Field("error", Form.MAPPING, ERROR),
    ),
)
ORIGIN = Record(Origin, (Field("commit", Form.TEXT), Field("author", Form.TEXT)))
RECEIPT = Record(
    Receipt,
    (
        Field("verb"),
        Field("because"),
        Field("reason", Form.TEXT),
        Field("origin", Form.FLOW, ORIGIN),
        Field("requested_at", Form.MOMENT),
        Field("last_attempt_at", Form.MOMENT),
        Field("attempts"),
        Field("accepted_at", Form.MOMENT),
        Field("confirmed_at", Form.MOMENT),
        Field("outcome"),
        Field("approved_by", Form.TEXT, is_left_out=True),
        Field("refusals", is_left_out=True),
    ),
)
REMEMBERED = Record(
    RememberedAttempt,
    (Field("account", Form.TEXT), Field("requested_at", Form.MOMENT), Field("approved_by", Form.TEXT)),
)
HISTORY = Record(HistoryEntry, (Field("at", Form.MOMENT), Field("phase"), Field("reason")))

JOB_STATUS = Record(
    JobStatus,
    (
        Field("observed_generation"),
        Field("observed_spec", Form.TEXT),
        Field("source", Form.TEXT),
        Field("phase"),
        Field("final", Form.FLAG),
        Field("doubted_at", Form.MOMENT, is_left_out=True),
        Field("conditions", Form.MAPPING, CONDITION, is_list=True),
        Field("job", Form.MAPPING, JOB),
        Field("receipts", Form.MAPPING, RECEIPT, is_list=True),
        Field("spent", Form.MAPPING, REMEMBERED, is_list=True, is_left_out=True),
        Field("history", Form.FLOW, HISTORY, is_list=True),
    ),
    elsewhere=("name", "kind"),
)
"""`status` of a job's file. Its name and its kind stand above."""

PROVIDER_CONDITION = Record(
    ProviderCondition,
    (
        Field("type", constant=ConditionType.READY),
        Field("status", Form.QUOTED, constant=ConditionStatus.FALSE),
        Field("reason"),
        Field("message", Form.FOREIGN),
        Field("last_transition_time", Form.MOMENT),
    ),
)
PROVIDER_STATUS = Record(
    ProviderTree,
    (
        Field("account", Form.TEXT),
        Field("conditions", Form.MAPPING, PROVIDER_CONDITION, is_list=True),
        Field("jobs", Form.TEXT, is_list=True, is_left_out=True),
    ),
)
"""`status` of `_providers/<name>.yaml`."""

RECORDS = (
    CONDITION, ERROR, JOB, ORIGIN, RECEIPT, REMEMBERED, HISTORY, JOB_STATUS, PROVIDER_CONDITION, PROVIDER_STATUS
)  # fmt: skip
