"""The Grafana dashboard of this repository, as data for tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.support.markdown_table import ROOT

DASHBOARD = ROOT / ".github" / "deploy" / "grafana-dashboard.json"
VARIABLES = {"$__rate_interval": "5m", "$account": ".*"}
"""A value for each variable of Grafana in the queries."""


def dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    document: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return document


def queries() -> Iterator[str]:
    """Yield the query of each target of each panel, with values for the variables."""
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            query = target["expr"]
            for variable, value in VARIABLES.items():
                query = query.replace(variable, value)
            yield query
