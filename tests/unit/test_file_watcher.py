"""The file watcher on a real directory: it wakes for every way in which a file is saved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.local.file_watcher import FileWatcher, watching

WAKES_WITHIN_S = 5.0
QUIET_S = 0.2


def save_in_place(specs: Path) -> None:
    (specs / "bots.yaml").write_text("b", encoding="utf-8")


def save_atomically(specs: Path) -> None:
    fresh = specs / ".bots.yaml.swp"
    fresh.write_text("b", encoding="utf-8")
    fresh.rename(specs / "bots.yaml")


def swap_the_volume(specs: Path) -> None:
    (specs / "..2").mkdir()
    (specs / "..2" / "volume.yaml").write_text("b", encoding="utf-8")
    (specs / "..data_tmp").symlink_to("..2")
    (specs / "..data_tmp").rename(specs / "..data")


def make_a_folder(specs: Path) -> None:
    (specs / "team").mkdir()
    (specs / "team" / "new.yaml").write_text("n", encoding="utf-8")


def remove_it(specs: Path) -> None:
    (specs / "bots.yaml").unlink()


def write_a_status(specs: Path) -> None:
    (specs / "status" / "bots.yaml").write_text("s", encoding="utf-8")


def a_directory(root: Path) -> Path:
    specs = root / "specs"
    (specs / "status").mkdir(parents=True)
    (specs / "..1").mkdir()
    (specs / "..1" / "volume.yaml").write_text("a", encoding="utf-8")
    (specs / "..data").symlink_to("..1")
    (specs / "volume.yaml").symlink_to("..data/volume.yaml")
    (specs / "bots.yaml").write_text("a", encoding="utf-8")
    return specs


async def begun(waker: FileWatcher) -> None:
    """Return once the watcher is alive and has reported the creation of the directory."""
    async with asyncio.timeout(WAKES_WITHIN_S):
        while not waker.is_alive:  # noqa: ASYNC110  the port has a flag and no event
            await asyncio.sleep(0.02)
    await is_woken(waker, QUIET_S)


async def is_woken(waker: FileWatcher, within_s: float) -> bool:
    try:
        async with asyncio.timeout(within_s):
            await waker.wait()
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize("is_polled", [False, True], ids=["told", "polled"])
@pytest.mark.parametrize("save", [save_in_place, save_atomically, swap_the_volume, make_a_folder, remove_it])
def test_every_kind_of_change_to_a_file_wakes_the_watcher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save: Callable[[Path], None], *, is_polled: bool
) -> None:
    monkeypatch.setenv("WATCHFILES_FORCE_POLLING", "1" if is_polled else "disable")
    monkeypatch.setenv("WATCHFILES_POLL_DELAY_MS", "50")
    specs = a_directory(tmp_path)

    async def main() -> bool:
        async with watching(specs, specs / "status") as waker:
            await begun(waker)
            save(specs)
            return await is_woken(waker, WAKES_WITHIN_S)

    assert asyncio.run(main())


def test_polling_detects_each_of_several_saves_within_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHFILES_FORCE_POLLING", "1")
    monkeypatch.setenv("WATCHFILES_POLL_DELAY_MS", "20")
    specs = a_directory(tmp_path)

    async def main() -> list[bool]:
        async with watching(specs, specs / "status") as waker:
            await begun(waker)
            woken = []
            for text in ("one", "two", "six"):
                (specs / "bots.yaml").write_text(text, encoding="utf-8")
                woken.append(await is_woken(waker, WAKES_WITHIN_S))
            return woken

    assert asyncio.run(main()) == [True] * 3


@pytest.mark.parametrize("is_polled", [False, True], ids=["told", "polled"])
def test_the_watcher_wakes_once_when_it_starts_to_watch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_polled: bool
) -> None:
    monkeypatch.setenv("WATCHFILES_FORCE_POLLING", "1" if is_polled else "disable")
    specs = a_directory(tmp_path)

    async def main() -> bool:
        async with watching(specs, specs / "status") as waker:
            return await is_woken(waker, WAKES_WITHIN_S)

    assert asyncio.run(main())


def test_a_written_status_does_not_wake_the_watcher(tmp_path: Path) -> None:
    specs = a_directory(tmp_path)

    async def main() -> bool:
        async with watching(specs, specs / "status") as waker:
            await begun(waker)
            write_a_status(specs)
            return await is_woken(waker, QUIET_S)

    assert not asyncio.run(main())


def test_a_burst_of_200_edits_wakes_the_watcher_at_most_ten_times(tmp_path: Path) -> None:
    specs = a_directory(tmp_path)

    async def main() -> int:
        async with watching(specs, specs / "status") as waker:
            await begun(waker)
            for number in range(200):
                (specs / f"job-{number}.yaml").write_text("n", encoding="utf-8")
                await asyncio.sleep(0)
            wakes = 0
            while await is_woken(waker, QUIET_S):
                wakes += 1
            return wakes

    assert 1 <= asyncio.run(main()) <= 10


def test_a_watcher_of_a_missing_directory_is_not_alive(tmp_path: Path) -> None:
    async def main() -> bool:
        async with watching(tmp_path / "gone", tmp_path / "gone" / "status") as waker:
            await asyncio.sleep(QUIET_S)
            return waker.is_alive

    assert not asyncio.run(main())


@pytest.mark.parametrize(
    ("save", "paths"),
    [
        (save_in_place, {"bots.yaml"}),
        (save_atomically, {"bots.yaml", ".bots.yaml.swp"}),
        (remove_it, {"bots.yaml"}),
    ],
)
def test_a_notification_names_the_changed_paths(
    tmp_path: Path, save: Callable[[Path], None], paths: frozenset[str]
) -> None:
    specs = a_directory(tmp_path)

    async def main() -> frozenset[str] | None:
        async with watching(specs, specs / "status") as waker:
            await begun(waker)
            save(specs)
            return await waker.wait()

    assert asyncio.run(main()) == paths


def test_a_notification_after_a_change_of_unknown_extent_names_no_paths(tmp_path: Path) -> None:
    specs = a_directory(tmp_path)

    async def main() -> frozenset[str] | None:
        async with watching(specs, specs / "status") as waker:
            await begun(waker)
            waker.notify()
            save_in_place(specs)
            await asyncio.sleep(QUIET_S)
            return await waker.wait()

    assert asyncio.run(main()) is None
