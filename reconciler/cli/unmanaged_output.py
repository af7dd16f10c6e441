"""What `drift` and `adopt` have in common: the jobs without a spec, and the accounts that could not be listed."""

from __future__ import annotations

from collections.abc import Iterable

import click

from reconciler.cli.console import ConsoleOutput
from reconciler.controller.unmanaged import AccountListing
from reconciler.model.diagnostic import Severity
from reconciler.model.exit_code import ExitCode
from reconciler.model.job import UNFINISHED
from reconciler.views.drift_text import UnmanagedJob
from reconciler.views.problems import Problem

UNFINISHED_ONLY = click.option("--unfinished", is_flag=True, help="Of the unmanaged jobs, only unfinished ones.")


def unmanaged_jobs(listed: Iterable[AccountListing], *, is_unfinished: bool) -> list[UnmanagedJob]:
    """Return the jobs that no spec speaks of, account by account."""
    return [
        UnmanagedJob(each.alias, job)
        for each in listed
        for job in each.strangers
        if not is_unfinished or job.phase in UNFINISHED
    ]


def complain(screen: ConsoleOutput, listed: Iterable[AccountListing]) -> None:
    """Tell which accounts could not be listed, and why."""
    screen.say(
        Problem(
            severity=Severity.ERROR,
            code=each.unseen.reason,
            summary=f"could not list the jobs of {each.alias}: {each.unseen.message}",
        )
        for each in listed
        if each.unseen is not None
    )


def exit_codes(listed: Iterable[AccountListing]) -> frozenset[ExitCode]:
    """Return what the accounts that could not be listed are cause for."""
    return frozenset(each.unseen.exit_code for each in listed if each.unseen)
