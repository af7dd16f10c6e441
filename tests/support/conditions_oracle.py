"""Flux's rules for conditions, as an oracle: every written status must follow them.

The rules are those of Flux's condition checker (`runtime/conditions/check.go` in `fluxcd/pkg`), with its numbers. Its
warnings are failures here. Beside a negative condition, `Ready` has the reason and message of that condition.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model.status import ConditionStatus, ConditionType, JobStatus


def violations(status: JobStatus) -> list[str]:
    """Return each rule that a status breaks, as a message that begins with the rule's number if it has one."""
    return [*_about_presence(status), *_about_ready(status), *_about_generations(status)]


def _about_presence(status: JobStatus) -> Iterator[str]:
    types = [each.type for each in status.conditions]
    if ConditionType.READY not in types:
        yield "0002: Ready is missing"
    if ConditionType.RECONCILING in types and ConditionType.STALLED in types:
        yield "0005: Reconciling and Stalled are both present"
    if len(set(types)) != len(types):
        yield "two conditions have the same type"
    for each in status.conditions:
        if each.type is not ConditionType.READY and each.status is not ConditionStatus.TRUE:
            yield f"WARN 0003/0004: {each.type} is present but not True"


def _about_ready(status: JobStatus) -> Iterator[str]:
    ready = status.condition(ConditionType.READY)
    for negative in status.conditions:
        if ready is None or negative.type is ConditionType.READY:
            continue
        if ready.status is ConditionStatus.TRUE:
            yield f"0001: {negative.type} is present while Ready is True"
        if negative.type is ConditionType.STALLED and ready.status is not ConditionStatus.FALSE:
            yield f"0004: Ready is {ready.status} while Stalled is present"
        if (ready.reason, ready.message) != (negative.reason, negative.message):
            yield f"WARN 0002: Ready and {negative.type} differ in reason or message"
    is_under_way = status.condition(ConditionType.RECONCILING) is not None
    if ready is not None and ready.status is ConditionStatus.UNKNOWN and not is_under_way:
        yield "0011: Ready is Unknown without Reconciling"


def _about_generations(status: JobStatus) -> Iterator[str]:
    for each in status.conditions:
        if each.observed_generation > status.observed_generation:
            yield f"0006: {each.type} has a later generation than the status"
        if each.observed_generation < status.observed_generation:
            yield f"0007/0008/0009: {each.type} has an earlier generation than the status"
