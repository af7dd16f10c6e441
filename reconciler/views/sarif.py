"""The problems in documents as SARIF 2.1.0, which GitHub code scanning and other tools read.

GitHub shows an alert for a result and closes it once a later file lacks the result. Therefore the file is complete even
if there is no problem. Text of a document is never included, because it may contain a secret.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from reconciler.model.diagnostic import Diagnostic, Severity
from reconciler.model.report import Report
from reconciler.views.render_context import RenderContext
from reconciler.views.source_range import range_of
from reconciler.views.text import clean

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
VERSION = "2.1.0"
RULE_ID = "InvalidDocument"
RULE = {
    "id": RULE_ID,
    "name": RULE_ID,
    "shortDescription": {"text": "A document of reconcile is not valid."},
    "fullDescription": {
        "text": "A spec, a Provider document, the Settings or a status has a problem. While a document is not valid, "
        "reconcile requests no change for the jobs that it concerns."
    },
    "help": {"text": "Correct the field that the message names. `reconcile explain FIELD` says what a field accepts."},
    "defaultConfiguration": {"level": "error"},
}
"""The only rule. Its id identifies alerts, so it must not change."""
LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning"}


def sarif_text(report: Report, context: RenderContext) -> str:
    """Return one SARIF run with a result for each diagnostic, sorted by file and line."""
    ordered = sorted(report.diagnostics, key=lambda each: (each.file, each.line or 0, each.field or "", each.message))
    driver = {"name": "reconcile", "version": context.version, "rules": [RULE]}
    notifications = [{"level": "error", "message": {"text": clean(text)}} for text in report.errors]
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": "reconcile/validate/"},
        "invocations": [
            {"executionSuccessful": not report.errors, "toolExecutionNotifications": notifications},
        ],
        "results": [_result(each, context) for each in ordered],
    }
    return json.dumps({"$schema": SCHEMA, "version": VERSION, "runs": [run]}, indent=2) + "\n"


def _result(found: Diagnostic, context: RenderContext) -> dict[str, Any]:
    place = context.find_source(found.file, found.line)
    message = found.message if found.suggestion is None else f"{found.message}; {found.suggestion}"
    text = f"{found.field}: {message}" if found.field else message
    location = {"artifactLocation": {"uri": quote(place.path)}, "region": _region(found, place.line)}
    return {
        "ruleId": RULE_ID,
        "ruleIndex": 0,
        "level": LEVELS[found.severity],
        "message": {"text": clean(text)},
        "locations": [{"physicalLocation": location}],
    }


def _region(found: Diagnostic, line: str) -> dict[str, int]:
    """Return the range of the part of a line that a problem is about."""
    number, wrong = found.line or 1, range_of(found, line)
    # Columns are numbered from 1. `endColumn` is the column after the range, and a range must not be empty.
    return {
        "startLine": number,
        "startColumn": wrong.begin + 1,
        "endLine": number,
        "endColumn": max(wrong.begin, wrong.end - 1) + 2,
    }
