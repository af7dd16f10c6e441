"""A report as JUnit XML, for CI systems that display it: one test case for each job, and one for each other error.

The test case of a job fails if the job is stalled, could not be observed, or had its change refused. It is skipped
while the job is suspended, and if its change is withheld. Characters that XML does not allow are written as escapes.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from reconciler.model.diagnostic import Severity
from reconciler.model.report import Report, Row
from reconciler.model.spec import render_instant
from reconciler.views.problems import Problem, problems, unobserved_accounts
from reconciler.views.render_context import RenderContext
from reconciler.views.row_state import JobState, row_state
from reconciler.views.text import clean

_FAILED = frozenset({JobState.STALLED, JobState.REFUSED, JobState.UNOBSERVED})

_SKIPPED = frozenset({JobState.SUSPENDED, JobState.WITHHELD})


def junit_xml(report: Report, context: RenderContext) -> str:
    """Return the report of a plan, a pass or a validation as JUnit XML."""
    found = [each for each in (*problems(report), *unobserved_accounts(report)) if each.severity is Severity.ERROR]
    suite = Element("testsuite", name=f"reconcile {context.result}", timestamp=render_instant(context.now))
    for row in report.rows:
        _job(suite, row)
    for problem in found:
        _problem(suite, problem)
    for key, tag in (("tests", "testcase"), ("failures", "testcase/failure"), ("skipped", "testcase/skipped")):
        suite.set(key, str(len(suite.findall(tag))))
    suite.set("errors", "0")
    root = Element("testsuites")
    root.append(suite)
    indent(root)
    return tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def _job(suite: Element, row: Row) -> None:
    state = row_state(row)
    case = SubElement(suite, "testcase", classname=clean(row.source), name=clean(row.name))
    if state.job_state in _FAILED:
        SubElement(case, "failure", type=state.reason, message=clean(state.message))
    elif state.job_state in _SKIPPED:
        SubElement(case, "skipped", message=clean(state.message))


def _problem(suite: Element, problem: Problem) -> None:
    place = problem.file or "reconcile"
    name = problem.code if problem.line is None else f"{problem.code}, line {problem.line}"
    case = SubElement(suite, "testcase", classname=clean(place), name=name)
    SubElement(case, "failure", type=problem.code, message=clean(problem.summary)).text = clean(problem.hint or "")
