"""One run of the program, from its arguments to its exit code."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import click

from reconciler.cli.group import reconcile
from reconciler.cli.interrupts import INTERRUPTED
from reconciler.cli.other_tools import argument_hint, option_hint
from reconciler.cli.streams import close_streams, open_streams
from reconciler.cli.url_password import hide_password
from reconciler.views.text import did_you_mean

_TOO_MANY = "Got unexpected extra argument"
"""The beginning of click's message about an unexpected argument, whose exception has no class of its own."""


def run_process() -> int:
    """Run `reconcile` with the arguments and streams of the process, and return its exit code."""
    # Plug-ins of pydantic could change how documents are read. The search for them also takes time.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    hide_password()
    open_streams()
    try:
        return run(None)
    finally:
        with suppress(KeyboardInterrupt):
            close_streams()
        # Without this, the interpreter would search all objects for cycles again when it exits. That can take a tenth
        # of the time of a short command.
        gc.freeze()


def run(argv: Sequence[str] | None) -> int:
    """Run `reconcile` with these arguments (the arguments of the process if None) and return its exit code."""
    try:
        return int(reconcile.main(args=argv, prog_name="reconcile", standalone_mode=False) or os.EX_OK)
    except click.NoSuchOption as error:
        params = error.ctx.command.params if error.ctx is not None else ()
        known = [each for param in params for each in param.opts]
        arguments = sys.argv[1:] if argv is None else argv
        hint = option_hint(error.option_name, arguments, known) or did_you_mean(error.option_name, known)
        click.UsageError(f"{error.message} {hint}".rstrip(), error.ctx).show()
        return os.EX_USAGE
    except click.ClickException as error:
        _as_sentence(error).show()
        return os.EX_USAGE
    except click.Abort as error:
        if not error.args:  # `live_run` has already reported an abort with an argument
            click.echo("Interrupted.", err=True)
        return INTERRUPTED


def _as_sentence(error: click.ClickException) -> click.ClickException:
    """Return the error, with a full stop if it is about a value, and with a hint if it is about an unexpected argument.

    The parsers of values return texts without a full stop.
    """
    if type(error) is click.UsageError and error.message.startswith(_TOO_MANY):
        hint = argument_hint(error.ctx.info_name if error.ctx is not None else None)
        return click.UsageError(f"{error.message}. {hint}".rstrip(), error.ctx)
    if type(error) is not click.BadParameter or error.message.endswith((".", "?")):
        return error
    return click.BadParameter(f"{error.message}.", error.ctx, error.param, error.param_hint)
