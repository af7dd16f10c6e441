"""The specs directory as a source of documents.

Rules: whatever a user wrote, or a disk refuses, is a diagnostic and never an exception; what cannot be read is named in
`broken_files`, a directory too (the root as ``), because then nobody may conclude that something is gone; bytes that
have not changed are not parsed twice.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reconciler.formats.lookalikes import has_our_documents, intended_name, is_yaml_by_name, rename_hint
from reconciler.formats.spec_parser import MAY_HOLD_SETTINGS, merge_snapshots, read_documents
from reconciler.formats.yaml_documents import Parse
from reconciler.formats.yaml_text import parse
from reconciler.local.specs_walk import HOLDS_GIT, Found, Lookalike, Stamp, Trouble, not_ours, walk
from reconciler.model.diagnostic import Diagnostic, Severity
from reconciler.model.kind import JobDocument
from reconciler.model.spec import Settings
from reconciler.model.status import Origin
from reconciler.ports import D, Disk, Located, Snapshot


class SpecsDir:
    """The `SpecSource` of a directory.

    Args:
        root: the specs directory.
        status_root: where statuses are kept, which is no place for specs; nor is `status` at the root.
        disk: how files are read.
        display: the directory as its user typed it; diagnostics begin with it.
        parse: makes documents of a text.
    """

    def __init__(self, root: Path, status_root: Path, disk: Disk, display: str, parse: Parse = parse) -> None:
        self._root = root
        self._not_ours = not_ours(root, status_root)
        self._disk = disk
        self._display = display.rstrip("/")
        self._parse_text = parse
        self._parsed: dict[str, _Parsed] = {}
        self._parsed_anew: dict[str, _Parsed] = {}
        """What requests rested on."""
        self._lookalikes: dict[str, tuple[Stamp, bool]] = {}
        """The stamps of files that look like specs, and whether they are intended_name to be."""
        self._settings: dict[str, Snapshot] = {}
        """What the files held that hold Settings."""

    def snapshot(self, *, by_content: bool = True) -> Snapshot:
        """Read everything. Without `by_content`, a file whose stamp has not changed is not read again."""
        found = list(walk(self._disk, self._root, self._not_ours))
        troubles = [each for each in found if isinstance(each, Trouble)]
        troubles += self._passed_over([each for each in found if isinstance(each, Lookalike)])
        parsed: dict[str, _Parsed] = {}
        for each in sorted((each for each in found if isinstance(each, Found)), key=lambda each: each.path):
            file, before = each.path, self._parsed.get(each.path)
            if not by_content and before is not None and before.stamp is not None and before.stamp == each.stamp:
                parsed[file] = before
                continue
            try:
                parsed[file] = self._parse(file, each.stamp)
            except OSError as error:
                troubles.append(Trouble(file, f"cannot be read: {error.strerror or error}", may_hold_anything=True))
        self._parsed = parsed
        whole = merge_snapshots([*map(self._told, troubles), *(each.contents for each in parsed.values())])
        repositories = (f"{self._shown(each.path)} {HOLDS_GIT}" for each in troubles if each.is_repository)
        whole = replace(whole, why_not_trusted=next(repositories, None))
        return self._without_doubles(self._with_hidden_settings(whole, parsed, troubles))

    def current(self, file: str, name: str) -> JobDocument | None:
        """Read one file again, and return its job of that name, if there is exactly one and it is valid."""
        try:
            contents = self._parse_anew(file)
        except OSError:
            return None
        found = [each.document for each in contents.jobs if each.document.metadata.name == name]
        return found[0] if len(found) == 1 else None

    def is_as_read(self) -> bool:
        """Read the files again that held Settings, and return whether these are the same."""
        return all(self._holds_still(file, before) for file, before in self._settings.items())

    @property
    def settings_files(self) -> tuple[str, ...]:
        """The files that held Settings at the last snapshot."""
        return tuple(self._settings)

    def origin(self, file: str) -> Origin | None:  # noqa: ARG002  the port's, and a bare directory has no commits
        """Return None: a directory does not know who wrote what."""
        return None

    def _passed_over(self, lookalikes: list[Lookalike]) -> list[Trouble]:
        """Return what to say of the files that look like specs. One that has not changed is not read again."""
        before, self._lookalikes = self._lookalikes, {}
        for each in lookalikes:
            known = before.get(each.path)
            if known is None or each.stamp is None or known[0] != each.stamp:
                known = each.stamp, is_yaml_by_name(each.path) or self._holds_documents(each.path)
            self._lookalikes[each.path] = known
        return [
            Trouble(path, rename_hint(intended_name(path) or ""), Severity.WARNING)
            for path, (_, is_one) in self._lookalikes.items()
            if is_one
        ]

    def _holds_documents(self, file: str) -> bool:
        try:
            return has_our_documents(self._disk.read(self._root / file))
        except OSError:
            return False  # nobody says that it is one of ours

    def _holds_still(self, file: str, before: Snapshot) -> bool:
        try:
            now = self._parse_anew(file)
        except OSError:
            return False
        return not now.is_settings_broken and _said(now) == _said(before)

    def _parse_anew(self, file: str) -> Snapshot:
        """Read a file on which a request rests. Nothing that was remembered on a disk decides what it says."""
        data = self._disk.read(self._root / file)
        digest = hashlib.sha256(data).digest()
        before = self._parsed_anew.get(file)
        if before is None or before.digest != digest:
            contents = read_documents(data, file=file, shown=self._shown(file), parse=parse)
            before = self._parsed_anew[file] = _Parsed(digest, None, contents)
        return before.contents

    def _parse(self, file: str, stamp: Stamp = None) -> _Parsed:
        data = self._disk.read(self._root / file)
        digest = hashlib.sha256(data).digest()
        before = self._parsed.get(file)
        if before is not None and before.digest == digest:
            return replace(before, stamp=stamp)
        contents = read_documents(data, file=file, shown=self._shown(file), parse=self._parse_text)
        return _Parsed(digest, stamp, contents)

    def _shown(self, path: str) -> str:
        readable = path if path.isprintable() else ascii(path)[1:-1]
        return f"{self._display}/{readable}" if path else self._display

    def _told(self, trouble: Trouble) -> Snapshot:
        said = Diagnostic(file=self._shown(trouble.path), message=trouble.message, severity=trouble.severity)
        broken = frozenset({trouble.path} if trouble.severity is Severity.ERROR else ())
        hidden = broken if trouble.may_hold_anything else frozenset[str]()
        return Snapshot(broken_files=broken, may_hold_providers=hidden, diagnostics=(said,))

    def _with_hidden_settings(
        self, whole: Snapshot, parsed: Mapping[str, _Parsed], troubles: list[Trouble]
    ) -> Snapshot:
        """Count Settings as broken that may stand where nobody can read, and remember where they stand."""
        holding = {file: each.contents for file, each in parsed.items() if each.contents.settings}
        # A file that held Settings, and now is broken, goes on holding them.
        hiding = {file: each for file, each in self._settings.items() if file in whole.broken_files - holding.keys()}
        self._settings = holding | hiding
        # There is one Settings at most, so where one is read no other is looked for.
        unread = {each.path for each in troubles if each.may_hold_anything and not whole.settings}
        said = [
            Diagnostic(file=self._shown(each), message=MAY_HOLD_SETTINGS)
            for each in sorted(unread.union(hiding))
            if not whole.is_settings_broken
        ]
        return replace(
            whole,
            is_settings_broken=whole.is_settings_broken or bool(said),
            diagnostics=(*whole.diagnostics, *said),
        )

    def _without_doubles(self, snapshot: Snapshot) -> Snapshot:
        """Say what stands twice. Both jobs stay in: that neither is acted on is the core's to decide."""
        jobs = _places(snapshot.jobs)
        for broken in snapshot.broken_jobs:
            jobs[broken.name].append((broken.file, broken.diagnostics[0].line))
        providers = _places(snapshot.providers)
        settings = [(each.file, each.line) for each in snapshot.settings]
        said = [*snapshot.diagnostics]
        for name, places in [*jobs.items(), *providers.items()]:
            said += self._doubles(places, "metadata.name", f"the name {name!r} is used again at")
        said += self._doubles(settings, "kind", "only one Settings document is allowed, and there is another at")
        return replace(
            snapshot,
            broken_providers=snapshot.broken_providers
            | {name for name, places in providers.items() if len(places) > 1},
            is_settings_broken=snapshot.is_settings_broken or len(settings) > 1,
            diagnostics=tuple(said),
        )

    def _doubles(self, places: Sequence[_Place], field: str, message: str) -> Iterator[Diagnostic]:
        for index, (file, line) in enumerate(places if len(places) > 1 else ()):
            other, other_line = places[0 if index else 1]
            there = f"{self._shown(other)}:{other_line}"
            yield Diagnostic(file=self._shown(file), line=line, field=field, message=f"{message} {there}")


_Place = tuple[str, int | None]


@dataclass(frozen=True, slots=True)
class _Parsed:
    """What one file held when its bytes had this digest."""

    digest: bytes
    stamp: Stamp
    """As the file stood in its directory just before it was read."""
    contents: Snapshot


def _said(contents: Snapshot) -> list[Settings]:
    return [each.document for each in contents.settings]


def _places(documents: tuple[Located[D], ...]) -> defaultdict[str, list[_Place]]:
    """Return where each name stands."""
    places: defaultdict[str, list[_Place]] = defaultdict(list)
    for each in documents:
        line = each.lines.get(("metadata", "name"), each.line)
        places[each.document.metadata.name].append((each.file, line))
    return places
