"""The result of a pass: a row for each spec, a report for each account, and the exit codes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.controller.account_outcome import AccountOutcome
from reconciler.controller.applied import Applied
from reconciler.controller.build_report import PassResult, build_report
from reconciler.controller.desired_specs import load_desired_specs
from reconciler.controller.other_statuses import OtherStatuses
from reconciler.controller.pass_memory import PassMemory
from reconciler.controller.plan import AccountPlan, JobPlan
from reconciler.controller.report_exit_codes import exit_codes
from reconciler.controller.requeue import RequeueReason
from reconciler.controller.resolution_cache import ResolutionCache
from reconciler.controller.run_options import RunOptions
from reconciler.core.conditions import stalled
from reconciler.core.guard import ChangeLimits, judge
from reconciler.core.settle import RequestOutcome
from reconciler.model.action import Progress
from reconciler.model.diagnostic import Diagnostic, Severity
from reconciler.model.exit_code import ExitCode
from reconciler.model.job import Account, JobRef, Unobserved
from reconciler.model.reason import Reason
from reconciler.model.report import AccountReport, Expired, ExpiredClock, Report, Row
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
    """Return the outcome of one account with these plans, whose observation began at `NOW`."""
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
    """Return the result of a pass with these account outcomes."""
    runtime = world.runtime() if is_dry else controlled(world)
    desired = load_desired_specs(runtime, RunOptions(**options), ResolutionCache(), by_content=True)
    return build_report(desired, outcomes, others or OtherStatuses(), errors, memory or PassMemory(), runtime)


def a_small_world(**snapshot: Any) -> World:
    """Return a world with one spec, whose job is to be cancelled."""
    return a_world(an_account(), a_spec(), **snapshot)


def test_a_row_shows_the_desired_state_the_status_and_the_action_of_a_spec() -> None:
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
def test_a_change_that_was_not_requested_is_reported_as_planned_or_refused(
    case: JobPlan, progress: Progress | None
) -> None:
    (row,) = built(a_small_world(), an_outcome(case)).report.rows

    assert row.progress is progress


def test_a_row_is_reused_until_its_spec_or_its_status_changes() -> None:
    world, memory = a_world(an_account(), *named_specs("chat", "code", desiredState="observed")), PassMemory()
    pasts = ((name, a_past(a_subject("observed"), id=f"ftjob-{name}")) for name in ("chat", "code"))
    world.statuses = Statuses.of(*(replace(past, name=name) for name, past in pasts))
    cache = ResolutionCache()

    def rows() -> tuple[Row, ...]:
        desired = load_desired_specs(controlled(world), RunOptions(), cache, by_content=True)
        return build_report(desired, (), OtherStatuses(), (), memory, controlled(world)).report.rows

    first, again = rows(), rows()
    chat, code = world.specs.revision.jobs
    world.specs.revision = replace(world.specs.revision, jobs=(chat, replace(code, line=9)))
    moved = rows()
    world.statuses.write(replace(world.statuses.known().jobs[0], final=True), durable=False)
    (ended, _) = rows()

    assert [each is before for each, before in zip(again, first, strict=True)] == [True, True]
    assert [each is before for each, before in zip(moved, first, strict=True)] == [True, False]
    assert [each.line for each in moved] == [chat.line, 9]
    assert ended.status.final


def test_the_row_of_a_spec_that_was_not_polled_shows_its_last_status() -> None:
    world = a_small_world()
    known = a_past(a_subject("observed"))
    world.statuses = Statuses.of(known)
    (row,) = built(world).report.rows

    assert (row.status, row.before, row.action) == (known, known, None)


def test_the_row_of_an_invalid_spec_shows_its_new_status() -> None:
    blocked = stalled("support-triage", "bots.yaml", None, Reason.INVALID_PROVIDER, "no such provider", NOW)
    result = built(a_world(an_account(), a_spec(provider="nobody")), others=OtherStatuses({0: blocked}))
    (row,) = result.report.rows

    assert (row.status, row.ref) == (blocked, None)
    assert result.looked == {"support-triage"}


def test_the_row_of_a_spec_with_an_unreadable_status_says_status_unknown() -> None:
    world = a_small_world()
    world.statuses = Statuses(unread=(Unread("support-triage.yaml", "Permission denied", "give us leave"),))
    (row,) = built(world, an_outcome(a_case(a_spec()))).report.rows

    assert row.status.ready.reason is Reason.STATUS_UNKNOWN
    assert row.action is None


def test_a_spec_without_any_status_has_no_row() -> None:
    assert built(a_small_world()).report.rows == ()


def test_rows_are_sorted_by_name_and_limited_to_the_selected_specs() -> None:
    world = a_world(an_account(), *named_specs("b", "c", "a"))
    outcome = an_outcome(*(a_case(each) for each in named_specs("b", "c", "a")))

    assert [row.name for row in built(world, outcome).report.rows] == ["a", "b", "c"]
    assert [row.name for row in built(world, outcome, is_selected=lambda spec: spec.name != "b").report.rows] == [
        "a",
        "c",
    ]


def test_an_account_is_reported_with_its_numbers_of_requests_and_jobs() -> None:
    world = a_small_world()
    world.accounts.opened = [ACCOUNT, ACCOUNT]

    assert built(world, an_outcome(a_case(a_spec()))).report.accounts == (
        AccountReport(name="openai", account=ACCOUNT, jobs=1, requests=2),
    )


def test_an_unobserved_account_is_reported_as_failed_with_the_reason() -> None:
    (account,) = built(a_small_world(), an_outcome(a_case(a_spec(), unobserved=AWAY), unobserved=AWAY)).report.accounts

    assert (account.unobserved, account.has_failed) == (AWAY, True)


def test_an_earlier_observation_error_of_an_account_is_reported() -> None:
    memory = PassMemory()
    memory.unobserved.accounts[ACCOUNT] = AWAY
    (account,) = built(a_small_world(), an_outcome(a_case(a_spec())), memory=memory).report.accounts

    assert (account.unobserved, account.has_failed) == (AWAY, False)


def test_an_account_that_was_not_observed_in_this_pass_is_omitted() -> None:
    assert built(a_small_world(), an_outcome(has_observed=False)).report.accounts == ()


def test_an_internal_error_of_an_account_is_reported_with_its_exit_code() -> None:
    report = built(a_small_world(), AccountOutcome(a_target(), "openai", None, error="a bug: KeyError")).report

    assert report.accounts == (AccountReport(name="openai", account=ACCOUNT, jobs=0, has_observed=False),)
    assert report.errors == ("a bug: KeyError",)
    assert report.exit_code is ExitCode.SOFTWARE


def test_the_report_collects_the_errors_of_every_source() -> None:
    outcome = replace(an_outcome(a_case(a_spec()), errors=("of a job",)), error="of an account")
    assert outcome.plan is not None
    outcome = replace(outcome, plan=replace(outcome.plan, errors=("of a plan",)))
    report = built(
        a_small_world(), outcome, others=OtherStatuses(errors=("of others",)), errors=("of the state",)
    ).report

    assert report.errors == ("of others", "of the state", "of an account", "of a plan", "of a job")


def test_the_report_contains_refusals_removals_notices_and_the_revision() -> None:
    case = a_case(a_spec(), is_unplanned=True)
    others = OtherStatuses(removed=("gone",), notices=("look here",))
    result = built(a_small_world(revision="4be1f0c"), an_outcome(case, refusals=(REFUSAL,)), others=others)
    report = result.report

    assert report.refusals == (REFUSAL,)
    assert report.unplanned == (case.decision.action,)
    assert (report.removed, report.notices, report.revision) == (("gone",), ("look here",), "4be1f0c")
    assert not report.is_dry
    assert report.exit_codes == {ExitCode.REFUSED}


def test_the_report_of_a_dry_run_is_marked_as_dry() -> None:
    assert built(a_small_world(), is_dry=True).report.is_dry


def test_a_newly_deleted_spec_is_reported_as_an_orphan() -> None:
    world = a_small_world()
    gone = replace(a_past(a_subject("observed")), name="gone", job=None)
    world.statuses = Statuses.of(gone)

    assert built(world).report.orphans == (gone,)


def test_a_result_contains_requeues_observation_times_and_unfinished_jobs() -> None:
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


def test_a_pass_over_an_untrusted_revision_is_halted() -> None:
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
def test_the_exit_codes_are_derived_from_the_contents_of_the_report(report: Report, codes: set[ExitCode]) -> None:
    assert exit_codes(report) == codes


def test_a_warning_does_not_cause_an_exit_code() -> None:
    assert exit_codes(Report(diagnostics=(replace(ERROR, severity=Severity.WARNING),))) == frozenset()
