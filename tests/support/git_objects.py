"""Git objects that are written byte by byte without Git: quickly, and also with contents that Git would not create."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Mapping
from pathlib import Path

FILE, PROGRAM, LINK, MODULE = b"100644", b"100755", b"120000", b"160000"
Tree = dict[bytes, tuple[bytes, str]]
"""The mode and name of an object, by its path."""
Known = dict[tuple[str, int, int, int], str]
"""The names of blobs, by the path and stamp of a file."""


def write(git_dir: Path, kind: str, data: bytes) -> str:
    """Write a loose object, and return its name."""
    stored = b"%b %d\x00%b" % (kind.encode(), len(data), data)
    name = hashlib.sha1(stored, usedforsecurity=False).hexdigest()
    path = git_dir / "objects" / name[:2] / name[2:]
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(zlib.compress(stored, 1))
    return name


def write_tree(git_dir: Path, files: Mapping[bytes, tuple[bytes, str]]) -> str:
    """Write a tree and its subtrees, and return its name. A path component may be any bytes."""
    here: dict[bytes, tuple[bytes, str]] = {}
    below: dict[bytes, Tree] = {}
    for path, entry in files.items():
        name, slash, rest = path.partition(b"/")
        if slash:
            below.setdefault(name, {})[rest] = entry
        else:
            here[name] = entry
    here |= {name: (b"40000", write_tree(git_dir, each)) for name, each in below.items()}
    # Git sorts a directory as if its name ended in a slash.
    ordered = sorted(here.items(), key=lambda each: each[0] + (b"/" if each[1][0] == b"40000" else b""))
    return write(
        git_dir, "tree", b"".join(b"%b %b\x00%b" % (mode, name, bytes.fromhex(of)) for name, (mode, of) in ordered)
    )


def take(git_dir: Path, root: str, inside: str, known: Known) -> Tree:
    """Write the files and links below a directory as blobs, and return their modes and names by path from the root.

    Leaves out `.git`, pipes and devices.

    Args:
        git_dir: the repository.
        root: its working tree.
        inside: the directory.
        known: the names of the blobs of earlier calls, to which new and changed files are added.
    """
    found: Tree = {}
    with os.scandir(inside) as entries:
        for entry in entries:
            name = os.fsencode(entry.path[len(root) + 1 :])
            if entry.is_symlink():
                found[name] = (LINK, write(git_dir, "blob", os.fsencode(Path(entry.path).readlink())))
            elif entry.name == ".git":
                continue
            elif entry.is_dir():
                found |= take(git_dir, root, entry.path, known)
            elif entry.is_file():
                facts = entry.stat()
                mark = (entry.path, facts.st_ino, facts.st_size, facts.st_mtime_ns)
                if mark not in known:
                    known[mark] = write(git_dir, "blob", Path(entry.path).read_bytes())
                found[name] = (PROGRAM if facts.st_mode & 0o100 else FILE, known[mark])
    return found


def write_commit(
    git_dir: Path, tree: str, parent: str | None, message: bytes, author: bytes, date: bytes, more: bytes = b""
) -> str:
    """Write a commit, move the branch `main` to it, and return its name."""
    lines = [b"tree %b" % tree.encode(), *([b"parent %b" % parent.encode()] if parent else [])]
    lines += [b"author %b %b" % (author, date), b"committer %b %b" % (author, date)]
    made = write(git_dir, "commit", b"\n".join(lines) + b"\n" + more + b"\n" + message)
    (git_dir / "refs" / "heads" / "main").write_text(f"{made}\n", encoding="ascii")
    return made
