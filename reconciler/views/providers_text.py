"""Provider types with their capabilities, and accounts with the source of their credential and their state.

Rule: a credential is named by its source and never shown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import RenderableType
from rich.text import Text

from reconciler.model.capabilities import Capabilities
from reconciler.model.retirement import AnnouncedEnd
from reconciler.views.layout import STYLES, Column, listing, section, styled, table
from reconciler.views.render_context import RenderContext
from reconciler.views.row_state import JobState
from reconciler.views.text import NO_VALUE


@dataclass(frozen=True, slots=True)
class TypeLine:
    """One kind of job of a provider type.

    `problem` says why the type cannot be used, or is None. If `problem` is given, `capabilities` and `kind` are None.
    `variable` is the environment variable with the default credential of the type, or None if the type needs no
    credential.
    """

    name: str
    capabilities: Capabilities | None = None
    variable: str | None = None
    problem: str | None = None
    kind: str | None = None
    """The name of the kind of job that the capabilities belong to."""


@dataclass(frozen=True, slots=True)
class AccountLine:
    """One account under one of its names. `code` is the reason of a failure, `Works` or `NotChecked`.

    `account` is the account line, or None if the name cannot be used. `message` explains a failure, or is None.
    """

    name: str
    account: str | None
    credential: str
    code: str
    message: str | None
    is_working: bool | None
    """Whether the account passed the check, or None if it was not checked."""
    ceiling: float | None = None
    """The maximum request rate that the Provider document sets, per second; None if it sets none."""


@dataclass(frozen=True, slots=True)
class ProviderListing:
    """The provider types and accounts that `providers` shows."""

    types: Sequence[TypeLine]
    accounts: Sequence[AccountLine]
    ends: Sequence[AnnouncedEnd] = ()
    """The announced ends that concern the accounts."""


def capabilities_text(can: Capabilities) -> Mapping[str, str]:
    """Return the value of each capability of a provider type, by the name of the capability."""
    cancel = "at once" if can.cancel_is_immediate else "best effort"
    return {
        "cancel": cancel if can.confirms else f"{cancel}; only an end time proves it",
        "a cancel loses": can.cancel_loses or "not documented",
        **({"a cancel keeps": can.cancel_keeps} if can.cancel_keeps else {}),
        **({"charged after a cancel": can.cancel_costs} if can.cancel_costs else {}),
        "pause, resume": _yes(is_so=can.can_pause),
        "events": _yes(is_so=can.can_list_events),
        "checkpoints": _yes(is_so=can.can_list_checkpoints),
        "order of a list": can.list_order or "not promised",
        "largest page": str(can.page_size_max),
        "list filters": ", ".join(can.filters) or "none",
        "end of service": ends_text(can) or "not announced",
    }


def ends_text(can: Capabilities) -> str | None:
    """Return the announced ends of the service that are not over.

    An end without a day comes first, then the other ends by day. Return None if no such end is announced.
    """
    ahead = sorted((each for each in can.retirements if not each.has_ended), key=lambda each: each.on)
    return "; ".join([*([can.ends_on] if can.ends_on else []), *map(str, ahead)]) or None


def providers_text(shown: ProviderListing, context: RenderContext) -> str:
    """Return a table of types and a table of accounts, then the message of each account that has one."""
    return _render(shown, context, [_types(shown.types, context.canvas.width), Text()])


def providers_wide(shown: ProviderListing, context: RenderContext) -> str:
    """Return all capabilities of each type, then the accounts as in `providers_text`."""
    return _render(shown, context, _capability_sections(shown.types), is_wide=True)


def _render(
    shown: ProviderListing, context: RenderContext, parts: list[RenderableType], *, is_wide: bool = False
) -> str:
    canvas, accounts = context.canvas, shown.accounts
    parts += [styled(f"{each.name}: {each.problem}") for each in shown.types if each.problem]
    parts.append(
        _accounts(accounts, canvas.width, is_wide=is_wide) if accounts else styled("No document names an account.")
    )
    messages = [(styled(each.name, "bold"), styled(each.message)) for each in accounts if each.message is not None]
    if messages:
        parts += [Text(), listing(messages, indent=0)]
    return canvas.render(parts)


def providers_json(shown: ProviderListing, _context: RenderContext) -> str:
    """Return the types and accounts as one JSON object."""
    shown_as_json = {
        "types": [
            {"name": each.name, "kind": each.kind, **_can(each.capabilities), "problem": each.problem}
            for each in shown.types
        ],
        "accounts": [
            {
                "name": each.name,
                "account": each.account,
                "credential": each.credential,
                "state": each.code,
                "message": each.message,
                "requestsPerSecond": each.ceiling,
            }
            for each in shown.accounts
        ],
        "ends": [
            {"account": each.account, "what": each.what, "on": each.on.isoformat(), "source": each.source}
            for each in shown.ends
        ],
    }
    return json.dumps(shown_as_json, indent=2) + "\n"


def _can(can: Capabilities | None) -> Mapping[str, object]:
    if can is None:
        return {}
    return {
        "cancelIsImmediate": can.cancel_is_immediate,
        "confirms": can.confirms,
        "cancelLoses": can.cancel_loses,
        "cancelKeeps": can.cancel_keeps,
        "cancelCosts": can.cancel_costs,
        "pause": can.can_pause,
        "events": can.can_list_events,
        "checkpoints": can.can_list_checkpoints,
        "listOrder": can.list_order,
        "pageSizeMax": can.page_size_max,
        "filters": list(can.filters),
        "endsOn": ends_text(can),
        "retirements": [
            {"what": each.what, "on": each.on.isoformat(), "source": each.source, "hasEnded": each.has_ended}
            for each in can.retirements
        ],
        "modelEnds": can.can_list_model_ends,
    }


def _types(types: Sequence[TypeLine], width: int) -> Text:
    rows = [_type_row(each, each.capabilities) for each in types if each.capabilities is not None]
    columns = [
        Column(title, [row[at] for row in rows], fold_at=24 if title == "ENDS" else None)
        for at, title in enumerate(_TYPE_TITLES)
    ]
    return table(columns, width, drop=("ENDS", "PROVEN BY", "EVENTS", "PAUSE"))


_TYPE_TITLES = ("TYPE", "KIND", "CANCEL", "PROVEN BY", "PAUSE", "EVENTS", "DEFAULT CREDENTIAL", "ENDS")


def _type_row(type_: TypeLine, can: Capabilities) -> tuple[Text, ...]:
    """Return the cells of a type of provider, in the order of `_TYPE_TITLES`."""
    return (
        styled(type_.name),
        styled(type_.kind or NO_VALUE),
        Text("at once" if can.cancel_is_immediate else "best effort"),
        Text("its phase" if can.confirms else "an end time"),
        Text(_yes(is_so=can.can_pause)),
        Text(_yes(is_so=can.can_list_events)),
        styled(type_.variable or NO_VALUE),
        styled(_next_end(can) or NO_VALUE),
    )


def _next_end(can: Capabilities) -> str | None:
    """Return the announced end without a day as text, else the day of the next end, else None."""
    days = [each.on for each in can.retirements if not each.has_ended]
    return can.ends_on or (min(days).isoformat() if days else None)


def _accounts(accounts: Sequence[AccountLine], width: int, *, is_wide: bool) -> Text:
    styles = {True: STYLES[JobState.AS_DESIRED], False: STYLES[JobState.STALLED], None: ""}
    columns = [
        Column("PROVIDER", [styled(each.name) for each in accounts]),
        Column("STATE", [styled(each.code, styles[each.is_working]) for each in accounts]),
        Column("CREDENTIAL", [styled(each.credential) for each in accounts]),
        Column("ACCOUNT", [styled(each.account or NO_VALUE) for each in accounts], fold_at=24),
    ]
    if is_wide:
        columns.insert(3, Column("REQUEST RATE", [Text(_rate(each)) for each in accounts]))
    return table(columns, width, drop=("ACCOUNT",))


def _capability_sections(types: Sequence[TypeLine]) -> list[RenderableType]:
    return [_capability_section(each, each.capabilities) for each in types if each.capabilities is not None]


def _capability_section(line: TypeLine, can: Capabilities) -> RenderableType:
    over = "; ".join(str(each) for each in can.retirements if each.has_ended)
    facts = {
        **capabilities_text(can),
        **({"no longer offered": over} if over else {}),
        "ends of models": _yes(is_so=can.can_list_model_ends),
        "default credential": line.variable or "not needed",
    }
    title = f"{line.name}, {line.kind}" if line.kind else line.name
    return section(title, listing([(Text(capability), styled(value)) for capability, value in facts.items()]))


def _rate(account: AccountLine) -> str:
    if account.account is None:
        return NO_VALUE
    return "adaptive" if account.ceiling is None else f"at most {account.ceiling:g}/s"


def _yes(*, is_so: bool) -> str:
    return "yes" if is_so else "no"
