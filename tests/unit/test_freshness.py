"""What a process notes of its passes, for who asks how fresh a status is: a part does not stand for the whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from reconciler.local.last_pass import read_last_pass
from reconciler.model.job import Account, Phase, Unobserved
from reconciler.model.reason import Reason
from reconciler.model.report import AccountReport, Report
from reconciler.wiring.freshness import PassRecorder
from tests.support.build import ACCOUNT, NOW, a_status
from tests.support.subjects import REF
from tests.unit.test_log import a_row

LATER = NOW + timedelta(hours=1)
OTHER = Account("other", "https://other.example.com")
ROW = replace(a_row(a_status(phase=Phase.RUNNING, final=False)), ref=REF)


def a_report(*accounts: Account, reason: Reason | None = None) -> Report:
    """Return a report of passes over one job of each account."""
    return Report(
        rows=tuple(replace(ROW, ref=replace(REF, account=each)) for each in accounts),
        accounts=tuple(
            AccountReport(
                name="main",
                account=each,
                jobs=1,
                has_observed=True,
                unobserved=Unobserved(reason, "no answer") if reason else None,
            )
            for each in accounts
        ),
    )


def observed(state_dir: Path) -> dict[str, datetime]:
    """Return when each account was observed, as far as is noted."""
    last = read_last_pass(state_dir)
    assert last is not None
    return dict(last.observed_at)


def test_a_pass_over_a_part_moves_no_accounts_time_and_forgets_none(tmp_path: Path) -> None:
    PassRecorder(tmp_path, "reconcile", lambda: NOW).record(a_report(ACCOUNT, OTHER))
    PassRecorder(tmp_path, "reconcile", lambda: LATER).record(a_report(ACCOUNT), is_complete=False)
    last = read_last_pass(tmp_path)

    assert last is not None
    assert (last.at, dict(last.observed_at)) == (LATER, {str(ACCOUNT): NOW, str(OTHER): NOW})


def test_an_account_was_observed_when_that_job_was_seen_that_has_not_been_for_the_longest(tmp_path: Path) -> None:
    PassRecorder(tmp_path, "reconcile", lambda: LATER).record(a_report(ACCOUNT, OTHER), {str(ACCOUNT): NOW})

    assert observed(tmp_path) == {str(ACCOUNT): NOW, str(OTHER): LATER}


def test_what_could_not_be_observed_keeps_its_time_and_who_is_gone_is_forgotten(tmp_path: Path) -> None:
    PassRecorder(tmp_path, "reconcile", lambda: NOW).record(a_report(ACCOUNT, OTHER))
    suspect = a_report(ACCOUNT, reason=Reason.OBSERVATION_SUSPECT)
    PassRecorder(tmp_path, "reconcile", lambda: LATER).record(suspect, {str(ACCOUNT): LATER})

    assert observed(tmp_path) == {str(ACCOUNT): NOW}
