"""The options that several verbs share: each may stand before the verb or after it, or in `RECONCILE_<NAME>`.

What they mean is in `option_values`, which is heavy to import; here is only how they are written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

DISTRIBUTION = "llm-job-reconciler"

C = TypeVar("C", bound=Callable[..., Any] | click.Command)
Decorator = Callable[[C], C]


class Shared(click.Option):
    """An option that may stand before the verb or after it. After wins; the variable comes last."""

    def __init__(self, param_decls: Sequence[str] | None = None, **settings: Any) -> None:
        super().__init__(param_decls, **settings)
        self.envvar = f"RECONCILE_{str(self.name).upper()}"

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> tuple[Any, ParameterSource]:
        """Return what was said here, else what was said before the verb, else the variable or the default."""
        value, source = super().consume_value(ctx, opts)
        key = _key(self.name)
        if source is ParameterSource.COMMANDLINE:
            ctx.meta[key] = value
        elif key in ctx.meta:
            return ctx.meta[key], ParameterSource.COMMANDLINE
        return value, source

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Return what to call this option in an error: by its variable, where that is what was wrong."""
        hint = super().get_error_hint(ctx)
        is_variable = ctx is not None and ctx.get_parameter_source(str(self.name)) is ParameterSource.ENVIRONMENT
        return f"{hint} (from the variable {self.envvar})" if is_variable else hint

    @staticmethod
    def given(ctx: click.Context, name: str) -> object:
        """Return the value of such an option wherever on the command line it stood, else the variable's."""
        return ctx.meta.get(_key(name), ctx.params.get(name))


def _key(name: str | None) -> str:
    """Contexts of a group and its verb share one `meta`; this is an option's place in it."""
    return f"{__name__}.{name}"


class OneOf(click.Choice[str]):
    """One of a few words; says which was probably meant."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the word."""
        if value not in self.choices:
            near = get_close_matches(str(value), self.choices, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            self.fail(f"{value!r} is not one of {', '.join(self.choices)}.{hint}", param, ctx)
        return str(value)


def options(*groups: tuple[Decorator[Any], ...]) -> Decorator[Any]:
    """Return a decorator that gives a command all options of these groups, in this order."""

    def decorate(command: Any) -> Any:
        for option in reversed([option for group in groups for option in group]):
            command = option(command)
        return command

    return decorate


def examples(*lines: str) -> str:
    """Return what a verb's help ends with: commands that work as they stand."""
    return "\n".join(["\b", "For example:", *(f"  {line}" for line in lines)])


def output(*formats: str) -> Decorator[Any]:
    """Return the option `-o` with these formats; the first is the default."""
    return click.option(
        "-o",
        "--output",
        cls=Shared,
        type=OneOf(formats),
        default=formats[0],
        show_default=True,
        help="How the result is printed.",
    )


def _path(**settings: Any) -> click.Path:
    return click.Path(path_type=Path, **settings)


def _limit(name: str, help_: str, most: int | None = None) -> Decorator[Any]:
    return click.option(name, cls=Shared, type=click.IntRange(0, most), metavar="N", help=help_)


OBSERVING: tuple[Decorator[Any], ...] = (
    click.option(
        "--listen",
        cls=Shared,
        metavar="HOST:PORT",
        help="Without --once: serve /healthz, /readyz and /metrics there, such as 127.0.0.1:8080.",
    ),
    click.option(
        "--heartbeat-url", cls=Shared, metavar="URL", help="Without --once: a URL to ask for after each pass."
    ),
)
AUDIT: tuple[Decorator[Any], ...] = (
    click.option(
        "--audit",
        cls=Shared,
        type=_path(dir_okay=False),
        metavar="FILE",
        help="Append a JSON line for each request that changes something.",
    ),
)
PLACE: tuple[Decorator[Any], ...] = (
    click.option(
        "--specs", cls=Shared, type=_path(), default="specs", show_default=True, help="The directory of the specs."
    ),
    click.option("--status-dir", cls=Shared, type=_path(), help="Where statuses stand; by default <specs>/status."),
    click.option(
        "--state-dir",
        cls=Shared,
        type=_path(),
        help="Where the lock and the like stand; by default in the user's cache directory.",
    ),
)
REMOTE: tuple[Decorator[Any], ...] = (
    click.option("--git-url", cls=Shared, metavar="URL", help="Read the specs of this Git remote, without a checkout."),
    click.option("--git-ref", cls=Shared, default="main", show_default=True, metavar="BRANCH", help="Its branch."),
    click.option(
        "--git-path", cls=Shared, default="specs", show_default=True, metavar="DIR", help="The specs directory in it."
    ),
    click.option(
        "--git-poll", cls=Shared, default="15s", show_default=True, metavar="DURATION", help="How often it is asked."
    ),
    click.option(
        "--git-token-file",
        cls=Shared,
        type=_path(exists=True, dir_okay=False),
        help="The file with the token for it; else RECONCILE_GIT_TOKEN, if set.",
    ),
    click.option(
        "--accept-revision", cls=Shared, metavar="SHA", help="Act on this commit though the branch was rewound to it."
    ),
)
SELECTION: tuple[Decorator[Any], ...] = (
    click.option("--selector", cls=Shared, metavar="KEY=VALUE,...", help="Only jobs with all these labels."),
    click.option("--provider", cls=Shared, metavar="NAME", help="Only jobs of this provider."),
)
BRAKES: tuple[Decorator[Any], ...] = (
    _limit("--allow-cancels", "Let this many changes pass the guard, this once."),
    click.option(
        "--allow-cancel",
        cls=Shared,
        multiple=True,
        metavar="NAME",
        help="Let the change of this job pass the guard, this once. May be repeated.",
    ),
    _limit("--max-cancels", "The guard: changes an hour, together with the percentage."),
    _limit("--max-cancel-percent", "The guard: share of the unfinished jobs.", 100),
    _limit("--max-cancels-absolute", "The guard: changes an hour, whatever the share."),
    click.option("--suspend", cls=Shared, is_flag=True, help="Look and confirm, but ask for no change anywhere."),
)
TRUST: tuple[Decorator[Any], ...] = (
    # `RECONCILE_TRUST` holds bindings, not a file's name: hence another name for this one's variable
    click.option(
        "--trust",
        "trust_files",
        cls=Shared,
        multiple=True,
        type=_path(exists=True, dir_okay=False),
        help="A file that says which hosts a credential may go to. May be repeated.",
    ),
    click.option(
        "--secrets-dir",
        cls=Shared,
        multiple=True,
        type=_path(exists=True, file_okay=False),
        help="A directory, besides /run/secrets, that credentials may be read from. May be repeated.",
    ),
)
AUTHOR: tuple[Decorator[Any], ...] = (
    click.option(
        "--commit-author",
        cls=Shared,
        default="reconcile <reconcile@reconcile.invalid>",
        show_default=True,
        metavar="NAME <EMAIL>",
        help="Who commits.",
    ),
)
PUBLISHING: tuple[Decorator[Any], ...] = (
    click.option("--commit", cls=Shared, is_flag=True, help="Commit statuses to the branch that is checked out."),
    click.option("--push", cls=Shared, is_flag=True, help="Push them, and each intent before its request leaves."),
    click.option(
        "--status-branch", cls=Shared, metavar="NAME", help="Publish statuses on a branch that holds nothing else."
    ),
    click.option("--remote", cls=Shared, default="origin", show_default=True, help="With --push: where to."),
    *AUTHOR,
    click.option(
        "--commit-trailer",
        cls=Shared,
        multiple=True,
        metavar="LINE",
        help="A line at the end of each commit's message, such as 'skip-checks: true'. May be repeated.",
    ),
)
DRY_RUN: tuple[Decorator[Any], ...] = (
    click.option("--dry-run", cls=Shared, is_flag=True, help="Show what would be written, and write nothing."),
)
CI: tuple[Decorator[Any], ...] = (
    click.option(
        "--github",
        cls=Shared,
        is_flag=True,
        help="Write annotations, summary and outputs, and with GITHUB_TOKEN a comment, as GitHub Actions has them; "
        "it is so there.",
    ),
    click.option(
        "--junit", cls=Shared, type=_path(dir_okay=False), metavar="FILE", help="Write the result as JUnit XML."
    ),
)
SCREEN: tuple[Decorator[Any], ...] = (
    click.option("-v", "--verbose", cls=Shared, count=True, help="Say more; with a bug, where it happened."),
    click.option(
        "--log-format",
        cls=Shared,
        type=OneOf(["text", "json"]),
        default="text",
        show_default=True,
        help="How progress and problems are told, on stderr.",
    ),
    click.option("--no-color", cls=Shared, is_flag=True, help="No colours; so does the variable NO_COLOR."),
)
