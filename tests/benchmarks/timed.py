"""`python -S timed.py COMMAND...`: run a command, and print its exit code, times and peak memory as JSON.

It is a small process of its own, because on Linux the peak memory of a new process includes that of its parent: a large
parent would hide the memory of a small command. For the same reason, it imports only what it needs.
"""

from __future__ import annotations

import json
import os
import sys
import time


def main() -> None:
    """Run the command with standard output and standard error discarded."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    streams = [(os.POSIX_SPAWN_DUP2, nowhere, stream) for stream in range(3)]
    report = os.dup(1)
    begun = time.perf_counter()
    process = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=streams)
    _, status, used = os.wait4(process, 0)
    wall_s = time.perf_counter() - begun
    told = {
        "code": os.waitstatus_to_exitcode(status),
        "wall_s": wall_s,
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_mib": used.ru_maxrss / 1024,
    }
    os.write(report, json.dumps(told).encode("ascii"))


if __name__ == "__main__":
    main()
