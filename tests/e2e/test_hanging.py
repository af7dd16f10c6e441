"""A provider that never responds. The sandbox is in this process, so deadlines pass in virtual time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import looptime

from reconciler import wiring
from reconciler.controller.run_options import Paths, SafetyOptions, Selection, Timeouts, TrustSources
from reconciler.model.exit_code import ExitCode
from reconciler.model.job import Phase
from reconciler.model.report import Report
from tests.support.cli import Checkout

WORLD = """\
apiVersion: jobs.reconciler/v1
kind: Provider
metadata: {{name: main}}
spec:
  type: sandbox
  options:
    jobs: [{{id: ftjob-runaway, life: [{{phase: running}}]}}]
    faults: [{faults}]
"""


def reconciled(checkout: Checkout) -> Report:
    """Make a pass in virtual time, in this process, and return its report."""
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        return runner.run(
            wiring.run_once(
                Paths(checkout.specs, state_dir=checkout.root / "state"),
                Selection(),
                SafetyOptions(),
                TrustSources(),
                dry_run=False,
                timeouts=Timeouts(timeout_s=0),
            )
        )


def test_a_server_that_hangs_is_abandoned_without_a_cancel_or_a_lost_receipt(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path)
    checkout.write("world.yaml", WORLD.format(faults=""))
    checkout.want("runaway", "ftjob-runaway", "observed")
    reconciled(checkout)
    checkout.write("world.yaml", WORLD.format(faults="{fault: hang}"))
    checkout.want("runaway", "ftjob-runaway")

    report = reconciled(checkout)
    status = checkout.status("runaway")

    assert report.exit_code is ExitCode.PROVIDER_UNOBSERVED
    assert report.accounts[0].unobserved is not None
    assert report.accounts[0].unobserved.message == "no complete response from sandbox.localhost within 45 s"
    assert report.rows[0].action is None
    assert status.receipts == ()
    assert status.phase is Phase.RUNNING
    assert not status.is_ready
