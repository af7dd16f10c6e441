"""Whether statuses are published in time: each intent before its request is sent, and each status after a pass.

README: with `--push`, each intent is pushed before its request is sent. OPERATIONS: while the remote is unreachable, no
change is requested with `--push`, because no intent can be published.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from tests.second_opinion.request_log import Exchange
from tests.second_opinion.statuses import Receipt, on_time, read

if TYPE_CHECKING:
    from tests.second_opinion.command import Run
    from tests.second_opinion.session import Session

FINISHED = (0, 1, 65)


def intent(session: Session, request: Exchange) -> None:
    """Report a change request that arrives while the remote contains no open intent for it."""
    if any(run.verb == "retry" for run in session.under_way):
        return
    receipts = [
        receipt
        for path, data in session.remote.published().items()
        if "/_" not in path
        for receipt in _receipts(session, path, data, request)
    ]
    sent = [each for each in session.world.record.changes() if _same(each, request) and each.status != 429]
    known = any(
        receipt.confirmed is None and receipt.attempts >= sum(each.at >= receipt.requested - 2 for each in sent)
        for receipt in receipts
    )
    session.check("unpublished-intent", known, f"{request}: the remote has the receipts {receipts}", request.at)


def _same(each: Exchange, other: Exchange) -> bool:
    return (each.account, each.job, each.verb) == (other.account, other.job, other.verb)


def _receipts(session: Session, path: str, data: bytes, request: Exchange) -> list[Receipt]:
    try:
        status = on_time(read(path, data), session.off)
    except (yaml.YAMLError, KeyError, TypeError, ValueError):
        return []
    return [each for each in status.receipts if status.job == request.job and each.verb == request.verb]


def judge(session: Session, run: Run) -> None:
    """Report a pass that left a status unpublished, although it ended by itself and the remote was reachable."""
    ended = run.verb == "once" and run.code in FINISHED and not (run.disturbed or run.killed or run.disk)
    if ended and "--dry-run" not in run.args and session.remote.mode in ("commit", "push"):
        said = "publish" in run.err or "git " in run.err
        session.check("unpublished-status", said or not run.unpublished, f"{run}: {run.unpublished}, {run.err}")
