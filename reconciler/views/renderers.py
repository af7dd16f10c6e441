"""Every form that a result can be printed in: the function that renders it, by what is shown and in which format.

A command looks its renderer up here, and its `-o` offers the formats that stand here, the first as the default. A new
format is a module of this package and a row. Functions stand here by name, and are imported when they are used:
`reconcile --help` reads the words and must not load what draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType

    from reconciler.model.report import Report
    from reconciler.views.problems import Problem
    from reconciler.views.render_context import RenderContext

EVERY_PROBLEM = "problems:every_problem"


@dataclass(frozen=True, slots=True)
class Renderer:
    """How one result is shown in one format.

    Args:
        function: `module:function` below `reconciler.views`. The function takes the result and a `RenderContext`, and
            returns the text.
        beside: the function that returns the problems of a report that the text leaves out. They go to stderr.
        live: the function that returns what a terminal shows in place of the text while it is kept up to date; None
            where the format cannot be.
        is_choice: whether `-o` offers the format; otherwise only a CI host or an option of its own asks for it.
    """

    function: str
    beside: str = "problems:problems"
    live: str | None = None
    is_choice: bool = True

    def text(self, shown: Any, context: RenderContext) -> str:
        """Return the result as text."""
        render: Callable[[Any, RenderContext], str] = named(self.function)
        return render(shown, context)

    def problems_beside(self, report: Report) -> tuple[Problem, ...]:
        """Return the problems that the text leaves out."""
        leave_out: Callable[[Report], tuple[Problem, ...]] = named(self.beside)
        return leave_out(report)

    def redrawn(self, shown: Any, context: RenderContext) -> RenderableType:
        """Return what a terminal shows while it is kept up to date. Raises `LookupError` where `live` is None."""
        if self.live is None:
            msg = f"{self.function} cannot be kept up to date"
            raise LookupError(msg)
        draw: Callable[[Any, RenderContext], RenderableType] = named(self.live)
        return draw(shown, context)


RENDERERS: Mapping[tuple[str, str], Renderer] = {
    ("plan", "text"): Renderer("plan_text:plan_text"),
    ("plan", "json"): Renderer("json_lines:report_lines", beside=EVERY_PROBLEM),
    ("plan", "markdown"): Renderer("plan_markdown:plan_markdown"),
    ("plan", "junit"): Renderer("junit:junit_xml", is_choice=False),
    ("apply", "text"): Renderer("result_text:result_text"),
    ("apply", "json"): Renderer("json_lines:report_lines", beside=EVERY_PROBLEM),
    ("apply", "markdown"): Renderer("result_markdown:result_markdown", is_choice=False),
    ("apply", "junit"): Renderer("junit:junit_xml", is_choice=False),
    ("validate", "text"): Renderer("problems:validation_text", beside="problems:problems_beside_documents"),
    ("validate", "json"): Renderer("json_lines:report_lines", beside=EVERY_PROBLEM),
    ("validate", "markdown"): Renderer("result_markdown:validation_markdown", is_choice=False),
    ("validate", "junit"): Renderer("junit:junit_xml", is_choice=False),
    ("get", "table"): Renderer("status_table:get_text", beside=EVERY_PROBLEM, live="status_table:live_table"),
    ("get", "wide"): Renderer("status_table:get_wide", beside=EVERY_PROBLEM, live="status_table:live_wide_table"),
    ("get", "json"): Renderer("status_json:get_json", beside=EVERY_PROBLEM),
    ("get", "yaml"): Renderer("status_yaml:get_yaml", beside=EVERY_PROBLEM),
    ("describe", "text"): Renderer("describe_text:describe_text", beside="problems:problems_beside_status"),
    ("drift", "text"): Renderer("drift_text:drift_text", beside=EVERY_PROBLEM),
    ("drift", "json"): Renderer("drift_text:drift_json", beside=EVERY_PROBLEM),
    ("wait", "text"): Renderer("wait_text:wait_text", beside="problems:unseen"),
    ("adopt", "text"): Renderer("adopted_text:adopted_text"),
    ("providers", "text"): Renderer("providers_text:providers_text"),
    ("providers", "wide"): Renderer("providers_text:providers_wide"),
    ("providers", "json"): Renderer("providers_text:providers_json"),
}
"""By what is shown (`plan`, `apply` and `validate` are the operations that a report is of) and by the format's word."""


def renderer(what: str, format_: str) -> Renderer:
    """Return the row for a result and a format. Raises `LookupError` where there is none."""
    found = RENDERERS.get((what, format_))
    if found is None:
        msg = f"nothing renders {what!r} as {format_!r}: RENDERERS has no such row"
        raise LookupError(msg)
    return found


def render(what: str, format_: str, shown: Any, context: RenderContext) -> str:
    """Return a result in a format. Raises `LookupError` where no row has it."""
    return renderer(what, format_).text(shown, replace(context, what=what))


def formats(*whats: str) -> tuple[str, ...]:
    """Return the formats that `-o` offers for all of these results, the default first. Raises `LookupError` if none."""
    first, *others = ([f for (each, f), row in RENDERERS.items() if each == what and row.is_choice] for what in whats)
    common = tuple(each for each in first if all(each in other for other in others))
    if not common:
        msg = f"no format renders {' and '.join(whats)}: RENDERERS has no such row"
        raise LookupError(msg)
    return common


def named(function: str) -> Any:
    """Return a function of this package by `module:function`."""
    module, _, name = function.partition(":")
    return getattr(import_module(f"reconciler.views.{module}"), name)
