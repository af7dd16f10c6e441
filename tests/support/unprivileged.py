"""Processes with fewer rights than the tests: one that file permissions apply to, and one of a user without a home."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.cli import RECONCILE

_WITHOUT_OVERRIDE = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")

# A user id that no user database knows. The override lets it read the program under test wherever that is installed: a
# checkout, or a virtual environment, may be closed to everybody but its owner.
_UNKNOWN_USER = ("setpriv", "--reuid=54321", "--regid=54321", "--clear-groups")
_MAY_READ_ALL = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")


def unprivileged() -> tuple[str, ...]:
    """Return the command, run as a user who cannot read every file. Skips the test if that is impossible."""
    if os.geteuid() != 0:
        return RECONCILE
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed: run this as another user than root")
    return (*_WITHOUT_OVERRIDE, *RECONCILE)


def homeless() -> tuple[str, ...]:
    """Return the command, run as an unknown user without a home directory. Only root can do this."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("becoming a user without a home takes root, and setpriv")
    return ("env", "-u", "HOME", "-u", "XDG_CACHE_HOME", *_UNKNOWN_USER, *_MAY_READ_ALL, *RECONCILE)


@contextmanager
def out_of_reach(path: Path) -> Iterator[None]:
    """Take all permissions from a file or a directory while the body runs."""
    mode = path.stat().st_mode
    path.chmod(0)
    try:
        yield
    finally:
        path.chmod(mode)
