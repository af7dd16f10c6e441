"""`python -m tests.night_run.watched RECORD EVERY_S FRAMES COLLECT ARGUMENT...`: `reconcile` that records its memory.

A thread of the process writes one line of JSON to the file `RECORD` every `EVERY_S` seconds. It tells apart what
Python's objects use, what the C library holds without a use for it, and the rest. With `FRAMES` above 0, the lines also
contain where the memory was allocated (`tracemalloc`, with as many frames). This makes the process slower and larger.
With `COLLECT` as 1, the garbage collector runs before each line, so that only objects count that are in use.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import re
import sys
import tempfile
import threading
import time
import tracemalloc
from collections import Counter
from pathlib import Path

MIB = 1024 * 1024
MOST_TYPES, MOST_PLACES = 400, 150
"""The number of types, and of places of allocations, in a line."""
LONG_S = 60.0
"""A time that is longer than the objects are counted."""


class _Mallinfo2(ctypes.Structure):
    """`struct mallinfo2` of malloc.h (glibc 2.33): the sums over all arenas of the C library."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        )
    ]


def memory_of_c() -> dict[str, float]:
    """Return what the C library's allocator has: from the system, in use, free, and in how many arenas."""
    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype = _Mallinfo2
    found = libc.mallinfo2()
    return {
        "c_system_mib": found.arena / MIB,
        "c_mapped_mib": found.hblkhd / MIB,
        "c_used_mib": found.uordblks / MIB,
        "c_free_mib": found.fordblks / MIB,
        "c_top_mib": found.keepcost / MIB,
        "c_arenas": _arenas(libc),
    }


def _arenas(libc: ctypes.CDLL) -> int:
    libc.open_memstream.restype = ctypes.c_void_p
    text, size = ctypes.c_char_p(), ctypes.c_size_t()
    stream = ctypes.c_void_p(libc.open_memstream(ctypes.byref(text), ctypes.byref(size)))
    libc.malloc_info(0, stream)
    libc.fclose(stream)
    count = (text.value or b"").count(b"<heap nr=")
    libc.free(text)
    return count


def memory_of_python() -> dict[str, float]:
    """Return what Python's allocator for objects of up to 512 bytes has: its arenas, and what is free in them.

    The interpreter can only write these figures to the file descriptor 2. `main` has moved the log away from it.
    """
    with tempfile.TemporaryFile() as file:
        before = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            sys._debugmallocstats()  # noqa: SLF001  these figures have no other source
        finally:
            os.dup2(before, 2)
            os.close(before)
        file.seek(0)
        text = file.read().decode("ascii", "replace")
    figure = {
        name: int(number.replace(",", "")) for name, number in re.findall(r"^(.+?) *= +([\d,]+)$", text, re.MULTILINE)
    }
    classes = {
        int(size): int(used) * int(size)
        for size, used in re.findall(r"^ *\d+ +(\d+) +\d+ +(\d+) +\d+$", text, re.MULTILINE)
    }
    return {
        "py_blocks": sys.getallocatedblocks(),
        "py_arenas_mib": (figure.get("# arenas allocated current", 0) * _arena_bytes(text)) / MIB,
        "py_used_mib": figure.get("# bytes in allocated blocks", 0) / MIB,
        "py_free_mib": figure.get("# bytes in available blocks", 0) / MIB,
        **{f"py_class_{size}_kib": used / 1024 for size, used in classes.items()},
    }


def _arena_bytes(text: str) -> int:
    found = re.search(r"(\d+) arenas \* (\d+) bytes/arena", text)
    return int(found.group(2)) if found else 0


def memory_of_process() -> dict[str, float]:
    """Return the resident memory of this process, and its parts."""
    parts: Counter[str] = Counter()
    kind = ""
    for line in Path("/proc/self/smaps").read_text(encoding="ascii").splitlines():
        if (head := re.match(r"^[0-9a-f]+-[0-9a-f]+ (....) \S+ \S+ \d+ *(.*)$", line)) is not None:
            kind = _kind(head.group(2))
        elif line.startswith("Rss:"):
            parts[kind] += int(line.split()[1])
    return {"rss_mib": parts.total() / 1024, **{f"{name}_mib": kib / 1024 for name, kib in parts.items()}}


def _kind(path: str) -> str:
    if not path:
        return "rss_anonymous"
    return "rss_heap" if path == "[heap]" else "rss_stack" if path.startswith("[stack") else "rss_files"


def collections() -> dict[str, object]:
    """Return how often the garbage collector ran for each generation, and how many objects it has found unreachable."""
    stats = gc.get_stats()
    return {
        "collections": [each["collections"] for each in stats],
        "collected": [each["collected"] for each in stats],
        "gc_count": gc.get_count(),
    }


def objects() -> dict[str, object]:
    """Return the number of objects that the garbage collector tracks, and the types with the most of them.

    No other thread may run meanwhile: `tuple(...)` fails if another thread refers to the tuple while it is being made.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(LONG_S)
    try:
        counts = Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects())
    finally:
        sys.setswitchinterval(before)
    return {"objects": counts.total(), "frozen": gc.get_freeze_count(), "types": dict(counts.most_common(MOST_TYPES))}


def places() -> dict[str, object]:
    """Return where the living memory was allocated, the largest places first."""
    if not tracemalloc.is_tracing():
        return {}
    found = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(inclusive=False, filename_pattern=__file__)])
    by = found.statistics("traceback")[:MOST_PLACES]
    return {
        "traced_mib": tracemalloc.get_traced_memory()[0] / MIB,
        "places": {" < ".join(f"{f.filename}:{f.lineno}" for f in reversed(each.traceback)): each.size for each in by},
    }


def record(path: Path, every_s: float, frames: int, *, is_collecting: bool) -> None:
    """Append a line with all figures to a file, again and again."""
    begun = time.monotonic()
    with path.open("a", encoding="utf-8") as out:
        while True:
            collected: dict[str, object] = {}
            if is_collecting:
                before = time.monotonic()
                collected = {"just_collected": gc.collect(), "collect_s": time.monotonic() - before}
            memory = {**memory_of_process(), **memory_of_python(), **memory_of_c()}
            figures = {**memory, **collections(), **collected, **objects(), **places()}
            out.write(json.dumps({"s": time.monotonic() - begun, **figures}) + "\n")
            out.flush()
            time.sleep(every_s)
            if frames and not tracemalloc.is_tracing():
                tracemalloc.start(frames)


def main() -> None:
    """Start the thread, and run the command."""
    path, every_s, frames, is_collecting, *arguments = sys.argv[1:]
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8")
    how = {"is_collecting": is_collecting == "1"}
    threading.Thread(target=record, args=(Path(path), float(every_s), int(frames)), kwargs=how, daemon=True).start()
    sys.argv[1:] = arguments
    from reconciler.cli import main as reconcile  # noqa: PLC0415  measured too

    raise SystemExit(reconcile())


if __name__ == "__main__":
    main()
