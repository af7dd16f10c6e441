"""Find files that look like specs but are not read because of their names. Pure.

Rules: a file is reported if only the case of its suffix is wrong. A file with another suffix that is common for specs
(such as `.json`, or `.yaml.txt`, because editors on Windows add `.txt`) is reported only if it seems to contain a
document for reconcile. The same applies to a file that is set aside: its name, or that of a folder, starts with `_`.
Templates, and backups that editors or merges create, are not reported, because their names are intentional.
"""

from __future__ import annotations

from pathlib import PurePosixPath

SUFFIXES = (".yaml", ".yml")
_OTHERS = (".json", ".yaml.txt", ".yml.txt", ".json.txt")
_MARK = b"jobs.reconciler/"
_SET_ASIDE = (
    "the file is not read, because its name, or that of a folder, starts with _: rename it, or move the file elsewhere"
)


def intended_name(path: str) -> str | None:
    """Return the name that a file should have in order to be read as a spec.

    Return None if its present name is read, or is not similar to that of a spec.
    """
    if path.endswith(SUFFIXES):
        return None
    name = PurePosixPath(path).name
    lower = name.lower()
    suffix = next((each for each in (*SUFFIXES, *_OTHERS) if lower.endswith(each)), None)
    return None if suffix is None else f"{name[: -len(suffix)]}.yaml"


def is_reported_by_name(path: str) -> bool:
    """Return whether only the case of a file's suffix is wrong. If not, the content decides whether it is reported."""
    return path.lower().endswith(SUFFIXES) and not path.endswith(SUFFIXES)


def has_our_documents(data: bytes) -> bool:
    """Return whether a file seems to contain a document for reconcile, because it names the API group."""
    return _MARK in data


def why_not_read(path: str) -> str:
    """Return the message for a file that is not read because of its name."""
    name = intended_name(path)
    return (
        _SET_ASIDE
        if name is None
        else f"the file is not read, because its name does not end in .yaml or .yml: rename it to {name}"
    )
