"""Open the indexes of the specs and of the statuses in the state directory.

Rules: only a run that holds the lock writes the indexes. Every other command only reads them. If there is no state
directory, a command works without an index.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from reconciler.controller.run_options import Paths
from reconciler.formats import (
    checkout_conversion,
    plain_spec,
    plain_status,
    spec_parser,
    spec_rows,
    status_format,
    status_parser,
    status_rows,
    status_writer,
    yaml_documents,
    yaml_text,
)
from reconciler.local.clock import SystemClock
from reconciler.local.disk import LocalDisk
from reconciler.local.file_index import FileIndex, reader_id
from reconciler.local.state_dir import StateDirUnsafeError, default_state_dir
from reconciler.model import account_line, job, kind, money, reason, scalar, status

_SPEC_READERS = (plain_spec, spec_parser, spec_rows, yaml_documents, yaml_text)
_STATUS_READERS = (
    *(checkout_conversion, plain_status, status_format, status_parser, status_rows, status_writer),
    *(yaml_documents, yaml_text),
    *(account_line, job, kind, money, reason, scalar, status),
)


@dataclass(frozen=True, slots=True)
class IndexUse:
    """How a command uses an index. The attributes are those of `FileIndex`."""

    is_kept: bool = False
    is_brief: bool = True


def open_specs_index(state_dir: Path, use: IndexUse) -> FileIndex:
    """Return the index of the specs. Raises `OSError` if the source of a module that parses specs cannot be read."""
    return _opened(state_dir / "specs.index", reader_id(_SPEC_READERS, yaml_text.PARSER), use)


def open_status_index(state_dir: Path, use: IndexUse) -> FileIndex:
    """Return the index of the statuses. Raises `OSError` if the source of a module that parses them cannot be read."""
    return _opened(state_dir / "statuses.index", reader_id(_STATUS_READERS, yaml_text.PARSER), use)


def reading_specs_index(paths: Paths) -> FileIndex | None:
    """Return the index of the specs, for reading only. None if the default state directory cannot be used."""
    state_dir = _state_dir(paths)
    return None if state_dir is None else open_specs_index(state_dir, IndexUse())


def reading_status_index(paths: Paths) -> FileIndex | None:
    """Return the index of the statuses, for reading only. None if the default state directory cannot be used."""
    state_dir = _state_dir(paths)
    return None if state_dir is None else open_status_index(state_dir, IndexUse())


def _state_dir(paths: Paths) -> Path | None:
    try:
        return paths.state_dir or default_state_dir(paths.identity, os.environ)
    except (StateDirUnsafeError, OSError):
        return None


def _opened(file: Path, reader: str, use: IndexUse) -> FileIndex:
    now = SystemClock().now
    return FileIndex(file, LocalDisk(file.parent), reader, now, is_kept=use.is_kept, is_brief=use.is_brief)
