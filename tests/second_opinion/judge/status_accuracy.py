"""Whether the statuses are true, compared with the responses of the world.

The statuses are judged after each command that writes statuses and that was not killed by SIGKILL.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from tests.second_opinion.command import Run
from tests.second_opinion.jobs import UNFINISHED
from tests.second_opinion.request_log import Exchange
from tests.second_opinion.statuses import Receipt, Status, all_of, on_time

if TYPE_CHECKING:
    from tests.second_opinion.session import Session

ENDS = {
    "Cancelled": {"cancelled"},
    "LimitReached": {"cancelled"},
    "Succeeded": {"succeeded"},
    "FinishedBeforeCancel": {"succeeded", "failed", "cancelled"},
    "FinishedDespiteCancel": {"succeeded", "failed"},
    "JobFailed": {"failed"},
    "CancelledElsewhere": {"cancelled"},
    "CancelledByUs": {"cancelled"},
    "PausedElsewhere": {"pausing", "paused"},
}
"""The status values of which the world must have shown one before a status may have this reason."""

AS_DESIRED = {
    "running": {"validating_files", "queued", "running"},
    "paused": {"paused"},
    "cancelled": {"cancelled"},
    "observed": set(UNFINISHED) | {"succeeded", "failed", "cancelled"},
}
ROUNDED = 2.0
"""The maximum difference between a written time and that of the world, in seconds."""


def judge(session: Session, run: Run) -> None:
    """Report each status that the responses of the world contradict, and each receipt without matching requests."""
    if not run.may_change or run.killed == "SIGKILL" or run.code is None:
        return
    spoilt = {each.path: each.left for each in session.damages if each.at <= run.ended and each.left is not None}
    still = {path for path, left in spoilt.items() if run.after.get(path) == left}
    _noticed(session, run, still)
    try:
        statuses = all_of({path: data for path, data in run.after.items() if path not in still})
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        session.blame("status-unreadable", f"after {run}: {type(error).__name__}")
        return
    for status in (on_time(each, session.off) for each in statuses):
        account = account_of(session, status)
        if status.job is None or account is None:
            continue
        looks = [
            each
            for each in session.world.record.all()[: run.last]
            if each.account == account and status.job in each.shown and not each.change
        ]
        _phase(session, run, status, looks)
        _fresh(session, run, status, [each for each in looks if each.at >= run.began])
        for receipt in status.receipts:
            _receipt(session, run, status, receipt, account, looks)


def _noticed(session: Session, run: Run, still: set[str]) -> None:
    """Report a pass over all specs that did not overwrite an edited status of a current spec.

    The status of a spec that was deleted or moved may stay, because the documentation promises only that it is ignored.
    """
    whole = (
        run.verb == "once" and run.code in (0, 1, 65, 69) and not run.option("--selector") + run.option("--provider")
    )
    if not whole or run.disturbed or run.killed:
        return
    expected = {
        f"status/{Path(path).parent / want.doc.name}.yaml"
        for want in session.repository.at(run.began).wants()
        for path in [want.path]
    }
    for path in sorted(still & expected):
        session.blame("damage-unnoticed", f"{path} after {run}")


def account_of(session: Session, status: Status) -> str | None:
    """Return the name of the account that a status describes, or None."""
    named = {(each.type, each.project): each.name for each in session.accounts}
    words = (status.account or "").split()
    options = dict(word.partition("=")[::2] for word in words if "=" in word)
    return named.get((words[0], options.get("project"))) if words else None


def _phase(session: Session, run: Run, status: Status, looks: list[Exchange]) -> None:
    shown = [each.shown[status.job or ""] for each in looks]
    said = [each.said[status.job or ""] for each in looks]
    where = f"{status.name} after {run}"
    if status.word is not None and status.word not in [
        word if isinstance(word, str) else json.dumps(word) for word in said
    ]:
        session.blame("word-never-shown", f"{where}: providerStatus is {status.word!r}, the world showed {said[-3:]}")
    if (
        status.phase in ("cancelled", "succeeded", "failed", "running", "paused", "queued")
        and status.phase not in shown
    ):
        session.blame("phase-never-shown", f"{where}: phase is {status.phase}, the world showed {shown[-3:]}")
    wanted = ENDS.get(status.reason or "")
    if wanted is not None and not wanted & {word for word in shown if isinstance(word, str)}:
        session.blame("reason-never-shown", f"{where}: {status.reason}, but the world showed {shown[-3:]}")
    if status.final and status.phase not in ("cancelled", "succeeded", "failed", "absent"):
        session.blame("false-final", f"{where}: final in phase {status.phase}")


def _fresh(session: Session, run: Run, status: Status, looks: list[Exchange]) -> None:
    """Report a status that is Ready although the last observation of this run contradicts it."""
    if status.ready != "True" or not looks or run.killed:
        return
    last, where = looks[-1].shown[status.job or ""], f"{status.name} after {run}"
    docs = [doc for each in session.repository.during(run.began, run.ended) for _, doc in each.jobs()]
    wanted = {doc.desired for doc in docs if doc.name == status.name}
    fitting = set().union(*(AS_DESIRED[desired] for desired in wanted))
    if status.reason == "AsDesired" and wanted and last not in fitting and not _old_news(looks):
        session.blame("false-ready", f"{where}: AsDesired, but the last observation showed {last!r}, not {wanted}")
    if status.reason in ("Cancelled", "LimitReached", "Succeeded") and last in UNFINISHED and not _old_news(looks):
        session.blame("false-ready", f"{where}: {status.reason}, but the last observation showed {last!r}")


def _old_news(looks: list[Exchange]) -> bool:
    """Return whether one of the last two observations may show an earlier state, because it is a list."""
    return any(each.fault == "list-lags" or each.verb == "list" for each in looks[-2:])


def _receipt(session: Session, run: Run, status: Status, receipt: Receipt, account: str, looks: list[Exchange]) -> None:
    where = f"{status.name} ({status.job}) after {run}"
    asked = [
        each
        for each in session.world.record.all()[: run.last]
        if (each.account, each.job, each.verb) == (account, status.job, receipt.verb)
        and receipt.requested - ROUNDED <= each.at <= _until(session, receipt)
    ]
    refused = sum(each.status == 429 for each in asked)  # a throttled request may count as an attempt or not
    if len(asked) - refused > receipt.attempts:
        session.blame("receipt-too-few", f"{where}: {receipt}, but the world received {len(asked)}")
    lost = sum(each.killed is not None for each in session.runs) + sum(
        each.fault == "silent-close" for each in session.world.record.all()
    )
    if len(asked) + lost < receipt.attempts:
        session.blame("receipt-too-many", f"{where}: {receipt}, but the world received {len(asked)}")
    answers = [each.status for each in asked]
    if receipt.accepted is not None and not any(_accepts(each) for each in asked):
        session.blame("receipt-accepted", f"{where}: {receipt}, but the world responded {answers}")
    if receipt.accepted is None and any(each.clean for each in asked[-1:]) and lost == 0 and receipt.confirmed is None:
        session.blame("receipt-not-accepted", f"{where}: {receipt}, but the world responded {answers}")
    if receipt.confirmed is not None and receipt.verb == "cancel":
        seen = [
            each for each in looks if each.at <= receipt.confirmed + ROUNDED and each.at >= receipt.requested - ROUNDED
        ]
        words = [each.shown[status.job or ""] for each in seen]
        if receipt.outcome in ("cancelled", "succeeded", "failed") and receipt.outcome not in words:
            session.blame("receipt-confirmed", f"{where}: {receipt}, but the world showed {words[-3:]}")
    times = [receipt.requested, receipt.last, receipt.accepted or receipt.last, receipt.confirmed or receipt.last]
    if max(times) > run.ended + ROUNDED or receipt.last < receipt.requested - ROUNDED:
        session.blame("receipt-times", f"{where}: {receipt}")


def _until(session: Session, receipt: Receipt) -> float:
    """Return the latest time at which the request of the last attempt may arrive after its intent was written."""
    published = 5.0 if session.remote.is_there else 1.0
    patience = receipt.last + published * session.clock.speed * max(run.crowd for run in session.runs)
    return max(patience, receipt.accepted + ROUNDED) if receipt.accepted is not None else patience


def _accepts(each: Exchange) -> bool:
    return each.status is not None and (200 <= each.status < 300 or each.refused_as_ended)
