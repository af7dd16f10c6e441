"""The audit log has one line for each change request and no other line. Its outcome is that of the response."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.second_opinion.request_log import Exchange

if TYPE_CHECKING:
    from tests.second_opinion.command import Run
    from tests.second_opinion.session import Session

CROWDED = 4.0
"""The factor by which a machine must be slow for an immediate response to count as late."""
ODD = frozenset({"silent-close"})
"""Faults after which a client may send a request that never arrives."""


def judge(session: Session, run: Run) -> None:
    """Report each request without a line, each line without a request, and each outcome without a matching response."""
    if not run.option("--audit") or run.disturbed or run.killed or run.code is None:
        return
    lines = [json.loads(line) for line in run.audit.splitlines()]
    requests = [each for each in session.world.record.all()[run.first : run.last] if each.change]
    if any(each.fault in ODD for each in session.world.record.all()[run.first : run.last]):
        return
    if run.crowd > CROWDED:
        _mark_unheard(lines, requests)
    told = Counter((line["verb"], line["jobId"]) for line in lines)
    sent = Counter((each.verb, each.job) for each in requests)
    session.check("audit", told == sent, f"{run}: the audit log has {dict(told)}, the world received {dict(sent)}")
    for line in lines:
        answers = [each for each in requests if (each.verb, each.job) == (line["verb"], line["jobId"])]
        accepted = line["outcome"] == "accepted"
        fits = any(_accepted(each) for each in answers) if accepted else any(_doubtful(each) for each in answers)
        what = f"{run}: {line}, but the requests are {[str(each) for each in answers]}"
        session.check("audit-outcome", fits, what)


def _mark_unheard(lines: list[dict[str, Any]], requests: list[Exchange]) -> None:
    """Count a response that the client did not get in time as lost."""
    unheard = {(line["verb"], line["jobId"]) for line in lines if line["outcome"] == "unanswered"}
    for each in requests:
        if each.fault is None and (each.verb, each.job) in unheard:
            each.fault = "unheard"


def _accepted(each: Exchange) -> bool:
    return each.status is not None and 200 <= each.status < 300


def _doubtful(each: Exchange) -> bool:
    return not each.clean
