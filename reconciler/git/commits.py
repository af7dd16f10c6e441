"""Read commits as data: author, time, message and changes.

Rules: the author of a commit chooses its message, names, addresses and dates. Therefore none of these texts is used as
a separator, and each is parsed only from its own field. If a value cannot be read, it is None, and no exception is
raised.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reconciler.git.command import Git
from reconciler.model.status import Origin

SIZE_MAX = 256 * 1024
"""The maximum size of a commit object that is read, in bytes. A message that a person reviews is far smaller."""
NAME_MAX = 200
"""The maximum length of an author's name and address together, in characters."""
_FIELD_MAX = 1024
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_FILES = frozenset({"100644", "100755"})
_LAST = re.compile(r"commit ([0-9a-f]{40,64})\n([0-9a-f]{4,64})")
_ENCODING = re.compile(rb"^encoding ([^\n]*)$", re.MULTILINE)
_CHARSET = re.compile(r"[\w.-]{1,40}", re.ASCII)
_ASCII = bytes(range(0x20, 0x7F))
_AUTHOR = re.compile(rb"^author ([^<\n]*)<([^>\n]*)>", re.MULTILINE)
_COMMITTER = re.compile(rb"^committer [^\n]*> ([0-9]{1,11}) [+-][0-9]{4}$", re.MULTILINE)
_PARENT = re.compile(rb"^parent ([0-9a-f]{40}(?:[0-9a-f]{24})?)$", re.MULTILINE)
_HIDING = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit. A value that cannot be read is None."""

    name: str
    """The full commit id."""
    parents: tuple[str, ...] = ()
    author: str | None = None
    """The author's name and address, as `Ada <ada@example.org>`. Unprintable characters are replaced."""
    email: str | None = None
    """The author's address as it is in the commit. It may contain unprintable characters."""
    committed_at: int | None = None
    """The committer time, in seconds since 1970."""
    message: bytes | None = None
    """The message, or None if a reviewer may have seen a text that differs from these bytes."""


def is_commit(text: str) -> bool:
    """Return whether a text is a full commit id and nothing else."""
    return _COMMIT.fullmatch(text) is not None


def read_commits(git: Git, names: Sequence[str]) -> Iterator[Commit]:
    """Yield the commit of each id, in order. If a commit is missing or too large, only its id is set.

    Raises `GitError` if Git fails.
    """
    sizes = git.sizes(names)
    small = [name for name in names if sizes.get(name, SIZE_MAX + 1) <= SIZE_MAX]
    found = dict(zip(small, git.read_objects("commit", small), strict=True)) if small else {}
    yield from (_read(name, found[name]) if name in found else Commit(name) for name in names)


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file that a commit changed, with its blob ids before and after. None means that there is no regular file."""

    path: str
    before: str | None
    after: str | None


def read_changes(git: Git, commits: Sequence[str], *paths: str, how: Sequence[str] = ()) -> dict[str, list[FileChange]]:
    """Return the changes that commits made below some paths, by commit. A commit without such changes is omitted.

    Args:
        git: the repository.
        commits: for each commit, its id, optionally followed by a blank and the id of the commit to compare it with.
        paths: directories, relative to the root of the tree. Without a path, or with an empty path, every change is
            returned.
        how: options of `git diff-tree` that show a merge, such as `-c`. Without one, a merge without a commit to
            compare it with has no changes.

    Raises `GitError` if Git fails.
    """
    within = ("--", *paths) if all(paths) else ()
    options = ("--stdin", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", "--root", *how)
    listed = git.run("diff-tree", *options, *within, data="".join(f"{each}\n" for each in commits).encode("ascii"))
    found: dict[str, list[FileChange]] = {}
    changes: list[FileChange] = []
    # The field after one that starts with a colon is always a path, so a path may start with a colon too.
    fields = iter(listed.decode("utf-8", "surrogateescape").split("\0")[:-1])
    for each in fields:
        if each.startswith(":"):
            changes.append(_change(each, next(fields, "")))
        else:
            changes = found.setdefault(each, [])
    return found


def _change(facts: str, path: str) -> FileChange:
    """Parse a raw line of `diff-tree`: the modes of all sides, then their ids, with one colon per parent."""
    words = facts.lstrip(":").split(" ")
    modes, ids = words[: len(words) // 2], words[len(words) // 2 : -1]
    sides = [name if mode in _FILES else None for mode, name in zip(modes, ids, strict=True)]
    return FileChange(path, sides[0], sides[-1])


def read_origin(git: Git, revision: str, path: str) -> Origin | None:
    """Return the last commit up to a revision that changed a path, with its author.

    Return None if there is no such commit, or if its author cannot be read. Raises `GitError` if Git fails.
    """
    found = _LAST.fullmatch(git.text("rev-list", "-1", "--format=%h", "--end-of-options", revision, "--", path))
    if found is None:
        return None
    (commit,) = read_commits(git, [found[1]])
    return None if commit.author is None else Origin(found[2], commit.author)


def _read(name: str, data: bytes) -> Commit:
    head, _, message = data.partition(b"\n\n")
    author, committer = _AUTHOR.search(head), _COMMITTER.search(head)
    encoding = _ENCODING.search(head)
    charset = encoding[1].decode("ascii", "replace") if encoding else "utf-8"
    who, email = (_text(part[:_FIELD_MAX], charset) for part in author.groups(b"")) if author else (None, None)
    return Commit(
        name=name,
        parents=tuple(each.decode("ascii") for each in _PARENT.findall(head)),
        author=None if who is None else printable(f"{who.strip()} <{email}>"),
        email=email,
        committed_at=int(committer[1]) if committer else None,
        message=message if _shows_ascii(charset) and not _HIDING.search(message) else None,
    )


def _shows_ascii(charset: str) -> bool:
    """Return whether a viewer that uses the declared encoding of a commit shows ASCII unchanged."""
    try:
        return _CHARSET.fullmatch(charset) is not None and _ASCII.decode(charset) == _ASCII.decode("ascii")
    except (LookupError, UnicodeError):
        return False


def _text(data: bytes, charset: str) -> str:
    try:
        return data.decode(charset if _CHARSET.fullmatch(charset) else "utf-8", "replace")
    except (LookupError, UnicodeError):
        return data.decode("utf-8", "replace")


def printable(text: str) -> str:
    """Return a text with unprintable characters replaced, truncated to `NAME_MAX` characters."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text)[:NAME_MAX]
