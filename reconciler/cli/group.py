"""The command `reconcile`: its verbs, its own options, and the error handling for all verbs.

This module must not import anything slow, because `reconcile --help` should start at once. Therefore the help line of
each verb is here, and the module of a verb, with everything that it needs, is imported when the verb is used.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, cast

import click
from click.core import ParameterSource

from reconciler.cli.leader_elect import ELECTION
from reconciler.cli.options import (
    AUDIT,
    CI,
    CONSOLE,
    MONITORING,
    PATHS,
    PUBLISHING,
    REMOTE,
    SAFETY,
    SELECTION,
    TRUST,
    options,
    output,
)
from reconciler.cli.other_tools import verb_hint
from reconciler.cli.shared_option import Shared
from reconciler.local.installed_version import DISTRIBUTION
from reconciler.views.text import did_you_mean

VERBS = {
    "init": "Write the first files of a repository.",
    "plan": "Show the changes that a pass would request.",
    "apply": "Show the plan, ask for approval, and request the changes.",
    "get": "List jobs with their last recorded status.",
    "describe": "Show jobs in full: spec, status and history.",
    "events": "Show what happened to jobs, in chronological order.",
    "validate": "Check every document, without credentials or network access.",
    "explain": "Explain a field of a document or status, a reason, a condition or a phase.",
    "schema": "Print the JSON Schema of the documents.",
    "set": "Set the desired state of a job in its spec.",
    "suspend": "Suspend jobs: edit their specs so that no change is requested.",
    "unsuspend": "End the suspension of jobs in their specs.",
    "wait": "Wait until jobs reach a state.",
    "retry": "Retry a change now, instead of waiting for its next attempt.",
    "diff": "Compare the wanted, recorded and live state of jobs.",
    "drift": "Show how jobs differ from their specs, and jobs without a spec.",
    "adopt": "Write a spec for each unmanaged job.",
    "archive": "Move the specs and statuses of ended jobs to the archive, and back.",
    "providers": "Show provider types, and the accounts that the specs use.",
    "healthcheck": "Check the health of a running watch that uses --listen.",
    "sandbox": "Serve a simulated provider, for tests and trials.",
    "completion": "Print a shell completion script.",
    "version": "Print the version.",
}

EPILOG = """\b
For example:
  reconcile --once --wait
  reconcile --once --dry-run --selector team=support
  reconcile --listen 127.0.0.1:8080

Each of these options except --version and --help can also be set by an environment variable: --such-as-this by
RECONCILE_SUCH_AS_THIS. The exception is --trust, which RECONCILE_TRUST_FILES sets, because RECONCILE_TRUST contains
the bindings themselves.

\b
Exit codes (the first that applies):
  70  an internal error, or a file could not be read or written
   3  changes were refused by the guard, the approved plan or the user
  78  a credential, a trusted host or a setting is missing or not valid
  65  a document is not valid
   1  a job is stalled: manual action is needed
  69  a provider could not be observed
  75  timed out, or another reconcile process holds the lock
   2  drift, or plan --detailed-exitcode: changes are pending
  64  the command line is invalid
   0  every job is in its desired state, or its change is in progress"""


class VerbGroup(click.Group):
    """A group that imports the module of a verb, `<verb>_command`, when the verb is used."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the verbs, in the order of the help."""
        return list(VERBS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a verb's command, or None if there is no such verb."""
        if cmd_name not in VERBS:
            return None
        return cast("click.Command", getattr(import_module(f"reconciler.cli.{cmd_name}_command"), cmd_name))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs before the options, because a reader looks for a verb first."""
        self.format_commands(ctx, formatter)
        click.Command.format_options(self, ctx, formatter)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs into the help without importing their modules."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the name and command of the verb that the arguments begin with, and the remaining arguments.

        Raises `click.UsageError` if there is no such verb, or if an option before the verb is not one of its options.
        """
        if args[0] not in VERBS:
            hint = verb_hint(args[0]) or did_you_mean(args[0], VERBS) or "`reconcile --help` lists all verbs."
            ctx.fail(f"There is no verb {args[0]!r}. {hint}")
        name, command, rest = super().resolve_command(ctx, args)
        accepted = {param.name for param in command.params} if command is not None else set()
        for param in self.params:
            is_given = ctx.get_parameter_source(param.name or "") is ParameterSource.COMMANDLINE
            if is_given and param.name not in accepted:
                ctx.fail(f"{param.opts[-1]} cannot be combined with the verb {name!r}.")
        return name, command, rest

    def invoke(self, ctx: click.Context) -> object:
        """Run the command. If it raises an exception, print an error message on stderr and return an exit code.

        The exceptions of click are raised again, because click and `program.run` handle them.
        """
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:  # noqa: BLE001 - the last place that can report it to the user
            from reconciler.cli.error_exit import report_failure  # noqa: PLC0415 - only a failure needs it

            return report_failure(error, is_verbose=bool(Shared.value_of(ctx, "verbose")))


@click.group(
    cls=VerbGroup,
    invoke_without_command=True,
    subcommand_metavar="[VERB [ARGS]...]",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EPILOG,
)
@click.option("--once", cls=Shared, is_flag=True, help="Make one pass, retry what failed, and exit.")
@click.option(
    "--wait",
    cls=Shared,
    is_flag=False,
    flag_value="30m",
    metavar="[DURATION]",
    help="With --once: wait until no change is in progress, at most this long; 30m if no duration is given.",
)
@click.option(
    "--dry-run",
    cls=Shared,
    is_flag=True,
    help="With --once: show which changes would be requested. No change is requested, and no status is written.",
)
@click.option(
    "--timeout",
    cls=Shared,
    default="5m",
    show_default=True,
    metavar="DURATION",
    help="With --once: how long to retry requests that fail; 0s tries each once.",
)
@click.option(
    "--plan",
    cls=Shared,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --once: request only the changes in this file, which plan --out wrote. If another change is due at the "
    "start, no change is requested.",
)
@click.option(
    "--shard",
    cls=Shared,
    metavar="I/N",
    help="Manage the I-th of N shares of the accounts. Run one replica with each I from 1 to N, each with a state "
    "directory of its own.",
)
@output("apply", "plan")
@options(PATHS, REMOTE, SELECTION, SAFETY, TRUST, PUBLISHING, AUDIT, MONITORING, ELECTION, CI, CONSOLE)
@click.version_option(package_name=DISTRIBUTION, message="%(package)s %(version)s")
@click.pass_context
def reconcile(ctx: click.Context, /, **values: Any) -> int | None:
    """Manage LLM fine-tuning jobs and batches from a Git repository of specs.

    Each spec declares the desired state of one job. A pass compares it with the state that the provider reports,
    requests the changes that are due, confirms that earlier requests took effect, and writes a status file for each
    job.

    Without a verb, reconcile makes passes until SIGTERM or Ctrl-C. With --once, it makes one pass and exits.
    """
    if ctx.invoked_subcommand is not None:
        return None
    if not values["once"]:
        needs_once = next((option for option in ("wait", "dry_run", "plan", "junit") if values[option]), None)
        if needs_once:
            ctx.fail(f"--{needs_once.replace('_', '-')} needs --once.")
        from reconciler.cli.watch_command import watch  # noqa: PLC0415 - imported when it is used, like a verb

        return watch(values)
    if values["leader_elect"] is not None and not values["dry_run"]:
        ctx.fail("--leader-elect cannot be combined with --once, which holds no lease. Unset RECONCILE_LEADER_ELECT.")
    from reconciler.cli.once_command import once  # noqa: PLC0415 - imported when it is used, like a verb

    return once(values)
