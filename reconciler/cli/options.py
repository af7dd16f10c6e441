"""The options that several verbs share. Each can be set after or before the verb, or by a variable `RECONCILE_<NAME>`.

This module only declares the options. Their values are converted by `option_values`, which is slow to import.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from reconciler.ci import HOSTS
from reconciler.cli.choices import KindOfJob, OneOf, OutputFormat
from reconciler.views.column_paths import EXAMPLE
from reconciler.views.renderers import CUSTOM_COLUMNS, formats

DISTRIBUTION = "llm-job-reconciler"
COLUMNS_HELP = f" Columns are chosen as in kubectl: {CUSTOM_COLUMNS}={EXAMPLE}. Without columns, all paths are listed."

C = TypeVar("C", bound=Callable[..., Any] | click.Command)
Decorator = Callable[[C], C]


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


def options(*groups: tuple[Decorator[Any], ...]) -> Decorator[Any]:
    """Return a decorator that adds all options of these groups to a command, in this order."""

    def decorate(command: Any) -> Any:
        for option in reversed([option for group in groups for option in group]):
            command = option(command)
        return command

    return decorate


def examples(*lines: str) -> str:
    """Return the last part of a verb's help: these lines as examples."""
    return "\n".join(["\b", "For example:", *(f"  {line}" for line in lines)])


def output(*shown: str) -> Decorator[Any]:
    """Return a decorator that adds `-o` with the formats that all of these results share, if there is more than one."""
    offered = formats(*shown)
    if len(offered) == 1:
        return lambda command: command
    return click.option(
        "-o",
        "--output",
        cls=Shared,
        type=OutputFormat(offered),
        default=offered[0],
        show_default=True,
        help="Output format." + (COLUMNS_HELP if CUSTOM_COLUMNS in offered else ""),
    )


def _path(**settings: Any) -> click.Path:
    return click.Path(path_type=Path, **settings)


class _HiddenPath(click.Path):
    """A path that error messages do not repeat, because a user may have passed the secret instead of its file."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail("this is not the path of a readable file.", param, ctx)


def _file(name: str, help_: str) -> Decorator[Any]:
    return click.option(name, cls=Shared, type=_path(dir_okay=False), metavar="FILE", help=help_)


def _token_file(name: str, help_: str) -> Decorator[Any]:
    return click.option(name, cls=Shared, type=_HiddenPath(path_type=Path, exists=True, dir_okay=False), help=help_)


def _flag(name: str, help_: str) -> Decorator[Any]:
    return click.option(name, cls=Shared, is_flag=True, help=help_)


def _limit(name: str, help_: str, maximum: int | None = None) -> Decorator[Any]:
    return click.option(name, cls=Shared, type=click.IntRange(0, maximum), metavar="N", help=help_)


LISTEN: Decorator[Any] = click.option(
    "--listen",
    cls=Shared,
    metavar="HOST:PORT",
    help="Without --once: serve a read-only page, /healthz, /readyz and /metrics here, such as 127.0.0.1:8080.",
)
MONITORING: tuple[Decorator[Any], ...] = (
    LISTEN,
    click.option(
        "--listen-names",
        cls=Shared,
        metavar="NAME,...",
        help="With --listen: host names that requests may use, besides IP addresses and names without a dot.",
    ),
    _token_file("--listen-token-file", "With --listen: file with the token that the page and /metrics need."),
    click.option(
        "--heartbeat-url",
        cls=Shared,
        metavar="URL",
        help="Without --once: send a GET request to this URL after each pass.",
    ),
    _file("--log-file", "Without --once: write the log to this file as JSON, instead of to stderr. It may be rotated."),
)
AUDIT: tuple[Decorator[Any], ...] = (
    _file("--audit", "Append one line of JSON to this file for each change request that is sent."),
)
PATHS: tuple[Decorator[Any], ...] = (
    click.option(
        "--specs", cls=Shared, type=_path(), default="specs", show_default=True, help="Directory of the specs."
    ),
    _file("--config", "The operator's file, outside the specs: trust, paths and limits that no spec can loosen."),
    click.option(
        "--status-dir",
        cls=Shared,
        type=_path(),
        help="Directory of the statuses; by default <specs>/status, or, with --git-url or --status-branch, a "
        "directory in the state directory.",
    ),
    click.option(
        "--state-dir",
        cls=Shared,
        type=_path(),
        help="Directory of the lock, journal and caches; by default in the user's cache directory.",
    ),
)
REMOTE: tuple[Decorator[Any], ...] = (
    click.option(
        "--git-url", cls=Shared, metavar="URL", help="Read the specs from this Git remote, without a checkout."
    ),
    click.option(
        "--git-ref", cls=Shared, default="main", show_default=True, metavar="BRANCH", help="Branch of the Git remote."
    ),
    click.option(
        "--git-path",
        cls=Shared,
        default="specs",
        show_default=True,
        metavar="DIR",
        help="Specs directory in that branch.",
    ),
    click.option(
        "--git-poll",
        cls=Shared,
        default="15s",
        show_default=True,
        metavar="DURATION",
        help="How often to poll the Git remote.",
    ),
    _token_file(
        "--git-token-file",
        "File with the token for the Git remote; by default RECONCILE_GIT_TOKEN, or the password in --git-url.",
    ),
    click.option(
        "--accept-revision",
        cls=Shared,
        metavar="SHA",
        help="Request changes although the branch was rewound, if it was rewound to this commit.",
    ),
)
KIND: tuple[Decorator[Any], ...] = (
    click.option("--kind", cls=Shared, type=KindOfJob(), help="Only jobs of this kind."),
)
SELECTION: tuple[Decorator[Any], ...] = (
    click.option("--selector", cls=Shared, metavar="KEY=VALUE,...", help="Only jobs that have all of these labels."),
    click.option(
        "--provider",
        cls=Shared,
        metavar="NAME",
        help="Only jobs of this provider: a Provider document's name, or a type that needs none.",
    ),
    *KIND,
)
SAFETY: tuple[Decorator[Any], ...] = (
    _limit("--allow-cancels", "Allow all changes of this run despite the guard, if there are at most N."),
    click.option(
        "--allow-cancel",
        cls=Shared,
        multiple=True,
        metavar="NAME",
        help="Allow the change of this job in this run, despite the guard. May be repeated.",
    ),
    _limit("--max-cancels", "Guard: allow at least N changes per hour. By default that of the Settings, or 3."),
    _limit("--max-cancel-percent", "Guard: allow N % of the unfinished jobs, if that is more. By default 30.", 100),
    _limit("--max-cancels-absolute", "Guard: never allow more than N changes per hour. By default 20."),
    _flag("--suspend", "Observe jobs and confirm earlier requests, but request no change."),
)
TRUST: tuple[Decorator[Any], ...] = (
    # The parameter is `trust_files`, so its variable is RECONCILE_TRUST_FILES. RECONCILE_TRUST contains the bindings.
    click.option(
        "--trust",
        "trust_files",
        cls=Shared,
        multiple=True,
        type=_path(exists=True, dir_okay=False),
        help="File that binds credentials to hosts. May be repeated.",
    ),
    click.option(
        "--secrets-dir",
        cls=Shared,
        multiple=True,
        type=_path(exists=True, file_okay=False),
        help="Allow credential files below this directory, besides /run/secrets. May be repeated.",
    ),
)
AUTHOR: tuple[Decorator[Any], ...] = (
    click.option(
        "--commit-author",
        cls=Shared,
        default="reconcile <reconcile@reconcile.invalid>",
        show_default=True,
        metavar="NAME <EMAIL>",
        help="Author of reconcile's commits.",
    ),
)
PUBLISHING: tuple[Decorator[Any], ...] = (
    _flag("--commit", "Commit the statuses to the checked-out branch."),
    _flag("--push", "Commit and push the statuses; a receipt is pushed before each request is sent."),
    click.option(
        "--status-branch", cls=Shared, metavar="NAME", help="Commit the statuses to a separate branch with this name."
    ),
    click.option("--remote", cls=Shared, default="origin", show_default=True, help="Git remote that --push pushes to."),
    *AUTHOR,
    click.option(
        "--commit-trailer",
        cls=Shared,
        multiple=True,
        metavar="LINE",
        help="Trailer for each commit message, such as 'skip-checks: true'. May be repeated.",
    ),
)
DRY_RUN: tuple[Decorator[Any], ...] = (_flag("--dry-run", "Show what would be written, without writing it."),)
CI: tuple[Decorator[Any], ...] = (
    *(click.option(f"--{row.flag}", cls=Shared, is_flag=True, help=row.help) for row in HOSTS),
    _file("--junit", "Write the result to this file as JUnit XML."),
)
CONSOLE: tuple[Decorator[Any], ...] = (
    click.option(
        "-v",
        "--verbose",
        cls=Shared,
        count=True,
        help="Show all log fields, and tracebacks of internal errors.",
    ),
    click.option(
        "--log-format",
        cls=Shared,
        type=OneOf(["text", "json"]),
        default="text",
        show_default=True,
        help="Format of the messages on stderr.",
    ),
    _flag("--no-color", "Disable colours, as the variable NO_COLOR does."),
)
