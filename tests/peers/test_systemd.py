"""The unit of RECIPES.md under a real systemd, booted in a container. See `.ci/long-lanes/vm`.

One boot runs every step, because a boot takes longest. A script in the container writes the outcome of each step to a
file, and each test reads one outcome.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.markdown_table import ROOT
from tests.support.repositories import a_clone, a_remote
from tests.support.shown_commands import blocks
from tests.support.workflows import RECIPES

VM_ROOT = "RECONCILE_VM_ROOT"
BOOT_TIMEOUT_S = 300
MACHINE = "A machine with systemd"
DRIVER_UNIT = """\
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/bash /test/driver
ExecStopPost=/bin/systemctl poweroff --force
StandardOutput=file:/test/output
StandardError=inherit
[Install]
WantedBy=multi-user.target
"""
DROP_IN = """\
[Service]
WatchdogSec=10
RestartSec=1
ReadWritePaths=/srv
"""
DRIVER = """\
set -u
value() { systemctl show reconcile --property="$1" --value; }
result() { python3 -c 'import json, sys; print(json.dumps(sys.argv[1:]))' "$@" >> /test/results; }
until_true() { for _ in $(seq 60); do "$@" > /dev/null 2>&1 && return; sleep 0.5; done; return 1; }

systemctl start reconcile; result started "$?" "$(value ActiveState)"
until_true grep -q cancel /var/log/reconcile/audit.jsonl; result cancelled "$?"
until_true /opt/reconcile/bin/reconcile healthcheck --listen 127.0.0.1:8080; result healthy "$?"
result status "$(value StatusText)"
pushed() { git --git-dir /srv/specs.git rev-parse reconcile-status; }
until_true pushed; result pushed "$?"

before=$(value MainPID)
systemctl reload reconcile; result reloaded "$?" "$([ "$before" = "$(value MainPID)" ] && echo same || echo other)"
journalctl --unit reconcile --output cat > /test/journal
logrotate --force /etc/logrotate.d/reconcile; result rotated "$?" "$(ls /var/log/reconcile | tr '\\n' ' ')"

kill -STOP "$before"
restarted() { [ "$(value NRestarts)" = 1 ] && [ "$(value ActiveState)" = active ]; }
until_true restarted; result restarted "$?" "$(journalctl --unit reconcile --output cat | grep -c 'Watchdog timeout')"
systemctl stop reconcile; result stopped "$(value ActiveState)" "$(value Result)" "$(value ExecMainStatus)"
"""

pytestmark = pytest.mark.skipif(VM_ROOT not in os.environ, reason=f"no {VM_ROOT}: .ci/long-lanes/vm makes one")


@pytest.fixture(scope="module")
def results() -> dict[str, list[str]]:
    """Boot the container, run every step, and return the outcome of each."""
    root = Path(os.environ[VM_ROOT])
    (unit,) = blocks(RECIPES, "ini", section=MACHINE)
    units, test = root / "etc" / "systemd" / "system", root / "test"
    (units / "reconcile.service.d").mkdir(parents=True, exist_ok=True)
    test.mkdir(exist_ok=True)
    url = "https://github.com/example/specs.git"
    (units / "reconcile.service").write_text(unit.replace(url, "file:///srv/specs.git"), encoding="utf-8")
    (units / "reconcile.service.d" / "test.conf").write_text(DROP_IN, encoding="utf-8")
    (units / "driver.service").write_text(DRIVER_UNIT, encoding="utf-8")
    (test / "driver").write_text(DRIVER, encoding="utf-8")
    (root / "etc" / "logrotate.d" / "reconcile").write_text(_rotation(), encoding="utf-8")
    _prepare(root)
    subprocess.run(
        ["systemd-nspawn", "-q", "-D", str(root), "-b", "--register=no", "--keep-unit", "--console=pipe"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=BOOT_TIMEOUT_S,
        check=False,
    )
    lines = (test / "results").read_text(encoding="utf-8").splitlines()
    return {name: rest for name, *rest in map(json.loads, lines)}


def _rotation() -> str:
    """Return the configuration of logrotate in OPERATIONS.md."""
    text = (ROOT / ".github" / "OPERATIONS.md").read_text(encoding="utf-8")
    (found,) = re.findall(r"^/var/log/reconcile/.*?^}\n", text, re.MULTILINE | re.DOTALL)
    return str(found)


def _prepare(root: Path) -> None:
    """Create the user, the environment file, and a repository with the specs of the embedded sandbox."""
    clone = a_clone(a_remote(root / "srv" / "specs.git"), root / "srv" / "author")
    shutil.copytree(ROOT / "specs", clone.root / "specs", dirs_exist_ok=True)
    clone.commit("Write specs")
    clone.push()
    (user, _, _) = blocks(RECIPES, "sh", section=MACHINE)[0].splitlines()
    subprocess.run(["chroot", str(root), *shlex.split(user)], check=True)
    subprocess.run(["chroot", str(root), "chown", "-R", "reconcile:", "/srv"], check=True)
    (root / "etc" / "reconcile").mkdir()
    (root / "etc" / "reconcile" / "environment").write_text("OPENAI_API_KEY=sk-test\n", encoding="utf-8")
    subprocess.run(["systemctl", f"--root={root}", "enable", "-q", "driver.service"], check=True)


def test_start_returns_once_the_watch_runs(results: dict[str, list[str]]) -> None:
    assert results["started"] == ["0", "active"]


def test_the_hardened_watch_cancels_a_job_and_pushes_its_statuses(results: dict[str, list[str]]) -> None:
    assert [results[name] for name in ("cancelled", "healthy", "pushed")] == [["0"]] * 3


def test_the_status_shows_the_jobs_of_the_last_pass(results: dict[str, list[str]]) -> None:
    (shown,) = results["status"]

    assert "as desired" in shown
    assert "last pass" in shown


def test_a_reload_and_a_rotation_keep_the_process(results: dict[str, list[str]]) -> None:
    assert results["reloaded"] == ["0", "same"]
    assert results["rotated"] == ["0", "audit.jsonl.1 "]


def test_a_watch_that_hangs_is_restarted_once(results: dict[str, list[str]]) -> None:
    assert results["restarted"] == ["0", "1"]


def test_a_stop_ends_the_watch_with_exit_code_0(results: dict[str, list[str]]) -> None:
    assert results["stopped"] == ["inactive", "success", "0"]
