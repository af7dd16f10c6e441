"""What a watch logs while it starts, and that a quick start logs nothing."""

from __future__ import annotations

import io
import json
from dataclasses import replace

from reconciler.model.action_record import AccountAnswered, ObservationEnded, ObservationStarted
from reconciler.model.election import ElectionStatus
from reconciler.model.job import Account
from reconciler.model.watch_status import WatchStatus
from reconciler.telemetry.log import make_logger
from reconciler.telemetry.start_log import StartLog
from tests.support.reports import NOW

ACCOUNTS = [Account("openai", f"https://host-{number}.example.org/v1") for number in range(8)]
END = "each account was observed, or its failure was reported, 30 s after the start"


def starting(at: float, *, unobserved: tuple[str, ...] = (), is_done: bool = False) -> WatchStatus:
    """Return a watch at a time, in monotonic seconds. With unobserved accounts, its first pass has ended."""
    finished = NOW if unobserved or is_done else None
    return WatchStatus(
        interval_s=60, heartbeat_at=at, progress_at=at, watched_at=at, finished_at=finished, unobserved=unobserved
    )


class Started:
    """A watch that starts, and its log."""

    def __init__(self) -> None:
        self._stream = io.StringIO()
        self.log = StartLog(make_logger(self._stream))

    def observe(self, begun: int, ended: int) -> None:
        """Let the observation of some accounts begin, each with 625 jobs, and of some of them end."""
        for account in ACCOUNTS[:begun]:
            self.log.log_event(ObservationStarted(account=account, name="any", jobs=625))
            self.log.log_event(AccountAnswered(account))
        for account in ACCOUNTS[:ended]:
            self.log.log_event(ObservationEnded(account=account, name="any"))

    def see(self, *watches: WatchStatus) -> None:
        """Report these states of the watch."""
        for watch in watches:
            self.log.log_change(watch)

    def said(self) -> list[str]:
        """Return the messages so far."""
        return [json.loads(line)["message"] for line in self._stream.getvalue().splitlines()]


def test_a_long_start_logs_its_progress_every_ten_seconds_and_its_end() -> None:
    watch = Started()

    watch.see(starting(100), starting(108), starting(110), starting(112))
    watch.observe(begun=8, ended=5)
    watch.see(starting(120), starting(122), starting(130, is_done=True), starting(150, is_done=True))

    assert watch.said() == [
        "still starting: the specs are being read",
        "still starting: 5 of 8 accounts observed, with 3,125 of 5,000 jobs, after 8 requests",
        END,
    ]


def test_an_account_that_hangs_is_named_after_the_first_pass() -> None:
    watch = Started()

    watch.see(starting(100))
    watch.observe(begun=2, ended=1)
    watch.see(starting(101, unobserved=("one",)), starting(111, unobserved=("one",)))

    assert watch.said() == [
        "still starting: 1 of 2 accounts observed, with 625 of 1,250 jobs, after 2 requests; not observed yet: one"
    ]


def test_a_quick_start_logs_nothing() -> None:
    watch = Started()

    watch.see(starting(100), starting(102), starting(104, is_done=True), starting(900, is_done=True))

    assert watch.said() == []


def test_a_standby_logs_no_start_until_it_leads() -> None:
    watch = Started()
    waits = ElectionStatus("lease:jobs/reconcile", holder="another replica")

    watch.see(*(replace(starting(at), leadership=waits) for at in (100, 120, 140)))
    standing_by = watch.said()
    watch.see(starting(150), starting(161))

    assert standing_by == []
    assert watch.said() == ["still starting: the specs are being read"]


def test_a_watch_that_stops_logs_no_progress() -> None:
    watch = Started()

    watch.see(starting(100), replace(starting(120), is_stopping=True))

    assert watch.said() == []
