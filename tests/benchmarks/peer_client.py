"""`python peer_client.py list|retrieve|cancel PART URL...`: the official client, used as its documentation does.

`list` lists all jobs of each account. `retrieve` lists the ids with large pages and retrieves the first `PART` jobs one
by one. `cancel` cancels the first `PART` jobs one by one, and retrieves each to see that it is cancelled.
"""

from __future__ import annotations

import sys
from itertools import islice

from openai import OpenAI


def list_all(client: OpenAI, part: int) -> None:  # noqa: ARG001 - one signature for all
    """List every job, with pages of the default size."""
    assert sum(1 for _ in client.fine_tuning.jobs.list()) > 0


def retrieve(client: OpenAI, part: int) -> None:
    """List the first `part` jobs, and retrieve them one by one."""
    for job in list(islice(client.fine_tuning.jobs.list(limit=100), part)):
        client.fine_tuning.jobs.retrieve(job.id)


def cancel(client: OpenAI, part: int) -> None:
    """Cancel some jobs, and retrieve each to check that it is cancelled."""
    for job in list(islice(client.fine_tuning.jobs.list(limit=100), part)):
        client.fine_tuning.jobs.cancel(job.id)
        assert client.fine_tuning.jobs.retrieve(job.id).status == "cancelled"


WAYS = {"list": list_all, "retrieve": retrieve, "cancel": cancel}


def main() -> None:
    """Run the command for each account, one after another."""
    way, part = WAYS[sys.argv[1]], int(sys.argv[2])
    for url in sys.argv[3:]:
        with OpenAI(base_url=url, api_key="sk-canned") as client:
            way(client, part)


if __name__ == "__main__":
    main()
