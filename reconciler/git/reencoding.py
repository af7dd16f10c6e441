"""Find specs that Git re-encodes at checkout, so that the file differs from the text that was reviewed.

The attribute `working-tree-encoding` may name any conversion that this machine offers. For example, `ASCII//TRANSLIT`
can turn a typographic quote into the quote that ends a YAML string. A desired state that a reviewer reads as `running`
can then be checked out as `cancelled`.
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
    """Return a diagnostic for the first spec file that Git re-encodes at checkout, or None.

    Args:
        git: the checkout.
        specs: the path of the specs directory in the tree, with `/`.
        statuses: the path of the status directory in the tree, or None if it is not in the tree. Statuses are not
            checked, because each contains a digest.

    Raises `GitError` if Git fails.
    """
    if not _may_set_encoding(git.directory, specs):
        return None
    names = git.run("ls-files", "-z", "--", specs)
    output = git.run("check-attr", "-z", "--stdin", _ATTRIBUTE, data=names) if names else b""
    fields = iter(output.decode("utf-8", "surrogateescape").split("\0")[:-1])
    for path, _, value in zip(fields, fields, fields, strict=True):
        is_status = statuses is not None and path.startswith(f"{statuses}/")
        if value.lower() not in _AS_COMMITTED and path.endswith(SUFFIXES) and not is_status:
            why = f"because its Git attribute {_ATTRIBUTE} is {value[:40]!a}"
            message = f"the checked-out file differs from its commit, {why}"
            return Diagnostic(file=path, message=message, suggestion="save it as UTF-8, and remove the attribute")
    return None


def _may_set_encoding(top: Path, specs: str) -> bool:
    """Return whether an attributes file for the specs mentions the attribute. This is faster than starting Git."""
    root = top / specs
    above = [each / _FILE for each in root.parents if each.is_relative_to(top)]
    inside = (Path(directory, _FILE) for directory, _, names in os.walk(root) if _FILE in names)
    return any(_may_name_attribute(file) for file in (*above, *inside))


def _may_name_attribute(file: Path) -> bool:
    try:
        found = file.lstat()
        # A link is not followed, as in Git. A device or a pipe is not read, because it may be endless.
        is_read = stat.S_ISREG(found.st_mode) and found.st_size <= _READ_MAX
        return _ATTRIBUTE.encode() in file.read_bytes() if is_read else found.st_size > _READ_MAX
    except FileNotFoundError:
        return False
    except OSError:
        return True
