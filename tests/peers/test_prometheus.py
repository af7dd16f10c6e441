"""Prometheus from Debian scrapes a watch and loads the alert rules of this repository."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.support.cli import Checkout, started_sandbox
from tests.support.processes import a_free_port, running
from tests.support.sandbox_client import Sandbox, wait_for
from tests.support.watch_process import watching

PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
ALERTS = Path(__file__).parents[2] / ".github" / "alerts.yaml"
SCRAPED_WITHIN_S = 60
CONFIG = """\
global: {{scrape_interval: 1s}}
scrape_configs:
- job_name: reconcile
  static_configs: [{{targets: ["{target}"]}}]
"""

FIRES = {
    "ReconcileIsDown": ('up{job="reconcile"}', "0"),
    "ReconcileStandsStill": ("reconcile_last_success_timestamp_seconds", "0"),
    "ReconcileCannotSeeProvider": ('reconcile_observation_age_seconds{provider="openai"}', "2000"),
    "ReconcileJobIsStalled": ('reconcile_reconcile_condition{name="one", type="Stalled", status="True"}', "1"),
    "ReconcileLimitNotJudged": ('reconcile_limit_not_judged{name="one", provider="openai"}', "1"),
    "ReconcileDriftLasts": ("reconcile_drift_seconds", "4000"),
    "ReconcileWarns": ("reconcile_warnings", "2"),
}
QUIET = {**dict.fromkeys(FIRES, "0"), "ReconcileIsDown": "1", "ReconcileStandsStill": "1200"}
"""Values of a healthy watch, whose last pass ends when the alerts are evaluated."""

pytestmark = pytest.mark.skipif(
    PROMETHEUS is None or PROMTOOL is None, reason="prometheus or promtool is not installed: apt install prometheus"
)


def asked(address: str, query: str) -> list[str]:
    """Return the values of a Prometheus query."""
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
            wait_for(lambda: asked(address, proved) == ["1"], "its job is reported", within_s=SCRAPED_WITHIN_S)
            passes = asked(address, "reconcile_reconcile_duration_seconds_count")

    assert float(passes[0]) >= 1


def test_promtool_accepts_the_shipped_alerts() -> None:
    ran = subprocess.run([str(PROMTOOL), "check", "rules", str(ALERTS)], capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert f"{len(FIRES)} rules found" in ran.stdout


def firing(root: Path, alert: str, value: str, interval_s: int = 60) -> str:
    """Return promtool's output for the assertion that this alert fires once its series had a value for 20 minutes."""
    query = f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})'
    expected = {"expr": query, "eval_time": "20m", "exp_samples": [{"labels": "{}", "value": 1}]}
    told = {FIRES[alert][0]: value, "reconcile_interval_seconds": interval_s}
    series = [{"series": name, "values": f"{each}x20"} for name, each in told.items()]
    tests = [{"interval": "1m", "input_series": series, "promql_expr_test": [expected]}]
    file = root / "rules_test.yaml"
    file.write_text(json.dumps({"rule_files": [str(ALERTS)], "tests": tests}), encoding="utf-8")
    ran = subprocess.run([str(PROMTOOL), "test", "rules", str(file)], capture_output=True, text=True, check=False)
    return ran.stdout + ran.stderr


@pytest.mark.parametrize("alert", FIRES)
def test_each_alert_fires_when_it_should_and_only_then(tmp_path: Path, alert: str) -> None:
    assert "SUCCESS" in firing(tmp_path, alert, FIRES[alert][1])
    assert "got: nil" in " ".join(firing(tmp_path, alert, QUIET[alert]).split())


@pytest.mark.parametrize("alert", ["ReconcileStandsStill", "ReconcileCannotSeeProvider"])
def test_alerts_about_lateness_depend_on_the_interval(tmp_path: Path, alert: str) -> None:
    assert "got: nil" in " ".join(firing(tmp_path, alert, FIRES[alert][1], interval_s=1200).split())
