"""An option that several verbs share. This module must not import anything slow: see `group`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click
from click.core import ParameterSource


class Shared(click.Option):
    """An option that can be set after the verb, before the verb, or by a variable `RECONCILE_<NAME>`.

    If the option is set in several of these places, the first place in this order applies.
    """

    def __init__(self, param_decls: Sequence[str] | None = None, **settings: Any) -> None:
        super().__init__(param_decls, **settings)
        self.envvar = f"RECONCILE_{str(self.name).upper()}"

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> tuple[Any, ParameterSource]:
        """Return the value after the verb, else the value before it, else the variable's value, else the default."""
        value, source = super().consume_value(ctx, opts)
        key = _key(self.name)
        if source is ParameterSource.COMMANDLINE:
            ctx.meta[key] = value
        elif key in ctx.meta:
            return ctx.meta[key], ParameterSource.COMMANDLINE
        return value, source

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Return the name of this option for an error message, with its variable if that set the value."""
        hint = super().get_error_hint(ctx)
        is_variable = ctx is not None and ctx.get_parameter_source(str(self.name)) is ParameterSource.ENVIRONMENT
        return f"{hint} (from the variable {self.envvar})" if is_variable else hint

    @staticmethod
    def value_of(ctx: click.Context, name: str) -> object:
        """Return the value of a shared option wherever it was set, else its default; None if the command lacks it."""
        return ctx.meta.get(_key(name), ctx.params.get(name))


def _key(name: str | None) -> str:
    """Return the key of an option in `ctx.meta`, which the contexts of the group and of its verb share."""
    return f"{__name__}.{name}"
