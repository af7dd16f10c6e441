"""Files that look like specs, and are not read because of their names. Pure.

Rules: a name that only its letters' case keeps from being a spec's is one; a name that many other files have as well
(`.json`, `.yaml.txt` as Windows' editors save it) is one only where the file holds a document of ours. Backups that an
editor or a merge leaves beside a spec, and templates, are none: somebody made them, and knows.
"""

from __future__ import annotations

from pathlib import PurePosixPath

SUFFIXES = (".yaml", ".yml")
_OTHERS = (".json", ".yaml.txt", ".yml.txt", ".json.txt")
_MARK = b"jobs.reconciler/"


def meant(path: str) -> str | None:
    """Return the name that a file would be read under, if it looks as though it should be; else None."""
    if path.endswith(SUFFIXES):
        return None
    name = PurePosixPath(path).name
    lower = name.lower()
    suffix = next((each for each in (*SUFFIXES, *_OTHERS) if lower.endswith(each)), None)
    return None if suffix is None else f"{name[: -len(suffix)]}.yaml"


def is_certain(path: str) -> bool:
    """Whether the name alone says that a file is meant as YAML; else what it holds decides."""
    return path.lower().endswith(SUFFIXES)


def holds_documents(data: bytes) -> bool:
    """Whether a file of another kind holds a document of ours."""
    return _MARK in data


def complaint(name: str) -> str:
    """Return what to say of a file that should have this name."""
    return f"is not read: only names that end in .yaml or .yml are; rename it to {name}"
