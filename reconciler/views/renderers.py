"""The renderers: for each result and output format, the function that renders it.

A command finds its renderer in `RENDERERS`, and its option `-o` offers the formats of the table; the first format is
the default. To add a format, add a module to this package and a row to the table. Functions are named as text and
imported when they are used, because `reconcile --help` needs the formats and must not import the modules.
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
CUSTOM_COLUMNS = "custom-columns"
"""The format that has an argument, as `custom-columns=HEADER:PATH,...`."""


@dataclass(frozen=True, slots=True)
class Renderer:
    """How one result is shown in one format.

    Args:
        function: `module:function` below `reconciler.views`. The function takes the result and a `RenderContext`, and
            returns the text.
        problems: the function that returns the problems to print to stderr, because a person does not see them in the
            text.
        live: the function that renders the result for a terminal that is updated in place; None if the format
            cannot be updated.
        is_choice: whether `-o` offers the format. If not, only a CI host or another option uses it.
    """

    function: str
    problems: str = "problems:problems"
    live: str | None = None
    is_choice: bool = True

    def render(self, shown: Any, context: RenderContext) -> str:
        """Return the result as text."""
        function: Callable[[Any, RenderContext], str] = load_function(self.function)
        return function(shown, context)

    def stderr_problems(self, report: Report) -> tuple[Problem, ...]:
        """Return the problems of a report to print to stderr, because a person does not see them in the text."""
        function: Callable[[Report], tuple[Problem, ...]] = load_function(self.problems)
        return function(report)

    def render_live(self, shown: Any, context: RenderContext) -> RenderableType:
        """Return the result for a terminal that is updated in place. Raises `LookupError` if `live` is None."""
        if self.live is None:
            msg = f"{self.function} cannot be updated in place"
            raise LookupError(msg)
        function: Callable[[Any, RenderContext], RenderableType] = load_function(self.live)
        return function(shown, context)


RENDERERS: Mapping[tuple[str, str], Renderer] = {
    ("plan", "text"): Renderer("plan_text:plan_text"),
    ("plan", "json"): Renderer("json_lines:report_lines", problems=EVERY_PROBLEM),
    ("plan", "markdown"): Renderer("plan_markdown:plan_markdown"),
    ("plan", "junit"): Renderer("junit:junit_xml", is_choice=False),
    ("plan", "code-quality"): Renderer("code_quality:code_quality_json", is_choice=False),
    ("apply", "text"): Renderer("result_text:result_text"),
    ("apply", "json"): Renderer("json_lines:report_lines", problems=EVERY_PROBLEM),
    ("apply", "markdown"): Renderer("result_markdown:result_markdown", is_choice=False),
    ("apply", "junit"): Renderer("junit:junit_xml", is_choice=False),
    ("apply", "code-quality"): Renderer("code_quality:code_quality_json", is_choice=False),
    ("validate", "text"): Renderer("problems:validation_text", problems="problems:problems_outside_documents"),
    ("validate", "json"): Renderer("json_lines:report_lines", problems=EVERY_PROBLEM),
    ("validate", "sarif"): Renderer("sarif:sarif_text", problems="problems:problems_outside_documents"),
    ("validate", "markdown"): Renderer("result_markdown:validation_markdown", is_choice=False),
    ("validate", "junit"): Renderer("junit:junit_xml", is_choice=False),
    ("validate", "code-quality"): Renderer("code_quality:code_quality_json", is_choice=False),
    ("get", "table"): Renderer("status_table:get_text", problems=EVERY_PROBLEM, live="status_table:live_table"),
    ("get", "wide"): Renderer("status_table:get_wide", problems=EVERY_PROBLEM, live="status_table:live_wide_table"),
    ("get", "json"): Renderer("status_json:get_json", problems=EVERY_PROBLEM),
    ("get", "yaml"): Renderer("status_yaml:get_yaml", problems=EVERY_PROBLEM),
    ("get", "name"): Renderer("custom_columns:get_names", problems=EVERY_PROBLEM),
    ("get", CUSTOM_COLUMNS): Renderer("custom_columns:get_custom_columns", problems=EVERY_PROBLEM),
    ("describe", "text"): Renderer("describe_text:describe_text", problems="problems:problems_outside_status"),
    ("events", "text"): Renderer("events_text:events_text", problems=EVERY_PROBLEM),
    ("events", "json"): Renderer("events_text:events_json", problems=EVERY_PROBLEM),
    ("diff", "text"): Renderer("comparison_text:diff_text", problems=EVERY_PROBLEM),
    ("diff", "json"): Renderer("comparison_text:diff_json", problems=EVERY_PROBLEM),
    ("drift", "text"): Renderer("drift_text:drift_text", problems=EVERY_PROBLEM),
    ("drift", "json"): Renderer("drift_text:drift_json", problems=EVERY_PROBLEM),
    ("wait", "text"): Renderer("wait_text:wait_text", problems="problems:unobserved_accounts"),
    ("init", "text"): Renderer("starter_files:init_text"),
    ("adopt", "text"): Renderer("adopted_text:adopted_text"),
    ("providers", "text"): Renderer("providers_text:providers_text"),
    ("providers", "wide"): Renderer("providers_text:providers_wide"),
    ("providers", "json"): Renderer("providers_text:providers_json"),
}
"""The renderers, by result and format. `plan`, `apply` and `validate` are operations whose result is a report."""


def renderer(result: str, format_: str) -> Renderer:
    """Return the renderer for a result and a format with its argument. Raises `LookupError` if there is none."""
    found = RENDERERS.get((result, format_.partition("=")[0]))
    if found is None:
        msg = f"nothing renders {result!r} as {format_!r}: RENDERERS has no such row"
        raise LookupError(msg)
    return found


def render(result: str, format_: str, shown: Any, context: RenderContext) -> str:
    """Return a result as text in a format. Raises `LookupError` if there is no renderer for it."""
    argument = format_.partition("=")[2]
    return renderer(result, format_).render(shown, replace(context, result=result, argument=argument))


def formats(*results: str) -> tuple[str, ...]:
    """Return the formats that `-o` offers for all of these results, the default first.

    Raises `LookupError` if the results do not share a format.
    """
    first, *others = (
        [format_ for (name, format_), row in RENDERERS.items() if name == result and row.is_choice]
        for result in results
    )
    common = tuple(format_ for format_ in first if all(format_ in other for other in others))
    if not common:
        msg = f"no format renders {' and '.join(results)}: RENDERERS has no such row"
        raise LookupError(msg)
    return common


def load_function(function: str) -> Any:
    """Import and return a function of this package, named as `module:function`."""
    module, _, name = function.partition(":")
    return getattr(import_module(f"reconciler.views.{module}"), name)
