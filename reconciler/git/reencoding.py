"""Specs that Git writes into a working tree with other letters than were committed: a review shows the committed ones.

The attribute `working-tree-encoding` may name any conversion that the machine knows. `ASCII//TRANSLIT` makes a quote
that ends a text of one that does not: a spec that a reviewer reads as `running` is then checked out as `cancelled`.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from reconciler.formats.lookalikes import SUFFIXES
from reconciler.git.command import Git
from reconciler.model.diagnostic import Diagnostic

_ATTRIBUTE = "working-tree-encoding"
_FILE = ".gitattributes"
_READ_MAX = 1024 * 1024
_AS_COMMITTED = frozenset({"unspecified", "unset", "set", "utf-8", "utf8"})


def find_reencoded(git: Git, specs: str, statuses: str | None) -> Diagnostic | None:
    """Return the first spec that is checked out in another encoding than it is stored in, or None.

    Args:
        git: the checkout.
        specs: the specs directory in its tree, with `/`.
        statuses: where statuses stand in its tree, if they do: a digest tells what was done to one.

    Raises `GitError`.
    """
    if not _is_spoken_of(git.directory, specs):
        return None
    names = git.run("ls-files", "-z", "--", specs)
    told = git.run("check-attr", "-z", "--stdin", _ATTRIBUTE, data=names) if names else b""
    fields = iter(told.decode("utf-8", "surrogateescape").split("\0")[:-1])
    for path, _, value in zip(fields, fields, fields, strict=True):
        is_status = statuses is not None and path.startswith(f"{statuses}/")
        if value.lower() not in _AS_COMMITTED and path.endswith(SUFFIXES) and not is_status:
            message = (
                f"is checked out otherwise than it is committed: its {_ATTRIBUTE} (gitattributes) is {value[:40]!a}"
            )
            return Diagnostic(file=path, message=message, suggestion="store it in UTF-8, and take the attribute away")
    return None


def _is_spoken_of(top: Path, specs: str) -> bool:
    """Return whether a file of attributes for the specs has the word, as far as a look can tell."""
    root = top / specs
    above = [each / _FILE for each in root.parents if each.is_relative_to(top)]
    inside = (Path(directory, _FILE) for directory, _, names in os.walk(root) if _FILE in names)
    return any(_may_have_the_word(file) for file in (*above, *inside))


def _may_have_the_word(file: Path) -> bool:
    try:
        found = file.lstat()
        # Git follows no link to attributes either, and a device or a pipe would have no end.
        is_read = stat.S_ISREG(found.st_mode) and found.st_size <= _READ_MAX
        return _ATTRIBUTE.encode() in file.read_bytes() if is_read else found.st_size > _READ_MAX
    except FileNotFoundError:
        return False
    except OSError:
        return True
