"""Parameter types that accept one of several words. This module must not import anything slow: see `group`."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem

from reconciler.model.account_line import KIND_NAMES
from reconciler.views.text import did_you_mean


class OneOf(click.Choice[str]):
    """A parameter type that accepts only the listed values. The error for another value suggests similar ones."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the value. Raises `click.BadParameter` if it is not one of the choices."""
        if value not in self.choices:
            hint = did_you_mean(str(value), self.choices)
            self.fail(f"{value!r} is not one of {', '.join(self.choices)}. {hint}".rstrip(), param, ctx)
        return str(value)


def kind_called(word: str) -> str | None:
    """Return the kind of job that a word names, in any case, singular or plural; None if it names none."""
    return next((each for each in KIND_NAMES if word.lower() in (each.lower(), f"{each.lower()}s")), None)


class KindOfJob(OneOf):
    """A parameter type that accepts the name of a kind of job: see `kind_called`."""

    def __init__(self) -> None:
        super().__init__(KIND_NAMES)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name of the kind as documents contain it. Raises `click.BadParameter` if there is no such kind."""
        return kind_called(str(value)) or super().convert(value, param, ctx)

    def shell_complete(self, _ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the kinds whose names begin with this text, in any case."""
        return [CompletionItem(each) for each in KIND_NAMES if each.lower().startswith(incomplete.lower())]
