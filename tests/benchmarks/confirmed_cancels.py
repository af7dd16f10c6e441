"""Twenty cancels of one account in one command, from start to exit, each confirmed by an observation."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.figures import Used, median_of, number, ratio
from tests.benchmarks.world import Hosted, Served, checkout_of, note, ours, peer, run_timed, serving, write_specs
from tests.support.markdown_table import table

CANCELS = 20
TIMES = 3


def by_us(root: Path, served: Served, account: Hosted) -> Used:
    """Cancel every job of an account with one command."""
    checkout = checkout_of(root, OPENAI_BASE_URL=served.url(account.name))
    write_specs(checkout, account, "openai", state="cancelled")
    used = run_timed(ours("--once", "--wait", "--allow-cancels", str(CANCELS)), checkout)
    _assert_cancelled(served, account)
    return used


def by_the_client(root: Path, served: Served, account: Hosted) -> Used:
    """Cancel every job of an account with the official client, and retrieve each."""
    checkout = checkout_of(root)
    checkout.specs.mkdir(parents=True)
    used = run_timed(peer("peer_client", "cancel", str(CANCELS), served.url(account.name)), checkout)
    _assert_cancelled(served, account)
    return used


def measure(root: Path) -> str:
    """Return the table: medians of several runs, each on an account of its own."""
    note(f"{CANCELS} cancels")
    accounts = [Hosted(f"c{number}", CANCELS, CANCELS) for number in range(2 * TIMES)]
    with serving(*accounts) as served:
        own = median_of([by_us(root / each.name, served, each) for each in accounts[:TIMES]])
        client = median_of([by_the_client(root / each.name, served, each) for each in accounts[TIMES:]])
    rows = [
        (
            name,
            number(used.wall_s),
            ratio(used.wall_s, client.wall_s),
            number(used.cpu_s),
            ratio(used.cpu_s, client.cpu_s),
        )
        for name, used in (
            ("official client: cancel, then retrieve, one by one", client),
            ("`--once --wait`", own),
        )
    ]
    return table(("Program", "Wall time, s", "Wall time ÷ client", "CPU, s", "CPU ÷ client"), *rows)


def _assert_cancelled(served: Served, account: Hosted) -> None:
    missing = set(account.ids) - set(served.arrivals()["cancels"])
    assert not missing, f"{len(missing)} of {CANCELS} jobs were not cancelled"
