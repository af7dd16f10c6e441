"""The spans of a pass, and of the work of one account within it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from reconciler.controller.account_outcome import AccountOutcome
from reconciler.controller.build_report import PassResult
from reconciler.controller.runtime import Runtime
from reconciler.model.job import Account
from reconciler.ports import Span

PASS, ACCOUNT = "reconcile.pass", "reconcile.account"
"""The names of the spans."""
BUG = "bug"
"""The failure of an account whose worker was ended by a bug."""


@dataclass(frozen=True, slots=True)
class PassSpan:
    """The span of a running pass."""

    _span: Span

    def ended(self, result: PassResult) -> None:
        """Add what the pass did."""
        report = result.report
        revision = {"reconcile.revision": report.revision} if report.revision is not None else {}
        self._span.add(
            {
                "reconcile.jobs": len(report.rows),
                "reconcile.jobs.handled": len(result.looked),
                "reconcile.changes.refused": sum(len(each.names) for each in report.refusals),
                "reconcile.errors": len(report.errors),
                **revision,
            }
        )


@contextmanager
def pass_span(runtime: Runtime) -> Iterator[PassSpan]:
    """Record the span of a pass while the block runs. The workers that the pass starts are its children."""
    with runtime.tracer.span(PASS, {}) as span:
        yield PassSpan(span)


async def in_account_span(
    runtime: Runtime, account: Account, jobs: int, work: Callable[[], Awaitable[AccountOutcome]]
) -> AccountOutcome:
    """Do the work of one account within a span, and return its outcome. `jobs` is the number of jobs to observe."""
    with runtime.tracer.span(ACCOUNT, {"reconcile.account": str(account), "reconcile.jobs": jobs}) as span:
        outcome = await work()
        changes = sum(each.case.decision.action is not None for each in outcome.done)
        span.add({"reconcile.provider": outcome.alias, "reconcile.changes": changes})
        if outcome.error is not None:
            span.fail(BUG)
        elif outcome.plan is not None and outcome.plan.unobserved is not None:
            span.fail(str(outcome.plan.unobserved.reason))
        return outcome
