"""`reconcile healthcheck`: checks a watch, for the HEALTHCHECK of a container image that has no HTTP client."""

from __future__ import annotations

import http.client
import os
import sys
import urllib.error
import urllib.request

import click

from reconciler.cli.listen_address import health_url
from reconciler.cli.options import examples
from reconciler.cli.shared_option import Shared
from reconciler.model.exit_code import ExitCode

LISTEN_DEFAULT = "127.0.0.1:8080"
TIMEOUT_S = 5


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
    help="URL to query; by default /healthz at the address of --listen.",
)
@click.option(
    "--listen",
    cls=Shared,
    metavar="HOST:PORT",
    help=f"Address of the watch, as in its own --listen; by default {LISTEN_DEFAULT}.",
)
def healthcheck(*, url: str | None, listen: str | None) -> int:
    """Check the health of a running watch that uses --listen.

    The command exits with 0 if the watch is healthy. It exits with 1 and prints the problem if the watch is not
    healthy, or does not respond within five seconds.
    """
    target = url or health_url(listen or LISTEN_DEFAULT)
    if not target.startswith(("http://", "https://")):
        msg = f"{target!r} does not begin with http:// or https://"
        raise click.BadParameter(msg, param_hint="--url")
    problem = _health_problem(target)
    if problem is None:
        return os.EX_OK
    sys.stderr.write(f"reconcile: {problem.strip()}\n")
    return ExitCode.STALLED


def _health_problem(url: str) -> str | None:
    """Return why the watch is not healthy, or None if it is."""
    try:
        # urllib is used instead of the transport, whose rules are for providers. The watch is local, so no proxy is
        # used.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=TIMEOUT_S):
            return None
    except urllib.error.HTTPError as error:
        with error:
            return error.read(1024).decode(errors="replace") or f"{url} returned HTTP {error.code}"
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        why = getattr(reason, "strerror", None) or reason
        return f"no valid response from {url}: {str(why).strip()}; check that a watch runs there with --listen"
