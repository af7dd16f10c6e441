"""Unmanaged jobs and accounts that could not be listed, for `drift` and `adopt`."""

from __future__ import annotations

from collections.abc import Iterable

import click

from reconciler.cli.console import ConsoleOutput
from reconciler.controller.unmanaged import AccountListing
from reconciler.model.diagnostic import Severity
from reconciler.model.exit_code import ExitCode
from reconciler.model.kind import FINE_TUNING
from reconciler.views.drift_text import UnmanagedJob
from reconciler.views.problems import Problem
from reconciler.views.read_lists import ReadList

UNFINISHED_ONLY = click.option("--unfinished", is_flag=True, help="Leave out unmanaged jobs that are finished.")


def unmanaged_jobs(listed: Iterable[AccountListing]) -> list[UnmanagedJob]:
    """Return the jobs without a spec, account by account."""
    return [UnmanagedJob(each.alias, job, each.kind) for each in listed for job in each.unmanaged]


def read_lists(listed: Iterable[AccountListing]) -> list[ReadList]:
    """Return how far each list was read. A list that could not be read is left out."""
    return [
        ReadList(each.alias, each.kind, each.jobs, each.read_back_to, each.is_unfinished_only, each.others)
        for each in listed
        if each.unobserved is None
    ]


def why_nothing_is_listed(provider: str | None, kind: str | None) -> str:
    """Return why there is no list to read with these options."""
    if provider is not None:
        return f"{provider} has no jobs of kind {kind}: `reconcile providers` lists the kinds of each type"
    what = "an account" if kind is None else f"an account with jobs of kind {kind}"
    return f"no document names {what}: select one with an option such as --provider openai"


def show_unlisted_accounts(console: ConsoleOutput, listed: Iterable[AccountListing]) -> None:
    """Print which accounts could not be listed, and why."""
    console.show_problems(
        Problem(
            severity=Severity.ERROR,
            code=each.unobserved.reason,
            summary=f"could not list {_jobs(each)} of {each.alias}: {each.unobserved.message}",
        )
        for each in listed
        if each.unobserved is not None
    )


def _jobs(listed: AccountListing) -> str:
    return "the jobs" if listed.kind == FINE_TUNING.name else f"the jobs of kind {listed.kind}"


def exit_codes(listed: Iterable[AccountListing]) -> frozenset[ExitCode]:
    """Return the exit codes for accounts that could not be listed."""
    return frozenset(each.unobserved.exit_code for each in listed if each.unobserved)
