"""Processes with fewer rights than the tests: of a user who cannot read every file, and of a user without a home."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.cli import RECONCILE

_WITHOUT_OVERRIDE = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")

# The user ID is in no user database. The capability lets this user read the tested program, because only the owner of a
# checkout or a virtual environment may have access to it.
_UNKNOWN_USER = ("setpriv", "--reuid=54321", "--regid=54321", "--clear-groups")
_MAY_READ_ALL = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")


def unprivileged() -> tuple[str, ...]:
    """Return the command, run as a user who cannot read every file. Skips the test if that is impossible."""
    if os.geteuid() != 0:
        return RECONCILE
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed: install util-linux, or run the test as a user other than root")
    return (*_WITHOUT_OVERRIDE, *RECONCILE)


def homeless() -> tuple[str, ...]:
    """Return the command, run as an unknown user without a home directory. Skips the test without root or setpriv."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can run a command as another user, with setpriv")
    return ("env", "-u", "HOME", "-u", "XDG_CACHE_HOME", *_UNKNOWN_USER, *_MAY_READ_ALL, *RECONCILE)


@contextmanager
def out_of_reach(path: Path) -> Iterator[None]:
    """Remove all permissions of a file or directory while the body runs."""
    mode = path.stat().st_mode
    path.chmod(0)
    try:
        yield
    finally:
        path.chmod(mode)
