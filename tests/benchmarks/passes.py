"""A pass over many jobs, cold and quiet, beside the two things that it can be compared with in the same run.

The floor is the list walked with plain sockets and JSON; the other is the loop that people write with the official
client: retrieve each job. That loop is run over a part, and its time is scaled.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from openai import OpenAI

from tests.benchmarks.world import Measured, measured

PAGE = 100
PART = 200
ENDS_WITHIN_S = 600


def seconds(work: Callable[[], object]) -> float:
    """Return how long some work takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def make_a_pass(there: Measured) -> None:
    """Run `reconcile --once` as a process; what it says goes nowhere."""
    with there.checkout.start("--once", stderr=subprocess.DEVNULL) as process:
        process.communicate(timeout=ENDS_WITHIN_S)


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


def retrieve_with_client(there: Measured) -> None:
    """Retrieve a part of the jobs one by one, with the official client."""
    with OpenAI(base_url=there.sandbox.url, api_key=there.sandbox.key) as client:
        for job_id in there.ids[:PART]:
            client.fine_tuning.jobs.retrieve(job_id)


def run(root: Path, jobs: int) -> dict[str, float]:
    """Measure all of it; ratios are to the floor."""
    with measured(root, jobs) as there:
        cold_s = seconds(lambda: make_a_pass(there))
        quiet_s = seconds(lambda: make_a_pass(there))
        floor_s = seconds(lambda: walk_plainly(there))
        client_s = seconds(lambda: retrieve_with_client(there)) * jobs / PART
    return {
        "jobs": jobs,
        "cold_s": cold_s,
        "quiet_s": quiet_s,
        "floor_s": floor_s,
        "client_s": client_s,
        "quiet_to_floor": quiet_s / floor_s,
        "client_to_quiet": client_s / quiet_s,
    }
