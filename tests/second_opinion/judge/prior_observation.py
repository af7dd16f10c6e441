"""The observations of a command before its change requests: it must never act blindly.

README: it never acts on an unknown status value, on a missing or absurd time, or on an incomplete list. In an outage it
changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tests.second_opinion.request_log import Exchange

if TYPE_CHECKING:
    from tests.second_opinion.session import Session

FIT = {
    "cancel": {"validating_files", "queued", "running", "pausing", "paused"},
    "pause": {"validating_files", "queued", "running"},
    "resume": {"paused", "pausing"},
}


def last_shown(session: Session, account: str, job: str) -> object:
    """Return the status of a job in the last observation, or None."""
    looks = [
        each for each in session.world.record.all() if each.account == account and job in each.shown and not each.change
    ]
    return looks[-1].shown[job] if looks else None


def whole_lists(exchanges: list[Exchange]) -> dict[int, int]:
    """Return, for the index of each page of a completely received list, the index of the last page of that list."""
    finished: dict[int, int] = {}
    open_pages: dict[str | None, list[int]] = defaultdict(list)
    for index, each in enumerate(exchanges):
        if each.verb != "list":
            continue
        if each.first_page:
            open_pages[each.account] = []
        if each.whole and each.status == 200:
            open_pages[each.account].append(index)
            if each.last_page:
                finished.update(dict.fromkeys(open_pages[each.account], index))
                open_pages[each.account] = []
    return finished


def judge(session: Session) -> None:
    """Report each change of a job that its command had not observed, or that its last observation did not permit."""
    exchanges = session.world.record.all()
    whole = whole_lists(exchanges)
    for index, each in enumerate(exchanges):
        if not each.change or each.account is None or each.job is None:
            continue
        begins = [run.first for run in session.runs if run.may_change and run.first <= index < run.last]
        seen = [
            look
            for at, look in enumerate(exchanges[:index])
            if at >= min(begins, default=index)
            and not look.change
            and look.account == each.account
            and each.job in look.shown
            and (look.verb != "list" or whole.get(at, index) < index)
        ]
        if not seen:
            session.blame("blind-change", f"{each}: this command had not observed the job", each.at)
        elif seen[-1].shown[each.job] not in FIT[each.verb]:
            what = f"{each}: the last observation showed {seen[-1].shown[each.job]!r}"
            session.blame("change-on-word", what, each.at)
