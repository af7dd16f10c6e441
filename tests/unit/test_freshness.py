"""When each account was last observed, as each pass records it. An incomplete pass does not change these times."""

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
    """Return the recorded observation time of each account."""
    last = read_last_pass(state_dir)
    assert last is not None
    return dict(last.observed_at)


def test_an_incomplete_pass_keeps_the_observation_times_of_all_accounts(tmp_path: Path) -> None:
    PassRecorder(tmp_path, "reconcile", lambda: NOW).record(a_report(ACCOUNT, OTHER))
    PassRecorder(tmp_path, "reconcile", lambda: LATER).record(a_report(ACCOUNT), is_complete=False)
    last = read_last_pass(tmp_path)

    assert last is not None
    assert (last.at, dict(last.observed_at)) == (LATER, {str(ACCOUNT): NOW, str(OTHER): NOW})


def test_the_time_of_an_account_is_that_of_its_least_recently_observed_job(tmp_path: Path) -> None:
    PassRecorder(tmp_path, "reconcile", lambda: LATER).record(a_report(ACCOUNT, OTHER), {str(ACCOUNT): NOW})

    assert observed(tmp_path) == {str(ACCOUNT): NOW, str(OTHER): LATER}


def test_an_unobserved_account_keeps_its_time_and_a_removed_account_is_dropped(tmp_path: Path) -> None:
    PassRecorder(tmp_path, "reconcile", lambda: NOW).record(a_report(ACCOUNT, OTHER))
    suspect = a_report(ACCOUNT, reason=Reason.OBSERVATION_SUSPECT)
    PassRecorder(tmp_path, "reconcile", lambda: LATER).record(suspect, {str(ACCOUNT): LATER})

    assert observed(tmp_path) == {str(ACCOUNT): NOW}
