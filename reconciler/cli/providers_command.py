"""`reconcile providers`: shows the capabilities of provider types, and with `--check` whether each account works."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Iterator
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.option_values import OptionValues, paths, trust_sources
from reconciler.cli.options import CONSOLE, PATHS, TRUST, examples, options
from reconciler.cli.options import output as output_option
from reconciler.controller.announced_ends import named_ends
from reconciler.controller.check_accounts import Checked, check
from reconciler.controller.resolved_account import ResolvedAccount
from reconciler.model.exit_code import worst
from reconciler.model.retirement import AnnouncedEnd
from reconciler.ports import ProviderType, jobs_by_kind
from reconciler.views.problems import announced_ends
from reconciler.views.providers_text import AccountLine, ProviderListing, TypeLine


@click.command(
    epilog=examples(
        "reconcile providers",
        "reconcile providers --check",
    )
)
@click.option(
    "--check", "is_checked", is_flag=True, help="Test each account and its credential with one small read request."
)
@output_option("providers")
@options(PATHS, TRUST, CONSOLE)
def providers(*, is_checked: bool, output: str, **values: Any) -> int:
    """Show provider types, and the accounts that the specs use.

    With -o wide, all capabilities of each type are shown, and the maximum request rate that a document sets. The source
    of each credential is shown, but never the credential itself. Announced ends of services that the specs use are
    reported. With --check, one small request is sent to each account. The exit code is 69 if an account cannot be
    reached, 78 if a credential or a trusted host is missing or not valid, and 65 if a Provider document is not valid.
    """
    console = ConsoleOutput.of(values)
    found, ends = asyncio.run(_check(values, is_checked=is_checked))
    types = [line for name, type_ in wiring.provider_types().items() for line in _lines(name, type_)]
    accounts = [_account(each, is_checked=is_checked) for each in found]
    console.show("providers", output, ProviderListing(types, accounts, ends))
    console.show_problems(announced_ends(ends))
    return worst(frozenset(each.exit_code for each in found))


async def _check(values: OptionValues, *, is_checked: bool) -> tuple[tuple[Checked, ...], tuple[AnnouncedEnd, ...]]:
    async with wiring.open_read_only(paths(values), trust_sources(values)) as runtime:
        snapshot = runtime.specs.snapshot()
        return await check(snapshot, runtime, is_asked=is_checked), named_ends(runtime, snapshot)


def _lines(name: str, type_: ProviderType | str) -> Iterator[TypeLine]:
    """Yield a line for each kind of job of a type, or its problem."""
    if isinstance(type_, str):
        yield TypeLine(name, problem=type_)
        return
    for kind, jobs in jobs_by_kind(type_).items():
        yield TypeLine(name, jobs.capabilities, type_.key_variable, kind=kind)


def _account(found: Checked, *, is_checked: bool) -> AccountLine:
    state = "Works" if is_checked else "NotChecked"
    return AccountLine(
        name=found.name,
        account=str(found.target.account) if found.target else None,
        credential=_source(found.target),
        code=found.unobserved.reason if found.unobserved else state,
        message=found.unobserved.message if found.unobserved else None,
        ceiling=_ceiling(found.target),
        is_working=False if found.unobserved else (True if is_checked else None),
    )


def _ceiling(target: ResolvedAccount | None) -> float | None:
    """Return the maximum request rate that an account's document sets, per second; None if it sets none."""
    ceiling = target.rate.requests_per_second_max if target is not None else None
    return ceiling if ceiling is not None and math.isfinite(ceiling) else None


def _source(target: ResolvedAccount | None) -> str:
    """Return where the credential of an account comes from, or a dash if the account is not known."""
    if target is None:
        return "-"
    source = target.credentials
    if source is not None:
        return f"variable {source.env}" if source.env else f"file {source.file}"
    if target.type.finds_credentials and not (
        target.type.has_whole_key and os.environ.get(target.type.key_variable or "")
    ):
        return "the vendor's own library"
    return f"variable {target.type.key_variable}" if target.type.key_variable else "not needed"
