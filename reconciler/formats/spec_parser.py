"""A file's bytes to its documents, or to what is wrong with them. Pure.

Rules: errors are data, as many as there are, each at its line; one invalid document stops that document alone, unless
nobody can tell which one it is, and then its file counts as broken; a text that is not YAML stops all its documents.
What a broken file seems to hold counts as held: Settings that nobody can read are not Settings that say nothing, nor is
a Provider that nobody can read the type of its name.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from pydantic import BaseModel, ValidationError

from reconciler.formats.validation_errors import CREDENTIALS, Flaw, did_you_mean, flaws, near
from reconciler.formats.yaml_text import MERGE, Parse, Path, RawDocument, Unreadable, parse
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.scalar import is_name, quoted
from reconciler.model.spec import (
    API_VERSION,
    KINDS,
    FineTuningJob,
    JobSpec,
    Provider,
    ProviderSpec,
    Settings,
    SettingsSpec,
)
from reconciler.ports import BrokenJob, D, Located, Snapshot

FILE_MAX_BYTES = 4 * 1024 * 1024
HIDES_SETTINGS = "it may hold Settings, so nothing is asked for any job until it can be read"

_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_NOT_YAML = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_OUR_VERSION = re.compile(r"jobs\.reconciler/v([0-9]{1,9})")
_KIND = re.compile(rb"""kind["']?\s*:\s*["']?([A-Za-z]{1,40})""")
_PLAIN_KEY = re.compile(r"[\w./-]{1,80}")


def read_documents(data: bytes, *, file: str, shown: str, parse: Parse = parse) -> Snapshot:
    """Return what stands in one file, as a snapshot of that file alone.

    Args:
        data: the file's bytes.
        file: its path relative to the specs directory, with `/`.
        shown: its path as the user would type it, for diagnostics.
        parse: makes documents of a text.
    """
    try:
        documents = parse(_decode(data))
    except Unreadable as error:
        said = Diagnostic(file=shown, line=error.line, message=str(error))
        found = Snapshot(broken_files=frozenset({file}), diagnostics=(said,))
    else:
        found = merge(_Reader(raw, file, shown).read() for raw in documents if raw.value is not None or raw.problems)
    return _with_what_it_hides(found, data, file, shown) if found.broken_files else found


def _with_what_it_hides(found: Snapshot, data: bytes, file: str, shown: str) -> Snapshot:
    """Add what a broken file seems to hold besides what was read, by the kinds that stand in its bytes."""
    # Without the zeros that UTF-16 puts between letters.
    words = [each.decode() for each in _KIND.findall(data.replace(b"\0", b""))]
    kinds = Counter(word if word in KINDS else near(word, KINDS) for word in words)
    if kinds["Provider"] > len(found.providers) + len(found.broken_providers):
        found = replace(found, may_hold_providers=frozenset({file}))
    if kinds["Settings"] > len(found.settings) and not found.is_settings_broken:
        said = Diagnostic(file=shown, message=HIDES_SETTINGS)
        found = replace(found, is_settings_broken=True, diagnostics=(*found.diagnostics, said))
    return found


def merge(parts: Iterable[Snapshot]) -> Snapshot:
    """Return one snapshot of several, in their order."""
    parts = tuple(parts)
    return Snapshot(
        jobs=tuple(chain.from_iterable(each.jobs for each in parts)),
        providers=tuple(chain.from_iterable(each.providers for each in parts)),
        settings=tuple(chain.from_iterable(each.settings for each in parts)),
        broken_jobs=tuple(chain.from_iterable(each.broken_jobs for each in parts)),
        broken_providers=frozenset().union(*(each.broken_providers for each in parts)),
        broken_files=frozenset().union(*(each.broken_files for each in parts)),
        may_hold_providers=frozenset().union(*(each.may_hold_providers for each in parts)),
        is_settings_broken=any(each.is_settings_broken for each in parts),
        diagnostics=tuple(chain.from_iterable(each.diagnostics for each in parts)),
    )


def _decode(data: bytes) -> str:
    """Return a file's text. Raises `Unreadable` for what is not UTF-8, not text, or too much of it."""
    if len(data) > FILE_MAX_BYTES:
        msg = f"is larger than {FILE_MAX_BYTES // 1024**2} MiB: split the file"
        raise Unreadable(msg)
    if data.startswith(_WIDE_MARKS):
        msg = "is UTF-16 or UTF-32: save it as UTF-8"
        raise Unreadable(msg, 1)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        msg = f"is not UTF-8: byte {data[error.start]:#04x} at offset {error.start}; save it as UTF-8"
        raise Unreadable(msg, line) from None
    bad = _NOT_YAML.search(text)
    if bad:
        msg = f"holds the control character U+{ord(bad[0]):04X}: is this a text file?"
        raise Unreadable(msg, text.count("\n", 0, bad.start()) + 1)
    return text


@dataclass(frozen=True, slots=True)
class _Reader:
    """One document of one file."""

    raw: RawDocument
    file: str
    shown: str

    def read(self) -> Snapshot:
        """Return the document as a snapshot of its own, valid or broken."""
        value = self.raw.value
        said = [self._diagnostic(each.path, each.message, line=each.line) for each in self.raw.problems]
        if not isinstance(value, dict):
            said.append(self._diagnostic((), "a document must be a mapping with apiVersion, kind, metadata and spec"))
            return self._broken(None, None, said)
        said += self._check_header(value)
        kind = _kind(value)
        if kind is None:
            return self._broken(_kind_by_keys(value), self._certain_name(value), said)
        if _is_too_new(value):
            return self._broken(kind, self._certain_name(value), said)
        try:
            document = KINDS[kind].model_validate(
                {**value, "apiVersion": API_VERSION, "kind": kind}, by_alias=True, by_name=False
            )
        except ValidationError as error:
            found = flaws(error, KINDS[kind])
            said += [self._diagnostic(flaw.path, flaw.message, flaw.suggestion) for flaw in self._own(found)]
        else:
            if not said:
                return self._valid(document)
        return self._broken(kind, self._certain_name(value), said)

    def _own(self, found: Iterable[Flaw]) -> Iterator[Flaw]:
        """Leave out what is missing only because a merge key was to bring it."""
        merged = {each.path[:-1] for each in self.raw.problems if each.path[-1:] == (MERGE,)}
        return (flaw for flaw in found if not (flaw.is_absence and flaw.path[:-1] in merged))

    def _check_header(self, value: Mapping[str, Any]) -> list[Diagnostic]:
        """Say what is wrong with `apiVersion` and `kind`; what it should say is then taken for granted."""
        said = []
        version, kind = value.get("apiVersion"), value.get("kind")
        if _is_too_new(value):
            message = (
                f"{quoted(str(version))} is newer than this reconcile, which reads {API_VERSION}: update reconcile"
            )
            said.append(self._diagnostic(("apiVersion",), message))
        elif version != API_VERSION:
            said.append(self._wrong_word("apiVersion", version, (API_VERSION,)))
        if not isinstance(kind, str) or kind not in KINDS:
            said.append(self._wrong_word("kind", kind, KINDS))
        return said

    def _wrong_word(self, key: str, value: object, words: Iterable[str]) -> Diagnostic:
        if isinstance(value, str):
            message = f"{quoted(value)} is not one of {', '.join(words)}"
            return self._diagnostic((key,), message, did_you_mean(value, words))
        return self._diagnostic((key,), f"is required: one of {', '.join(words)}")

    def _valid(self, document: FineTuningJob | Provider | Settings) -> Snapshot:
        match document:
            case FineTuningJob():
                return Snapshot(jobs=(self._located(document),))
            case Provider():
                return Snapshot(providers=(self._located(document),))
            case Settings():
                return Snapshot(settings=(self._located(document),))

    def _broken(self, kind: str | None, name: str | None, said: list[Diagnostic]) -> Snapshot:
        diagnostics = tuple(sorted(said, key=lambda each: each.line or 0))
        if kind == "Settings":
            return Snapshot(is_settings_broken=True, diagnostics=diagnostics)
        if kind == "Provider" and name is not None:
            return Snapshot(broken_providers=frozenset({name}), diagnostics=diagnostics)
        if kind == "FineTuningJob" and name is not None:
            job = BrokenJob(name=name, file=self.file, diagnostics=diagnostics)
            return Snapshot(broken_jobs=(job,), diagnostics=diagnostics)
        return Snapshot(broken_files=frozenset({self.file}), diagnostics=diagnostics)

    def _certain_name(self, value: Mapping[str, Any]) -> str | None:
        """Return the name, unless something in the YAML leaves open which document this is."""
        is_open = any(each.path[:1] in {(), ("kind",), ("metadata",)} for each in self.raw.problems)
        return None if is_open else _name(value)

    def _located(self, document: D) -> Located[D]:
        return Located(document=document, file=self.file, line=self.raw.line, lines=self.raw.lines)

    def _diagnostic(
        self, path: Path, message: str, suggestion: str | None = None, *, line: int | None = None
    ) -> Diagnostic:
        """Return a diagnostic at that path's line, or at the line of the nearest thing around it that is there."""
        path = path[:2] if path[:2] == CREDENTIALS else path  # a key below may be a secret in the wrong place
        around = (path[:length] for length in range(len(path), 0, -1))
        found = next((self.raw.lines[each] for each in around if each in self.raw.lines), self.raw.line)
        return Diagnostic(
            file=self.shown, line=line or found, field=_dotted(path), message=message, suggestion=suggestion
        )


def _kind(value: Mapping[str, Any]) -> str | None:
    """Return the kind that a document is, or was probably meant to be."""
    kind = value.get("kind")
    if not isinstance(kind, str):
        return None
    return kind if kind in KINDS else near(kind, KINDS)


def _kind_by_keys(value: Mapping[str, Any]) -> str | None:
    """Return the kind of a document whose word for it says nothing, where it has keys of that kind alone.

    To suspend is of jobs and of Settings; where nothing speaks for a job, Settings it is.
    """
    spec = value.get("spec")
    keys = set(spec) if isinstance(spec, dict) else set()
    if keys & _keys_of(ProviderSpec):
        return "Provider"
    return "Settings" if keys & _keys_of(SettingsSpec) and not keys & (_keys_of(JobSpec) - {"suspend"}) else None


def _keys_of(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def _is_too_new(value: Mapping[str, Any]) -> bool:
    version = _OUR_VERSION.match(str(value.get("apiVersion")))
    return version is not None and int(version[1]) > 1


def _name(value: Mapping[str, Any]) -> str | None:
    metadata = value.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) and is_name(name) else None


def _dotted(path: Path) -> str | None:
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            key = step if _PLAIN_KEY.fullmatch(step) else quoted(step)
            text += f".{key}" if text else key
    return text or None
