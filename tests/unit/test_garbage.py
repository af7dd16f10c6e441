"""What a process that runs for ever no longer uses is freed: at once if possible, and else by the next collection."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.errors import TransientError
from reconciler.local.disk import LocalDisk
from reconciler.local.garbage import EVERY_S, garbage_collected, rest_s
from reconciler.local.specs_search import SpecsSearch
from reconciler.local.specs_walk import Found
from reconciler.ports import Rate
from reconciler.throttle import Throttle
from reconciler.transport import Deadlines, HttpTransport
from tests.support.processes import a_free_port

FREELY = Rate(requests_per_second=1000, burst=1000, concurrency=8)


class Content:
    """Something that a process holds, and later no longer uses."""

    other: Content


@pytest.fixture(name="without_collections", autouse=True)
def _without_collections() -> Iterator[None]:
    """Let only explicit collections free what refers to itself."""
    gc.disable()
    yield
    gc.enable()


def two_that_refer_to_each_other() -> weakref.ref[Content]:
    first, second = Content(), Content()
    first.other, second.other = second, first
    return weakref.ref(first)


def test_a_watch_frees_objects_that_refer_to_each_other() -> None:
    async def main() -> None:
        async with garbage_collected(every_s=0.001):
            freed = asyncio.Event()
            weakref.finalize(two_that_refer_to_each_other()(), freed.set)
            await asyncio.wait_for(freed.wait(), timeout=30)

    asyncio.run(main())


def test_after_its_end_a_watch_collects_no_more() -> None:
    async def main() -> weakref.ref[Content]:
        async with garbage_collected(every_s=0.001):
            pass
        content = two_that_refer_to_each_other()
        await asyncio.sleep(0.02)
        return content

    assert asyncio.run(main())() is not None


@pytest.mark.parametrize(("took_s", "rest"), [(0, EVERY_S), (0.3, EVERY_S), (3, 300)])
def test_collections_take_at_most_a_hundredth_of_the_time(took_s: float, rest: float) -> None:
    assert rest_s(took_s) == pytest.approx(rest)


async def _paused() -> weakref.ref[Exception]:
    gate = Throttle(FREELY)
    gate.pause_for(60)
    try:
        async with gate.acquire():
            pass
    except TransientError as error:
        return weakref.ref(error)
    raise AssertionError


async def _unreachable() -> weakref.ref[Exception]:
    async with HttpTransport(f"http://127.0.0.1:{a_free_port()}/v1", Throttle(FREELY), Deadlines()) as transport:
        try:
            await transport.send("GET", "/jobs")
        except TransientError as error:
            return weakref.ref(error)
    raise AssertionError


@pytest.mark.parametrize("refused", [_paused, _unreachable])
def test_the_error_of_a_request_is_freed_once_it_is_handled(refused: Callable[[], object]) -> None:
    async def main() -> None:
        error = await refused()  # type: ignore[misc]
        assert error() is None

    asyncio.run(main())


def test_what_a_search_has_read_is_freed_although_it_could_not_read_a_file(tmp_path: Path) -> None:
    for name in ("chat.yaml", "code.yaml"):
        (tmp_path / name).touch()
    contents: list[weakref.ref[Content]] = []

    def read(found: Found) -> Content:
        if found.path == "code.yaml":
            raise PermissionError
        content = Content()
        contents.append(weakref.ref(content))
        return content

    search: SpecsSearch[Content] = SpecsSearch(LocalDisk(tmp_path), tmp_path, frozenset())
    assert len(search.run(read, ()).unreadable) == 1
    assert [each() for each in contents] == [None]
