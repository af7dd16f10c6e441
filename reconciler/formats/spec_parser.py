"""Parse the bytes of a spec file into documents and diagnostics. Pure.

Rules:

- The errors in a file are returned as data, each with its line if it is known. Only `decode` raises an exception.
- An invalid document does not affect the other documents of its file. If its kind or name is unknown, the file is added
  to `broken_files`, so that no spec in it is treated as deleted.
- If a text is not YAML, none of its documents can be read.
- A broken file is assumed to contain what its bytes suggest. Otherwise unreadable Settings would look like missing
  Settings, and the name of an unreadable Provider could be mistaken for the provider type of that name.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain, filterfalse, islice
from operator import attrgetter
from typing import Any

from pydantic import BaseModel

from reconciler.formats.document_check import DocumentCheck, is_too_new, valid_document
from reconciler.formats.validation_errors import closest
from reconciler.formats.yaml_documents import Parse, RawDocument, YamlUnreadableError
from reconciler.formats.yaml_text import DOCUMENTS_MAX, parse
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.kind import DOCUMENTS, KINDS, JobDocument
from reconciler.model.scalar import is_name
from reconciler.model.spec import (
    JobSpec,
    Provider,
    ProviderSpec,
    Settings,
    SettingsSpec,
)
from reconciler.ports import BrokenJob, D, Located, Snapshot

FILE_MAX_BYTES = 4 * 1024 * 1024
MAY_HOLD_SETTINGS = "it may contain Settings, so no change is requested for any job until it can be read"

_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_PLAIN_BYTES = b"\t\n" + bytes(range(0x20, 0x7F))
"""The bytes that pass every check of `decode`. Most files contain no other bytes."""
_NOT_YAML = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MISLEADING = re.compile("\r(?!\n)|[\x85\u2028-\u202e\u2066-\u2069]")
"""Characters that end a line in YAML but not in a code review, or that change the order in which text is displayed."""
_KIND = re.compile(rb"""kind["']?\s*:\s*["']?([A-Za-z]{1,40})""")
_NAMED = re.compile(rb"""name["']?[ \t]*:[ \t]*["']?([a-z0-9-]{1,63})""")

_FIELD_SETS: dict[frozenset[str], set[str]] = {}
"""The sets of the names of fields that documents have set, by their members."""


def read_documents(data: bytes, *, file: str, shown: str, parse: Parse = parse) -> Snapshot:
    """Return the documents of one file as a snapshot that contains only this file.

    All errors are in the snapshot's `diagnostics`; none is raised.

    Args:
        data: the file's bytes.
        file: its path relative to the specs directory, with `/`.
        shown: its path as the user would type it, for diagnostics.
        parse: the YAML parser.
    """
    try:
        documents = parse(decode(data))
    except YamlUnreadableError as error:
        diagnostic = Diagnostic(file=shown, line=error.line, column=error.column, message=str(error))
        found = Snapshot(broken_files=frozenset({file}), diagnostics=(diagnostic,))
    else:
        found = read_parsed(documents, file=file, shown=shown)
    return _with_suspected_contents(found, data, file, shown) if found.broken_files else found


def read_parsed(documents: Iterable[RawDocument], *, file: str, shown: str) -> Snapshot:
    """Return the documents of one file whose YAML has already been parsed.

    The suspected contents of a broken file are missing. `documents` is the result of the parser. The other arguments
    are those of `read_documents`.
    """
    wanted = [raw for raw in documents if raw.value is not None or raw.problems]
    parts = [_Reader(raw, file, shown).read() for raw in wanted]
    return parts[0] if len(parts) == 1 else merge_snapshots(parts)


def _with_suspected_contents(found: Snapshot, data: bytes, file: str, shown: str) -> Snapshot:
    """Return the snapshot of a broken file, marked if the file may contain Provider documents or Settings.

    It may contain a kind if its bytes name the kind more often than documents of that kind were read.
    """
    # UTF-16 stores a zero byte with each ASCII letter, so zero bytes are removed.
    plain = data.replace(b"\0", b"")
    words = [each[1].decode() for each in islice(_KIND.finditer(plain), DOCUMENTS_MAX + 1)]
    kinds = Counter(word if word in DOCUMENTS else closest(word, DOCUMENTS) for word in words)
    if len(words) > DOCUMENTS_MAX:  # more documents than a file may have, so any kind is possible
        kinds.update({"Provider": DOCUMENTS_MAX, "Settings": DOCUMENTS_MAX})
    if kinds["Provider"] > len(found.providers) + len(found.broken_providers):
        names = frozenset(each.decode() for each in _NAMED.findall(plain))
        found = replace(found, may_hold_providers=frozenset({file}), may_name_providers=names)
    if kinds["Settings"] > len(found.settings) and not found.is_settings_broken:
        diagnostic = Diagnostic(file=shown, message=MAY_HOLD_SETTINGS)
        found = replace(found, is_settings_broken=True, diagnostics=(*found.diagnostics, diagnostic))
    return found


def merge_snapshots(parts: Iterable[Snapshot]) -> Snapshot:
    """Return one snapshot with the documents and errors of several snapshots, in the given order."""
    parts = tuple(parts)
    # Most files contain only valid jobs, so the other fields of their snapshots are empty.
    others = list(filterfalse(attrgetter("has_only_jobs"), parts))
    return Snapshot(
        jobs=tuple(chain.from_iterable([each.jobs for each in parts])),
        providers=tuple(chain.from_iterable(each.providers for each in others)),
        settings=tuple(chain.from_iterable(each.settings for each in others)),
        broken_jobs=tuple(chain.from_iterable(each.broken_jobs for each in others)),
        broken_providers=frozenset().union(*(each.broken_providers for each in others)),
        broken_files=frozenset().union(*(each.broken_files for each in others)),
        may_hold_providers=frozenset().union(*(each.may_hold_providers for each in others)),
        may_name_providers=frozenset().union(*(each.may_name_providers for each in others)),
        is_settings_broken=any(each.is_settings_broken for each in others),
        diagnostics=tuple(chain.from_iterable(each.diagnostics for each in others)),
    )


def decode(data: bytes) -> str:
    """Return a file's text, without a byte order mark.

    Raises `YamlUnreadableError` if the file is larger than `FILE_MAX_BYTES`, is not UTF-8, or contains a character that
    YAML does not allow or that can mislead a reader of the text.
    """
    if len(data) > FILE_MAX_BYTES:
        msg = f"the file is larger than {FILE_MAX_BYTES // 1024**2} MiB: split the file"
        raise YamlUnreadableError(msg)
    if not data.translate(None, _PLAIN_BYTES):
        return data.decode("ascii")
    if data.startswith(_WIDE_MARKS):
        msg = "the file is UTF-16 or UTF-32: save it as UTF-8"
        raise YamlUnreadableError(msg, 1)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        msg = f"the file is not UTF-8: byte {data[error.start]:#04x} at offset {error.start}; save it as UTF-8"
        raise YamlUnreadableError(msg, line) from None
    bad = _NOT_YAML.search(text)
    if bad:
        msg = f"the file contains the control character U+{ord(bad[0]):04X}, which YAML does not allow: remove it"
        raise YamlUnreadableError(msg, *_place(text, bad.start()))
    hidden = _MISLEADING.search(text)
    if hidden:
        msg = (
            f"the file contains U+{ord(hidden[0]):04X}, which can make text look different from what it says: remove it"
        )
        raise YamlUnreadableError(msg, *_place(text, hidden.start()))
    return text


def _place(text: str, at: int) -> tuple[int, int]:
    """Return the line of a character, and its number in the line, both from 1."""
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one document of one file."""

    raw: RawDocument
    file: str
    shown: str

    def read(self) -> Snapshot:
        """Return a snapshot that contains only this document, valid or broken."""
        valid = valid_document(self.raw, DOCUMENTS)
        return self._checked() if valid is None else self._valid(valid)

    def _checked(self) -> Snapshot:
        """Return a snapshot that contains only this document, after every check of it."""
        value, check = self.raw.value, DocumentCheck(self.raw, self.shown, DOCUMENTS)
        found = check.problems()
        if not isinstance(value, dict):
            return self._broken(None, None, found)
        found += check.check_header(value)
        kind = _kind(value)
        if kind is None:
            return self._broken(_kind_by_keys(value), self._certain_name(value), found)
        if is_too_new(value):
            return self._broken(kind, self._certain_name(value), found)
        document, errors = check.validated(kind, value)
        found += errors
        return self._valid(document) if not found else self._broken(kind, self._certain_name(value), found)

    def _valid(self, document: BaseModel | None) -> Snapshot:
        match document:
            case _ if isinstance(document, JobDocument):
                _share_field_sets(document)
                return Snapshot(jobs=(self._located(document),))
            case Provider():
                return Snapshot(providers=(self._located(document),))
            case Settings():
                return Snapshot(settings=(self._located(document),))
            case _:
                raise AssertionError(document)  # no other kind is in DOCUMENTS

    def _broken(self, kind: str | None, name: str | None, found: list[Diagnostic]) -> Snapshot:
        diagnostics = tuple(sorted(found, key=lambda each: each.line or 0))
        if kind == "Settings":
            return Snapshot(is_settings_broken=True, diagnostics=diagnostics)
        if kind == "Provider" and name is not None:
            return Snapshot(broken_providers=frozenset({name}), diagnostics=diagnostics)
        if kind is not None and kind in KINDS and name is not None:
            job = BrokenJob(name=name, file=self.file, diagnostics=diagnostics, kind=kind)
            return Snapshot(broken_jobs=(job,), diagnostics=diagnostics)
        return Snapshot(broken_files=frozenset({self.file}), diagnostics=diagnostics)

    def _certain_name(self, value: Mapping[str, Any]) -> str | None:
        """Return the name of the document.

        Return None if the name is missing or not valid, or if a YAML error makes the kind or the name uncertain.
        """
        is_open = any(each.path[:1] in {(), ("kind",), ("metadata",)} for each in self.raw.problems)
        return None if is_open else _name(value)

    def _located(self, document: D) -> Located[D]:
        return Located(document=document, file=self.file, line=self.raw.line, lines=self.raw.lines)


def _share_field_sets(document: JobDocument) -> None:
    """Let the models of all jobs that have the same fields share one set of their names.

    The models are frozen, so no set changes. Sets of their own would take as much memory as all values of a job.
    """
    for model in (document, document.metadata, document.spec):
        names = model.model_fields_set
        object.__setattr__(model, "__pydantic_fields_set__", _FIELD_SETS.setdefault(frozenset(names), names))


def _kind(value: Mapping[str, Any]) -> str | None:
    """Return the kind of a document, or the kind with the most similar name, or None if no name is similar."""
    kind = value.get("kind")
    if not isinstance(kind, str):
        return None
    return kind if kind in DOCUMENTS else closest(kind, DOCUMENTS)


def _kind_by_keys(value: Mapping[str, Any]) -> str | None:
    """Return `Provider` or `Settings` if the keys of a document with an unknown `kind` suggest it, otherwise None.

    Both jobs and Settings can contain `suspend`. If no other key suggests a job, the document is assumed to be
    Settings, because changes could be requested if Settings were mistaken for a job.
    """
    spec = value.get("spec")
    keys = set(spec) if isinstance(spec, dict) else set()
    if keys & _keys_of(ProviderSpec):
        return "Provider"
    return "Settings" if keys & _keys_of(SettingsSpec) and not keys & (_keys_of(JobSpec) - {"suspend"}) else None


def _keys_of(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def _name(value: Mapping[str, Any]) -> str | None:
    metadata = value.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) and is_name(name) else None
