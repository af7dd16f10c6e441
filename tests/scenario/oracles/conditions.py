"""Flux's rules for conditions, checked on one status file. The numbers of the rules are those of Flux's checker.

Source: fluxcd/pkg `runtime/conditions/check`. `Reconciling` and `Stalled` are the negative conditions, which report a
problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.scenario.oracles.status_yaml import Tree

_NEGATIVE = ("Reconciling", "Stalled")
_FIELDS = {"type", "status", "reason", "message", "observedGeneration", "lastTransitionTime"}
_REASON = re.compile(r"[A-Z][A-Za-z]+")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_MESSAGE_MAX = 1024


def violations(tree: Tree) -> Iterator[str]:
    """Yield the rules that a job's status breaks."""
    status = tree["status"]
    conditions = {each["type"]: each for each in status["conditions"]}
    if len(conditions) != len(status["conditions"]):
        yield "two conditions have the same type"
    if conditions.keys() - {"Ready", *_NEGATIVE}:
        yield f"unknown conditions: {sorted(conditions)}"
    if "Ready" not in conditions:
        yield "FAIL0002: Ready is missing"
        return
    yield from _together(conditions)
    for each in conditions.values():
        if each["observedGeneration"] != status["observedGeneration"]:
            yield f"FAIL0006-9: {each['type']} has generation {each['observedGeneration']}, not that of the status"
        yield from _form(each)


def _together(conditions: dict[str, Tree]) -> Iterator[str]:
    ready = conditions["Ready"]
    others = [conditions[each] for each in _NEGATIVE if each in conditions]
    if len(others) > 1:
        yield "FAIL0005: Reconciling and Stalled are both present"
    if ready["status"] == "Unknown" and "Reconciling" not in conditions:
        yield "FAIL0011: Ready is Unknown without Reconciling"
    for each in others:
        if each["status"] != "True":
            yield f"WARN0003/4: {each['type']} is present but not True"
        if ready["status"] == "True":
            yield f"FAIL0001: Ready is True beside {each['type']}"
        if each["type"] == "Stalled" and ready["status"] != "False":
            yield "FAIL0004: Stalled is present, and Ready is not False"
        if (each["reason"], each["message"]) != (ready["reason"], ready["message"]):
            yield f"WARN0002: Ready and {each['type']} differ in reason or message"


def _form(condition: Tree) -> Iterator[str]:
    if condition["status"] not in {"True", "False", "Unknown"}:
        yield f"{condition['type']} is {condition['status']}"
    if condition.keys() != _FIELDS:
        yield f"{condition['type']} has the fields {sorted(condition)}"
    if _REASON.fullmatch(condition["reason"]) is None:
        yield f"{condition['reason']} is not a valid reason"
    if _MOMENT.fullmatch(condition["lastTransitionTime"]) is None:
        yield f"{condition['lastTransitionTime']} is not a time in whole seconds of UTC"
    if not condition["message"] or len(condition["message"]) > _MESSAGE_MAX or not condition["message"].isprintable():
        yield f"the message is empty, too long or not printable: {condition['message']!r}"
