"""`python -m tests.cluster_run`: run the cluster, and print its figures and the promises that were broken."""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from threading import Event, Thread

from tests.cluster_run.author import Author
from tests.cluster_run.cluster import Cluster, Times, takes
from tests.cluster_run.provider import Provider, serving_accounts
from tests.cluster_run.troubles import LEADS_WITHIN_S, Troubles
from tests.cluster_run.verdict import Evidence, figures, problems
from tests.support.etcd import ETCD, running_etcd
from tests.support.repositories import a_clone, a_remote

STARTS_WITHIN_S = 600
ENDS_WITHIN_S = 900
"""How long the last cancels may take, after the last fault."""
BEGUN = time.monotonic()


def note(text: str) -> None:
    """Print a line with the time since the start."""
    sys.stdout.write(f"{time.monotonic() - BEGUN:7.1f} s  {text}\n")
    sys.stdout.flush()


def _words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster_run", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long faults happen; default: 10")
    parser.add_argument("--accounts", type=int, default=60, help="the number of accounts; default: 60")
    parser.add_argument("--jobs", type=int, default=100, help="the number of jobs in each account; default: 100")
    parser.add_argument("--shards", type=int, default=3, help="the number of shards at the start; default: 3")
    parser.add_argument("--resized", type=int, default=4, help="the number of shards at the end; default: 4")
    parser.add_argument("--lease", type=int, default=15, metavar="S", help="the lease duration; default: 15 seconds")
    parser.add_argument("--seed", type=int, default=1, help="determines the faults and the edits, but not their times")
    return parser.parse_args()


def _run(words: argparse.Namespace, root: Path) -> Evidence:
    rng = random.Random(words.seed)  # noqa: S311  repeatable, not secret
    accounts = [f"a{number:02}" for number in range(words.accounts)]
    times = Times(words.lease, words.lease * 2 // 3, max(1, words.lease // 7))
    with (
        running_etcd(root / "etcd") as etcd,
        serving_accounts(accounts, words.jobs) as provider,
        ExitStack() as stack,
    ):
        remote = a_remote(root / "remote.git")
        author = Author(a_clone(remote, root / "author"), random.Random(words.seed), accounts, words.jobs)  # noqa: S311
        author.begin(provider)
        trust = {"RECONCILE_TRUST": f"OPENAI_API_KEY={provider.url.removeprefix('http://')}"}
        cluster = Cluster(root, remote, trust, etcd, times, stack)
        cluster.resize(words.shards)
        for replica in cluster.replicas:
            cluster.start(replica)
        first_s = takes(author.has_published_all, STARTS_WITHIN_S)
        if first_s is None:
            sys.exit("not every job got a status in time")
        note(f"each of {len(author.names()):,} jobs has a published status")
        troubles = Troubles(cluster, rng, note)
        with _beside(author):
            troubles.run(words.minutes * 60, words.resized)
        note(f"the last of {len(author.wanted_at):,} cancels in {author.commits - 1:,} commits is pushed")
        takes(cluster.has_leaders, LEADS_WITHIN_S)
        settled_s = takes(lambda: author.cancelled() >= author.wanted_at.keys(), ENDS_WITHIN_S)
        note("not every cancel is confirmed" if settled_s is None else f"all are confirmed, {settled_s:.0f} s later")
        for replica in cluster.replicas:
            cluster.end(replica, signal.SIGTERM)
        return _evidence(author, provider, troubles)


@contextmanager
def _beside(author: Author) -> Iterator[None]:
    stop = Event()
    working = Thread(target=author.work, args=(stop,))
    working.start()
    try:
        yield
    finally:
        stop.set()
        working.join()


def _evidence(author: Author, provider: Provider, troubles: Troubles) -> Evidence:
    return Evidence(
        wanted_at=author.wanted_at,
        arrivals=provider.arrivals,
        phases=provider.phases(),
        cancelled=author.cancelled(),
        statuses=author.statuses(),
        quiet=troubles.quiet,
        takeovers=troubles.takeovers,
    )


def main() -> int:
    """Run the cluster. Return 0 if every promise was kept, else 1."""
    words = _words()
    if ETCD is None:
        sys.stdout.write("left out, because etcd is not installed: apt install etcd-server\n")
        return 0
    for each in (signal.SIGINT, signal.SIGTERM):  # a shell starts a background process with SIGINT ignored
        signal.signal(each, signal.default_int_handler)
    root = Path(mkdtemp(prefix="cluster-run-"))
    run = _run(words, root)
    found = list(problems(run))
    sys.stdout.write(f"\n{figures(run)}\n\n{len(run.arrivals):,} requests, {len(run.quiet)} times of silence\n")
    sys.stdout.write("".join(f"BROKEN: {each}\n" for each in found) or "Every promise was kept.\n")
    if found:
        sys.stdout.write(f"The logs and repositories are in {root}\n")
    else:
        shutil.rmtree(root)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
