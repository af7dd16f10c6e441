"""`reconcile completion`: prints the completion script that click generates for a shell."""

from __future__ import annotations

import os

import click
from click.shell_completion import get_completion_class

from reconciler.cli.choices import OneOf

SHELLS = ("bash", "zsh", "fish")

EXAMPLE = """\b
For example:
  bash:  eval "$(reconcile completion bash)"
  zsh:   eval "$(reconcile completion zsh)"
  fish:  reconcile completion fish | source"""


@click.command(epilog=EXAMPLE)
@click.argument("shell", type=OneOf(SHELLS), metavar="SHELL")
@click.pass_context
def completion(ctx: click.Context, /, shell: str) -> int:
    """Print a shell completion script."""
    completion_class = get_completion_class(shell)
    root = ctx.find_root()
    if completion_class is None:
        ctx.fail(f"There is no completion for {shell}.")
    click.echo(completion_class(root.command, {}, "reconcile", "_RECONCILE_COMPLETE").source())
    return os.EX_OK
