"""The operator's file, as a run needs it: read once at the start, and nothing is done where it cannot be."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from reconciler.controller.run_options import Paths
from reconciler.local.credential_policy import Trust
from reconciler.local.operator_file import OperatorRules, read_rules
from reconciler.local.ownership import MisplacedFileError, check_place
from reconciler.wiring.command_errors import ConfigurationError


def rules_of(paths: Paths) -> OperatorRules:
    """Return what the operator's file rules. Raises `ConfigurationError` with every mistake in it, each at its line."""
    rules = checked_rules(paths)
    if rules.diagnostics:
        msg = "\n".join(["the operator's file is not valid, so nothing is done:", *map(str, rules.diagnostics)])
        raise ConfigurationError(msg)
    return rules


def trust_of(paths: Paths, files: Iterable[Path], rules: OperatorRules) -> Trust:
    """Return whom the operator trusts, by his file, by files of bindings, and by the environment.

    Raises `ConfigurationError` where something of it is wrong, or stands where somebody else can write it.
    """
    texts: dict[str, str] = {}
    try:
        for file in files:
            check_place(file, *written_by_others(paths))
            texts[str(file)] = file.read_text(encoding="utf-8")
        return Trust.read(os.environ, texts, rules.bindings)
    except MisplacedFileError as error:
        raise ConfigurationError(str(error)) from None
    except (OSError, ValueError) as error:
        msg = f"what may be trusted cannot be read: {error}"
        raise ConfigurationError(msg) from None


def written_by_others(paths: Paths) -> tuple[Path, ...]:
    """Return the directories that authors of specs write."""
    return (*([paths.specs] if paths.remote is None else []), paths.statuses)


def checked_rules(paths: Paths) -> OperatorRules:
    """Return what the operator's file rules, or what is wrong in it. Raises `ConfigurationError` for its place."""
    if paths.operator is None:
        return OperatorRules()
    try:
        check_place(paths.operator, *written_by_others(paths))
        return read_rules(paths.operator)
    except MisplacedFileError as error:
        raise ConfigurationError(str(error)) from None
    except OSError as error:
        msg = f"the operator's file {paths.operator} cannot be read: {error.strerror or error}"
        raise ConfigurationError(msg) from None
