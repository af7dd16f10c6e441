"""A job that something else paused must not be resumed, unless a person wants that (OPERATIONS.md, `PausedElsewhere`).

Only resumes are judged for which a status, written before the command, shows what was known: the job was unpaused, or
reported as paused by something else. Its spec must not have changed since, and nobody may have requested a retry.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import yaml

from tests.second_opinion.command import Run
from tests.second_opinion.judge.status_accuracy import account_of
from tests.second_opinion.request_log import Exchange
from tests.second_opinion.statuses import Status, all_of

if TYPE_CHECKING:
    from tests.second_opinion.session import Session

UNPAUSED = frozenset({"validating_files", "queued", "running"})


def judge(session: Session) -> None:
    """Report each resume that only a person may cause."""
    for index, each in enumerate(session.world.record.all()):
        if each.verb != "resume":
            continue
        runs = [run for run in session.runs if run.may_change and run.first <= index < run.last]
        if len(runs) != 1 or _is_retried(session, runs[0], each) or not _is_unedited(session, runs[0], each):
            continue
        status = _status_before(session, runs[0], each)
        if status is not None:
            what = f"{each}: before {runs[0]}, the status said {status.phase} {status.reason}"
            session.check("resume-against-others", not _is_of_others(status), what, each.at)


def _is_retried(session: Session, run: Run, each: Exchange) -> bool:
    """Return whether a person requested a retry, also of a watch that was running then."""
    return any(other.verb == "retry" and other.ended >= run.began and other.began <= each.at for other in session.runs)


def _is_unedited(session: Session, run: Run, each: Exchange) -> bool:
    """Return whether the spec was the same since the command before this one had ended."""
    since = max((other.ended for other in session.runs if other.ended <= run.began), default=0.0)
    found = [
        {doc for _, doc in snapshot.jobs() if doc.job == each.job}
        for snapshot in session.repository.during(since, each.at)
    ]
    return all(len(docs) == 1 and docs == found[0] for docs in found)


def _status_before(session: Session, run: Run, each: Exchange) -> Status | None:
    """Return the undamaged status of the job before a command, or None."""
    damaged = {damage.path for damage in session.damages}
    with suppress(yaml.YAMLError, KeyError, TypeError, ValueError):
        statuses = all_of({path: data for path, data in run.before.items() if path not in damaged})
        return next((x for x in statuses if x.job == each.job and account_of(session, x) == each.account), None)
    return None


def _is_of_others(status: Status) -> bool:
    is_pause_ours = bool(status.receipts) and status.receipts[0].verb == "pause"
    return status.reason == "PausedElsewhere" or (status.phase in UNPAUSED and not is_pause_ours)
