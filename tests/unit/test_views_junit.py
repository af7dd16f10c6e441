from __future__ import annotations

from dataclasses import replace
from xml.dom.minidom import parseString

from reconciler.model.action import Progress
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.reason import Reason
from reconciler.model.report import Report
from reconciler.views.junit import junit_xml
from tests.support.reports import CONTEXT, a_row, a_stalled_row, a_suspended_row, a_waiting_row, with_cancel


def test_each_job_is_a_test_case_that_fails_if_manual_action_is_needed() -> None:
    refused = with_cancel(a_waiting_row("dear"), progress=Progress.REFUSED)
    withheld = with_cancel(a_row("shadowed", reason=Reason.WOULD_CANCEL), progress=Progress.WITHHELD)
    report = Report(rows=(a_row("chat"), a_stalled_row("odd"), a_suspended_row("held"), withheld, refused))
    suite = parseString(junit_xml(report, replace(CONTEXT, result="plan"))).getElementsByTagName("testsuite")[0]  # noqa: S318 - our own
    cases = suite.getElementsByTagName("testcase")
    failed = [case.getAttribute("name") for case in cases if case.getElementsByTagName("failure")]
    skipped = [case.getAttribute("name") for case in cases if case.getElementsByTagName("skipped")]

    assert [suite.getAttribute(key) for key in ("tests", "failures", "skipped")] == ["5", "2", "2"]
    assert failed == ["odd", "dear"]
    assert skipped == ["held", "shadowed"]


def test_an_invalid_document_is_a_test_case_of_its_file() -> None:
    found = Diagnostic(file="specs/a.yaml", line=7, message="is wrong", suggestion="mend it")
    text = junit_xml(Report(diagnostics=(found,)), replace(CONTEXT, result="validate"))

    assert '<testcase classname="specs/a.yaml" name="InvalidDocument, line 7">' in text
    assert 'message="specs/a.yaml:7: is wrong; mend it"' in text


def test_characters_that_xml_cannot_contain_are_shown_as_escapes() -> None:
    text = junit_xml(
        Report(rows=(a_stalled_row("odd", message="\x00 <b> & \ufffe \x1b"),)), replace(CONTEXT, result="plan")
    )
    (failure,) = parseString(text).getElementsByTagName("failure")  # noqa: S318 - our own

    assert failure.getAttribute("message") == "\\x00 <b> & \\ufffe \\x1b"
