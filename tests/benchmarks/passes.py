"""The duration of a pass over many jobs, the first one and a later one without changes, compared with other clients.

The minimum is the time to read the list with plain sockets and JSON. The official client is used in the two ways that
users choose: its list, in pages of 20, and a retrieve of each job. Of the retrieves, only a part is run and the time is
extrapolated. None of these clients reads a spec, decides, or writes a status.
"""

from __future__ import annotations

import json
import pstats
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from openai import OpenAI

from tests.benchmarks.world import Measured, measured
from tests.support.cli import RECONCILE

PAGE = 100
PART = 200
ENDS_WITHIN_S = 600
PROFILED = 12


def seconds(work: Callable[[], object]) -> float:
    """Return how long some work takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def make_a_pass(there: Measured) -> tuple[float, float]:
    """Run `reconcile --once` as a process; what it says goes nowhere. Return seconds by the clock, and of processor."""
    before = _children_s()
    with there.checkout.start("--once", stderr=subprocess.DEVNULL) as process:
        took_s = seconds(lambda: process.communicate(timeout=ENDS_WITHIN_S))
    return took_s, _children_s() - before


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def profile(there: Measured) -> list[str]:
    """Make a cold pass again, and return where its own time went, the most expensive functions first."""
    shutil.rmtree(there.checkout.status_dir)
    file = there.checkout.root / "profile"
    program = [sys.executable, "-m", "cProfile", "-o", str(file), *RECONCILE[1:]]
    with there.checkout.start("--once", program=program, stderr=subprocess.DEVNULL) as process:
        process.communicate(timeout=ENDS_WITHIN_S)
    found = pstats.Stats(str(file)).get_stats_profile()
    worst = sorted(found.func_profiles.items(), key=lambda each: -each[1].tottime)[:PROFILED]
    return [
        f"{each.tottime / found.total_tt:6.1%}  {name}  {Path(each.file_name).name}:{each.line_number}"
        for name, each in worst
    ]


def walk_plainly(there: Measured) -> None:
    """List every job, as fast as the standard library can."""
    connection = HTTPConnection(urlsplit(there.sandbox.url).netloc)
    after = ""
    while True:
        connection.request("GET", f"/v1/fine_tuning/jobs?limit={PAGE}{after}")
        page = json.loads(connection.getresponse().read())
        if not page["has_more"]:
            connection.close()
            return
        after = f"&after={page['data'][-1]['id']}"


def list_with_client(there: Measured) -> None:
    """List every job with the official client, as its documentation does."""
    with OpenAI(base_url=there.sandbox.url, api_key=there.sandbox.key) as client:
        assert sum(1 for _ in client.fine_tuning.jobs.list()) == len(there.ids)


def retrieve_with_client(there: Measured) -> None:
    """Retrieve a part of the jobs one by one, with the official client."""
    with OpenAI(base_url=there.sandbox.url, api_key=there.sandbox.key) as client:
        for job_id in there.ids[:PART]:
            client.fine_tuning.jobs.retrieve(job_id)


def run(root: Path, jobs: int) -> tuple[dict[str, float], list[str]]:
    """Measure all of it, and profile the slowest part, which is a cold pass. Ratios are of seconds by the clock."""
    with measured(root, jobs) as there:
        cold_s, cold_cpu_s = make_a_pass(there)
        quiet_s, quiet_cpu_s = make_a_pass(there)
        floor_s = seconds(lambda: walk_plainly(there))
        list_s = seconds(lambda: list_with_client(there))
        retrieve_s = seconds(lambda: retrieve_with_client(there)) * jobs / PART
        slowest = profile(there)
    figures = {
        "jobs": jobs,
        "cold_s": cold_s,
        "cold_cpu_s": cold_cpu_s,
        "quiet_s": quiet_s,
        "quiet_cpu_s": quiet_cpu_s,
        "floor_s": floor_s,
        "client_list_s": list_s,
        "client_retrieve_s": retrieve_s,
        "quiet_to_floor": quiet_s / floor_s,
        "client_list_to_quiet": list_s / quiet_s,
        "client_retrieve_to_quiet": retrieve_s / quiet_s,
    }
    return figures, slowest
