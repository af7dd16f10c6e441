from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import get_type_hints

import click
import pytest

import reconciler.cli
from reconciler.cli.choices import OneOf
from reconciler.cli.group import VERBS, reconcile
from reconciler.cli.options import output as output_option
from reconciler.model.report import Report
from reconciler.views.render_context import RenderContext
from reconciler.views.renderers import RENDERERS, formats, load_function, render, renderer
from tests.support.reports import CONTEXT, a_row

COMMANDS = sorted(Path(reconciler.cli.__file__).parent.glob("*.py"))
REDRAWN = [key for key, row in RENDERERS.items() if row.live is not None]
UNCHOSEN = {"code-quality", "junit", "markdown"}
"""Formats that --junit or a CI host selects, not an output option."""


def the_result_that(function: str) -> object:
    """Return the type of the first parameter of a renderer."""
    return next(iter(get_type_hints(load_function(function)).values()))


@pytest.mark.parametrize(("what", "format_"), RENDERERS)
def test_all_renderers_of_a_result_take_the_same_type_and_return_text(what: str, format_: str) -> None:
    function = load_function(RENDERERS[what, format_].function)
    first = next(row for (each, _), row in RENDERERS.items() if each == what)

    assert inspect.getmodule(function).__name__.startswith("reconciler.views.")  # type: ignore[union-attr]
    assert list(get_type_hints(function).values())[1:] == [RenderContext, str]
    assert the_result_that(RENDERERS[what, format_].function) is the_result_that(first.function)


@pytest.mark.parametrize("row", RENDERERS.values(), ids=lambda row: row.function)
def test_the_problems_of_a_renderer_are_computed_from_the_report(row: object) -> None:
    problems = load_function(row.problems)  # type: ignore[attr-defined]

    assert next(iter(get_type_hints(problems).values())) is Report
    assert problems(Report()) == ()


@pytest.mark.parametrize(("what", "format_"), REDRAWN)
def test_a_live_renderer_takes_the_same_result_as_the_static_one(what: str, format_: str) -> None:
    row = RENDERERS[what, format_]

    assert the_result_that(str(row.live)) is the_result_that(row.function)
    assert "chat" in str(row.render_live(Report(rows=(a_row("chat"),)), CONTEXT))


def test_rendering_a_static_format_live_is_an_error() -> None:
    with pytest.raises(LookupError, match="cannot be updated in place"):
        renderer("get", "json").render_live(Report(), CONTEXT)


def test_the_error_for_a_missing_renderer_names_the_result_and_the_format() -> None:
    with pytest.raises(LookupError, match="nothing renders 'plan' as 'wax'"):
        render("plan", "wax", Report(), CONTEXT)
    with pytest.raises(LookupError, match="no format renders dance"):
        formats("dance")
    with pytest.raises(LookupError, match="no format renders get and describe"):
        formats("get", "describe")


def choices_of(command: click.Command) -> tuple[str, ...]:
    found = [each.type for each in command.params if each.name == "output"]
    return tuple(found[0].choices) if found and isinstance(found[0], OneOf) else ()


def test_each_command_offers_the_formats_of_its_result() -> None:
    group = reconcile
    context = click.Context(group)
    offered = {verb: choices_of(found) for verb in VERBS if (found := group.get_command(context, verb)) is not None}
    offered["apply"] = offered.pop("retry")
    shown = {what for what, _ in RENDERERS}

    assert {what: offered[what] for what in shown if offered[what]} == {
        what: formats(what) for what in shown if len(formats(what)) > 1
    }
    assert choices_of(group) == formats("apply", "plan") == ("text", "json")
    assert {format_ for (_, format_), row in RENDERERS.items() if not row.is_choice} == UNCHOSEN


def test_a_command_with_only_one_format_has_no_output_option() -> None:
    @output_option("describe")
    @click.command
    def one() -> None: ...

    @output_option("get")
    @click.command
    def several() -> None: ...

    assert choices_of(one) == ()
    assert choices_of(several) == ("table", "wide", "json", "yaml", "name", "custom-columns")


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.stem)
def test_no_command_compares_the_name_of_the_output_format(path: Path) -> None:
    words = {format_ for _, format_ in RENDERERS}
    compared = [
        ast.unparse(node)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Compare) and "output" in ast.unparse(node)
        for each in ast.walk(node)
        if isinstance(each, ast.Constant) and each.value in words
    ]

    assert compared == []
