"""The processor time, memory and requests of a watch while nothing changes."""

from __future__ import annotations

import time
from pathlib import Path

from tests.benchmarks.world import at_work, cpu_s, measured, memory_kib

SETTLES_S = 15


def run(root: Path, running: int, finished: int, seconds: float) -> dict[str, float]:
    """Watch so many jobs for so long, after the first passes."""
    with measured(root, running, finished) as there, at_work(there) as watch:
        time.sleep(SETTLES_S)
        pid = watch.process.pid
        cpu, memory, asked = cpu_s(pid), memory_kib(pid), len(there.world.requests)
        time.sleep(seconds)
        used, requests = cpu_s(pid) - cpu, len(there.world.requests) - asked
        return {
            "running": running,
            "finished": finished,
            "seconds": seconds,
            "cpu_s": used,
            "core_percent": 100 * used / seconds,
            "memory_mib_start": memory / 1024,
            "memory_mib_end": memory_kib(pid) / 1024,
            "requests": requests,
            "requests_per_minute": requests * 60 / seconds,
        }
