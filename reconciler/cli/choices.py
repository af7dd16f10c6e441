"""Parameter types for words and whole numbers. This module must not import anything slow: see `group`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

from reconciler.model.account_line import KIND_NAMES
from reconciler.views.column_paths import parse_columns
from reconciler.views.renderers import CUSTOM_COLUMNS
from reconciler.views.text import did_you_mean

_WRITTEN_KINDS = f"{__name__}.written_kinds"


class WholeNumber(click.IntRange):
    """A parameter type that accepts a whole number within bounds."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number. Raises `click.BadParameter` if the value is not a whole number, or out of bounds."""
        try:
            return int(super().convert(value, param, ctx))
        except click.BadParameter:
            bounds = f"of at least {self.min}" if self.max is None else f"from {self.min} to {self.max}"
            self.fail(f"{str(value)!r} is not a whole number {bounds}.", param, ctx)


class OneOf(click.Choice[str]):
    """A parameter type that accepts only the listed values. The error for another value suggests similar ones."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the value. Raises `click.BadParameter` if it is not one of the choices."""
        if value not in self.choices:
            hint = did_you_mean(str(value), self.choices)
            self.fail(f"{value!r} is not one of {', '.join(self.choices)}. {hint}".rstrip(), param, ctx)
        return str(value)


class OutputFormat(OneOf):
    """A parameter type that accepts the formats of a result, and the argument of the format that has one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the format with its argument. Raises `click.BadParameter` if one of them is not valid."""
        word, _, argument = str(value).partition("=")
        if word != CUSTOM_COLUMNS or word not in self.choices:
            self._check_is_no_long_option(f"--o{word}", param, ctx)
            return super().convert(value, param, ctx)
        if argument not in ("", "?"):
            try:
                parse_columns(argument)
            except ValueError as error:
                self.fail(str(error), param, ctx)
        return str(value)

    def _check_is_no_long_option(self, option: str, param: click.Parameter | None, ctx: click.Context | None) -> None:
        """Raise `click.BadParameter` if `option` exists: with one dash, as in `-out=FILE`, it is `-o` with a value."""
        if ctx is not None and any(option in each.opts for each in ctx.command.params):
            self.fail(f"A long option has two dashes: {option}.", param, ctx)


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


class JobName(click.ParamType[str]):
    """A parameter type for the name of a job, which may follow its kind, as in `batchjob/labels`.

    Its value is the name. The kinds that were written are remembered: see `written_kinds`.
    """

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name without its kind. Raises `click.BadParameter` if what is before the slash is not a kind."""
        word, slash, name = str(value).partition("/")
        if not slash:
            return word
        kind = kind_called(word)
        if kind is None or not name:
            self.fail(f"{value!r} is not a job: write its name, or finetuningjob/NAME or batchjob/NAME.", param, ctx)
        if ctx is not None:
            ctx.meta.setdefault(_WRITTEN_KINDS, {})[name] = kind
        return name


def written_kinds(ctx: click.Context) -> Mapping[str, str]:
    """Return the kind that the command line names before each job, as in `batchjob/labels`, by the name of the job."""
    found: Mapping[str, str] = ctx.meta.get(_WRITTEN_KINDS, {})
    return found
