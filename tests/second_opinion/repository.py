"""The user's directory: the spec files, a snapshot of them for each edit, and the status files."""

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
    """The spec files below `root/specs`. Each edit replaces one file, and is recorded as a snapshot."""

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
        """Commit all edits, but no statuses, and push them to the remote if there is one. Without Git, do nothing."""
        if self.git:
            tracked = self.remote.mode in ("commit", "push")
            self._git("add", "-A", *(["--", ".", ":(exclude)specs/status"] if tracked else []))
            self._git("commit", "-q", "--allow-empty", "-m", message)
        if self.remote.is_there:
            self._git("push", "-q", self.remote.address, "main")

    @contextmanager
    def together(self, message: str) -> Iterator[None]:
        """Combine all edits of the body in one snapshot, and one commit if there is Git."""
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
        """Replace a spec file in one step, or remove it if it contains no document."""
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
        """Replace one document of a file, or remove it from the file."""
        self.write(path, self.files[path].with_doc(old, new))

    def took(self, path: str, old: Doc, new: Doc) -> None:
        """Record that a command has edited a document. The file is not written."""
        self.files[path] = self.files[path].with_doc(old, new)
        self._remember()

    def halt(self, *, halted: bool) -> None:
        """Record whether every change is suspended from now on."""
        self.halted = halted
        self._remember()

    def mended(self, path: str) -> None:
        """Replace a file that is not valid YAML by a valid one with the same documents."""
        self.write(path, replace(self.files[path], broken=False))

    @property
    def now(self) -> Snapshot:
        """Return the current snapshot of the specs."""
        return self.history[-1]

    def during(self, begin: float, end: float) -> list[Snapshot]:
        """Return each snapshot that was current at any time from `begin` to `end`."""
        ends = [*(each.since for each in self.history[1:]), float("inf")]
        return [each for each, until in zip(self.history, ends, strict=True) if until >= begin and each.since <= end]

    def at(self, moment: float) -> Snapshot:
        """Return the snapshot that was current at `moment`."""
        return self.during(moment, moment)[-1]

    def statuses(self) -> dict[str, bytes]:
        """Return the status files by path below the status directory."""
        base = self.specs / "status"
        return {str(path.relative_to(base)): path.read_bytes() for path in sorted(base.rglob("*")) if path.is_file()}

    def heads(self) -> str:
        """Return all branches of the checkout and of the remote, each with its commit."""
        here = self._git("for-each-ref", "refs/heads") if self.git else ""
        there = run_git(Path(self.remote.address), "for-each-ref") if self.remote.is_there else ""
        return here + there

    def unpublished(self) -> tuple[str, ...]:
        """Return the paths of the statuses in the checkout that differ from the published ones."""
        if self.remote.mode not in ("commit", "push"):
            return ()
        there = self.remote.published() if self.remote.is_there else tree(self.root, "HEAD:specs/status")
        here = {f"status/{path}": data for path, data in self.statuses().items()}
        return tuple(sorted(path for path in here.keys() | there.keys() if here.get(path) != there.get(path)))

    def everything(self) -> dict[str, bytes]:
        """Return every file that a read-only command must not change: specs, statuses, and the published statuses."""
        found = {
            str(path.relative_to(self.specs)): path.read_bytes()
            for path in sorted(self.specs.rglob("*"))
            if path.is_file() and not path.name.startswith(".")
        }
        return {**found, **self.remote.published()} if self.remote.has_own_branch else found
