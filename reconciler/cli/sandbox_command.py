"""`reconcile sandbox`: serves a simulated provider with OpenAI's APIs for fine-tuning jobs and batches."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from reconciler import wiring
from reconciler.cli.choices import WholeNumber
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.options import CONSOLE, examples, options

PORT = 8765


@click.command(
    epilog=examples(
        "reconcile sandbox --crowd 30",
        "reconcile sandbox --jobs specs/sandbox.yaml --fault '{fault: status, status: 503, on: cancel, times: 2}'",
    )
)
@click.option("--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=WholeNumber(0, 65_535),
    metavar="PORT",
    default=PORT,
    show_default=True,
    help="Port to listen on; 0 selects a free port.",
)
@click.option(
    "--jobs",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with Provider documents of type sandbox, whose jobs, batches and faults exist at the start.",
)
@click.option(
    "--crowd", type=WholeNumber(0, 10_000), metavar="N", default=0, help="Add this many sample jobs; 0 by default."
)
@click.option(
    "--api-key-env",
    metavar="NAME",
    help="Environment variable with the only API key to accept; by default any key is accepted.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="RULE",
    help="Fault to inject into responses, as a mapping in YAML, such as {fault: slow, for: 5s}. May be repeated. "
    "`reconcile schema Provider` describes each fault.",
)
@options(CONSOLE)
def sandbox(
    *,
    host: str,
    port: int,
    jobs: Path | None,
    crowd: int,
    api_key_env: str | None,
    faults: tuple[str, ...],
    **values: object,
) -> int:
    """Serve a simulated provider, for tests and trials.

    The sandbox implements OpenAI's APIs for fine-tuning jobs and batches, so the official client works with it. Its
    address is printed on stdout once it accepts requests. Ctrl-C stops it.
    """
    console = ConsoleOutput.of(values)

    def on_ready(address: str) -> None:
        console.print_result(f"{address}/v1\n")
        console.log("The sandbox is listening; Ctrl-C stops it.")

    asyncio.run(wiring.serve_sandbox(host, port, jobs, crowd, _key(api_key_env), faults, on_ready))
    return os.EX_OK


def _key(variable: str | None) -> str | None:
    if variable is None:
        return None
    try:
        return os.environ[variable]
    except KeyError:
        msg = f"the variable {variable} of --api-key-env is not set: set it to the API key to accept"
        raise wiring.ConfigurationError(msg) from None
