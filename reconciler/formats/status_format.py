"""The fields of a status file, in the order in which they are written, each with the form of its value.

The writer and the parser both use these records. A new field needs one row here and one attribute in the model. The
key in the file is the attribute's name in camel case. The type of a value is that of the attribute. A file may omit a
field if the attribute has a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import Enum, auto
from types import MappingProxyType
from typing import Any, get_type_hints

from reconciler.model.job import JobCounts, JobError
from reconciler.model.kind import KINDS, JobKind
from reconciler.model.money import RecordedAmount
from reconciler.model.reason import Reason
from reconciler.model.status import (
    Condition,
    ConditionStatus,
    ConditionType,
    HistoryEntry,
    JobFacts,
    JobStatus,
    LimitWarning,
    Origin,
    Receipt,
    RememberedAttempt,
)


class Form(Enum):
    """The form in which a value is written. None is written as `null`."""

    WORD = auto()
    """A number, or a word from a fixed set that YAML reads as text."""
    QUOTED = auto()
    """A word from a fixed set that YAML would read as another type, in quotes."""
    TEXT = auto()
    """A text, in quotes if needed."""
    FOREIGN = auto()
    """A text that a provider sent, or that repeats such a text: cleaned, and in quotes if needed."""
    MOMENT = auto()
    """A time in UTC, in quotes."""
    FLAG = auto()
    """`true` or `false`."""
    MAPPING = auto()
    """A record with one field per line."""
    FLOW = auto()
    """A record on one line."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record.

    Args:
        name: the attribute of the model.
        form: how the value is written, or how each item of a list is written.
        record: the fields of the value, or of each item of a list, or None if it is not a record.
        is_list: whether the value is a tuple, which is written as a list.
        is_left_out: whether the field is omitted while its value is the model's default.
        constant: the value that is always written, or None. The parser ignores it.
    """

    name: str
    form: Form = Form.WORD
    record: Record | None = None
    is_list: bool = False
    is_left_out: bool = False
    constant: str | None = None

    @property
    def key(self) -> str:
        """The key of the field in a file."""
        first, *others = self.name.split("_")
        return first + "".join(map(str.capitalize, others))


@dataclass(frozen=True, slots=True)
class Record:
    """The fields of one class of the model, in the order in which they are written.

    Args:
        model: the class.
        fields: one field for each attribute that is not in `elsewhere`, and the constants.
        elsewhere: the attributes without a field, because another part of the file contains them, or because they are
            never written and keep their default.
    """

    model: type[Any]
    fields: tuple[Field, ...]
    elsewhere: tuple[str, ...] = ()

    @property
    def types(self) -> Mapping[str, Any]:
        """The type of each attribute of the model, by its name."""
        return get_type_hints(self.model)

    def default(self, attribute: str) -> object:
        """Return the default value of an attribute of the model; `MISSING` if it has no default."""
        return next(each.default for each in fields(self.model) if each.name == attribute)

    def field(self, attribute: str) -> Field:
        """Return the field for an attribute. Raises `LookupError` if the record has no field for it."""
        found = next((each for each in self.fields if each.name == attribute), None)
        if found is None:
            msg = f"the format of a status has no field for {self.model.__name__}.{attribute}"
            raise LookupError(msg)
        return found


@dataclass(frozen=True, slots=True)
class ProviderCondition:
    """The condition that says why an account cannot be observed."""

    reason: Reason
    message: str
    last_transition_time: datetime


@dataclass(frozen=True, slots=True)
class ProviderTree:
    """A `ProviderStatus` in the structure of its file, in which the condition is the only item of a list."""

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
COUNTS = Record(JobCounts, (Field("total"), Field("done"), Field("failed")))
_FACTS = {
    each.name: each
    for each in (
        Field("provider_status", Form.FOREIGN),
        Field("model", Form.FOREIGN),
        Field("fine_tuned_model", Form.FOREIGN),
        Field("output_file", Form.FOREIGN),
        Field("created_at", Form.MOMENT),
        Field("started_at", Form.MOMENT),
        Field("finished_at", Form.MOMENT),
        Field("expires_at", Form.MOMENT),
        Field("counts", Form.FLOW, COUNTS),
        Field("tokens"),
        Field("trained_tokens"),
        Field("error", Form.MAPPING, ERROR),
    )
}
"""The fields for the facts about a job, by attribute. `JobKind.facts` lists those of each kind."""


def _job(kind: JobKind) -> Record:
    """Return the record for the facts about jobs of one kind."""
    own = tuple(_FACTS[name] for name in kind.facts)
    return Record(
        JobFacts,
        (Field("account", Form.TEXT), Field("id", Form.TEXT), *own),
        elsewhere=tuple(name for name in _FACTS if name not in kind.facts),
    )


ORIGIN = Record(Origin, (Field("commit", Form.TEXT), Field("author", Form.TEXT)))
_AMOUNT = (Field("amount", Form.TEXT), Field("currency", Form.TEXT), Field("basis"))
AMOUNT = Record(RecordedAmount, (*_AMOUNT, Field("document", Form.TEXT, is_left_out=True)))
SUNK_COST = Record(RecordedAmount, _AMOUNT, elsewhere=("document",))
"""A sunk cost. It is always at a price of the operator."""
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
        Field("not_spent", Form.MAPPING, AMOUNT, is_left_out=True),
        Field("sunk_cost", Form.MAPPING, SUNK_COST, is_left_out=True),
    ),
)
REMEMBERED = Record(
    RememberedAttempt,
    (
        Field("account", Form.TEXT),
        Field("requested_at", Form.MOMENT),
        Field("approved_by", Form.TEXT),
        Field("verb", is_left_out=True),
        Field("sunk_cost", Form.MAPPING, SUNK_COST, is_left_out=True),
    ),
)
WARNING = Record(
    LimitWarning,
    (
        Field("limit", Form.TEXT),
        Field("since", Form.MOMENT),
        Field("cost", Form.TEXT, is_left_out=True),
        Field("price", Form.TEXT, is_left_out=True),
    ),
)
HISTORY = Record(HistoryEntry, (Field("at", Form.MOMENT), Field("phase"), Field("reason")))


def _job_status(kind: JobKind) -> Record:
    return Record(
        JobStatus,
        (
            Field("observed_generation"),
            Field("observed_spec", Form.TEXT),
            Field("source", Form.TEXT),
            Field("phase"),
            Field("final", Form.FLAG),
            Field("doubted_at", Form.MOMENT, is_left_out=True),
            Field("paused_elsewhere", Form.TEXT, is_left_out=True),
            Field("conditions", Form.MAPPING, CONDITION, is_list=True),
            Field("job", Form.MAPPING, _job(kind)),
            Field("receipts", Form.MAPPING, RECEIPT, is_list=True),
            Field("warning", Form.MAPPING, WARNING, is_left_out=True),
            Field("spent", Form.MAPPING, REMEMBERED, is_list=True, is_left_out=True),
            Field("history", Form.FLOW, HISTORY, is_list=True),
        ),
        elsewhere=("name", "kind"),
    )


JOB_STATUSES: Mapping[str, Record] = MappingProxyType({name: _job_status(kind) for name, kind in KINDS.items()})
"""The record of the mapping `status` in a job's status file, by the name of the job's kind.

The file contains the names of the job and of the kind above this mapping.
"""

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
"""The mapping `status` in `_providers/<name>.yaml`."""

RECORDS = (
    CONDITION,
    ERROR,
    COUNTS,
    *map(_job, KINDS.values()),
    ORIGIN,
    AMOUNT,
    SUNK_COST,
    RECEIPT,
    REMEMBERED,
    WARNING,
    HISTORY,
    *JOB_STATUSES.values(),
    PROVIDER_CONDITION,
    PROVIDER_STATUS,
)
