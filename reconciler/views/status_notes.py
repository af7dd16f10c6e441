"""The fields of status files for `explain`, derived from the table that the writer and the parser of statuses use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import Enum
from types import MappingProxyType, NoneType
from typing import Any, get_args

from reconciler.formats.status_format import JOB_STATUSES, Field, Record
from reconciler.model.reason import Reason
from reconciler.views.json_schema import FieldNote

MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "status": "What the last pass recorded about the job. Only reconcile writes it.",
        "status.observedGeneration": "The number of the spec's version that the status is about; 0 if there is none.",
        "status.observedSpec": "The digest of the spec that the status is about.",
        "status.source": "The file of the spec, relative to the specs directory.",
        "status.phase": "The state of the job at its provider, in one vocabulary for all providers.",
        "status.final": "Whether the job has ended for good. It is then no longer polled.",
        "status.doubtedAt": "When an observation first contradicted a final phase. It is left out without a doubt.",
        "status.pausedElsewhere": (
            "The digest, without `suspend`, of the spec against which something other than reconcile paused the job. "
            "It is left out if there is no such pause."
        ),
        "status.conditions": "Ready, and Reconciling or Stalled while one of them is true.",
        "status.conditions.type": "The type of the condition.",
        "status.conditions.status": "Whether the condition is true.",
        "status.conditions.reason": "Why, in one word: see `reconcile explain REASON`.",
        "status.conditions.message": "Why, as a sentence. Its wording may change.",
        "status.conditions.observedGeneration": "The version of the spec that the condition is about.",
        "status.conditions.lastTransitionTime": "When the status, the reason or the message last changed.",
        "status.job": "What the provider last reported about the job.",
        "status.job.account": "The provider type, base URL and scope of the account, and the kind of a batch.",
        "status.job.id": "The id of the job at the provider.",
        "status.job.providerStatus": "The provider's own word for the state of the job.",
        "status.job.model": "The base model.",
        "status.job.fineTunedModel": "The name of the resulting model.",
        "status.job.outputFile": "The file or folder with the results.",
        "status.job.createdAt": "When the provider created the job.",
        "status.job.startedAt": "When the job started, or else when it was first observed running.",
        "status.job.finishedAt": "When the job ended.",
        "status.job.expiresAt": "When the provider ends the job if it is not finished.",
        "status.job.counts": "The number of requests in the batch. A change of counts alone writes no file.",
        "status.job.counts.total": "All requests.",
        "status.job.counts.done": "The requests that are done.",
        "status.job.counts.failed": "The requests that failed.",
        "status.job.tokens": "The tokens that the batch has used. A change of tokens alone writes no file.",
        "status.job.trainedTokens": "The tokens that the job has trained.",
        "status.job.error": "The error of a failed job.",
        "status.job.error.code": "The provider's code.",
        "status.job.error.message": "The provider's message.",
        "status.job.error.param": "The parameter that caused the error.",
        "status.receipts": "The changes that reconcile requested, the newest first, at most 5.",
        "status.receipts.verb": "The change.",
        "status.receipts.because": "Whether the spec or a limit caused the change.",
        "status.receipts.reason": "The reason in the spec, or the limit that was exceeded.",
        "status.receipts.origin": "The commit that last changed the spec.",
        "status.receipts.origin.commit": "The id of the commit.",
        "status.receipts.origin.author": "The author of the commit.",
        "status.receipts.requestedAt": "When the receipt was written, which is before the first request was sent.",
        "status.receipts.lastAttemptAt": "When the last request was sent.",
        "status.receipts.attempts": "The number of requests.",
        "status.receipts.acceptedAt": "When the provider last accepted a request.",
        "status.receipts.confirmedAt": "When an observation showed the outcome.",
        "status.receipts.outcome": "How it ended, or null while the receipt is open.",
        "status.receipts.approvedBy": "The approval because of which the guard did not count the change.",
        "status.receipts.refusals": "The number of requests that the provider refused while the job continued.",
        "status.receipts.notSpent": "The spending that the cancel prevents, as estimated when it was requested.",
        "status.receipts.notSpent.amount": "The amount.",
        "status.receipts.notSpent.currency": "The currency of the amount.",
        "status.receipts.notSpent.basis": "What the amount is based on: metered, atLeast, atMost or estimate.",
        "status.receipts.notSpent.document": "The Provider document that states the price; absent for the operator's.",
        "status.receipts.sunkCost": "What the job had cost when the cancel was first requested.",
        "status.receipts.sunkCost.amount": "The amount.",
        "status.receipts.sunkCost.currency": "The currency of the amount.",
        "status.receipts.sunkCost.basis": "What the amount is based on: metered, atLeast, atMost or estimate.",
        "status.warning": "The warning that a limit will cancel the job. It is left out if there is none.",
        "status.warning.limit": "The limit, with its value.",
        "status.warning.since": "When the warning was first written. The limit acts at least `warnBefore` later.",
        "status.warning.cost": "For maxCost: what the job had cost then.",
        "status.warning.price": "For maxCost: the price from which the cost was computed.",
        "status.spent": "First requests of dropped receipts, which the guard still counts.",
        "status.spent.account": "The account of the request.",
        "status.spent.requestedAt": "When it was requested.",
        "status.spent.approvedBy": "The approval because of which the guard does not count it.",
        "status.spent.verb": "Which change it was, if it was no cancel.",
        "status.spent.sunkCost": "What the job had cost when the cancel was first requested.",
        "status.spent.sunkCost.amount": "The amount.",
        "status.spent.sunkCost.currency": "The currency of the amount.",
        "status.spent.sunkCost.basis": "What the amount is based on: metered, atLeast, atMost or estimate.",
        "status.history": "Changes of the phase and the reason, the newest first, at most 10.",
        "status.history.at": "When a pass observed the change.",
        "status.history.phase": "The phase from then on.",
        "status.history.reason": "The reason of Ready from then on.",
    }
)
"""The meaning of each field, by its path below a kind."""
_TYPES = {bool: "true or false", int: "whole number", datetime: "time, as 2026-12-01T00:00:00Z", Reason: "a reason"}


def status_notes() -> tuple[FieldNote, ...]:
    """Return every field of the statuses of each kind of job. A mapping precedes its own fields."""
    return tuple(
        note
        for kind, record in JOB_STATUSES.items()
        for note in (
            FieldNote(path=f"{kind}.status", type="mapping", need=WRITTEN, description=MEANINGS["status"]),
            *_notes(kind, "status", record),
        )
    )


WRITTEN = "written by reconcile"
"""What the page of a status field says where other pages say whether an author must write the field."""


def _notes(kind: str, path: str, record: Record) -> Iterator[FieldNote]:
    for field in record.fields:
        below = f"{path}.{field.key}"
        type_ = _type(field, record.types[field.name])
        yield FieldNote(path=f"{kind}.{below}", type=type_, need=WRITTEN, description=MEANINGS[below])
        if field.record is not None:
            yield from _notes(kind, below, field.record)


def _type(field: Field, hint: Any) -> str:
    if field.record is not None:
        return "list of mapping" if field.is_list else "mapping"
    found = next((each for each in get_args(hint) if each is not NoneType), hint)
    if found in _TYPES:
        return _TYPES[found]
    return ", ".join(found) if isinstance(found, type) and issubclass(found, Enum) else "text"
