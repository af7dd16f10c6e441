"""The options that several verbs share. Each can be set after or before the verb, or by a variable `RECONCILE_<NAME>`.

This module only declares the options. Their values are converted by `option_values`, which is slow to import.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from reconciler.ci import HOSTS
from reconciler.cli.choices import KindOfJob, OneOf, OutputFormat, WholeNumber
from reconciler.cli.shared_option import Shared
from reconciler.views.column_paths import EXAMPLE
from reconciler.views.renderers import CUSTOM_COLUMNS, formats

COLUMNS_HELP = f" Columns are chosen as in kubectl: {CUSTOM_COLUMNS}={EXAMPLE}. Without columns, all paths are listed."

C = TypeVar("C", bound=Callable[..., Any] | click.Command)
Decorator = Callable[[C], C]


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
    """Return a decorator that adds `-o` with the formats that all of these results share.

    If they share only one format, the decorator adds nothing. Raises `LookupError` if they share none.
    """
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
            self.fail("no readable file has this path.", param, ctx)


def file_option(name: str, help_: str) -> Decorator[Any]:
    """Return an option whose value is the path of a file."""
    return click.option(name, cls=Shared, type=_path(dir_okay=False), metavar="FILE", help=help_)


def token_file_option(name: str, help_: str) -> Decorator[Any]:
    """Return an option whose value is the path of a file with a secret."""
    return click.option(name, cls=Shared, type=_HiddenPath(path_type=Path, exists=True, dir_okay=False), help=help_)


def _flag(name: str, help_: str) -> Decorator[Any]:
    return click.option(name, cls=Shared, is_flag=True, help=help_)


def _limit(name: str, help_: str, maximum: int | None = None) -> Decorator[Any]:
    return click.option(name, cls=Shared, type=WholeNumber(0, maximum), metavar="N", help=help_)


def text_option(name: str, metavar: str, help_: str, **settings: Any) -> Decorator[Any]:
    """Return an option whose value is a text."""
    return click.option(name, cls=Shared, metavar=metavar, help=help_, show_default="default" in settings, **settings)


LISTEN: Decorator[Any] = text_option(
    "--listen",
    "HOST:PORT",
    "Without --once: serve a page, /healthz, /readyz and /metrics at this address. By default no port is opened.",
)
MONITORING: tuple[Decorator[Any], ...] = (
    LISTEN,
    text_option(
        "--listen-names",
        "NAME,...",
        "With --listen: host names to accept in requests, besides IP addresses and names without a dot.",
    ),
    token_file_option(
        "--listen-token-file",
        "With --listen: file with the token that the page and /metrics need. Default: RECONCILE_LISTEN_TOKEN.",
    ),
    click.option(
        "--metrics-jobs",
        cls=Shared,
        type=OneOf(["all", "none"]),
        default="all",
        show_default=True,
        help="With --listen: whether /metrics has series for each job (all), or for no job (none).",
    ),
    text_option(
        "--metrics-labels",
        "KEY,...",
        "With --listen: keys of spec labels to add to the metrics of jobs; team becomes label_team. By default none.",
    ),
    text_option(
        "--heartbeat-url",
        "URL",
        "Without --once: send a GET request to this URL after each pass, for a watchdog service.",
    ),
    file_option(
        "--log-file",
        "Without --once: write the log to this file as JSON, instead of to stderr. The file may be rotated.",
    ),
)
AUDIT: tuple[Decorator[Any], ...] = (
    file_option("--audit", "Append one line of JSON to this file for each change request that is sent."),
)
SPECS: tuple[Decorator[Any], ...] = (
    click.option(
        "--specs",
        cls=Shared,
        type=_path(),
        default="specs",
        show_default=True,
        help="Directory of the specs. In a Git checkout, the default is also searched for in the parent directories.",
    ),
)
PATHS: tuple[Decorator[Any], ...] = (
    *SPECS,
    file_option(
        "--config",
        "The operator's file, outside the specs: trusted hosts, paths and limits, which no spec can loosen. By default "
        "there is none.",
    ),
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
    text_option(
        "--git-url", "URL", "Read the specs from this Git remote, without a checkout, instead of from --specs."
    ),
    text_option("--git-ref", "BRANCH", "With --git-url: branch that contains the specs.", default="main"),
    text_option("--git-path", "DIR", "With --git-url: directory of the specs in the branch.", default="specs"),
    text_option(
        "--git-poll",
        "DURATION",
        "With --git-url, without --once: time between two polls of the Git remote.",
        default="15s",
    ),
    token_file_option(
        "--git-token-file",
        "With --git-url: file with the remote's token. Default: the token in RECONCILE_GIT_TOKEN, or in the URL.",
    ),
    text_option(
        "--accept-revision",
        "SHA",
        "With --git-url: accept that the branch was rewound to this commit. Without this option, no change is "
        "requested after a rewind.",
    ),
)
KIND: tuple[Decorator[Any], ...] = (
    click.option("--kind", cls=Shared, type=KindOfJob(), help="Only jobs of this kind."),
)
SELECTION: tuple[Decorator[Any], ...] = (
    text_option("--selector", "KEY=VALUE,...", "Only jobs that have all of these labels."),
    text_option(
        "--provider", "NAME", "Only jobs of this provider: a Provider document's name, or a type that needs none."
    ),
    *KIND,
)
SAFETY: tuple[Decorator[Any], ...] = (
    _limit(
        "--allow-cancels",
        "Allow all changes of this run despite the guard, if there are at most N. By default the guard decides.",
    ),
    text_option(
        "--allow-cancel",
        "NAME",
        "Allow the change of this job in this run, despite the guard. May be repeated.",
        multiple=True,
    ),
    _limit("--max-cancels", "Guard: allow N changes per hour, even if they exceed the percentage. Default: 3."),
    _limit(
        "--max-cancel-percent",
        "Guard: allow changes of N % of the unfinished jobs per hour, if that is more than --max-cancels. Default: 30.",
        100,
    ),
    _limit(
        "--max-cancels-absolute",
        "Guard: allow at most N changes per hour, whatever the percentage allows. Default: 20. If the Settings or the "
        "operator's file set one of these three limits too, the stricter value applies.",
    ),
    _flag("--suspend", "Observe jobs and confirm earlier requests, but request no change."),
    _flag("--shadow", "Shadow mode: decide, judge and report as usual, but request no change."),
)
TRUST: tuple[Decorator[Any], ...] = (
    # RECONCILE_TRUST contains bindings. The parameter is named `trust_files`, so that its own variable is
    # RECONCILE_TRUST_FILES.
    click.option(
        "--trust",
        "trust_files",
        cls=Shared,
        multiple=True,
        type=_path(exists=True, dir_okay=False),
        help="File with the hosts to which credentials may be sent, one VARIABLE=host per line. May be repeated.",
    ),
    click.option(
        "--secrets-dir",
        cls=Shared,
        multiple=True,
        type=_path(exists=True, file_okay=False),
        help="Allow Provider documents to name credential files below this directory, besides /run/secrets. May be "
        "repeated.",
    ),
)
AUTHOR: tuple[Decorator[Any], ...] = (
    text_option(
        "--commit-author",
        "NAME <EMAIL>",
        "Author of reconcile's commits.",
        default="reconcile <reconcile@reconcile.invalid>",
    ),
)
PUBLISHING: tuple[Decorator[Any], ...] = (
    _flag("--commit", "Commit the statuses to the checked-out branch."),
    _flag("--push", "Commit and push the statuses; a receipt is pushed before each request is sent."),
    text_option(
        "--status-branch", "NAME", "Commit the statuses to this separate branch, instead of the branch of the specs."
    ),
    text_option("--remote", "NAME", "Git remote that --push pushes to.", default="origin"),
    *AUTHOR,
    text_option(
        "--commit-trailer",
        "LINE",
        "Trailer for each commit message, such as 'skip-checks: true'. May be repeated.",
        multiple=True,
    ),
)
ARCHIVED: tuple[Decorator[Any], ...] = (
    _flag("--archived", "Show the jobs in the archive instead. `reconcile archive` moves jobs there."),
)
DRY_RUN: tuple[Decorator[Any], ...] = (_flag("--dry-run", "Show what would be written, without writing it."),)
CI: tuple[Decorator[Any], ...] = (
    *(click.option(f"--{row.flag}", cls=Shared, is_flag=True, help=row.help) for row in HOSTS),
    file_option("--junit", "Also write the result to this file as JUnit XML. A watch has no result."),
    file_option(
        "--code-quality",
        "Also write the problems to this file as a Code Quality report (JSON), with a fingerprint for each.",
    ),
)
CONSOLE: tuple[Decorator[Any], ...] = (
    click.option(
        "-v", "--verbose", cls=Shared, count=True, help="Show all log fields, and tracebacks of internal errors."
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
