"""The options that several verbs share. Each can be before or after the verb, or in a variable `RECONCILE_<NAME>`.

This module only declares them. `option_values` converts their values; it is separate because it is slow to import.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from reconciler.ci import HOSTS
from reconciler.cli.choices import KindOfJob, OneOf
from reconciler.views.renderers import formats

DISTRIBUTION = "llm-job-reconciler"

C = TypeVar("C", bound=Callable[..., Any] | click.Command)
Decorator = Callable[[C], C]


class Shared(click.Option):
    """An option after the verb, before it, or in the variable `RECONCILE_<NAME>`. The first one that is set applies."""

    def __init__(self, param_decls: Sequence[str] | None = None, **settings: Any) -> None:
        super().__init__(param_decls, **settings)
        self.envvar = f"RECONCILE_{str(self.name).upper()}"

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> tuple[Any, ParameterSource]:
        """Return the value after the verb, otherwise that before it, otherwise that of the variable, or the default."""
        value, source = super().consume_value(ctx, opts)
        key = _key(self.name)
        if source is ParameterSource.COMMANDLINE:
            ctx.meta[key] = value
        elif key in ctx.meta:
            return ctx.meta[key], ParameterSource.COMMANDLINE
        return value, source

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Return the name of this option for an error, with its variable if the value came from there."""
        hint = super().get_error_hint(ctx)
        is_variable = ctx is not None and ctx.get_parameter_source(str(self.name)) is ParameterSource.ENVIRONMENT
        return f"{hint} (from the variable {self.envvar})" if is_variable else hint

    @staticmethod
    def value_of(ctx: click.Context, name: str) -> object:
        """Return the value of a shared option, from before or after the verb, or from its variable."""
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
    """Return the last part of a verb's help: example commands that can be run unchanged."""
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
        type=OneOf(offered),
        default=offered[0],
        show_default=True,
        help="Output format.",
    )


def _path(**settings: Any) -> click.Path:
    return click.Path(path_type=Path, **settings)


class _HiddenPath(click.Path):
    """A path that error messages do not repeat, because a user may have passed the secret instead of its file."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail("it is not the path of a readable file.", param, ctx)


def _limit(name: str, help_: str, maximum: int | None = None) -> Decorator[Any]:
    return click.option(name, cls=Shared, type=click.IntRange(0, maximum), metavar="N", help=help_)


LISTEN: Decorator[Any] = click.option(
    "--listen",
    cls=Shared,
    metavar="HOST:PORT",
    help="Without --once: serve /healthz, /readyz and /metrics on this address, such as 127.0.0.1:8080.",
)
MONITORING: tuple[Decorator[Any], ...] = (
    LISTEN,
    click.option(
        "--listen-names",
        cls=Shared,
        metavar="NAME,...",
        help="With --listen: accepted host names, besides IP addresses and names without a dot.",
    ),
    click.option(
        "--heartbeat-url",
        cls=Shared,
        metavar="URL",
        help="Without --once: send a GET request to this URL after each pass.",
    ),
    click.option(
        "--log-file",
        cls=Shared,
        type=_path(dir_okay=False),
        metavar="FILE",
        help="Without --once: append the log as JSON to this file instead of stderr; it may be rotated.",
    ),
)
AUDIT: tuple[Decorator[Any], ...] = (
    click.option(
        "--audit",
        cls=Shared,
        type=_path(dir_okay=False),
        metavar="FILE",
        help="Append a JSON line to this file for each change request.",
    ),
)
PATHS: tuple[Decorator[Any], ...] = (
    click.option(
        "--specs", cls=Shared, type=_path(), default="specs", show_default=True, help="Directory of the specs."
    ),
    click.option(
        "--config",
        cls=Shared,
        type=_path(dir_okay=False),
        metavar="FILE",
        help="The operator's file, outside the specs: trust, paths and limits that no spec can loosen.",
    ),
    click.option(
        "--status-dir", cls=Shared, type=_path(), help="Directory of the statuses; <specs>/status by default."
    ),
    click.option(
        "--state-dir",
        cls=Shared,
        type=_path(),
        help="Directory of the lock, journal and caches; in the user's cache directory by default.",
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
    click.option(
        "--git-token-file",
        cls=Shared,
        type=_HiddenPath(path_type=Path, exists=True, dir_okay=False),
        help="File with the token for the Git remote; otherwise RECONCILE_GIT_TOKEN is used, if set.",
    ),
    click.option(
        "--accept-revision",
        cls=Shared,
        metavar="SHA",
        help="Act on this commit even though the branch was rewound to it.",
    ),
)
KIND: tuple[Decorator[Any], ...] = (
    click.option("--kind", cls=Shared, type=KindOfJob(), help="Only jobs of this kind."),
)
SELECTION: tuple[Decorator[Any], ...] = (
    click.option("--selector", cls=Shared, metavar="KEY=VALUE,...", help="Only jobs that have all of these labels."),
    click.option("--provider", cls=Shared, metavar="NAME", help="Only jobs of this provider."),
    *KIND,
)
SAFETY: tuple[Decorator[Any], ...] = (
    _limit("--allow-cancels", "Allow the changes of this run despite the guard, if there are at most N."),
    click.option(
        "--allow-cancel",
        cls=Shared,
        multiple=True,
        metavar="NAME",
        help="Allow the change of this job in this run, despite the guard. May be repeated.",
    ),
    _limit("--max-cancels", "Guard: number of changes per hour that is allowed whatever the percentage."),
    _limit("--max-cancel-percent", "Guard: changes per hour as % of unfinished jobs, if above --max-cancels.", 100),
    _limit("--max-cancels-absolute", "Guard: maximum number of changes per hour, whatever the percentage."),
    click.option(
        "--suspend", cls=Shared, is_flag=True, help="Observe jobs and confirm earlier requests, but request no change."
    ),
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
        help="Directory to read credential files from, besides /run/secrets. May be repeated.",
    ),
)
AUTHOR: tuple[Decorator[Any], ...] = (
    click.option(
        "--commit-author",
        cls=Shared,
        default="reconcile <reconcile@reconcile.invalid>",
        show_default=True,
        metavar="NAME <EMAIL>",
        help="Author of the commits.",
    ),
)
PUBLISHING: tuple[Decorator[Any], ...] = (
    click.option("--commit", cls=Shared, is_flag=True, help="Commit statuses to the checked-out branch."),
    click.option("--push", cls=Shared, is_flag=True, help="Push statuses, and each intent before its request is sent."),
    click.option(
        "--status-branch", cls=Shared, metavar="NAME", help="Publish statuses on a separate branch with this name."
    ),
    click.option("--remote", cls=Shared, default="origin", show_default=True, help="Remote to push to."),
    *AUTHOR,
    click.option(
        "--commit-trailer",
        cls=Shared,
        multiple=True,
        metavar="LINE",
        help="Trailer for each commit message, such as 'skip-checks: true'. May be repeated.",
    ),
)
DRY_RUN: tuple[Decorator[Any], ...] = (
    click.option("--dry-run", cls=Shared, is_flag=True, help="Show what would be written, without writing it."),
)
CI: tuple[Decorator[Any], ...] = (
    *(click.option(f"--{row.flag}", cls=Shared, is_flag=True, help=row.help) for row in HOSTS),
    click.option(
        "--junit", cls=Shared, type=_path(dir_okay=False), metavar="FILE", help="Write the result as JUnit XML."
    ),
)
CONSOLE: tuple[Decorator[Any], ...] = (
    click.option(
        "-v", "--verbose", cls=Shared, count=True, help="Verbose output; shows tracebacks for internal errors."
    ),
    click.option(
        "--log-format",
        cls=Shared,
        type=OneOf(["text", "json"]),
        default="text",
        show_default=True,
        help="Log format on stderr.",
    ),
    click.option("--no-color", cls=Shared, is_flag=True, help="Disable colours, as the variable NO_COLOR does."),
)
