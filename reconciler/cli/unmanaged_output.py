"""What `drift` and `adopt` have in common: the jobs without a spec, and the accounts that could not be listed."""

from __future__ import annotations

from collections.abc import Iterable

import click

from reconciler.cli.console import Screen
from reconciler.controller.unmanaged import Listed
from reconciler.model.diagnostic import Severity
from reconciler.model.job import UNFINISHED
from reconciler.model.reason import Reason
from reconciler.model.report import ExitCode
from reconciler.views.drift_text import Stranger
from reconciler.views.problems import Problem

UNFINISHED_ONLY = click.option(
    "--unfinished", is_flag=True, help="Of the jobs without a spec, only those that may still cost money."
)


def strangers_of(listed: Iterable[Listed], *, is_unfinished: bool) -> list[Stranger]:
    """Return the jobs that no spec speaks of, account by account."""
    return [
        Stranger(each.alias, job)
        for each in listed
        for job in each.strangers
        if not is_unfinished or job.phase in UNFINISHED
    ]


def complain(screen: Screen, listed: Iterable[Listed]) -> None:
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


def exit_codes(listed: Iterable[Listed]) -> frozenset[ExitCode]:
    """Return what the accounts that could not be listed are cause for."""
    return frozenset(_code(each.unseen.reason, is_unset=each.unseen.is_configuration) for each in listed if each.unseen)


def _code(reason: Reason, *, is_unset: bool) -> ExitCode:
    if is_unset:
        return ExitCode.CONFIGURATION
    return ExitCode.INVALID_DOCUMENT if reason is Reason.INVALID_PROVIDER else ExitCode.PROVIDER_UNSEEN
