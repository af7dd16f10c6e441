"""Where the lock, the cache and the sandbox's world live: outside the repository, one directory for each specs path."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from platformdirs import user_cache_path

APPLICATION = "reconcile"


class StateDirRefused(Exception):
    """The directory cannot be used for state. The message says why, and what to do."""


def default_state_dir(specs: Path, environ: Mapping[str, str]) -> Path:
    """Return the state directory of a specs directory: below `XDG_CACHE_HOME`, else the platform's user cache."""
    home = environ.get("XDG_CACHE_HOME")
    cache = Path(home) / APPLICATION if home else user_cache_path(APPLICATION, appauthor=False)
    return cache / hashlib.sha256(os.fsencode(specs.resolve())).hexdigest()[:16]


def prepare_state_dir(path: Path, specs: Path) -> Path:
    """Create it, for this user only, and return it resolved. Raises `StateDirRefused`, or OSError."""
    state = path.resolve()
    if state.is_relative_to(specs.resolve()):
        msg = f"the state directory {path} is inside the specs directory {specs}: name another with --state-dir"
        raise StateDirRefused(msg)
    if state.exists() and not state.is_dir():
        msg = f"the state directory {path} is not a directory: name another with --state-dir"
        raise StateDirRefused(msg)
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    return state
