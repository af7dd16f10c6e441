"""`reconcile healthcheck`: for a container's HEALTHCHECK, which has no other way to ask."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request

import click

from reconciler.cli.listen_address import health_url
from reconciler.cli.options import LISTEN, examples, options
from reconciler.model.exit_code import ExitCode

LISTEN_DEFAULT = "127.0.0.1:8080"
ANSWERS_WITHIN_S = 5


@click.command(
    epilog=examples(
        "reconcile healthcheck",
        "reconcile healthcheck --url http://127.0.0.1:9440/healthz",
    )
)
@click.option(
    "--url",
    envvar="RECONCILE_HEALTHCHECK_URL",
    metavar="URL",
    help=f"Where to ask. Without it: where --listen says, or {LISTEN_DEFAULT}.",
)
@options((LISTEN,))
def healthcheck(*, url: str | None, listen: str | None) -> int:
    """Check the health of a watch that runs with --listen.

    Ends with 0 if it is, and with 1 and a sentence if it is not, or does not answer within five seconds.
    """
    asked = url or health_url(listen or LISTEN_DEFAULT)
    if not asked.startswith(("http://", "https://")):
        msg = f"{asked!r} does not begin with http:// or https://"
        raise click.BadParameter(msg, param_hint="--url")
    problem = _ask(asked)
    if problem is None:
        return os.EX_OK
    sys.stderr.write(f"reconcile: {problem.strip()}\n")
    return ExitCode.STALLED


def _ask(url: str) -> str | None:
    """Return what is wrong, or None."""
    try:
        # Not the transport, which is for providers: only a question is sent, and to this machine, so through no proxy.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=ANSWERS_WITHIN_S):
            return None
    except urllib.error.HTTPError as error:
        with error:
            return error.read(1024).decode(errors="replace") or f"{url} answered HTTP {error.code}"
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        return f"nobody answers at {url}: {reason}"
