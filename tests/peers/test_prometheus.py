"""Prometheus itself, from Debian: it scrapes a watch, and takes the alerts that ship."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.support.cli import Checkout, started_sandbox
from tests.support.processes import a_free_port, running
from tests.support.sandbox_corner import Sandbox, wait_for
from tests.support.watching import watching

PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
ALERTS = Path(__file__).parents[2] / ".github" / "alerts.yaml"
SCRAPED_WITHIN_S = 60
CONFIG = """\
global: {{scrape_interval: 1s}}
scrape_configs:
- job_name: reconcile
  static_configs: [{{targets: ["{target}"]}}]
"""

pytestmark = pytest.mark.skipif(
    PROMETHEUS is None or PROMTOOL is None, reason="prometheus or promtool is not installed: apt install prometheus"
)


def asked(address: str, query: str) -> list[str]:
    """Return the values that Prometheus has for a query."""
    with urllib.request.urlopen(f"{address}/api/v1/query?query={query}", timeout=5) as answer:  # noqa: S310  loopback
        return [each["value"][1] for each in json.load(answer)["data"]["result"]]


def test_prometheus_scrapes_a_watch(tmp_path: Path) -> None:
    target, port = f"127.0.0.1:{a_free_port()}", a_free_port()
    (tmp_path / "prometheus.yml").write_text(CONFIG.format(target=target), encoding="utf-8")
    command = [
        str(PROMETHEUS),
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with started_sandbox(tmp_path, "--port", "0") as url:
        checkout = Checkout(tmp_path, Sandbox(url).environ)
        checkout.name_provider()
        checkout.want("one", *Sandbox(url).create(1))
        with (
            watching(checkout, "--listen", target),
            running(command, port, "/-/ready", tmp_path / "prometheus.log", {}) as address,
        ):
            wait_for(lambda: asked(address, "up") == ["1"], "it is up", within_s=SCRAPED_WITHIN_S)
            proved = 'reconcile_resource_info{name="one",ready="True"}'.replace('"', "%22")
            wait_for(lambda: asked(address, proved) == ["1"], "its job is told", within_s=SCRAPED_WITHIN_S)
            passes = asked(address, "reconcile_reconcile_duration_seconds_count")

    assert float(passes[0]) >= 1


def test_promtool_takes_the_alerts_that_ship() -> None:
    ran = subprocess.run([str(PROMTOOL), "check", "rules", str(ALERTS)], capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert "6 rules found" in ran.stdout
