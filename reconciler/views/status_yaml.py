"""Statuses as YAML: the content of the status files, one document per job."""

from __future__ import annotations

from reconciler.formats.status_writer import render_status
from reconciler.model.report import Report
from reconciler.views.render_context import RenderContext


def get_yaml(report: Report, _context: RenderContext) -> str:
    """Return the statuses as `get -o yaml` prints them."""
    return "---\n".join(render_status(row.status) for row in report.rows)
