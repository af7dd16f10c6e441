"""`python peer_floor.py URL SPECS STATUSES`: the minimum work of a cold pass, in simple code.

It parses each spec, lists every job of the account, and writes one small file for each job: to a temporary file that is
renamed, as `reconcile` does. It compares nothing and decides nothing.
"""

from __future__ import annotations

import json
import os
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

PAGE = 100
STATUS = """\
apiVersion: jobs.reconciler/v1
kind: FineTuningJobStatus
metadata:
  name: {name}
status:
  phase: {phase}
  job:
    id: {job_id}
    model: {model}
    createdAt: {created_at}
    finishedAt: {finished_at}
  conditions:
  - type: Ready
    status: 'True'
    reason: AsDesired
"""


def specs(directory: Path) -> dict[str, str]:
    """Return the name of each spec, by the ID of its job."""
    found = {}
    for entry in os.scandir(directory):
        if entry.name.endswith(".yaml"):
            with open(entry.path, "rb") as file:  # noqa: PTH123 - the cheapest way, because this is the floor
                spec = yaml.load(file.read(), Loader=yaml.CSafeLoader)
            found[spec["spec"]["jobId"]] = spec["metadata"]["name"]
    return found


def jobs(url: str) -> list[dict[str, Any]]:
    """Return every job. All pages are requested on one connection."""
    address = urlsplit(url)
    connection = HTTPConnection(address.netloc)
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        connection.request("GET", f"{address.path}/fine_tuning/jobs?limit={PAGE}{after}")
        page = json.loads(connection.getresponse().read())
        found += page["data"]
        if not page["has_more"]:
            connection.close()
            return found
        after = f"&after={page['data'][-1]['id']}"


def main() -> None:
    """Run the minimum work once."""
    url, source, target = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    names = specs(source)
    target.mkdir(parents=True, exist_ok=True)
    for job in jobs(url):
        name = names[job["id"]]
        text = STATUS.format(
            name=name,
            phase=job["status"],
            job_id=job["id"],
            model=job["model"],
            created_at=job["created_at"],
            finished_at=job["finished_at"],
        )
        fresh = f"{target}/.{name}.tmp"
        with open(fresh, "wb") as file:  # noqa: PTH123 - as above
            file.write(text.encode())
        os.replace(fresh, f"{target}/{name}.yaml")  # noqa: PTH105 - as above


if __name__ == "__main__":
    main()
