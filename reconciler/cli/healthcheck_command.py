"""`reconcile healthcheck`: for a container's HEALTHCHECK, which has no other way to ask."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request

import click

from reconciler.cli.options import examples
from reconciler.model.report import ExitCode

URL = "http://127.0.0.1:8080/healthz"
ANSWERS_WITHIN_S = 5


@click.command(
    epilog=examples(
        "reconcile healthcheck",
        "reconcile healthcheck --url http://127.0.0.1:9440/healthz",
    )
)
@click.option("--url", envvar="RECONCILE_HEALTHCHECK_URL", default=URL, show_default=True, help="Where to ask.")
def healthcheck(*, url: str) -> int:
    """Ask a watch that runs with --listen whether it is well.

    Ends with 0 if it is, and with 1 and a sentence if it is not, or does not answer within five seconds.
    """
    if not url.startswith(("http://", "https://")):
        msg = f"{url!r} does not begin with http:// or https://"
        raise click.BadParameter(msg, param_hint="--url")
    problem = _ask(url)
    if problem is None:
        return os.EX_OK
    sys.stderr.write(f"reconcile: {problem.strip()}\n")
    return ExitCode.STALLED


def _ask(url: str) -> str | None:
    """Return what is wrong, or None."""
    try:
        # Not the transport, which is for providers: nothing is sent but the question, and to this machine.
        with urllib.request.urlopen(url, timeout=ANSWERS_WITHIN_S):  # noqa: S310  the scheme is checked above
            return None
    except urllib.error.HTTPError as error:
        with error:
            return error.read(1024).decode(errors="replace") or f"{url} answered HTTP {error.code}"
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        return f"nobody answers at {url}: {reason}"
