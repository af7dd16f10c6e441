"""Series for unit tests of alerts in promtool, recorded from scrapes of real metrics."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prometheus_client.registry import Collector

from reconciler.model.shard import Shard
from reconciler.model.watch_status import WatchStatus
from reconciler.telemetry.metrics import Metrics
from reconciler.telemetry.metrics_options import MetricsOptions
from tests.support.markdown_table import ROOT

PROMTOOL = shutil.which("promtool")
ALERTS = ROOT / ".github" / "alerts.yaml"
STALE, NO_SAMPLE = "stale", "_"
START = "process_start_time_seconds"


@dataclass(frozen=True, slots=True)
class Scraped:
    """What one scrape of an instance finds: the state of the watch, or None if the instance does not respond."""

    watch: WatchStatus | None
    started_s: float = 0
    """When the process of the watch started."""
    is_target: bool = True
    """Whether Prometheus knows the instance. If it does not, there is no series `up` either."""


def at(seconds: float) -> datetime:
    """Return a time in seconds since 1970, where the clock of promtool begins."""
    return datetime.fromtimestamp(seconds, UTC)


@dataclass(slots=True)
class Recording:
    """The series of some instances, with one value for each step. As in Prometheus, a series that ends is stale."""

    step_s: int
    options: MetricsOptions = field(default_factory=MetricsOptions)
    shards: Mapping[str, Shard] = field(default_factory=dict)
    """The shard of each instance that has one."""
    values: dict[str, list[str]] = field(default_factory=dict)
    length: int = 0

    def record(self, until_s: float, instances: Mapping[str, Callable[[float], Scraped]]) -> None:
        """Scrape all instances in every step until a time. `instances` returns what a scrape at a time finds."""
        metrics = {name: _Instance(replace(self.options, shard=self.shards.get(name))) for name in instances}
        while self.length * self.step_s <= until_s:
            now_s = self.length * self.step_s
            found: dict[str, float] = {}
            for name, scrape in instances.items():
                found |= metrics[name].scrape(scrape(now_s), now_s, {"job": "any name", "instance": name})
            self._append(found)

    def _append(self, found: Mapping[str, float]) -> None:
        for name in found.keys() - self.values.keys():
            self.values[name] = [NO_SAMPLE] * self.length
        for name, values in self.values.items():
            is_end = name not in found and values and values[-1] not in {STALE, NO_SAMPLE}
            values.append(f"{found[name]:.15g}" if name in found else STALE if is_end else NO_SAMPLE)
        self.length += 1

    def fired(self, root: Path, alerts: frozenset[str]) -> str:
        """Check that exactly these alerts fired, and return promtool's output."""
        lasted = f"{self.length * self.step_s}s"
        expected = {
            "expr": f'group by (alertname) (count_over_time(ALERTS{{alertstate="firing"}}[{lasted}]))',
            "eval_time": lasted,
            "exp_samples": [{"labels": f'{{alertname="{each}"}}', "value": 1} for each in sorted(alerts)],
        }
        test: dict[str, Any] = {
            "interval": f"{self.step_s}s",
            "input_series": [{"series": name, "values": " ".join(each)} for name, each in self.values.items()],
            "promql_expr_test": [expected],
        }
        document = {"rule_files": [str(ALERTS)], "evaluation_interval": f"{self.step_s}s", "tests": [test]}
        file = root / "alerts_test.yaml"
        file.write_text(json.dumps(document), encoding="utf-8")
        ran = subprocess.run([str(PROMTOOL), "test", "rules", str(file)], capture_output=True, text=True, check=False)
        return ran.stdout + ran.stderr


class _Instance:
    """The metrics of one instance, with a clock that the test sets."""

    def __init__(self, options: MetricsOptions) -> None:
        self._watch: WatchStatus | None = None
        self._now = at(0)
        self._metrics = Metrics(self._current, lambda: self._now, options)

    def _current(self) -> WatchStatus:
        assert self._watch is not None
        return self._watch

    def scrape(self, found: Scraped, now_s: float, target: Mapping[str, str]) -> dict[str, float]:
        """Return the value of each series of this scrape, with the labels that Prometheus adds."""
        if not found.is_target:
            return {}
        self._watch, self._now = found.watch, at(now_s)
        series = {_series("up", target): float(found.watch is not None)}
        if found.watch is None:
            return series
        registry: Collector = self._metrics.registry
        for family in registry.collect():
            for each in family.samples:
                value = found.started_s if each.name == START else each.value
                series[_series(each.name, {**target, **each.labels})] = value
        return series


def _series(name: str, labels: Mapping[str, str]) -> str:
    return name + "{" + ", ".join(f"{key}={json.dumps(value)}" for key, value in labels.items()) + "}"
