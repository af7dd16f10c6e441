"""Find files that look like specs and are not read because of their names. Pure.

Rules: a file is reported if only the case of its suffix is wrong. A file with a common suffix (`.json`, or `.yaml.txt`,
as editors on Windows save it) is reported only if it has a document of ours. Backups of editors and merges, and
templates, are not reported, because their authors chose those names.
"""

from __future__ import annotations

from pathlib import PurePosixPath

SUFFIXES = (".yaml", ".yml")
_OTHERS = (".json", ".yaml.txt", ".yml.txt", ".json.txt")
_MARK = b"jobs.reconciler/"


def intended_name(path: str) -> str | None:
    """Return the name under which a file would be read, if it looks like a spec but is not read; else None."""
    if path.endswith(SUFFIXES):
        return None
    name = PurePosixPath(path).name
    lower = name.lower()
    suffix = next((each for each in (*SUFFIXES, *_OTHERS) if lower.endswith(each)), None)
    return None if suffix is None else f"{name[: -len(suffix)]}.yaml"


def is_yaml_by_name(path: str) -> bool:
    """Whether the name alone shows that a file is YAML. Otherwise its content decides."""
    return path.lower().endswith(SUFFIXES)


def has_our_documents(data: bytes) -> bool:
    """Whether a file of another type has a document of ours."""
    return _MARK in data


def rename_hint(name: str) -> str:
    """Return the message for a file that should have this name."""
    return f"is not read: only names that end in .yaml or .yml are; rename it to {name}"
