"""The command `reconcile` itself: its verbs by name, a pass with `--once`, and how every command ends.

Nothing heavy may be imported here: `reconcile --help` is to be there at once. A verb's module, and with it the rest of
the product, is imported when that verb is used; its help line therefore stands here.
"""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import click
from click.core import ParameterSource

from reconciler.cli.options import (
    AUDIT,
    BRAKES,
    CI,
    DISTRIBUTION,
    OBSERVING,
    PLACE,
    PUBLISHING,
    REMOTE,
    SCREEN,
    SELECTION,
    TRUST,
    Shared,
    options,
    output,
)

VERBS = {
    "plan": "Show what a pass would do, and do none of it.",
    "get": "Show where jobs stand, from the status files alone.",
    "describe": "Show one job: its spec, its status, and what happened when.",
    "validate": "Check every document, without a key or a network.",
    "explain": "Explain a field of a document, or a reason in a status.",
    "schema": "Print one JSON Schema for every kind of document.",
    "set": "Write into a spec what should be true of its job.",
    "suspend": "Write into specs that nothing is to be asked for their jobs.",
    "unsuspend": "Take the suspension out of specs again.",
    "wait": "Wait until jobs are where they should be.",
    "retry": "Make one pass for these jobs, in which their next attempt is due.",
    "drift": "Show where the world is not what the specs say, and touch nothing.",
    "adopt": "Write a spec for each job that has none.",
    "providers": "Show what providers can do, and the accounts that the specs name.",
    "healthcheck": "Ask a watch that runs with --listen whether it is well.",
    "sandbox": "Serve a make-believe provider to try things on.",
    "completion": "Print what makes a shell complete verbs and options.",
    "version": "Show which version this is.",
}

EPILOG = """\b
For example:
  reconcile --once --wait
  reconcile --once --dry-run --selector team=support
  reconcile --listen 127.0.0.1:8080

Every option --such-as-this can be set as RECONCILE_SUCH_AS_THIS; but --trust is RECONCILE_TRUST_FILES, for
RECONCILE_TRUST holds the trusted hosts themselves.

\b
Exit codes, the first that holds:
  70  a bug, or a disk that failed
   3  the guard, or the plan that was approved, refused: nothing was asked
  78  a credential, a trusted host or a setting is missing
  65  a document is not valid
   1  a job is stalled: a person must act
  69  a provider could not be looked at
  75  time ran out, or another reconcile is at work
   2  drift, or plan --detailed-exitcode: changes are pending
  64  the command line itself is wrong
   0  all is as desired, or on its way there"""


class VerbGroup(click.Group):
    """A group that imports `reconciler.cli.<verb>_command` when that verb is used."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the verbs, the most used first."""
        return list(VERBS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a verb's command, or None if there is no such verb."""
        if cmd_name not in VERBS:
            return None
        return cast("click.Command", getattr(import_module(f"reconciler.cli.{cmd_name}_command"), cmd_name))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs before the options, for there are fewer of them, and they come first."""
        self.format_commands(ctx, formatter)
        click.Command.format_options(self, ctx, formatter)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs into the help without importing any."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the verb that the arguments begin with. Refuses options before it that mean nothing to it."""
        if args[0] not in VERBS:
            near = get_close_matches(args[0], VERBS, n=1)
            ctx.fail(f"There is no verb {args[0]!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
        name, command, rest = super().resolve_command(ctx, args)
        taken = {param.name for param in command.params} if command is not None else set()
        for param in self.params:
            is_given = ctx.get_parameter_source(param.name or "") is ParameterSource.COMMANDLINE
            if is_given and param.name not in taken:
                ctx.fail(f"{param.opts[-1]} does not go with the verb {name!r}.")
        return name, command, rest

    def invoke(self, ctx: click.Context) -> object:
        """Run the command. Whatever goes wrong in it ends as a sentence and an exit code."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:  # noqa: BLE001 - the last place that can tell a person about it
            from reconciler.cli.error_exit import tell_failure  # noqa: PLC0415 - only a failure needs it

            return tell_failure(error, is_verbose=bool(Shared.given(ctx, "verbose")))


@click.group(
    cls=VerbGroup,
    invoke_without_command=True,
    subcommand_metavar="[VERB [ARGS]...]",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EPILOG,
)
@click.option("--once", cls=Shared, is_flag=True, help="Make one pass, and end.")
@click.option(
    "--wait",
    cls=Shared,
    is_flag=False,
    flag_value="30m",
    metavar="[DURATION]",
    help="With --once: go on until nothing is on its way any more; 30m, if no duration is given.",
)
@click.option("--dry-run", cls=Shared, is_flag=True, help="With --once: look and decide, but ask for nothing.")
@click.option(
    "--timeout",
    cls=Shared,
    default="5m",
    show_default=True,
    metavar="DURATION",
    help="With --once: how long to try again what may work later.",
)
@click.option(
    "--plan",
    cls=Shared,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --once: change nothing that this plan, written by plan --out, does not hold.",
)
@output("text", "json")
@options(PLACE, REMOTE, SELECTION, BRAKES, TRUST, PUBLISHING, AUDIT, OBSERVING, CI, SCREEN)
@click.version_option(package_name=DISTRIBUTION, message="%(package)s %(version)s")
@click.pass_context
def reconcile(ctx: click.Context, /, **given: Any) -> int | None:
    """Make a Git repository of specs the truth about LLM fine-tuning jobs.

    Each spec says what should be true of one job. A pass compares that with what the providers report, cancels what
    should not run, proves that the cancel took effect, and writes a status file for each job.

    Without a verb it watches for ever, until SIGTERM or Ctrl-C; with --once it makes one pass.
    """
    if ctx.invoked_subcommand is not None:
        return None
    if not given["once"]:
        needs_once = next((option for option in ("wait", "dry_run", "plan", "junit") if given[option]), None)
        if needs_once:
            ctx.fail(f"--{needs_once.replace('_', '-')} goes with --once.")
        from reconciler.cli.watch_command import watch  # noqa: PLC0415 - as below

        return watch(given)
    from reconciler.cli.once_command import once  # noqa: PLC0415 - a verb but for its name: imported when it is used

    return once(given)
