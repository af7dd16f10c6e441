"""Sixty accounts of a hundred jobs: all responsive, or one that never responds and one that throttles.

The benchmark measures the time until each job of every other account has its status, because a slow account must not
delay the others.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.canned_provider import Manner
from tests.benchmarks.figures import number, ratio
from tests.benchmarks.world import (
    ENDS_WITHIN_S,
    Hosted,
    Served,
    checkout_of,
    note,
    ours,
    peer,
    run_timed,
    serving,
    write_specs,
)
from tests.support.cli import SERVED, Checkout
from tests.support.markdown_table import table
from tests.support.sandbox_client import wait_for

ACCOUNTS = 60
JOBS = 100
UNFINISHED = 10


def accounts(*manners: Manner) -> list[Hosted]:
    """Return the accounts. The first ones respond in these manners, and all others at once."""
    padded = [*manners, *[Manner.AT_ONCE] * (ACCOUNTS - len(manners))]
    return [Hosted(f"a{at:02}", JOBS, UNFINISHED, manner) for at, manner in enumerate(padded)]


def specs_of(root: Path, served: Served, hosted: Sequence[Hosted]) -> Checkout:
    """Return a directory with a Provider document for each account, and a spec for each job."""
    checkout = checkout_of(root, RECONCILE_TRUST=f"OPENAI_API_KEY=127.0.0.1:{served.port}")
    for account in hosted:
        write_specs(checkout, account, account.name)
        checkout.write(f"{account.name}.yaml", SERVED.format(name=account.name, url=served.url(account.name)))
    return checkout


def until_the_others_are_done(checkout: Checkout, hosted: Sequence[Hosted]) -> float:
    """Run a cold pass until each job of the responsive accounts has a status, and return the seconds that it took."""
    waiting = {f"{job_id}.yaml" for account in hosted if account.manner is Manner.AT_ONCE for job_id in account.ids}
    begun = time.monotonic()
    nowhere = subprocess.DEVNULL
    with checkout.start("--once", stdout=nowhere, stderr=nowhere) as process:
        try:
            wait_for(
                lambda: waiting <= _names(checkout),
                "each job of the responsive accounts has a status",
                within_s=ENDS_WITHIN_S,
            )
            return time.monotonic() - begun
        finally:
            process.kill()


def _names(checkout: Checkout) -> set[str]:
    return {path.name for path in checkout.status_dir.glob("*.yaml")}


def measure(root: Path) -> str:
    """Run the benchmark, and return its table."""
    steady = accounts()
    note(f"{ACCOUNTS} accounts")
    with serving(*steady) as served:
        checkout = specs_of(root / "steady", served, steady)
        client = run_timed(peer("peer_client", "list", "0", *(served.url(each.name) for each in steady)), checkout)
        all_done_s = until_the_others_are_done(specs_of(root / "all", served, steady), steady)
        whole = run_timed(ours("--once"), checkout)
    slow = accounts(Manner.NEVER, Manner.THROTTLED)
    note(f"{ACCOUNTS} accounts, of which one hangs and one throttles")
    with serving(*slow) as served:
        others_done_s = until_the_others_are_done(specs_of(root / "slow", served, slow), slow)
    rows = [
        ("official client: list of each account, one after another", client.wall_s, client.cpu_s),
        ("`--once`, cold, from start to exit", whole.wall_s, whole.cpu_s),
        ("`--once`, cold, until each job has a status", all_done_s, None),
        ("`--once`, cold, with two slow accounts, until each job of the others has a status", others_done_s, None),
    ]
    told = [
        (name, number(wall_s), ratio(wall_s, client.wall_s), number(cpu), ratio(cpu or 0, client.cpu_s if cpu else 0))
        for name, wall_s, cpu in rows
    ]
    return table(("Program", "Wall time, s", "Wall time ÷ client", "CPU, s", "CPU ÷ client"), *told)
