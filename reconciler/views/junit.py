"""A report as JUnit XML, for CIs that show such: one case a job, and one for whatever else went wrong.

A job fails where a person must act, where it could not be looked at, and where its change was refused; it is skipped
while it is suspended. Text that XML cannot hold is shown as its escape.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from reconciler.model.diagnostic import Severity
from reconciler.model.report import Report, Row
from reconciler.model.spec import render_instant
from reconciler.views.problems import Problem, problems, unseen
from reconciler.views.render_context import RenderContext
from reconciler.views.row_state import JobState, outlook
from reconciler.views.text import clean

_FAILED = frozenset({JobState.STALLED, JobState.REFUSED, JobState.UNSEEN})


def junit_xml(report: Report, context: RenderContext) -> str:
    """Return the report of a plan, a pass or a validation as JUnit XML."""
    found = [each for each in (*problems(report), *unseen(report)) if each.severity is Severity.ERROR]
    suite = Element("testsuite", name=f"reconcile {context.what}", timestamp=render_instant(context.now))
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
    look = outlook(row)
    case = SubElement(suite, "testcase", classname=clean(row.source), name=clean(row.name))
    if look.standing in _FAILED:
        SubElement(case, "failure", type=look.reason, message=clean(look.message))
    elif look.standing is JobState.SUSPENDED:
        SubElement(case, "skipped", message=clean(look.message))


def _problem(suite: Element, problem: Problem) -> None:
    place = problem.file or "reconcile"
    name = problem.code if problem.line is None else f"{problem.code}, line {problem.line}"
    case = SubElement(suite, "testcase", classname=clean(place), name=name)
    SubElement(case, "failure", type=problem.code, message=clean(problem.summary)).text = clean(problem.hint or "")
