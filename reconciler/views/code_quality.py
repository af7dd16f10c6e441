"""The problems of a report in the Code Quality format of GitLab, which is a subset of that of Code Climate.

GitLab compares the reports of two branches by their fingerprints, and shows equal fingerprints once. Therefore a
fingerprint does not depend on the line, and equal problems of a file are numbered. A problem that concerns no file,
such as an internal error, is not in the report. The exit code shows it. Due changes are not in the report either.

Source: https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from posixpath import join
from typing import Any

from reconciler.model.diagnostic import Severity
from reconciler.model.report import Report, Row
from reconciler.views.problems import announced_ends, document_problems
from reconciler.views.render_context import RenderContext
from reconciler.views.row_state import JobState, row_state
from reconciler.views.text import clean

_SEVERITIES = {Severity.ERROR: "critical", Severity.WARNING: "minor"}
"""The severity of a problem in a document. An invalid document stops every change of its jobs."""
_STATES = {JobState.STALLED: "major", JobState.REFUSED: "major", JobState.UNOBSERVED: "minor"}
"""The states of a job that are problems, with their severity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A problem in a file. `about` identifies it within the file, together with its check."""

    check: str
    severity: str
    description: str
    file: str
    line: int | None
    about: str


def code_quality_json(report: Report, context: RenderContext) -> str:
    """Return the problems in documents, of jobs, and of announced ends, as a JSON array. It may be empty."""
    known: Counter[tuple[str, ...]] = Counter()
    entries = []
    for found in (*_in_documents(report), *_of_jobs(report, context), *_of_ends(report, context)):
        path = context.find_source(found.file, None).path
        key = (path, found.check, found.about)
        known[key] += 1
        entries.append(_entry(found, path, "\0".join((*key, str(known[key])))))
    return json.dumps(entries, indent=2) + "\n"


def _entry(found: _Found, path: str, identity: str) -> dict[str, Any]:
    return {
        "description": clean(found.description),
        "check_name": found.check,
        "fingerprint": sha256(identity.encode(errors="surrogatepass")).hexdigest(),
        "severity": found.severity,
        "location": {"path": clean(path), "lines": {"begin": found.line or 1}},
    }


def _in_documents(report: Report) -> Iterator[_Found]:
    for problem in document_problems(report.diagnostics):
        found = problem.diagnostic
        if found is not None:
            yield _Found(
                check=problem.code,
                severity=_SEVERITIES[problem.severity],
                description=problem.summary,
                file=found.file,
                line=found.line,
                about=f"{found.field or ''} {found.message}",
            )


def _of_jobs(report: Report, context: RenderContext) -> Iterator[_Found]:
    for row in report.rows:
        state = row_state(row)
        if (severity := _STATES.get(state.job_state)) is not None:
            yield _of_job(row, context, state.reason, severity, state.message)


def _of_ends(report: Report, context: RenderContext) -> Iterator[_Found]:
    """Yield one problem for each announced end and each job that it concerns, at the spec of the job."""
    rows = {row.name: row for row in report.rows}
    for end, problem in zip(report.ends, announced_ends(report.ends), strict=True):
        for name in end.jobs:
            if name in rows:
                yield _of_job(rows[name], context, problem.code, "minor", problem.summary)


def _of_job(row: Row, context: RenderContext, check: str, severity: str, message: str) -> _Found:
    return _Found(
        check=check,
        severity=severity,
        description=f"{row.name}: {message}",
        file=join(context.specs, row.source),
        line=row.line,
        about=row.name,
    )
