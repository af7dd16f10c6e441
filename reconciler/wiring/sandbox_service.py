"""Serve a sandbox over HTTP, for the command `reconcile sandbox`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from reconciler.formats.spec_parser import read_documents
from reconciler.formats.validation_errors import field_errors
from reconciler.formats.yaml_documents import YamlUnreadableError
from reconciler.formats.yaml_text import parse
from reconciler.local.clock import SystemClock
from reconciler.sandbox.config import Declared, SandboxOptions
from reconciler.sandbox.faults import Fault
from reconciler.sandbox.sample_jobs import sample_jobs
from reconciler.wiring.command_errors import UsageError

D = TypeVar("D", bound=Declared)


async def serve_sandbox(
    host: str,
    port: int,
    jobs: Path | None,
    size: int,
    api_key: str | None,
    faults: tuple[str, ...],
    on_ready: Callable[[str], None],
) -> None:
    """Serve a sandbox until SIGINT or SIGTERM arrives. Its state is kept in memory only.

    Raises `UsageError` if the options are invalid, or if the address cannot be used.

    Args:
        host: the address to listen on.
        port: the port to listen on; 0 selects a free one.
        jobs: a file with Provider documents that declare jobs; None serves only sample jobs.
        size: the number of sample jobs.
        api_key: the only API key that is accepted; None accepts any key.
        faults: the fault rules, as YAML.
        on_ready: receives the URL of the sandbox once it accepts requests.
    """
    from reconciler.sandbox.app import create_app  # noqa: PLC0415  slow to import, and needed only for this command
    from reconciler.sandbox.serving import serve  # noqa: PLC0415
    from reconciler.sandbox.world import BatchWorld, World  # noqa: PLC0415

    clock, sandbox = SystemClock(), _sandbox_options(jobs, size, faults)
    world, batches = World(sandbox, began_at=clock.now()), BatchWorld(sandbox, began_at=clock.now())
    try:
        await serve(create_app(world, clock.now, api_key=api_key, batches=batches), host, port, on_ready=on_ready)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or error
        msg = f"cannot listen on {host}:{port}: {why}; pass another --host or --port"
        raise UsageError(msg) from None


def _sandbox_options(jobs: Path | None, size: int, faults: tuple[str, ...]) -> SandboxOptions:
    """Return the options of a sandbox: the jobs, batches and faults that a file declares, sample jobs, and faults.

    `faults` contains fault rules as YAML, which take precedence over the rules of the file.

    Raises `UsageError` if the file cannot be read, or if an option is invalid.
    """
    try:
        options = [] if jobs is None else [_validated(each, str(jobs)) for each in _declared_options(jobs)]
        return _merged(options, size, [rule for each in faults for rule in _rules(each)])
    except ValidationError as error:
        why = _first_error(error)
    except (OSError, ValueError) as error:
        why = str(error)
    msg = f"the sandbox cannot be set up: {why}"
    raise UsageError(msg)


def _merged(options: Sequence[SandboxOptions], size: int, rules: Iterable[Fault]) -> SandboxOptions:
    """Return the options with the jobs of several documents, `size` sample jobs, and these fault rules first."""
    return SandboxOptions(
        jobs=(*(_with_defaults_of(each, job) for each in options for job in each.jobs), *sample_jobs(size)),
        batches=tuple(_with_defaults_of(each, batch) for each in options for batch in each.batches),
        faults=(*rules, *(fault for each in options for fault in each.faults)),
    )


def _with_defaults_of(options: SandboxOptions, job: D) -> D:
    """Return a job with the defaults of its document. The jobs of several documents are served together."""
    names = ("cancel_takes", "pause_takes", "cancel_word")
    unset = [name for name in names if name in type(job).model_fields and getattr(job, name) is None]
    return job.model_copy(update={name: getattr(options, name) for name in unset})


def _rules(fault: str) -> tuple[Fault, ...]:
    """Return the rule in the value of `--fault`. Raises `ValueError` if it is not exactly one rule."""
    place = f"--fault {fault!r}"
    try:
        documents = parse(fault)
    except YamlUnreadableError as error:
        msg = f"{place}: {error}"
        raise ValueError(msg) from None
    if len(documents) != 1:
        msg = f"{place} is not one rule: write it as {{fault: status, status: 503, on: cancel}}"
        raise ValueError(msg)
    return _validated({"faults": [documents[0].value]}, place, within=len(("faults", 0))).faults


def _validated(options: Mapping[str, object], place: str, within: int = 0) -> SandboxOptions:
    """Return the options. Raises `ValueError` that names the place and the path of the first error.

    The first `within` steps of the path are left out.
    """
    try:
        return SandboxOptions.model_validate(options)
    except ValidationError as error:
        msg = f"{place}: {_first_error(error, within)}"
        raise ValueError(msg) from None


def _first_error(error: ValidationError, within: int = 0) -> str:
    first = next(field_errors(error, SandboxOptions))
    return ": ".join(filter(None, (".".join(map(str, first.path[within:])), first.message)))


def _declared_options(file: Path) -> list[dict[str, object]]:
    snapshot = read_documents(file.read_bytes(), file=file.name, shown=str(file))
    errors = [str(each) for each in snapshot.diagnostics]
    if errors:
        raise ValueError("; ".join(errors))
    return [each.document.spec.options for each in snapshot.providers if each.document.spec.type == "sandbox"]
