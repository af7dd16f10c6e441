"""`reconcile providers`: what each provider type can do, and whether each account can be used."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.option_values import OptionValues, place, trust
from reconciler.cli.options import PLACE, SCREEN, TRUST, examples, options
from reconciler.cli.options import output as output_option
from reconciler.controller.account_resolver import ResolvedAccount
from reconciler.controller.check_accounts import Checked, check
from reconciler.model.exit_code import worst
from reconciler.ports import ProviderType
from reconciler.views.providers_text import AccountLine, ProviderListing, TypeLine


@click.command(
    epilog=examples(
        "reconcile providers",
        "reconcile providers --check",
    )
)
@click.option("--check", "is_asked", is_flag=True, help="Test each credential with one small read request.")
@output_option("providers")
@options(PLACE, TRUST, SCREEN)
def providers(*, is_asked: bool, output: str, **given: Any) -> int:
    """Show provider types, and the accounts that the specs use.

    With -o wide everything is told that a type can do. A credential is named by where it comes from, never shown. With
    --check each account is asked for one row of its
    list: 69 says that one did not answer, 78 that a credential or a trusted host is missing.
    """
    screen = ConsoleOutput.of(given)
    found = asyncio.run(_check(given, is_asked=is_asked))
    types = [_type(name, type_) for name, type_ in wiring.provider_types().items()]
    accounts = [_account(each, is_asked=is_asked) for each in found]
    screen.show("providers", output, ProviderListing(types, accounts))
    return worst(frozenset(each.exit_code for each in found))


async def _check(given: OptionValues, *, is_asked: bool) -> tuple[Checked, ...]:
    async with wiring.reading(place(given), trust(given)) as runtime:
        return await check(runtime.specs.snapshot(), runtime, is_asked=is_asked)


def _type(name: str, type_: ProviderType | str) -> TypeLine:
    if isinstance(type_, str):
        return TypeLine(name, problem=type_)
    return TypeLine(name, type_.capabilities, type_.key_variable)


def _account(found: Checked, *, is_asked: bool) -> AccountLine:
    state = "Works" if is_asked else "NotChecked"
    return AccountLine(
        name=found.name,
        account=str(found.target.account) if found.target else None,
        credential=_source(found.target),
        code=found.unseen.reason if found.unseen else state,
        message=found.unseen.message if found.unseen else None,
        is_working=False if found.unseen else (True if is_asked else None),
    )


def _source(target: ResolvedAccount | None) -> str:
    """Where a credential comes from."""
    if target is None:
        return "-"
    source = target.credentials
    if source is not None:
        return f"variable {source.env}" if source.env else f"file {source.file}"
    if target.type.finds_credentials and not (
        target.type.has_whole_key and os.environ.get(target.type.key_variable or "")
    ):
        return "the vendor's own library"
    return f"variable {target.type.key_variable}" if target.type.key_variable else "needs none"
