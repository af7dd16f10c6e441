"""Read the operator's file and the trust files at the start of a run. If one is invalid, the run does not start."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import Path

from reconciler.controller.run_options import Paths
from reconciler.local.credential_policy import Trust
from reconciler.local.operator_file import OperatorRules, every_kind, read_rules
from reconciler.local.ownership import MisplacedFileError, check_place
from reconciler.ports import jobs_by_kind
from reconciler.providers import load, provider_names
from reconciler.wiring.command_errors import ConfigurationError


def operator_rules(paths: Paths) -> OperatorRules:
    """Return the rules of the operator's file.

    Raises the errors of `read_operator_rules`, and `ConfigurationError` with each mistake if the file contains any.
    """
    rules = read_operator_rules(paths)
    if rules.diagnostics:
        msg = f"the operator's file {paths.operator} is not valid: correct these mistakes, and run the command again"
        raise ConfigurationError(msg, rules.diagnostics)
    return rules


def read_trust(paths: Paths, files: Iterable[Path], rules: OperatorRules) -> Trust:
    """Return the bindings of credentials to hosts, from the operator's file, the trust files and the environment.

    Raises `ConfigurationError` if a source is invalid, if a trust file cannot be read, or if spec authors or other
    users can write to it.
    """
    texts = {str(file): _trust_text(file, written_by_authors(paths)) for file in files}
    try:
        return Trust.read(os.environ, texts, rules.bindings)
    except (OSError, ValueError) as error:
        msg = f"the trusted hosts are not valid: {error}"
        raise ConfigurationError(msg) from None


def _trust_text(file: Path, not_below: Iterable[Path]) -> str:
    try:
        check_place(file, *not_below)
        return file.read_text(encoding="utf-8")
    except MisplacedFileError as error:
        raise ConfigurationError(str(error)) from None
    except (OSError, UnicodeDecodeError) as error:
        why = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror or error
        msg = f"the trust file {file} (--trust) cannot be read: {why}"
        raise ConfigurationError(msg) from None


def written_by_authors(paths: Paths) -> tuple[Path, ...]:
    """Return the directories that spec authors can write to."""
    return (*([paths.specs] if paths.remote is None else []), paths.statuses)


def read_operator_rules(paths: Paths) -> OperatorRules:
    """Return the rules of the operator's file, with a diagnostic for each mistake. Without a file, there are none.

    Raises `ConfigurationError` if the file cannot be read, or if spec authors or other users can write to it.
    """
    if paths.operator is None:
        return OperatorRules()
    try:
        check_place(paths.operator, *written_by_authors(paths))
        return read_rules(paths.operator, provider_names(), _kinds_of)
    except MisplacedFileError as error:
        raise ConfigurationError(str(error)) from None
    except OSError as error:
        msg = f"the operator's file {paths.operator} (--config) cannot be read: {error.strerror or error}"
        raise ConfigurationError(msg) from None


def _kinds_of(type_: str) -> Collection[str]:
    """Return the kinds of job that a provider type has; all kinds if the type cannot be loaded."""
    try:
        return jobs_by_kind(load(type_)).keys()
    except Exception:  # noqa: BLE001  a plug-in that cannot be loaded is reported at the specs that use it
        return every_kind(type_)
