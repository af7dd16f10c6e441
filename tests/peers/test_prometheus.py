"""Prometheus from Debian scrapes a watch and loads the alert rules of this repository."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from reconciler.model.election import ElectionStatus
from reconciler.model.notification import SinkDelivery
from reconciler.model.shard import Shard
from reconciler.telemetry.metrics_options import MetricsOptions
from tests.support.cli import SPEC, Checkout, started_sandbox
from tests.support.dashboard import queries
from tests.support.full_scrape import full_scrape
from tests.support.processes import a_free_port, running
from tests.support.sandbox_client import Sandbox, wait_for
from tests.support.scrapes import ALERTS, PROMTOOL, Recording, Scraped
from tests.support.watch_process import watching
from tests.support.watch_weeks import DAY, FAULTS, HOUR, LEASE, MINUTE, healthy, normal_week, standing_by

PROMETHEUS = shutil.which("prometheus")
SCRAPED_WITHIN_S = 60
CONFIG = """\
global: {{scrape_interval: 1s}}
scrape_configs:
- job_name: reconcile
  static_configs: [{{targets: ["{target}"]}}]
"""

INTERVALS_S = (15, 60, 1200)
DOWN = ("ReconcileIsDown", "ReconcileInstanceIsDown", "ReconcileShardIsMissing", "ReconcileRestartsOften")
BEGAN_S = 2 * HOUR
"""When a fault begins. Before that, the watch is healthy."""

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
        (job_id,) = Sandbox(url).create(1)
        spec = SPEC.format(name="one, labels: {team: support}", job_id=job_id, state="cancelled", provider="main")
        checkout.write("one.yaml", spec)
        with (
            watching(checkout, "--listen", target, "--metrics-labels", "team"),
            running(command, port, "/-/ready", tmp_path / "prometheus.log", {}) as address,
        ):
            wait_for(lambda: asked(address, "up") == ["1"], "it is up", within_s=SCRAPED_WITHIN_S)
            proved = 'reconcile_resource_info{name="one",ready="True",label_team="support"}'.replace('"', "%22")
            wait_for(lambda: asked(address, proved) == ["1"], "its job is reported", within_s=SCRAPED_WITHIN_S)
            passes = asked(address, "reconcile_reconcile_duration_seconds_count")

    assert float(passes[0]) >= 1


def test_promtool_accepts_the_shipped_alerts() -> None:
    ran = subprocess.run([str(PROMTOOL), "check", "rules", str(ALERTS)], capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert f"{len({*FAULTS, *DOWN})} rules found" in ran.stdout


@pytest.mark.long
@pytest.mark.parametrize("interval_s", INTERVALS_S)
def test_no_alert_fires_in_a_normal_week(tmp_path: Path, interval_s: int) -> None:
    recording = Recording(step_s=2 * MINUTE)
    recording.record(7 * DAY, normal_week(interval_s))

    assert "SUCCESS" in recording.fired(tmp_path, frozenset())


def test_no_alert_fires_while_one_replica_leads_and_another_stands_by(tmp_path: Path) -> None:
    def scrape(now_s: float, *, is_leader: bool) -> Scraped:
        watch = healthy(now_s, 60)
        return Scraped(
            replace(watch, leadership=ElectionStatus(LEASE, is_leader=True)) if is_leader else standing_by(watch)
        )

    recording = Recording(MINUTE)
    # After two hours the standby takes over. For two minutes neither leads.
    replicas = {
        "one": lambda now_s: scrape(now_s, is_leader=now_s < BEGAN_S),
        "two": lambda now_s: scrape(now_s, is_leader=now_s >= BEGAN_S + 2 * MINUTE),
    }
    recording.record(BEGAN_S + HOUR, replicas)

    assert "SUCCESS" in recording.fired(tmp_path, frozenset())


def fault(alert: str, interval_s: int) -> Callable[[float], Scraped]:
    """Return an instance in which the fault of this alert begins after a while."""

    def scrape(now_s: float) -> Scraped:
        watch = healthy(now_s, interval_s)
        return Scraped(FAULTS[alert](watch, BEGAN_S, now_s) if now_s >= BEGAN_S else watch)

    return scrape


@pytest.mark.sampled(each="alert")
@pytest.mark.parametrize("interval_s", INTERVALS_S)
@pytest.mark.parametrize("alert", FAULTS)
def test_each_fault_of_a_watch_fires_its_alert_and_no_other(tmp_path: Path, alert: str, interval_s: int) -> None:
    recording = Recording(step_s=MINUTE)
    recording.record(BEGAN_S + 90 * MINUTE + 11 * interval_s, {"one": fault(alert, interval_s)})

    assert "SUCCESS" in recording.fired(tmp_path, frozenset({alert}))


def test_a_notification_that_is_dropped_before_the_first_scrape_fires_its_alert(tmp_path: Path) -> None:
    def scrape(now_s: float) -> Scraped:
        return Scraped(replace(healthy(now_s, 60), sinks={"audit": SinkDelivery(dropped=1)}))

    recording = Recording(MINUTE)
    recording.record(3 * HOUR, {"one": scrape})

    assert "SUCCESS" in recording.fired(tmp_path, frozenset({"ReconcileNotificationIsDropped"}))


@pytest.mark.parametrize("alert", ["ReconcileJobIsStalled", "ReconcileLimitNotJudged"])
def test_alerts_about_jobs_need_no_series_of_jobs(tmp_path: Path, alert: str) -> None:
    recording = Recording(MINUTE, MetricsOptions(has_jobs=False))
    recording.record(BEGAN_S + HOUR, {"one": fault(alert, 60)})

    assert "SUCCESS" in recording.fired(tmp_path, frozenset({alert}))


@pytest.mark.sampled(each="is_target")
@pytest.mark.parametrize("interval_s", INTERVALS_S)
@pytest.mark.parametrize("is_target", [True, False])
def test_an_alert_fires_once_no_instance_is_left(tmp_path: Path, *, is_target: bool, interval_s: int) -> None:
    def scrape(now_s: float) -> Scraped:
        return Scraped(healthy(now_s, interval_s)) if now_s < BEGAN_S else Scraped(None, is_target=is_target)

    recording = Recording(MINUTE)
    recording.record(BEGAN_S + HOUR, {"one": scrape})

    assert "SUCCESS" in recording.fired(tmp_path, frozenset({"ReconcileIsDown"}))


def test_an_alert_fires_if_one_of_two_instances_is_down(tmp_path: Path) -> None:
    def scrape(now_s: float) -> Scraped:
        return Scraped(healthy(now_s, 60) if now_s < BEGAN_S else None)

    recording = Recording(MINUTE)
    recording.record(BEGAN_S + HOUR, {"one": scrape, "two": lambda now_s: Scraped(healthy(now_s, 60))})

    assert "SUCCESS" in recording.fired(tmp_path, frozenset({"ReconcileInstanceIsDown"}))


@pytest.mark.sampled(each="is_target")
@pytest.mark.parametrize("interval_s", INTERVALS_S)
@pytest.mark.parametrize("is_target", [True, False])
def test_an_alert_fires_if_one_shard_of_three_is_gone(tmp_path: Path, *, is_target: bool, interval_s: int) -> None:
    def gone(now_s: float) -> Scraped:
        return Scraped(healthy(now_s, interval_s)) if now_s < BEGAN_S else Scraped(None, is_target=is_target)

    recording = Recording(MINUTE, shards={"one": Shard(1, 3), "two": Shard(2, 3), "three": Shard(3, 3)})
    works = dict.fromkeys(("one", "three"), lambda now_s: Scraped(healthy(now_s, interval_s)))
    recording.record(BEGAN_S + HOUR, {**works, "two": gone})
    also = {"ReconcileInstanceIsDown"} if is_target else set()

    assert "SUCCESS" in recording.fired(tmp_path, frozenset({"ReconcileShardIsMissing", *also}))


def test_no_shard_is_missing_while_each_has_an_instance_or_their_number_is_changed(tmp_path: Path) -> None:
    def scrape(now_s: float, *, is_old: bool) -> Scraped:
        is_there = is_old == (now_s < BEGAN_S) or (is_old and now_s < BEGAN_S + 5 * MINUTE)
        return Scraped(healthy(now_s, 60), BEGAN_S * (not is_old)) if is_there else Scraped(None, is_target=False)

    old = {f"old {index} {name}": Shard(index, 3) for index in (1, 2, 3) for name in ("leads", "stands by")}
    new = {f"new {index}": Shard(index, 2) for index in (1, 2)}
    recording = Recording(MINUTE, shards={**old, **new})
    names = {name: partial(scrape, is_old=name in old) for name in (*old, *new)}
    one_is_down = {"old 2 stands by": lambda _: Scraped(None, is_target=False)}
    recording.record(BEGAN_S + HOUR, {**names, **one_is_down})

    assert "SUCCESS" in recording.fired(tmp_path, frozenset())


@pytest.mark.sampled(1)
@pytest.mark.parametrize("interval_s", INTERVALS_S)
def test_an_alert_fires_if_the_process_restarts_often(tmp_path: Path, interval_s: int) -> None:
    def scrape(now_s: float) -> Scraped:
        started_s = now_s // (10 * MINUTE) * 10 * MINUTE if now_s >= BEGAN_S else 0
        return Scraped(healthy(now_s, interval_s), started_s)

    recording = Recording(MINUTE)
    recording.record(BEGAN_S + 2 * HOUR, {"one": scrape})

    assert "SUCCESS" in recording.fired(tmp_path, frozenset({"ReconcileRestartsOften"}))


def test_every_query_of_the_dashboard_finds_series_of_a_scrape(tmp_path: Path) -> None:
    lines = [line.rpartition(" ") for line in full_scrape().splitlines() if line[0] != "#"]
    series = [{"series": with_target(name), "values": f"{value}x30"} for name, _, value in lines]
    finds = [{"expr": f"absent({query})", "eval_time": "20m", "exp_samples": []} for query in queries()]
    tests = [{"interval": "1m", "input_series": series, "promql_expr_test": finds}]
    file = tmp_path / "dashboard_test.yaml"
    file.write_text(json.dumps({"tests": tests}), encoding="utf-8")

    ran = subprocess.run([str(PROMTOOL), "test", "rules", str(file)], capture_output=True, text=True, check=False)

    assert finds
    assert "SUCCESS" in ran.stdout, ran.stdout + ran.stderr


def with_target(series: str) -> str:
    """Return the name of a series with the labels that Prometheus adds."""
    name, _, labels = series.partition("{")
    return f'{name}{{job="any name", instance="one", {labels or "}"}'
