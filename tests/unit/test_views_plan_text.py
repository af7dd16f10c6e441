from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.model.action import Progress
from reconciler.model.job import Account, Phase, Unobserved
from reconciler.model.reason import Reason
from reconciler.model.report import AccountReport, Report, Row
from reconciler.model.status import Because, ConditionType
from reconciler.views.layout import UNLIMITED_WIDTH, Canvas
from reconciler.views.plan_text import plan_text
from reconciler.views.render_context import RenderContext
from tests.support.build import a_job
from tests.support.reports import (
    NOW,
    OPEN,
    OPENAI,
    a_row,
    a_stalled_row,
    a_suspended_row,
    a_waiting_row,
    with_cancel,
)

AZURE = Account("azure-openai", "https://example.openai.azure.com")
MIXED = (
    with_cancel(a_waiting_row(), why="learning rate 10x too high, see #412"),
    *(a_row(name) for name in ("eval", "chat", "summaries")),
    a_stalled_row("old-run", message="the provider does not know this id and never did: look for a typo"),
    a_suspended_row("frozen"),
)


def text_of(*rows: Row, width: int = 80, accounts: tuple[AccountReport, ...] = ()) -> str:
    return plan_text(Report(rows=rows, accounts=accounts), RenderContext(Canvas(width), NOW))


def test_a_planned_change_shows_its_reason_its_age_its_job_and_its_spec() -> None:
    text = text_of(*MIXED)

    assert text.startswith(
        "cancel support-triage: running -> cancelled\n"
        "  why    the spec wants it: learning rate 10x too high, see #412\n"
        "  spent  5h15m since it was created, 2026-11-23 09:00 UTC; seen running for 5h3m\n"
        "  job    ftjob-support-triage at openai https://api.openai.com/v1\n"
        "  spec   team-a/bots.yaml\n"
    )


def test_the_last_line_of_a_plan_is_its_summary() -> None:
    text = text_of(*MIXED, width=120)

    assert text.splitlines()[-1] == ("Plan: 1 to cancel; 3 as desired; 1 stalled; 1 suspended.")


def test_a_plan_shows_the_observed_progress_of_a_job() -> None:
    seen = a_job(estimated_finish_at=NOW + timedelta(hours=15), trained_tokens=5120)
    text = text_of(replace(with_cancel(a_waiting_row()), seen=seen), width=120)

    assert "seen running for 5h3m; 5,120 tokens trained\n" in text
    assert "  left   15h if nothing stops it, until 2026-11-24 05:15 UTC (25 % of the way)\n" in text


def test_a_finished_job_shows_no_remaining_time() -> None:
    seen = a_job(Phase.SUCCEEDED, estimated_finish_at=NOW + timedelta(hours=15))
    text = text_of(replace(with_cancel(a_row(phase=Phase.SUCCEEDED)), seen=seen))

    assert "left" not in text


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_message_that_does_not_fit_beside_its_job_is_shown_below_it(width: int) -> None:
    text = text_of(a_stalled_row("old-run", message="word " * 30), a_stalled_row("chat", message="short"), width=width)

    assert max(map(len, text.splitlines())) <= width
    assert "  old-run  JobNotFound\n    word word" in text
    assert "  chat  JobNotFound\n    short\n" in text


def test_a_plan_shows_the_limit_and_earlier_attempts_of_a_change() -> None:
    row = a_row("stubborn", phase=Phase.QUEUED, started_at=None, receipts=(OPEN,))
    text = text_of(with_cancel(row, why="maxAge 24h", because=Because.LIMIT_REACHED, is_first_attempt=False))

    assert "why    over its limit: maxAge 24h" in text
    assert "spent  5h15m since it was created, 2026-11-23 09:00 UTC\n" in text
    assert "again  requested 2 times before, last at 2026-11-23 14:05 UTC" in text


def test_a_plan_lists_every_change_even_if_there_are_many() -> None:
    names = [f"sweep-{number:02}" for number in range(40)]
    text = text_of(*(with_cancel(a_waiting_row(name)) for name in names))

    assert all(text.count(name) == 1 for name in names)
    assert "Plan: 40 to cancel" in text


def test_a_shared_reason_is_shown_once_on_a_terminal_and_on_each_line_of_a_log() -> None:
    rows = [with_cancel(a_waiting_row(f"sweep-{number:02}"), why="started twice") for number in range(12)]

    assert text_of(*rows).count("started twice") == 1
    assert text_of(*rows, width=UNLIMITED_WIDTH).count("started twice") == 12


def test_changes_refused_by_the_guard_are_listed_but_not_planned() -> None:
    rows = [with_cancel(a_stalled_row(f"sweep-{number:02}"), progress=Progress.REFUSED) for number in range(25)]
    text = text_of(*rows)

    assert "Refused by the guard: none of these changes" in text
    assert text.count("sweep-") == 25
    assert "Plan: 25 refused." in text


def test_a_plan_without_changes_says_nothing_to_change() -> None:
    assert text_of(a_row()).startswith("Nothing to change.\n")


def test_an_unobserved_account_is_reported_once_for_all_its_jobs() -> None:
    report = AccountReport(
        name="azure-eastus",
        account=AZURE,
        jobs=2,
        unobserved=Unobserved(Reason.RATE_LIMITED, "the provider asks us to wait", retry_after_s=41.2),
    )
    text = text_of(
        *(a_row(name, account=AZURE, unobserved="wait") for name in ("east-1", "east-2")), accounts=(report,)
    )

    assert "azure-eastus  RateLimited  the provider asks us to wait; 2 jobs; retry in 42s" in text
    assert "east-1" not in text
    assert "2 not seen." in text


def test_an_account_with_doubted_absences_promises_no_retry_and_denies_no_later_observation() -> None:
    doubt = Unobserved(Reason.OBSERVATION_SUSPECT, "missing jobs are considered deleted later", is_transient=False)
    report = AccountReport(name="openai", account=OPENAI, jobs=2, unobserved=doubt)

    assert "missing jobs are considered deleted later; 2 jobs; not retried in this run\n" in text_of(accounts=(report,))


def test_an_unobserved_job_of_an_observed_account_is_reported_by_name() -> None:
    answered = AccountReport(name="openai", account=OPENAI, jobs=1, requests=1)
    text = text_of(a_row("lost", unobserved="no response within 45 s"), accounts=(answered,))

    assert "lost  CannotObserveProvider  could not observe: no response within 45 s" in text


def test_a_job_with_an_unknown_status_is_not_said_to_wait_for_a_request() -> None:
    row = a_row("odd", phase=Phase.UNKNOWN, reason=Reason.PHASE_NOT_UNDERSTOOD, also=ConditionType.RECONCILING)
    text = plan_text(Report(rows=(row,)), RenderContext(Canvas(), NOW))

    assert "On the way: waiting for the provider" in text
    assert "requested" not in text


def test_a_plan_lists_the_first_twenty_stalled_jobs_and_the_number_of_the_others() -> None:
    text = text_of(*(a_stalled_row(f"job-{number:03}") for number in range(120)))

    assert text.count("JobNotFound") == 20
    assert "and 100 more: `reconcile get` lists them all" in text


def test_external_text_cannot_control_the_terminal_or_the_layout() -> None:
    text = text_of(with_cancel(a_waiting_row(), why="\x1b[2J[red]stop[/red]\nPlan: 0 to cancel"))

    assert r"the spec wants it: \x1b[2J[red]stop[/red] Plan: 0 to cancel" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("times", [1, 12])
def test_no_line_of_a_plan_is_wider_than_the_terminal(width: int, times: int) -> None:
    text = text_of(*(MIXED * times), width=width)

    assert max(map(len, text.splitlines())) <= width


def test_a_plan_is_coloured_only_if_colour_is_enabled() -> None:
    report = Report(rows=MIXED)
    coloured = plan_text(report, RenderContext(Canvas(80, has_color=True), NOW))

    assert "\x1b[1;31mcancel" in coloured
    assert plan_text(report, RenderContext(Canvas(80), NOW)).isascii()
