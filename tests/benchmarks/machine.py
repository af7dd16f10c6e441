"""The kind of machine that a run was made on, without names of hosts, users or paths."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

FACTS = ("CPU", "Cores", "Memory", "Python", "System", "Load average at the start", "Date", "Sizes")


def cpu_model(cpuinfo: str) -> str:
    """Return the model of the processor from the text of /proc/cpuinfo."""
    lines = (line.partition(":") for line in cpuinfo.splitlines())
    names = [value.strip() for key, _, value in lines if key.strip() == "model name"]
    return names[0] if names else f"unknown ({platform.machine()})"


def machine(sizes: tuple[int, ...]) -> list[tuple[str, str]]:
    """Return the facts about the machine and the run, each with its name."""
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = ", ".join(f"{each:.2f}" for each in os.getloadavg())
    said = (
        cpu_model(Path("/proc/cpuinfo").read_text(encoding="utf-8")),
        str(os.cpu_count()),
        f"{gib:.0f} GiB",
        f"{platform.python_implementation()} {platform.python_version()}",
        platform.system(),
        f"{load} (over 1, 5 and 15 minutes)",
        f"{datetime.now(UTC):%Y-%m-%d}",
        ", ".join(f"{size:,} specs" for size in sizes),
    )
    return list(zip(FACTS, said, strict=True))
