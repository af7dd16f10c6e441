"""The specs directory as a source of documents.

Rules: a user's mistake or a disk error is reported as a diagnostic and never raised. A file or directory that cannot be
read is in `broken_files`, so that no spec in it is treated as deleted; an empty path stands for the root. Unchanged
bytes are not parsed twice. With an index, an unchanged file is not even opened.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from reconciler.formats.duplicate_documents import with_duplicates_reported
from reconciler.formats.job_edits import job_edits, with_contents
from reconciler.formats.plain_spec import parse_plain
from reconciler.formats.spec_parser import (
    MAY_HOLD_SETTINGS,
    decode,
    merge_snapshots,
    read_documents,
    read_parsed,
)
from reconciler.formats.spec_rows import pack_documents, unpack_documents, without_lines
from reconciler.formats.yaml_documents import RawDocument
from reconciler.formats.yaml_text import parse
from reconciler.local.file_index import FileIndex
from reconciler.local.lookalike_files import LookalikeFiles
from reconciler.local.specs_search import SpecsSearch
from reconciler.local.specs_walk import (
    Found,
    Skipped,
    Stamp,
    ignored_folders,
    is_temporary_by_name,
    readable,
    why_not_trusted,
)
from reconciler.model.diagnostic import Diagnostic, Severity
from reconciler.model.kind import JobDocument
from reconciler.model.spec import Provider, Settings
from reconciler.model.status import Origin
from reconciler.ports import Disk, JobEdit, Snapshot


class SpecsDir:
    """The `SpecSource` of a directory.

    Args:
        root: the specs directory.
        status_root: the directory of statuses. It is not searched for specs, nor is `status` at the root.
        disk: the disk that contains the files.
        display: the directory as the user typed it. Diagnostics start with it.
        index: the parsed contents of files from earlier runs. Without an index, every file is read.
    """

    def __init__(
        self,
        root: Path,
        status_root: Path,
        disk: Disk,
        display: str,
        index: FileIndex | None = None,
    ) -> None:
        self._root = root
        self._disk = disk
        self._search: SpecsSearch[_ParsedSpecs] = SpecsSearch(disk, root, ignored_folders(root, status_root))
        self._display = display.rstrip("/")
        self._index = index
        self._parsed: dict[str, _ParsedSpecs] = {}
        self._read_again = self._text_of
        """`_text_of`, bound once for the documents of all files."""
        self._last_text = b"", ""
        """The digest and the text of the file that was parsed last, so that its errors get their lines from it."""
        self._parsed_uncached: dict[str, _ParsedSpecs] = {}
        """The files of the last snapshot that were parsed without the index, because a request depends on them."""
        self._lookalikes = LookalikeFiles(root, disk)
        self._settings: dict[str, Snapshot] = {}
        """The contents of the files that contained Settings at the last snapshot."""
        self._providers: dict[str, Snapshot] = {}
        """The contents of the files that contained Provider documents at the last snapshot."""
        self._last: Snapshot | None = None
        """The last snapshot, including later edits."""

    def snapshot(self, *, by_content: bool = True) -> Snapshot:
        """Return every document. Without `by_content`, a file whose stamp has not changed is not read again.

        `why_not_trusted` is set if a searched directory contains a Git repository.
        """
        begun_at = self._index.now() if self._index is not None else None
        searched = self._search.run(lambda found: self._read(found, begun_at, by_content=by_content), self._parsed)
        if self._index is not None:
            self._index.save()
        skipped = [*searched.skipped, *self._lookalikes.warnings(searched.lookalikes), *searched.unreadable]
        self._parsed = parsed = searched.contents
        self._parsed_uncached = {file: each for file, each in self._parsed_uncached.items() if file in parsed}
        self._providers = {file: each.contents for file, each in parsed.items() if each.contents.providers}
        whole = merge_snapshots([*map(self._reported, skipped), *(each.contents for each in parsed.values())])
        whole = replace(whole, why_not_trusted=why_not_trusted(skipped))
        self._last = with_duplicates_reported(self._with_hidden_settings(whole, parsed, skipped), self._shown)
        return self._last

    def reread(self, paths: Collection[str]) -> tuple[JobEdit, ...] | None:
        """Read changed files again, and return the edits since the last snapshot, which stays as it is.

        Return None if anything other than edits of job documents may have changed.
        """
        found = self._edited(paths)
        return None if found is None else tuple(edit for _, edits in found.values() for edit in edits)

    def advance(self, paths: Collection[str]) -> Snapshot | None:
        """Read changed files again, and return the last snapshot with their edits. It is then the last snapshot.

        Return None if anything other than edits of job documents may have changed, or a line in a diagnostic.
        """
        if self._last is None or self._last.diagnostics or (found := self._edited(paths)) is None:
            return None
        self._parsed.update((file, parsed) for file, (parsed, _) in found.items())
        self._last = with_contents(self._last, {file: parsed.contents for file, (parsed, _) in found.items()})
        return self._last

    def _edited(self, paths: Collection[str]) -> dict[str, tuple[_ParsedSpecs, tuple[JobEdit, ...]]] | None:
        """Read changed files again, and return the new contents and the edits of each file whose bytes have changed.

        Return None if anything other than edits of job documents may have changed.
        """
        found = {}
        for path in sorted(path for path in paths if not is_temporary_by_name(path)):
            if (before := self._parsed.get(path)) is None:
                return None
            try:
                after = self._parse_uncached(path)
            except OSError:
                return None
            if after.digest == before.digest:
                continue
            if (edits := job_edits(before.contents, after.contents)) is None:
                return None
            found[path] = after, edits
        return found

    def current(self, file: str, name: str) -> JobDocument | None:
        """Read a file again, and return the job document with this name.

        Return None if the file cannot be read, or if it does not contain exactly one valid job document with this name.
        """
        try:
            contents = self._parse_uncached(file).contents
        except OSError:
            return None
        found = [each.document for each in contents.jobs if each.document.metadata.name == name]
        return found[0] if len(found) == 1 else None

    def is_as_read(self) -> bool:
        """Read the files of Settings and Provider documents again, and return whether these are unchanged and valid."""
        return all(self._is_unchanged(file, before) for file, before in (self._settings | self._providers).items())

    @property
    def shared_files(self) -> tuple[str, ...]:
        """The files that contained Settings or Provider documents at the last snapshot."""
        return tuple(self._settings | self._providers)

    def origin(self, file: str) -> Origin | None:  # noqa: ARG002  the port's, and a bare directory has no commits
        """Return None, because a directory has no commits."""
        return None

    def _is_unchanged(self, file: str, before: Snapshot) -> bool:
        try:
            now = self._parse_uncached(file).contents
        except OSError:
            return False
        return not now.is_settings_broken and _shared_in(now) == _shared_in(before)

    def _parse_uncached(self, file: str) -> _ParsedSpecs:
        """Read a file and return its contents, without using the index, because a request depends on them."""
        data = self._disk.read(self._root / file)
        digest = hashlib.sha256(data).digest()
        before = self._parsed_uncached.get(file)
        if before is None or before.digest != digest:
            contents = read_documents(data, file=file, shown=self._shown(file), parse=parse)
            before = self._parsed_uncached[file] = _ParsedSpecs(digest, None, contents, is_certain=False)
        return before

    def _read(self, found: Found, begun_at: datetime | None, *, by_content: bool) -> _ParsedSpecs:
        """Return the contents of a file. `begun_at` and `by_content` are those of the snapshot. Raises `OSError`."""
        known = self._known(found, by_content=by_content)
        return self._parse(found.path, found.stamp, begun_at) if known is None else known

    def _known(self, found: Found, *, by_content: bool) -> _ParsedSpecs | None:
        """Return the contents of a file if they are known without reading it, or None.

        Contents in memory are returned if the stamp is unchanged and, with `by_content`, only if `is_certain` is set.
        """
        before = self._parsed.get(found.path)
        if before is not None:
            is_same = before.stamp is not None and before.stamp == found.stamp
            return before if is_same and (before.is_certain or not by_content) else None
        row = self._index.row(found.path, found.stamp) if self._index is not None else None
        if row is None or self._index is None:
            return None
        digest, documents = unpack_documents(row, self._read_again, found.path)
        contents = read_parsed(documents, file=found.path, shown=self._shown(found.path))
        # A later version of this program may find an error in a document that an earlier one has indexed.
        is_valid = not contents.diagnostics
        return _ParsedSpecs(digest, found.stamp, contents, is_certain=self._index.is_brief) if is_valid else None

    def _parse(self, file: str, stamp: Stamp, begun_at: datetime | None) -> _ParsedSpecs:
        data = self._disk.read(self._root / file)
        digest = hashlib.sha256(data).digest()
        is_certain = self._index is not None and begun_at is not None and self._index.vouches_for(stamp, begun_at)
        before = self._parsed.get(file)
        if before is not None and before.digest == digest:
            return replace(before, stamp=stamp, is_certain=is_certain)
        found: tuple[RawDocument, ...] = ()

        def parse_and_note(text: str) -> tuple[RawDocument, ...]:
            nonlocal found
            self._last_text, plain = (digest, text), parse_plain(text)
            found = parse(text) if plain is None else (plain,)
            return without_lines(found, self._read_again, file, digest)

        contents = read_documents(data, file=file, shown=self._shown(file), parse=parse_and_note)
        if self._index is not None and begun_at is not None:
            row = None if contents.diagnostics else pack_documents(digest, found)
            self._index.keep(file, stamp, row, begun_at)
        return _ParsedSpecs(digest, stamp, contents, is_certain=is_certain)

    def _text_of(self, file: str, digest: bytes) -> str | None:
        """Return the text of a file, or None if its bytes no longer have this digest."""
        if self._last_text[0] == digest:
            return self._last_text[1]
        try:
            data = self._disk.read(self._root / file)
        except OSError:
            return None
        return decode(data) if hashlib.sha256(data).digest() == digest else None

    def _shown(self, path: str) -> str:
        return f"{self._display}/{readable(path)}" if path else self._display

    def _reported(self, skipped: Skipped) -> Snapshot:
        diagnostic = Diagnostic(file=self._shown(skipped.path), message=skipped.message, severity=skipped.severity)
        broken = frozenset({skipped.path} if skipped.severity is Severity.ERROR else ())
        hidden = broken if skipped.may_hold_anything else frozenset[str]()
        return Snapshot(broken_files=broken, may_hold_providers=hidden, diagnostics=(diagnostic,))

    def _with_hidden_settings(
        self, whole: Snapshot, parsed: Mapping[str, _ParsedSpecs], skipped: list[Skipped]
    ) -> Snapshot:
        """Return the snapshot, with Settings marked as broken if an unreadable file may contain them."""
        holding = {file: each.contents for file, each in parsed.items() if each.contents.settings}
        # A broken file that contained Settings before is assumed to still contain them.
        hiding = {file: each for file, each in self._settings.items() if file in whole.broken_files - holding.keys()}
        self._settings = holding | hiding
        # There is at most one Settings document. If it was read, other unreadable files do not matter.
        unread = {each.path for each in skipped if each.may_hold_anything and not whole.settings}
        added = [
            Diagnostic(file=self._shown(each), message=MAY_HOLD_SETTINGS)
            for each in sorted(unread.union(hiding))
            if not whole.is_settings_broken
        ]
        return replace(
            whole,
            is_settings_broken=whole.is_settings_broken or bool(added),
            diagnostics=(*whole.diagnostics, *added),
        )


@dataclass(frozen=True, slots=True)
class _ParsedSpecs:
    """The contents of one file, with the digest of its bytes."""

    digest: bytes
    stamp: Stamp
    """The file's stamp just before it was read."""
    contents: Snapshot
    is_certain: bool
    """Whether an unchanged stamp shows that the file is unchanged, so that this process need not read it again."""


def _shared_in(contents: Snapshot) -> tuple[list[Settings], list[Provider]]:
    return [each.document for each in contents.settings], [each.document for each in contents.providers]
