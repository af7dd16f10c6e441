"""What a pass amounts to: a row for each spec, a line for each account, and the exit codes that follow."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.controller.account_outcome import AccountOutcome
from reconciler.controller.applied import Applied
from reconciler.controller.build_report import PassResult, build_report, exit_codes
from reconciler.controller.desired_specs import load_desired_specs
from reconciler.controller.other_statuses import OtherStatuses
from reconciler.controller.pass_memory import PassMemory
from reconciler.controller.plan import AccountPlan, JobPlan
from reconciler.controller.requeue import RequeueReason
from reconciler.controller.run_options import RunOptions
from reconciler.controller.spec_resolver import ResolutionCache
from reconciler.core.conditions import stalled
from reconciler.core.guard import ChangeLimits, judge
from reconciler.core.settle import RequestOutcome
from reconciler.model.action import Progress
from reconciler.model.diagnostic import Diagnostic, Severity
from reconciler.model.exit_code import ExitCode
from reconciler.model.job import Account, JobRef, Unobserved
from reconciler.model.reason import Reason
from reconciler.model.report import AccountReport, Expired, ExpiredClock, Report
from reconciler.model.spec import DesiredState
from reconciler.ports import Unread
from tests.support.build import ACCOUNT, NOW, a_spec, a_status
from tests.support.in_memory import Statuses, World
from tests.support.in_memory_accounts import a_case, a_target, a_world, an_account, controlled, named_specs
from tests.support.subjects import MINUTE, REF, a_past, a_subject
from tests.unit.test_log import a_row

AWAY = Unobserved(Reason.CANNOT_OBSERVE_PROVIDER, "no answer")
UNSET = Unobserved(Reason.AUTHENTICATION_FAILED, "no key is set", is_transient=False, is_configuration=True)
REFUSAL = judge("overall", ("chat",), 9, 1, ChangeLimits())


def an_outcome(
    *cases: JobPlan, progress: Progress | None = None, errors: tuple[str, ...] = (), **plan: Any
) -> AccountOutcome:
    """Return what one account did with these cases, each looked at from `NOW` on."""
    answer = RequestOutcome(progress) if progress else None
    done = tuple(Applied(case, case.decision.status, MINUTE, answer, errors) for case in cases)
    rest: dict[str, Any] = {"unobserved": None, "refusals": (), "errors": (), "begun_at": NOW} | plan
    return AccountOutcome(a_target(), "openai", AccountPlan(ACCOUNT, cases, **rest), done)


def built(
    world: World,
    *outcomes: AccountOutcome,
    others: OtherStatuses | None = None,
    errors: tuple[str, ...] = (),
    memory: PassMemory | None = None,
    is_dry: bool = False,
    **options: Any,
) -> PassResult:
    """Return the result of a pass in which the accounts did this."""
    runtime = world.runtime() if is_dry else controlled(world)
    desired = load_desired_specs(runtime, RunOptions(**options), ResolutionCache(), by_content=True)
    return build_report(desired, outcomes, others or OtherStatuses(), errors, memory or PassMemory(), runtime)


def a_small_world(**snapshot: Any) -> World:
    """Return a world with one spec, whose job is to be cancelled."""
    return a_world(an_account(), a_spec(), **snapshot)


def test_a_row_tells_what_a_spec_wants_what_is_and_what_was_done() -> None:
    case = a_case(a_spec())
    result = built(a_small_world(), an_outcome(case, progress=Progress.ACCEPTED))
    (row,) = result.report.rows

    assert (row.name, row.source, row.provider, row.ref) == ("support-triage", "bots.yaml", "openai", REF)
    assert row.wanted is DesiredState.CANCELLED
    assert row.status == case.decision.status
    assert row.before is None
    assert (row.action, row.progress) == (case.decision.action, Progress.ACCEPTED)
    assert row.seen == case.seen
    assert row.document == a_spec()


@pytest.mark.parametrize(
    ("case", "progress"),
    [
        (a_case(a_spec()), Progress.PLANNED),
        (a_case(a_spec(), refusal=REFUSAL), Progress.REFUSED),
        (a_case(a_spec(), is_unplanned=True), Progress.REFUSED),
        (a_case(a_spec(desiredState="observed")), None),
    ],
    ids=["due", "refused by the guard", "not in the plan", "nothing due"],
)
def test_a_change_that_was_not_requested_is_told_as_planned_or_as_refused(
    case: JobPlan, progress: Progress | None
) -> None:
    (row,) = built(a_small_world(), an_outcome(case)).report.rows

    assert row.progress is progress


def test_a_spec_that_no_account_looked_at_is_told_as_it_stands() -> None:
    world = a_small_world()
    known = a_past(a_subject("observed"))
    world.statuses = Statuses.of(known)
    (row,) = built(world).report.rows

    assert (row.status, row.before, row.action) == (known, known, None)


def test_a_blocked_spec_is_told_with_its_new_status() -> None:
    blocked = stalled("support-triage", "bots.yaml", None, Reason.INVALID_PROVIDER, "no such provider", NOW)
    result = built(a_world(an_account(), a_spec(provider="nobody")), others=OtherStatuses({0: blocked}))
    (row,) = result.report.rows

    assert (row.status, row.ref) == (blocked, None)
    assert result.looked == {"support-triage"}


def test_a_spec_whose_status_could_not_be_read_is_told_as_unknown() -> None:
    world = a_small_world()
    world.statuses = Statuses(unread=(Unread("support-triage.yaml", "Permission denied", "give us leave"),))
    (row,) = built(world, an_outcome(a_case(a_spec()))).report.rows

    assert row.status.ready.reason is Reason.STATUS_UNKNOWN
    assert row.action is None


def test_a_spec_that_a_bug_kept_from_its_first_status_has_no_row() -> None:
    assert built(a_small_world()).report.rows == ()


def test_rows_are_in_the_order_of_names_and_of_the_run_alone() -> None:
    world = a_world(an_account(), *named_specs("b", "c", "a"))
    outcome = an_outcome(*(a_case(each) for each in named_specs("b", "c", "a")))

    assert [row.name for row in built(world, outcome).report.rows] == ["a", "b", "c"]
    assert [row.name for row in built(world, outcome, is_selected=lambda spec: spec.name != "b").report.rows] == [
        "a",
        "c",
    ]


def test_an_account_is_told_with_its_requests_and_jobs() -> None:
    world = a_small_world()
    world.accounts.opened = [ACCOUNT, ACCOUNT]

    assert built(world, an_outcome(a_case(a_spec()))).report.accounts == (
        AccountReport(name="openai", account=ACCOUNT, jobs=1, requests=2),
    )


def test_an_account_that_could_not_be_observed_says_why() -> None:
    (account,) = built(a_small_world(), an_outcome(a_case(a_spec(), unobserved=AWAY), unobserved=AWAY)).report.accounts

    assert (account.unobserved, account.has_failed) == (AWAY, True)


def test_what_an_earlier_look_found_wrong_with_an_account_is_told_as_well() -> None:
    memory = PassMemory()
    memory.unobserved.accounts[ACCOUNT] = AWAY
    (account,) = built(a_small_world(), an_outcome(a_case(a_spec())), memory=memory).report.accounts

    assert (account.unobserved, account.has_failed) == (AWAY, False)


def test_an_account_of_which_there_was_nothing_to_tell_is_left_out() -> None:
    assert built(a_small_world(), an_outcome(has_observed=False)).report.accounts == ()


def test_an_account_that_a_bug_ended_is_told_with_its_error() -> None:
    report = built(a_small_world(), AccountOutcome(a_target(), "openai", None, error="a bug: KeyError")).report

    assert report.accounts == (AccountReport(name="openai", account=ACCOUNT, jobs=0, has_observed=False),)
    assert report.errors == ("a bug: KeyError",)
    assert report.exit_code is ExitCode.SOFTWARE


def test_whatever_went_wrong_on_our_side_is_an_error_of_the_pass() -> None:
    outcome = replace(an_outcome(a_case(a_spec()), errors=("of a job",)), error="of an account")
    assert outcome.plan is not None
    outcome = replace(outcome, plan=replace(outcome.plan, errors=("of a plan",)))
    report = built(
        a_small_world(), outcome, others=OtherStatuses(errors=("of others",)), errors=("of the state",)
    ).report

    assert report.errors == ("of others", "of the state", "of an account", "of a plan", "of a job")


def test_what_others_removed_and_what_was_refused_is_in_the_report() -> None:
    case = a_case(a_spec(), is_unplanned=True)
    others = OtherStatuses(removed=("gone",), notices=("look here",))
    result = built(a_small_world(revision="4be1f0c"), an_outcome(case, refusals=(REFUSAL,)), others=others)
    report = result.report

    assert report.refusals == (REFUSAL,)
    assert report.unplanned == (case.decision.action,)
    assert (report.removed, report.notices, report.revision) == (("gone",), ("look here",), "4be1f0c")
    assert not report.is_dry
    assert report.exit_codes == {ExitCode.REFUSED}


def test_a_dry_run_says_that_it_was_one() -> None:
    assert built(a_small_world(), is_dry=True).report.is_dry


def test_deleted_specs_are_news_once() -> None:
    world = a_small_world()
    gone = replace(a_past(a_subject("observed")), name="gone", job=None)
    world.statuses = Statuses.of(gone)

    assert built(world).report.orphans == (gone,)


def test_a_result_says_what_is_due_what_was_seen_when_and_what_is_wanted() -> None:
    chat, code = (a_case(spec) for spec in named_specs("chat", "code"))
    world = a_world(an_account(), *named_specs("chat", "code"))
    memory = PassMemory(interval=timedelta(seconds=30))
    result = built(world, an_outcome(chat, replace(code, unobserved=AWAY)), memory=memory)

    assert [(each.ref.id, each.pace) for each in result.due] == [
        ("ftjob-chat", RequeueReason.UNDER_WAY),
        ("ftjob-code", RequeueReason.RETRY),
    ]
    assert result.seen_at == {JobRef(ACCOUNT, "ftjob-chat"): NOW}
    assert result.wanted == {JobRef(ACCOUNT, "ftjob-chat"), JobRef(ACCOUNT, "ftjob-code")}
    assert result.looked == {"chat", "code"}
    assert result.interval == timedelta(seconds=30)
    assert not result.is_halted


def test_a_pass_over_a_revision_that_is_not_trusted_is_halted() -> None:
    result = built(a_small_world(why_not_trusted="the branch was rewound"))

    assert result.is_halted
    assert result.report.notices == ("the branch was rewound (RevisionNotTrusted)",)


def an_account_report(unobserved: Unobserved | None) -> AccountReport:
    return AccountReport(name="openai", account=Account("openai", "x"), jobs=1, unobserved=unobserved)


ERROR = Diagnostic(file="bots.yaml", message="not valid")
STALLED = stalled("x", "x.yaml", None, Reason.INVALID_SPEC, "not valid", NOW)
UNTRUSTED = stalled("x", "x.yaml", None, Reason.HOST_NOT_TRUSTED, "not bound", NOW)


@pytest.mark.parametrize(
    ("report", "codes"),
    [
        (Report(), set()),
        (Report(rows=(a_row(a_status()),)), set()),
        (Report(errors=("a bug",)), {ExitCode.SOFTWARE}),
        (Report(refusals=(REFUSAL,) if REFUSAL else ()), {ExitCode.REFUSED}),
        (Report(rows=(a_row(STALLED),)), {ExitCode.STALLED}),
        (Report(rows=(a_row(UNTRUSTED),)), {ExitCode.STALLED, ExitCode.CONFIGURATION}),
        (Report(accounts=(an_account_report(AWAY),)), {ExitCode.PROVIDER_UNOBSERVED}),
        (Report(accounts=(an_account_report(UNSET),)), {ExitCode.PROVIDER_UNOBSERVED, ExitCode.CONFIGURATION}),
        (Report(rows=(replace(a_row(a_status()), unobserved=AWAY),)), {ExitCode.PROVIDER_UNOBSERVED}),
        (Report(diagnostics=(ERROR,)), {ExitCode.INVALID_DOCUMENT}),
        (Report(expired=(Expired(ExpiredClock.WAIT, 60.0, ("x",)),)), {ExitCode.TIMED_OUT}),
        (Report(expired=(Expired(ExpiredClock.TIMEOUT, 60.0, ("x",)),)), set()),
    ],
)
def test_a_report_has_every_exit_code_that_it_gives_cause_for(report: Report, codes: set[ExitCode]) -> None:
    assert exit_codes(report) == codes


def test_a_diagnostic_that_is_a_warning_is_no_cause_for_an_exit_code() -> None:
    assert exit_codes(Report(diagnostics=(replace(ERROR, severity=Severity.WARNING),))) == frozenset()
