"""The user's directory: spec files on disk, the history of what they said when, and the status files beside them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.second_opinion.clock import Clock, utc
from tests.second_opinion.documents import Doc, SpecFile
from tests.second_opinion.publishing import Remote, run_git, tree
from tests.second_opinion.snapshot import Snapshot


class Repository:
    """Spec files below `root/specs`. Each edit is one file, written whole, and recorded as a snapshot."""

    def __init__(self, root: Path, clock: Clock, mode: str) -> None:
        self.root = root
        self.specs = root / "specs"
        self.specs.mkdir(parents=True)
        self.git = mode != "plain"
        self.remote = Remote(root, mode)
        self.edits = 0
        self._clock = clock
        self._is_gathering = False
        self.files: dict[str, SpecFile] = {}
        self.halted = False
        self.history: list[Snapshot] = [Snapshot(0.0)]
        if self.git:
            self._git("init", "-q", "-b", "main")
            tracked = mode in ("commit", "push")
            (root / ".gitignore").write_text(("" if tracked else "specs/status/\n") + "cache/\n*.json\n*.jsonl\n")
        if self.remote.is_there:
            self._git("remote", "add", "origin", self.remote.link)

    def _git(self, *words: str) -> str:
        now = utc(self._clock.now())
        dates = {"GIT_AUTHOR_DATE": now, "GIT_COMMITTER_DATE": now}
        return run_git(self.root, "-c", "user.name=A User", "-c", "user.email=user@example.org", *words, more=dates)

    def commit(self, message: str) -> None:
        """Commit all that was edited, statuses left out, and push it, where there is Git."""
        if self.git:
            tracked = self.remote.mode in ("commit", "push")
            self._git("add", "-A", *(["--", ".", ":(exclude)specs/status"] if tracked else []))
            self._git("commit", "-q", "--allow-empty", "-m", message)
        if self.remote.is_there:
            self._git("push", "-q", self.remote.address, "main")

    @contextmanager
    def together(self, message: str) -> Iterator[None]:
        """Let all edits of the block become one commit, where there is Git."""
        self._is_gathering = True
        yield
        self._is_gathering = False
        self.history.append(Snapshot(self._clock.now(), dict(self.files), self.halted))
        self.commit(message)

    def _remember(self) -> None:
        self.edits += 1
        if self._is_gathering and self.remote.mode == "remote":
            return
        self.history.append(Snapshot(self._clock.now(), dict(self.files), self.halted))
        if self.remote.mode == "remote":
            self.commit("Edit")

    def write(self, path: str, file: SpecFile) -> None:
        """Save a spec file whole, or remove it where it holds nothing any more."""
        target = self.specs / path
        if not file.docs:
            self.remove(path)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        spare = target.with_name(f".{target.name}.tmp")
        spare.write_text(file.text())
        spare.replace(target)
        self.files[path] = file
        self._remember()

    def remove(self, path: str) -> None:
        """Delete a spec file."""
        if self.files.pop(path, None) is not None:
            (self.specs / path).unlink(missing_ok=True)
            self._remember()

    def rename(self, old: str, new: str) -> None:
        """Move a spec file, as `git mv` does."""
        target = self.specs / new
        target.parent.mkdir(parents=True, exist_ok=True)
        (self.specs / old).replace(target)
        self.files[new] = self.files.pop(old)
        self._remember()

    def change(self, path: str, old: Doc, new: Doc | None) -> None:
        """Save a file with one of its documents changed, or without it."""
        self.write(path, self.files[path].with_doc(old, new))

    def took(self, path: str, old: Doc, new: Doc) -> None:
        """Record that a command has edited a document in place; the file on disk is left as it is."""
        self.files[path] = self.files[path].with_doc(old, new)
        self._remember()

    def halt(self, *, halted: bool) -> None:
        """Record that the operator's variable suspends every change from now on, or no longer."""
        self.halted = halted
        self._remember()

    def mended(self, path: str) -> None:
        """Save a file that was no YAML as YAML again."""
        self.write(path, replace(self.files[path], broken=False))

    @property
    def now(self) -> Snapshot:
        """Return what the specs say at this moment."""
        return self.history[-1]

    def during(self, begin: float, end: float) -> list[Snapshot]:
        """Return each snapshot that was in force at some moment from `begin` to `end`."""
        ends = [*(each.since for each in self.history[1:]), float("inf")]
        return [each for each, until in zip(self.history, ends, strict=True) if until >= begin and each.since <= end]

    def at(self, moment: float) -> Snapshot:
        """Return what the specs said at `moment`."""
        return self.during(moment, moment)[-1]

    def statuses(self) -> dict[str, bytes]:
        """Return the status files by path below the status directory."""
        base = self.specs / "status"
        return {str(path.relative_to(base)): path.read_bytes() for path in sorted(base.rglob("*")) if path.is_file()}

    def heads(self) -> str:
        """Return all branches, of the checkout and of the remote, and where they are."""
        here = self._git("for-each-ref", "refs/heads") if self.git else ""
        there = run_git(Path(self.remote.address), "for-each-ref") if self.remote.is_there else ""
        return here + there

    def unpublished(self) -> tuple[str, ...]:
        """Return the statuses of the checkout that are not yet where they are published to."""
        if self.remote.mode not in ("commit", "push"):
            return ()
        there = self.remote.published() if self.remote.is_there else tree(self.root, "HEAD:specs/status")
        here = {f"status/{path}": data for path, data in self.statuses().items()}
        return tuple(sorted(path for path in here.keys() | there.keys() if here.get(path) != there.get(path)))

    def everything(self) -> dict[str, bytes]:
        """Return every spec and status, those of a branch too: what a command that only reads must leave as it is."""
        found = {
            str(path.relative_to(self.specs)): path.read_bytes()
            for path in sorted(self.specs.rglob("*"))
            if path.is_file() and not path.name.startswith(".")
        }
        return {**found, **self.remote.published()} if self.remote.has_own_branch else found
