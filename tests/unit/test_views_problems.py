from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.model.diagnostic import Diagnostic, Severity
from reconciler.model.job import Unobserved
from reconciler.model.reason import Reason
from reconciler.model.report import Expired, ExpiredClock, Report
from reconciler.views.layout import Canvas
from reconciler.views.problems import problems, problems_text, validation_text
from reconciler.views.render_context import RenderContext
from tests.support.reports import CONTEXT, NOW, a_refusal, a_row, a_waiting_row

MISSPELT = Diagnostic(
    file="specs/a.yaml",
    line=7,
    field="spec.desiredState",
    message="'canceled' is not one of running, paused, cancelled, observed",
    suggestion="did you mean 'cancelled'?",
)
EMPTY = Diagnostic(file="specs/b.yaml", line=2, message="says nothing", severity=Severity.WARNING)


def text_of(report: Report, width: int = 400) -> str:
    return problems_text(problems(report), Canvas(width), CONTEXT.find_source)


@pytest.mark.parametrize("width", [60, 200])
def test_a_diagnostic_stays_on_one_line_at_any_width(width: int) -> None:
    text = text_of(Report(diagnostics=(EMPTY, MISSPELT)), width)

    assert text == (
        "specs/a.yaml:7: spec.desiredState: 'canceled' is not one of running, paused, cancelled, observed; "
        "did you mean 'cancelled'?\n"
        "specs/b.yaml:2: says nothing (warning)\n"
    )


def test_a_refusal_contains_its_numbers_and_how_to_approve_it() -> None:
    names = tuple(f"sweep-{number:02}" for number in range(25))
    text = text_of(Report(refusals=(a_refusal("openai", *names),)))

    assert text.startswith(
        "error: refused by the guard: 25 changes wanted at once: 83 % of 30 unfinished jobs (openai)"
    )
    assert "--allow-cancels 25" in text


def test_two_refusals_suggest_one_approval_that_covers_both() -> None:
    refusals = (a_refusal("openai", "a", "b", "c"), a_refusal("overall", "a", "b", "c", "d"))
    text = text_of(Report(refusals=refusals))

    assert text.count("refused by the guard") == 2
    assert text.count("--allow-cancels") == 1
    assert "--allow-cancels 4" in text


def test_problems_are_sorted_with_the_most_severe_last() -> None:
    report = Report(
        notices=("a status was discarded",),
        diagnostics=(MISSPELT,),
        refusals=(a_refusal("openai", "a"),),
        errors=("the disk is full",),
    )

    assert [problem.code for problem in problems(report)] == [
        "Notice",
        "InvalidDocument",
        "RefusedByGuard",
        "InternalError",
    ]


def test_an_expired_timeout_is_reported_by_its_option_with_the_unfinished_jobs() -> None:
    rows = (a_waiting_row(), replace(a_row("chat"), unobserved=Unobserved(Reason.CANNOT_OBSERVE_PROVIDER, "no answer")))
    waited = Expired(ExpiredClock.WAIT, 10.0, ("support-triage",))
    failed = Expired(ExpiredClock.TIMEOUT, 300.0, ("chat",))
    text = text_of(Report(rows=rows, expired=(waited, failed)))

    assert text.splitlines() == [
        "error: --wait=10s expired with 1 job still in progress: support-triage",
        "  The next pass continues from here. To allow more time, pass, for example, --wait=1h.",
        "error: --timeout=5m expired with 1 job not observed: chat",
        "  The next pass continues from here. To allow more time, pass, for example, --timeout=1h.",
    ]


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ((), "Everything is valid."),
        ((EMPTY,), "0 errors and 1 warning in 1 file."),
        ((EMPTY, MISSPELT), "1 error and 1 warning in 2 files."),
    ],
)
def test_the_last_line_of_a_validation_is_its_verdict(found: tuple[Diagnostic, ...], verdict: str) -> None:
    text = validation_text(Report(diagnostics=found), RenderContext(Canvas(80), NOW))

    assert text.splitlines()[-1] == verdict
    assert len(text.splitlines()) == 1 + len(found)


def test_a_validation_that_could_not_read_every_file_does_not_call_everything_valid() -> None:
    text = validation_text(Report(errors=("specs/status/a.yaml cannot be read",)), RenderContext(Canvas(80), NOW))

    assert text == "Every file that could be read is valid.\n"
