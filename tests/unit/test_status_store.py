from __future__ import annotations

import errno
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.formats.status_writer import digest, render_status
from reconciler.local.disk import LocalDisk
from reconciler.local.status_bytes import StatusBytes
from reconciler.local.status_store import StatusDirectory
from reconciler.local.status_walk import Walked
from reconciler.model.job import Phase
from reconciler.model.reason import Reason
from reconciler.model.status import JobStatus, ProviderStatus
from reconciler.ports import Entry, StoredStatuses
from tests.support.build import ACCOUNT, NOW, a_status
from tests.support.non_durable_disk import replaced_in_two_steps

AWAY = ProviderStatus(
    name="azure", account="azure-openai https://x", reason=Reason.RATE_LIMITED, message="wait", since=NOW
)


class RecordingDisk(LocalDisk):
    """The real disk, with a record of the calls to it."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.calls: list[str] = []

    def write_beside(self, target: Path, data: bytes) -> Path:
        """Record the call, then make it."""
        self.calls.append(f"write beside {target.name}")
        return super().write_beside(target, data)

    def replace(self, target: Path, data: bytes) -> None:
        """Make the two calls of which it consists."""
        replaced_in_two_steps(self, target, data)

    def sync(self, path: Path) -> None:
        """Record the call, then make it."""
        self.calls.append("sync")
        super().sync(path)

    def rename(self, source: Path, target: Path) -> None:
        """Record the call, then make it."""
        self.calls.append(f"rename {target.name}")
        super().rename(source, target)

    def sync_dir(self, path: Path) -> None:
        """Record the call, then make it."""
        self.calls.append(f"sync_dir {path.name}")
        super().sync_dir(path)

    def remove(self, path: Path) -> None:
        """Record the call, then make it."""
        self.calls.append(f"remove {path.parent.name}/{path.name}")
        super().remove(path)


class FailingDisk(LocalDisk):
    """The real disk, except that one operation fails in the directory `bad`."""

    def __init__(self, root: Path, operation: str) -> None:
        super().__init__(root)
        self._operation = operation

    def write_beside(self, target: Path, data: bytes) -> Path:
        """Write a file, unless that fails."""
        self._fail("write_beside", target.parent)
        return super().write_beside(target, data)

    def replace(self, target: Path, data: bytes) -> None:
        """Make the two calls of which it consists."""
        replaced_in_two_steps(self, target, data)

    def sync(self, path: Path) -> None:
        """Sync a file, unless that fails."""
        self._fail("sync", path.parent)
        super().sync(path)

    def rename(self, source: Path, target: Path) -> None:
        """Rename a file, unless that fails."""
        self._fail("rename", target.parent)
        super().rename(source, target)

    def sync_dir(self, path: Path) -> None:
        """Sync a directory, unless that fails."""
        self._fail("sync_dir", path)
        super().sync_dir(path)

    def _fail(self, operation: str, directory: Path) -> None:
        if operation == self._operation and directory.name == "bad":
            raise OSError(errno.EIO, os.strerror(errno.EIO))


class RefusingDisk(LocalDisk):
    """The real disk, except that reading or listing a path in `refused` fails."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._root_path = root
        self.refused: dict[str, int] = {}

    def read(self, path: Path) -> bytes:
        """Read a file, unless its path is refused."""
        self._refuse(path)
        return super().read(path)

    def list(self, path: Path) -> list[Entry]:
        """List a directory, unless its path is refused."""
        self._refuse(path)
        return super().list(path)

    def _refuse(self, path: Path) -> None:
        number = self.refused.get(str(path.relative_to(self._root_path)))
        if number is not None:
            raise OSError(number, os.strerror(number), str(path))


MOMENTARY = (errno.EIO, errno.ESTALE, errno.EMFILE, errno.EACCES, errno.ENOMEM, errno.ETIMEDOUT)


def tree(root: Path) -> StatusDirectory:
    return StatusDirectory(root, LocalDisk(root))


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


def test_a_status_is_stored_in_the_folder_of_its_spec_and_read_back(tmp_path: Path) -> None:
    status = a_status(source="team-a/deep/bots.yaml")

    assert tree(tmp_path).write(status, durable=False)
    assert files(tmp_path) == ["team-a/deep/support-triage.yaml"]
    assert tree(tmp_path).load() == StoredStatuses(jobs=(status,))


def test_nothing_is_kept_of_a_file_that_was_written_twice_and_removed(tmp_path: Path) -> None:
    written, path = StatusBytes(tmp_path, LocalDisk(tmp_path)), f"{tmp_path.name}.yaml"
    before = sys.getrefcount(path)
    for data in (b"one", b"two"):
        assert written.replace({path: data}, durable=True) == {}
    assert sys.getrefcount(path) > before
    written.remove(path)
    written.begin(Walked())

    assert sys.getrefcount(path) == before


def test_an_unchanged_status_file_is_not_parsed_twice(tmp_path: Path) -> None:
    statuses = tree(tmp_path)
    statuses.write(a_status(), durable=False)

    (first,) = statuses.load().jobs
    (again,) = statuses.load().jobs
    (tmp_path / "support-triage.yaml").write_text(render_status(a_status(final=False)))
    (changed,) = statuses.load().jobs

    assert again is first
    assert not changed.final


def test_a_missing_status_directory_is_empty(tmp_path: Path) -> None:
    assert tree(tmp_path / "status").load() == StoredStatuses()


def test_an_unchanged_status_is_not_written(tmp_path: Path) -> None:
    tree(tmp_path).write(a_status(), durable=False)
    disk = RecordingDisk(tmp_path)
    statuses = StatusDirectory(tmp_path, disk)
    statuses.load()

    assert not statuses.write(a_status(), durable=True)
    assert not disk.calls
    assert statuses.write(a_status(final=False), durable=False)
    assert not statuses.write(a_status(final=False), durable=False)


def test_a_durable_write_syncs_the_file_before_the_rename_and_then_the_directories(tmp_path: Path) -> None:
    root = tmp_path / "status"
    disk = RecordingDisk(root)
    statuses = StatusDirectory(root, disk)
    statuses.load()

    statuses.write(a_status(source="team/bots.yaml"), durable=True)

    assert disk.calls == [
        "write beside support-triage.yaml",
        "sync",
        "rename support-triage.yaml",
        "sync_dir team",
        "sync_dir status",
        f"sync_dir {tmp_path.name}",
    ]


def test_a_durable_write_of_a_known_file_syncs_no_directory(tmp_path: Path) -> None:
    tree(tmp_path).write(a_status(), durable=False)
    disk = RecordingDisk(tmp_path)
    statuses = StatusDirectory(tmp_path, disk)
    statuses.load()

    statuses.write(a_status(final=False), durable=True)

    assert disk.calls == ["write beside support-triage.yaml", "sync", "rename support-triage.yaml"]


def test_intents_are_synced_before_any_of_them_replaces_a_file_and_each_directory_is_synced_once(
    tmp_path: Path,
) -> None:
    tree(tmp_path).write(a_status("a", source="team/a.yaml"), durable=False)
    disk = RecordingDisk(tmp_path)
    statuses = StatusDirectory(tmp_path, disk)
    statuses.load()

    failed = statuses.write_all(
        [a_status(each, source=f"team/{each}.yaml", final=False) for each in "ab"], are_intents=True
    )

    assert failed == {}
    assert disk.calls == [
        *("write beside a.yaml", "write beside b.yaml", "sync", "sync"),
        *("rename a.yaml", "rename b.yaml", "sync_dir team", f"sync_dir {tmp_path.name}"),
    ]
    assert {each.name for each in tree(tmp_path).load().jobs if not each.final} == {"a", "b"}


def test_statuses_after_requests_are_synced_together_but_directories_only_for_new_files(tmp_path: Path) -> None:
    for name in "ab":
        tree(tmp_path).write(a_status(name), durable=False)
    disk = RecordingDisk(tmp_path)
    statuses = StatusDirectory(tmp_path, disk)
    statuses.load()

    failed = statuses.write_all([a_status(each, final=False) for each in "ab"], are_intents=False)
    again = statuses.write_all([a_status(each, final=False) for each in "ab"], are_intents=False)

    assert (failed, again) == ({}, {})
    assert disk.calls == [
        *("write beside a.yaml", "write beside b.yaml", "sync", "sync"),
        *("rename a.yaml", "rename b.yaml"),
    ]
    assert {each.name for each in tree(tmp_path).load().jobs if not each.final} == {"a", "b"}


@pytest.mark.parametrize("operation", ["write_beside", "sync", "rename", "sync_dir"])
def test_an_intent_that_cannot_be_written_does_not_affect_the_others(tmp_path: Path, operation: str) -> None:
    statuses = StatusDirectory(tmp_path, FailingDisk(tmp_path, operation))
    statuses.load()

    failed = statuses.write_all([a_status(each, source=f"{each}/x.yaml") for each in ("good", "bad")], are_intents=True)

    assert list(failed) == ["bad"]
    assert str(failed["bad"]) == "[Errno 5] Input/output error"
    assert "good/good.yaml" in files(tmp_path)


def test_a_write_that_is_not_durable_does_not_sync(tmp_path: Path) -> None:
    disk = RecordingDisk(tmp_path)

    StatusDirectory(tmp_path, disk).write(a_status(), durable=False)

    assert disk.calls == ["write beside support-triage.yaml", "rename support-triage.yaml"]


def test_the_status_of_a_moved_spec_moves_with_it(tmp_path: Path) -> None:
    tree(tmp_path).write(a_status(source="old/bots.yaml"), durable=False)
    disk = RecordingDisk(tmp_path)
    statuses = StatusDirectory(tmp_path, disk)
    statuses.load()

    statuses.write(a_status(source="new/bots.yaml"), durable=False)

    assert files(tmp_path) == ["new/support-triage.yaml"]
    assert disk.calls[-4:] == [
        "rename support-triage.yaml",
        "sync_dir new",
        f"sync_dir {tmp_path.name}",
        "remove old/support-triage.yaml",
    ]


def test_the_newer_of_two_files_left_by_a_crash_is_used_and_the_older_removed(tmp_path: Path) -> None:
    older = a_status(source="old/bots.yaml")
    ready = replace(older.ready, last_transition_time=NOW.replace(hour=15))
    newer = a_status(source="new/bots.yaml", conditions=(ready,))
    tree(tmp_path).write(older, durable=False)
    tree(tmp_path).write(newer, durable=False)
    statuses = tree(tmp_path)

    stored = statuses.load()
    statuses.write(newer, durable=False)

    assert stored.jobs == (newer,)
    assert files(tmp_path) == ["new/support-triage.yaml"]


def test_removing_a_status_removes_only_its_own_file(tmp_path: Path) -> None:
    statuses = tree(tmp_path)
    other = a_status("other", source="team/a.yaml")
    for status in (a_status(source="team/a.yaml"), other):
        statuses.write(status, durable=False)
    loaded = statuses.load()

    statuses.remove(next(each for each in loaded.jobs if each.name == "support-triage"))

    assert statuses.load().jobs == (other,)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<<<<<<< HEAD\napiVersion: jobs.reconciler/v1\n",
        b"apiVersion: jobs.reconciler/v1\nkind: FineTuningJob\n",
        b"\xffjobs.reconciler/v1",
        render_status(a_status()).replace("final: true", "final: false").encode(),
    ],
)
def test_an_invalid_status_file_is_reported_and_replaced_by_the_next_write(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "support-triage.yaml").write_bytes(data)
    statuses = tree(tmp_path)

    before = statuses.load()
    statuses.write(a_status(), durable=False)

    assert before == StoredStatuses(discarded=("support-triage.yaml",))
    assert statuses.load().jobs == (a_status(),)


def test_links_pipes_and_directories_are_not_read_as_statuses(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to("/dev/null")
    os.mkfifo(tmp_path / "b.yaml")
    (tmp_path / "c.yaml").mkdir()

    assert tree(tmp_path).load() == StoredStatuses()


@pytest.mark.parametrize("change", [("reconciler/v1", "reconciler/v2"), ("reason: Cancelled", "reason: Archived")])
def test_a_status_of_a_later_version_is_not_overwritten(tmp_path: Path, change: tuple[str, str]) -> None:
    body, _, _ = render_status(a_status()).replace(*change).rpartition("digest: ")
    text = body + digest(body)
    (tmp_path / "support-triage.yaml").write_text(text)
    statuses = tree(tmp_path)

    stored = statuses.load()

    assert stored == StoredStatuses(
        too_new=("support-triage.yaml",), too_new_jobs=frozenset({(str(ACCOUNT), "ftjob-abc123")})
    )
    assert not statuses.write(a_status(), durable=True)
    assert statuses.write_all([a_status()], are_intents=True) == {}
    statuses.restore(a_status())
    assert (tmp_path / "support-triage.yaml").read_text() == text


def test_files_that_are_not_statuses_are_ignored_and_kept(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("generated")
    (tmp_path / "kustomization.yaml").write_text("kind: Kustomization\n")
    (tmp_path / ".support-triage.yaml.tmp").write_text("torn")

    assert tree(tmp_path).load() == StoredStatuses()
    assert len(files(tmp_path)) == 3


def test_a_provider_status_is_written_once_and_can_be_removed(tmp_path: Path) -> None:
    statuses = tree(tmp_path)

    assert statuses.write_provider(AWAY)
    assert not statuses.write_provider(AWAY)
    assert tree(tmp_path).load() == StoredStatuses(providers=(AWAY,))

    statuses.remove_provider("azure")
    statuses.remove_provider("azure")

    assert not files(tmp_path)


@pytest.mark.parametrize("name", ["team", "team/deep"])
def test_no_status_is_written_through_a_link_that_leads_outside(tmp_path: Path, name: str) -> None:
    root, outside = tmp_path / "status", tmp_path / "outside"
    outside.mkdir()
    root.mkdir()
    (root / "team").symlink_to(outside)

    with pytest.raises(PermissionError):
        tree(root).write(a_status(source=f"{name}/bots.yaml"), durable=False)

    assert not list(outside.iterdir())


def test_a_link_at_the_path_of_a_status_is_replaced_and_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("keep")
    root = tmp_path / "status"
    root.mkdir()
    (root / "support-triage.yaml").symlink_to(precious)

    tree(root).write(a_status(), durable=False)

    assert precious.read_text() == "keep"
    assert not (root / "support-triage.yaml").is_symlink()


def test_a_failed_write_raises_os_error(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("a file where a directory should be")

    with pytest.raises(OSError, match="status"):
        tree(tmp_path / "status").write(a_status(source="team/a.yaml"), durable=True)


def test_a_hundred_statuses_are_written_and_read_back(tmp_path: Path) -> None:
    written: set[JobStatus] = {a_status(f"bot-{index}", source=f"team-{index % 7}/a.yaml") for index in range(100)}
    statuses = tree(tmp_path)
    for status in written:
        statuses.write(status, durable=False)

    assert set(tree(tmp_path).load().jobs) == written


def test_known_reflects_the_last_load_and_own_writes_without_reading_the_disk(tmp_path: Path) -> None:
    first, second = a_status(name="first", source="first.yaml"), a_status(name="second", source="second.yaml")
    ours = tree(tmp_path)
    ours.write(first, durable=False)
    ours.load()
    ours.write(second, durable=False)
    ours.remove(first)
    ours.write_provider(AWAY)
    (tmp_path / "second.yaml").write_text("by somebody else", encoding="utf-8")

    known = ours.known()

    assert known == StoredStatuses(jobs=(second,), providers=(AWAY,))
    assert ours.load().jobs == ()


@pytest.mark.parametrize(
    ("name", "source"),
    [("support-triage", "bots.yaml"), ("support-triage", "team/bots.yaml"), ("another-name", "bots.yaml")],
    ids=["the same", "moved", "renamed"],
)
@pytest.mark.parametrize("before", [render_status(a_status()), "spoilt: jobs.reconciler/v1", None])
def test_restore_undoes_an_intent_completely(tmp_path: Path, name: str, source: str, before: str | None) -> None:
    if before is not None:
        (tmp_path / "support-triage.yaml").write_text(before)
    statuses = tree(tmp_path)
    statuses.load()
    written = a_status(name, source=source, phase=Phase.RUNNING, final=False)
    statuses.write_all([written], are_intents=True)
    statuses.restore(written)
    left = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}

    assert left == ({} if before is None else {"support-triage.yaml": before})


def test_restore_undoes_an_intent_even_after_another_load(tmp_path: Path) -> None:
    statuses = tree(tmp_path)
    statuses.write(a_status(), durable=True)
    statuses.load()
    before = (tmp_path / "support-triage.yaml").read_bytes()
    written = a_status(phase=Phase.RUNNING, final=False)
    statuses.write_all([written], are_intents=True)
    statuses.load()
    statuses.restore(written)

    assert (tmp_path / "support-triage.yaml").read_bytes() == before


@pytest.mark.parametrize("number", MOMENTARY)
def test_an_unreadable_status_is_reported_and_not_overwritten_until_it_can_be_read(tmp_path: Path, number: int) -> None:
    tree(tmp_path).write(a_status(), durable=True)
    before = (tmp_path / "support-triage.yaml").read_bytes()
    disk = RefusingDisk(tmp_path)
    statuses = StatusDirectory(tmp_path, disk)
    disk.refused["support-triage.yaml"] = number
    hidden = statuses.load()
    with pytest.raises(OSError, match="is not overwritten"):
        statuses.write(a_status(final=False), durable=True)
    stayed = (tmp_path / "support-triage.yaml").read_bytes()
    disk.refused.clear()
    found = statuses.load()

    assert [(each.path, each.why) for each in hidden.unread] == [("support-triage.yaml", os.strerror(number))]
    assert (hidden.jobs, hidden.discarded) == ((), ())
    assert stayed == before
    assert (found.jobs, found.unread) == ((a_status(),), ())


@pytest.mark.parametrize("directory", [".", "team", "team/deep"])
def test_no_status_is_written_below_a_directory_that_cannot_be_listed(tmp_path: Path, directory: str) -> None:
    status = a_status(source="team/deep/bots.yaml")
    tree(tmp_path).write(status, durable=True)
    disk = RefusingDisk(tmp_path)
    statuses = StatusDirectory(tmp_path, disk)
    disk.refused[directory] = errno.EIO
    hidden = statuses.load()
    with pytest.raises(OSError, match="is not overwritten"):
        statuses.write(a_status(source="team/deep/bots.yaml", final=False), durable=True)

    assert [each.path for each in hidden.unread] == ["" if directory == "." else f"{directory}/"]
    assert hidden.unread[0].is_directory
    assert tree(tmp_path).load().jobs == (status,)


def test_an_unreadable_status_may_be_overwritten_if_this_process_wrote_it(
    tmp_path: Path,
) -> None:
    disk = RefusingDisk(tmp_path)
    statuses = StatusDirectory(tmp_path, disk)
    statuses.load()
    statuses.write(a_status(final=False), durable=True)
    disk.refused["support-triage.yaml"] = errno.EIO
    statuses.load()

    assert statuses.write(a_status(), durable=True)
    assert tree(tmp_path).load().jobs == (a_status(),)


def test_an_unreadable_status_is_not_overwritten_if_another_process_wrote_it(tmp_path: Path) -> None:
    disk = RefusingDisk(tmp_path)
    statuses = StatusDirectory(tmp_path, disk)
    statuses.write(a_status(final=False), durable=True)
    tree(tmp_path).write(a_status(phase=Phase.RUNNING, final=False), durable=True)
    statuses.load()
    disk.refused["support-triage.yaml"] = errno.EIO
    statuses.load()

    with pytest.raises(OSError, match="is not overwritten"):
        statuses.write(a_status(), durable=True)


def test_an_unreadable_provider_status_is_neither_overwritten_nor_removed(tmp_path: Path) -> None:
    tree(tmp_path).write_provider(AWAY)
    disk = RefusingDisk(tmp_path)
    statuses = StatusDirectory(tmp_path, disk)
    disk.refused["_providers"] = errno.EACCES
    hidden = statuses.load()

    assert not statuses.write_provider(replace(AWAY, message="something else"))
    statuses.remove_provider("azure")
    assert [each.is_of_jobs for each in hidden.unread] == [False]
    assert tree(tmp_path).load().providers == (AWAY,)


def test_a_status_file_deleted_during_a_load_is_ignored(tmp_path: Path) -> None:
    tree(tmp_path).write(a_status(), durable=True)
    disk = RefusingDisk(tmp_path)
    disk.refused["support-triage.yaml"] = errno.ENOENT

    assert StatusDirectory(tmp_path, disk).load() == StoredStatuses()


def test_a_status_file_above_the_size_limit_is_discarded(tmp_path: Path) -> None:
    (tmp_path / "support-triage.yaml").write_bytes(b"#" * 2000)
    disk = LocalDisk(tmp_path, read_max_bytes=1999)

    assert StatusDirectory(tmp_path, disk).load() == StoredStatuses(discarded=("support-triage.yaml",))


def test_a_temporary_file_of_a_killed_process_is_removed_by_the_next_write(tmp_path: Path) -> None:
    statuses = tree(tmp_path)
    statuses.write(a_status(), durable=True)
    left = tmp_path / ".reconcile-0123456789abcdef.tmp"
    left.write_text("half a status")
    others = tmp_path / ".somebody-elses.tmp"
    others.write_text("not ours")
    later = tree(tmp_path)
    later.load()
    later.write(a_status(final=False), durable=True)

    assert files(tmp_path) == [others.name, "support-triage.yaml"]


@pytest.mark.parametrize("kind", ["symbolic", "hard"])
def test_a_link_at_a_temporary_name_is_not_written_through_and_blocks_no_write(tmp_path: Path, kind: str) -> None:
    root, precious = tmp_path / "status", tmp_path / "precious"
    root.mkdir()
    precious.write_text("keep")
    for name in (".support-triage.yaml.tmp", ".reconcile-0000000000000000.tmp"):
        (root / name).symlink_to(precious) if kind == "symbolic" else (root / name).hardlink_to(precious)
    statuses = tree(root)
    statuses.load()

    assert statuses.write(a_status(), durable=True)
    assert precious.read_text() == "keep"


def test_links_inside_the_status_directory_are_ignored_if_links_are_not_followed(tmp_path: Path) -> None:
    root = tmp_path / "status"
    tree(root).write(a_status(source="team/bots.yaml"), durable=True)
    (root / "linked").symlink_to(root / "team")
    (root / "again.yaml").symlink_to(root / "team" / "support-triage.yaml")
    statuses = StatusDirectory(root, LocalDisk(root, follows_links=False))
    stored = statuses.load()

    with pytest.raises(OSError, match="this is a link"):
        statuses.write(a_status("other", source="linked/bots.yaml"), durable=False)
    assert stored.jobs == (a_status(source="team/bots.yaml"),)
    assert files(root / "team") == ["support-triage.yaml"]


def test_a_status_directory_that_is_a_link_is_neither_read_nor_written(tmp_path: Path) -> None:
    specs, elsewhere = tmp_path / "specs", tmp_path / "elsewhere"
    elsewhere.mkdir()
    specs.mkdir()
    (specs / "status").symlink_to(elsewhere)
    statuses = StatusDirectory(specs / "status", LocalDisk(specs, follows_links=False))
    stored = statuses.load()

    with pytest.raises(OSError, match=r"status"):
        statuses.write(a_status(), durable=True)
    assert [each.path for each in stored.unread] == [""]
    assert not list(elsewhere.iterdir())
