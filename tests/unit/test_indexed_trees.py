"""The specs and statuses with an index: which files are opened, and that the result is the same as without an index."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.formats.spec_rows import pack_documents, unpack_documents
from reconciler.formats.status_parser import parse_status
from reconciler.formats.status_rows import pack_status, unpack_status
from reconciler.formats.status_writer import digest, render_status
from reconciler.formats.yaml_text import parse
from reconciler.local.disk import LocalDisk
from reconciler.local.file_index import FileIndex
from reconciler.local.specs_dir import SpecsDir
from reconciler.local.status_store import StatusDirectory
from reconciler.model.spec import DesiredState
from reconciler.ports import Snapshot, StoredStatuses
from reconciler.redaction import Secrets
from tests.support.build import a_status

SPEC = """\
# A comment above the document.
apiVersion: jobs.reconciler/v1
kind: FineTuningJob
metadata: {{name: {name}}}
spec:
  provider: main
  jobId: ftjob-1
  desiredState: {state}
  reason: is für Ada
"""
CANARY = "sk-live-0123456789abcdefgh"


class CountingDisk(LocalDisk):
    """The real disk, which records the files that are opened."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.opened: list[str] = []

    def read(self, path: Path) -> bytes:
        """Record the file, and read it."""
        self.opened.append(path.name)
        return super().read(path)


def later() -> datetime:
    """Return a time at which no file has changed recently."""
    return datetime.now(UTC) + timedelta(minutes=1)


def just_now() -> datetime:
    """Return a time at which every file has just changed."""
    return datetime.fromtimestamp(0, UTC)


@pytest.fixture(name="place")
def _place(tmp_path: Path) -> Path:
    for each in ("specs", "state"):
        (tmp_path / each).mkdir(mode=0o700)
    return tmp_path


def index(
    place: Path, *, is_kept: bool = True, is_brief: bool = True, now: Callable[[], datetime] = later
) -> FileIndex:
    file = place / "state" / "files.index"
    return FileIndex(file, LocalDisk(file.parent), "reader", now, is_kept=is_kept, is_brief=is_brief)


def specs(place: Path, disk: LocalDisk, opened: FileIndex | None) -> SpecsDir:
    return SpecsDir(place / "specs", place / "specs" / "status", disk, "specs", opened)


def read(place: Path, opened: FileIndex | None) -> tuple[Snapshot, list[str]]:
    """Read the specs as one command does. Return them, and the files that were opened."""
    disk = CountingDisk(place / "specs")
    found = specs(place, disk, opened).snapshot()
    if opened is not None:
        opened.save()
    return found, disk.opened


def write(place: Path, name: str = "a", state: str = "running") -> Path:
    file = place / "specs" / f"{name}.yaml"
    file.write_text(SPEC.format(name=name, state=state), encoding="utf-8")
    return file


def test_an_unchanged_spec_is_read_from_the_index_without_opening_its_file(place: Path) -> None:
    write(place, "a")
    write(place, "b")
    first, opened = read(place, index(place))
    again, opened_again = read(place, index(place))
    without, _ = read(place, None)

    assert (opened, opened_again) == (["a.yaml", "b.yaml"], [])
    assert first == again == without


def _edit(file: Path) -> None:
    file.write_text(file.read_text(encoding="utf-8").replace("running", "observe")[:-1] + "d", encoding="utf-8")


def _edit_and_turn_back_the_clock(file: Path) -> None:
    facts = file.stat()
    file.write_text(file.read_text(encoding="utf-8").replace("ftjob-1", "ftjob-2"), encoding="utf-8")
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _replace(file: Path) -> None:
    facts = file.stat()
    other = file.with_name(".other")
    other.write_text(file.read_text(encoding="utf-8").replace("ftjob-1", "ftjob-2"), encoding="utf-8")
    os.utime(other, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    other.replace(file)


def _break(file: Path) -> None:
    file.write_text("a: [", encoding="utf-8")


def _remove(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize("change", [_edit, _edit_and_turn_back_the_clock, _replace, _break, _remove])
def test_a_changed_spec_is_read_again(place: Path, change: Callable[[Path], None]) -> None:
    change(write(place))
    before = write(place)
    read(place, index(place))
    change(before)

    assert read(place, index(place))[0] == read(place, None)[0]
    assert read(place, index(place))[0] == read(place, None)[0]


def test_a_spec_saved_in_the_clock_tick_of_its_read_is_opened_again(place: Path) -> None:
    write(place)
    read(place, index(place, now=just_now))

    assert read(place, index(place))[1] == ["a.yaml"]


def test_a_problem_in_an_indexed_spec_is_reported_with_its_line(place: Path) -> None:
    write(place, "a")
    (place / "specs" / "b.yaml").write_text(SPEC.format(name="a", state="running"), encoding="utf-8")
    (place / "specs" / "c.yaml").write_text(SPEC.format(name="c", state="cancled"), encoding="utf-8")
    first, _ = read(place, index(place))
    again, opened = read(place, index(place))

    assert opened == ["c.yaml", "a.yaml", "b.yaml"], "c has no row, and a and b are read for their lines"
    assert again.diagnostics == first.diagnostics
    lines = {(each.file, each.line, each.field) for each in again.diagnostics}
    assert lines == {
        ("specs/c.yaml", 8, "spec.desiredState"),
        *((f"specs/{each}.yaml", 4, "metadata.name") for each in "ab"),
    }


def test_a_short_command_opens_a_file_once_and_a_watch_opens_it_again(place: Path) -> None:
    write(place)
    for is_brief in (True, False):
        disk = CountingDisk(place / "specs")
        source = specs(place, disk, index(place, is_kept=False, is_brief=is_brief))
        source.snapshot()
        source.snapshot(by_content=False)
        source.snapshot()

        assert disk.opened == (["a.yaml"] if is_brief else ["a.yaml", "a.yaml"])


def test_the_spec_is_read_from_its_file_before_a_request(place: Path) -> None:
    write(place)
    read(place, index(place))
    file = place / "state" / "files.index"
    body = file.read_bytes()[:-64].replace(b'"running"', b'"cancelled"')
    file.write_bytes(body + hashlib.sha256(body).hexdigest().encode())
    source = specs(place, LocalDisk(place / "specs"), index(place))
    (forged,) = source.snapshot().jobs
    asked = source.current("a.yaml", "a")

    assert forged.document.spec.desired_state is DesiredState.CANCELLED
    assert asked is not None
    assert asked.spec.desired_state is DesiredState.RUNNING


@pytest.mark.parametrize(
    "text",
    ["", "# nothing\n", "--- ~\n--- text\n", "a: \u2028 \U0001f600\n", "a: 1\nb: [x, {c: ~}]\n---\n- é\n- '0123'\n"],
)
def test_an_index_row_contains_the_same_documents_as_the_parsed_text(text: str) -> None:
    row = pack_documents(b"\x00\xff", parse(text))

    assert "\n" not in row
    digest_of_file, found = unpack_documents(row, lambda *_: text, "a.yaml")
    assert digest_of_file == b"\x00\xff"
    assert [(each.value, each.line) for each in found] == [(each.value, each.line) for each in parse(text)]
    assert [dict(each.lines) for each in found] == [dict(each.lines) for each in parse(text)]


def test_the_lines_of_an_indexed_file_are_unknown_once_the_file_has_changed() -> None:
    row = pack_documents(b"\x01", parse("a: 1\n"))
    asked: list[tuple[str, bytes]] = []

    def read_again(file: str, wanted: bytes) -> None:
        asked.append((file, wanted))

    _, (document,) = unpack_documents(row, read_again, "a.yaml")

    assert dict(document.lines) == {}
    assert asked == [("a.yaml", b"\x01")]


@pytest.mark.parametrize("text", ["a: 1\na: 2\n", "a: 1\n", "a: ["])
def test_a_file_with_an_error_is_opened_and_reported_each_time(place: Path, text: str) -> None:
    (place / "specs" / "a.yaml").write_text(text, encoding="utf-8")
    first, _ = read(place, index(place))
    again, opened = read(place, index(place))

    assert opened == ["a.yaml"]
    assert first.diagnostics == again.diagnostics != ()


def statuses(place: Path, opened: FileIndex | None) -> tuple[StatusDirectory, CountingDisk]:
    disk = CountingDisk(place / "specs")
    return StatusDirectory(place / "specs" / "status", disk, opened), disk


def load(place: Path, opened: FileIndex | None) -> tuple[StoredStatuses, list[str]]:
    """Read the statuses as one command does. Return them, and the files that were opened."""
    store, disk = statuses(place, opened)
    found = store.load()
    store.save_index()
    return found, disk.opened


def written(place: Path, **facts: Any) -> Path:
    """Write a status as one command does, and save its index row. Return the path of the status file."""
    store, _ = statuses(place, index(place))
    store.load()
    store.write(a_status(**facts), durable=False)
    store.save_index()
    return place / "specs" / "status" / "support-triage.yaml"


def test_a_status_of_the_last_command_is_read_from_the_index(place: Path) -> None:
    written(place)
    found, opened = load(place, index(place))

    assert opened == []
    assert found == load(place, None)[0] == StoredStatuses(jobs=(a_status(),))


def test_a_status_that_another_process_overwrote_is_not_indexed(place: Path) -> None:
    store, _ = statuses(place, index(place))
    store.load()
    store.write(a_status(), durable=False)
    file = place / "specs" / "status" / "support-triage.yaml"
    file.write_text(render_status(a_status(final=False)), encoding="utf-8")
    store.save_index()

    assert load(place, index(place)) == (StoredStatuses(jobs=(a_status(final=False),)), ["support-triage.yaml"])


@pytest.mark.parametrize("change", [_edit_and_turn_back_the_clock, _replace, _break, _remove])
def test_a_changed_status_is_read_again(place: Path, change: Callable[[Path], None]) -> None:
    change(written(place))

    assert load(place, index(place))[0] == load(place, None)[0]


def test_a_status_in_another_format_is_not_indexed(place: Path) -> None:
    file = written(place)
    text = file.read_text(encoding="utf-8").replace("final: true", "final:  true")
    above = text.rpartition("digest: ")[0]
    file.write_text(above + digest(above), encoding="utf-8")
    load(place, index(place))
    store, disk = statuses(place, index(place))
    (status,) = store.load().jobs

    assert disk.opened == ["support-triage.yaml"]
    assert store.write(status, durable=False), "a status in another format is written again in the current one"
    assert file.read_text(encoding="utf-8") == render_status(a_status())


def test_only_a_changed_status_is_written(place: Path) -> None:
    file = written(place)
    before = file.stat().st_mtime_ns
    store, _ = statuses(place, index(place))
    store.load()

    assert not store.write(a_status(), durable=True)
    assert file.stat().st_mtime_ns == before
    assert store.write_all([a_status(final=False)], are_intents=True) == {}
    store.restore(a_status(final=False))
    assert parse_status(file.read_text(encoding="utf-8")) == a_status()


def test_restore_keeps_a_status_that_the_last_intent_left_unchanged(place: Path) -> None:
    file = written(place)
    store, _ = statuses(place, index(place))
    store.load()
    for status in (a_status(), a_status(final=False)):
        store.write_all([status], are_intents=True)
        store.write_all([status], are_intents=True)
        store.restore(status)
        assert file.read_text(encoding="utf-8") == render_status(status)


def test_a_secret_is_redacted_in_a_status_that_was_written_before_it_was_known(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = Secrets()
    for module in ("local.file_index", "local.status_contents", "redacted_provider"):
        monkeypatch.setattr(f"reconciler.{module}.KNOWN_SECRETS", secrets)
    leaking = tuple(replace(each, message=f"the key {CANARY} is refused") for each in a_status().conditions)
    status = a_status(conditions=leaking)
    file = written(place, conditions=leaking)
    assert CANARY in file.read_text(encoding="utf-8")
    secrets.add("account", CANARY)
    store, _ = statuses(place, index(place))
    store.load()
    secrets.add("another", f"{CANARY}-2")

    assert store.write(status, durable=False)
    assert CANARY not in file.read_text(encoding="utf-8")


def test_an_index_row_contains_the_same_status_as_the_file() -> None:
    status = parse_status(render_status(a_status()))

    assert unpack_status(pack_status(status)) == status


def test_an_indexed_status_whose_file_cannot_be_read_is_reported_as_unread(place: Path) -> None:
    written(place)
    store, _ = statuses(place, index(place))
    store.load()
    store.write(a_status(final=False), durable=False)

    class Refusing(CountingDisk):
        def read(self, path: Path) -> bytes:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    refused = StatusDirectory(place / "specs" / "status", Refusing(place / "specs"), index(place))
    found = refused.load()
    refused.save_index()

    assert [each.path for each in found.unread] == ["support-triage.yaml"]
    assert load(place, index(place))[0] == StoredStatuses(jobs=(a_status(final=False),))
