"""The options of an election: which combinations are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.model.exit_code import ExitCode
from tests.support.cli import Checkout

ETCD = "etcd:http://127.0.0.1:1/leader"
SHARED = ("--state-dir", "state", "--status-dir", "statuses")


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--leader-elect", "reconcile"), ExitCode.USAGE, "'reconcile' is not a lease: write lease:NAMESPACE/NAME or"),
        (
            ("--leader-elect", ETCD, "--leader-elect-lease-duration", "10s"),
            ExitCode.USAGE,
            "the lease duration must be longer than the renew deadline",
        ),
        (("--leader-elect", ETCD, "--once"), ExitCode.USAGE, "--leader-elect cannot be combined with --once"),
        (("--leader-elect", ETCD), ExitCode.USAGE, "publish them with --push, or set --state-dir and --status-dir"),
        (("--leader-elect", ETCD, "--state-dir", "state"), ExitCode.USAGE, "publish them with --push"),
        (("--leader-elect", ETCD, "--commit"), ExitCode.USAGE, "publish them with --push"),
        (
            ("--leader-elect", "lease:jobs/leader", *SHARED),
            ExitCode.CONFIGURATION,
            "the lease lease:jobs/leader cannot be used: KUBERNETES_SERVICE_HOST is not set",
        ),
        (
            ("--leader-elect", ETCD.replace("http", "https"), "--etcd-cafile", "missing.pem", *SHARED),
            ExitCode.CONFIGURATION,
            "cannot be used: No such file or directory",
        ),
        (
            ("--leader-elect", ETCD, "--etcd-user-file", "specs/main.yaml", *SHARED),
            ExitCode.CONFIGURATION,
            "does not contain NAME:PASSWORD",
        ),
        (
            ("--leader-elect", ETCD.replace("127.0.0.1", "etcd.example"), "--etcd-user-file", "user", *SHARED),
            ExitCode.CONFIGURATION,
            "the user of etcd is not sent over plain http",
        ),
    ],
)
def test_an_election_that_cannot_work_is_refused(
    checkout: Checkout, arguments: tuple[str, ...], code: int, said: str
) -> None:
    (checkout.root / "user").write_text("replica:a-long-password\n", encoding="utf-8")
    (checkout.specs / "main.yaml").write_text("# nothing here\n", encoding="utf-8")
    ran = checkout.run(*arguments)

    assert ran.code == code
    assert said in ran.err
    assert "a-long-password" not in ran.err


def test_a_dry_run_needs_no_lease(checkout: Checkout) -> None:
    ran = checkout.run("--once", "--dry-run", RECONCILE_LEADER_ELECT=ETCD)

    assert ran.code == ExitCode.OK


def test_a_user_file_that_cannot_be_read_is_not_replaced_by_the_variable(checkout: Checkout) -> None:
    (checkout.root / "user").write_bytes(b"replica:\xff")

    ran = checkout.run("--leader-elect", ETCD, "--etcd-user-file", "user", *SHARED, RECONCILE_ETCD_USER="other:user")

    assert ran.code == ExitCode.CONFIGURATION
    assert "the file of --etcd-user-file cannot be read" in ran.err


def test_a_password_of_etcd_is_never_shown(checkout: Checkout, tmp_path: Path) -> None:
    ran = checkout.run("--leader-elect", ETCD, *SHARED, RECONCILE_ETCD_USER=f"only-a-name-{tmp_path.name}")

    assert ran.code == ExitCode.CONFIGURATION
    assert "RECONCILE_ETCD_USER cannot be read, or does not contain NAME:PASSWORD" in ran.err
    assert tmp_path.name not in ran.err
