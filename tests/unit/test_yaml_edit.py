"""Edits of YAML in many styles. The part that an edit changes is marked `[[before|after]]`; the rest must stay."""

from __future__ import annotations

import codecs
import re

import pytest

from reconciler.formats.spec_parser import read_documents
from reconciler.formats.yaml_edit import Edit, YamlEditError, scalar, set_value

HEAD = "apiVersion: jobs.reconciler/v1\nkind: FineTuningJob\nmetadata: {name: chat}\n"
OTHER = HEAD.replace("chat", "other") + "spec: {provider: demo, jobId: ftjob-2, desiredState: running}\n"
JOB = "  provider: demo\n  jobId: ftjob-1\n"
STATE = Edit("chat", ("desiredState",), "cancelled")
REASON = Edit("chat", ("reason",), "too dear")
SUSPEND = Edit("chat", ("suspend",), True)  # noqa: FBT003  a value
SUSPEND_WHY = Edit("chat", ("suspend",), {"reason": "incident 7"})
UNSUSPEND = Edit("chat", ("suspend",), None)
_MARKED = re.compile(r"\[\[(?P<before>.*?)\|(?P<after>.*?)\]\]", re.DOTALL)

SET = {
    "plain": HEAD + "spec:\n" + JOB + "  desiredState: [[running|cancelled]]\n",
    "single quotes": HEAD + "spec:\n" + JOB + "  desiredState: '[[running|cancelled]]'\n",
    "double quotes": HEAD + "spec:\n" + JOB + '  desiredState: "[[running|cancelled]]"\n',
    "comment after it": HEAD + "spec:\n" + JOB + "  desiredState: [[running|cancelled]]   # was paused\n",
    "comment line above": HEAD + "spec:\n" + JOB + "  # ask Ada first\n  desiredState: [[running|cancelled]]\n",
    "first key": HEAD + "spec:\n  desiredState: [[running|cancelled]]\n" + JOB,
    "between others": HEAD + "spec:\n  provider: demo\n  desiredState: [[running|cancelled]]\n  jobId: ftjob-1\n",
    "four spaces": HEAD + "spec:\n    provider: demo\n    jobId: ftjob-1\n    desiredState: [[running|cancelled]]\n",
    "one space": HEAD + "spec:\n provider: demo\n jobId: ftjob-1\n desiredState: [[running|cancelled]]\n",
    "aligned values": HEAD + "spec:\n" + JOB + "  desiredState:      [[running|cancelled]]\n",
    "value on the next line": HEAD + "spec:\n" + JOB + "  desiredState:\n    [[running|cancelled]]\n",
    "no line break at the end": HEAD + "spec:\n" + JOB + "  desiredState: [[running|cancelled]]",
    "empty lines at the end": HEAD + "spec:\n" + JOB + "  desiredState: [[running|cancelled]]\n\n\n",
    "spaces at line ends": HEAD + "spec:  \n" + JOB + "  desiredState: [[running|cancelled]]   \n",
    "quoted key": HEAD + "spec:\n" + JOB + '  "desiredState": [[running|cancelled]]\n',
    "space before the colon": HEAD + "spec:\n" + JOB + "  desiredState : [[running|cancelled]]\n",
    "explicit key": HEAD + "spec:\n" + JOB + "  ? desiredState\n  : [[running|cancelled]]\n",
    "folded block": HEAD + "spec:\n" + JOB + "  desiredState: [[>-\n    running|cancelled]]\n",
    "folded block with a comment": HEAD
    + "spec:\n"
    + JOB
    + "  desiredState: [[>-  # why\n    running|cancelled  # why]]\n",
    "flow on one line": HEAD + "spec: {provider: demo, jobId: ftjob-1, desiredState: [[running|cancelled]]}\n",
    "flow on many lines": HEAD + "spec: {\n  provider: demo,  # the usual\n  jobId: ftjob-1,\n"
    "  desiredState: [[running|cancelled]],\n}\n",
    "flow with quotes": HEAD
    + "spec: {'provider': 'demo', 'jobId': 'ftjob-1', 'desiredState': '[[running|cancelled]]'}\n",
    "whole document in flow": "{apiVersion: jobs.reconciler/v1, kind: FineTuningJob, metadata: {name: chat},\n"
    " spec: {desiredState: [[running|cancelled]], provider: demo, jobId: ftjob-1}}\n",
    "JSON": '{"apiVersion":"jobs.reconciler/v1","kind":"FineTuningJob","metadata":{"name":"chat"},'
    '"spec":{"provider":"demo","jobId":"ftjob-1","desiredState":"[[running|cancelled]]"}}\n',
    "indented JSON": '{\n  "apiVersion": "jobs.reconciler/v1",\n  "kind": "FineTuningJob",\n'
    '  "metadata": {"name": "chat"},\n  "spec": {\n    "provider": "demo",\n    "jobId": "ftjob-1",\n'
    '    "desiredState": "[[running|cancelled]]"\n  }\n}\n',
    "document marks": "---\n" + HEAD + "spec:\n" + JOB + "  desiredState: [[running|cancelled]]\n...\n",
    "last of two documents": OTHER + "---\n" + HEAD + "spec:\n" + JOB + "  desiredState: [[running|cancelled]]\n",
    "first of two documents": HEAD + "spec:\n" + JOB + "  desiredState: [[running|cancelled]]\n---\n" + OTHER,
    "an empty document before it": "---\n---\n# here\n"
    + HEAD
    + "spec:\n"
    + JOB
    + "  desiredState: [[running|cancelled]]\n",
    "spec before metadata": "kind: FineTuningJob\nspec:\n" + JOB + "  desiredState: [[running|cancelled]]\n"
    "metadata:\n  name: chat\napiVersion: jobs.reconciler/v1\n",
    "name in quotes": HEAD.replace("chat", "'chat'") + "spec:\n" + JOB + "  desiredState: [[running|cancelled]]\n",
    "other values with anchors": HEAD
    + "spec:\n  provider: &p demo\n  jobId: ftjob-1\n  desiredState: [[running|cancelled]]\n"
    "  reason: *p\n",
    "the word in other places": "# running\n"
    + HEAD
    + "spec:\n"
    + JOB
    + "  desiredState: [[running|cancelled]]  # running\n"
    "  reason: running\n",
    "characters beyond ASCII before it": "# héllo 🦀 …\n"
    + HEAD
    + "spec:\n"
    + JOB
    + "  desiredState: [[running|cancelled]] # 🦀\n",
    "a directive": "%YAML 1.1\n---\n" + HEAD + "spec:\n" + JOB + "  desiredState: [[running|cancelled]]\n",
    "block text above": HEAD
    + "spec:\n  reason: |\n    desiredState: running\n\n"
    + JOB
    + "  desiredState: [[running|cancelled]]\n",
    "nothing between colon and comment": HEAD + "spec:\n" + JOB + "  desiredState: [[running|cancelled]] #x\n",
}
ADDED = {
    "below the state": HEAD + "spec:\n" + JOB + "  desiredState: running[[|\n  reason: too dear]]\n",
    "below its comment": HEAD
    + "spec:\n"
    + JOB
    + "  desiredState: running  # a[[|\n  reason: too dear]]\n  limits: {maxAge: 1d}\n",
    "in the file's indentation": HEAD + "spec:\n    provider: demo\n    jobId: a-1\n"
    "    desiredState: running[[|\n    reason: too dear]]\n",
    "in the file's quotes": HEAD + "spec:\n" + JOB + "  'desiredState': 'running'[[|\n  'reason': 'too dear']]\n",
    "without a line break at the end": HEAD + "spec:\n" + JOB + "  desiredState: running[[|\n  reason: too dear]]",
    "below an explicit key": HEAD + "spec:\n" + JOB + "  ? desiredState\n  : running[[|\n  reason: too dear]]\n",
    "in flow": HEAD + "spec: {provider: demo, jobId: ftjob-1, desiredState: running[[|, reason: too dear]]}\n",
    "in flow, not last": HEAD
    + "spec: {desiredState: running[[|, reason: too dear]], provider: demo, jobId: ftjob-1}\n",
    "in JSON": '{"apiVersion":"jobs.reconciler/v1","kind":"FineTuningJob","metadata":{"name":"chat"},"spec":'
    '{"provider":"demo","jobId":"ftjob-1","desiredState":"running"[[|, "reason": "too dear"]]}}\n',
    "in the place of nothing": HEAD + "spec:\n" + JOB + "  desiredState: running\n  reason:[[| too dear]]\n",
    "in the place of a block": HEAD
    + "spec:\n  reason: [[>\n    because of\n    the rate|too dear]]\n\n"
    + JOB
    + "  desiredState: running\n",
    "in the place of two lines": HEAD
    + "spec:\n  reason: '[[because of\n    the rate|too dear]]'\n"
    + JOB
    + "  desiredState: running\n",
}
SUSPENDED = {
    "added": (HEAD + "spec:\n" + JOB + "  desiredState: running[[|\n  suspend: true]]\n", SUSPEND),
    "turned on": (HEAD + "spec:\n" + JOB + "  desiredState: running\n  suspend: [[false|true]]  # hm\n", SUSPEND),
    "with a reason": (
        HEAD + "spec:\n" + JOB + "  desiredState: running[[|\n  suspend: {reason: incident 7}]]\n",
        SUSPEND_WHY,
    ),
    "a reason for one": (
        HEAD + "spec:\n" + JOB + "  desiredState: running\n  suspend: [[true|{reason: incident 7}]]\n",
        SUSPEND_WHY,
    ),
    "another reason": (
        HEAD + "spec:\n" + JOB + '  desiredState: running\n  suspend:\n    # hm\n    reason: "[[audit|incident 7]]"\n'
        "    until: 2026-12-01T00:00:00Z\n",
        SUSPEND_WHY,
    ),
    "a first reason": (
        HEAD + "spec:\n" + JOB + "  desiredState: running\n  suspend:\n    until: 2026-12-01T00:00:00Z"
        "[[|\n    reason: incident 7]]\n",
        SUSPEND_WHY,
    ),
    "an empty mapping": (
        HEAD + "spec:\n" + JOB + "  desiredState: running\n  suspend: {[[|reason: incident 7]]}\n",
        SUSPEND_WHY,
    ),
    "taken away": (HEAD + "spec:\n" + JOB + "[[  suspend: true  # for now\n|]]  desiredState: running\n", UNSUSPEND),
    "taken away at the end": (HEAD + "spec:\n" + JOB + "  desiredState: running\n[[  suspend: true|]]", UNSUSPEND),
    "taken away with all it holds": (
        HEAD
        + "spec:\n"
        + JOB
        + "[[  suspend:\n    # hm\n    reason: audit\n|]]  # the state\n  desiredState: running\n",
        UNSUSPEND,
    ),
    "taken out of flow": (
        HEAD + "spec: {provider: demo, jobId: ftjob-1[[, suspend: {reason: audit}|]], desiredState: running}\n",
        UNSUSPEND,
    ),
    "taken out of the beginning of flow": (
        HEAD + "spec: {[[suspend: true, |]]provider: demo, jobId: ftjob-1, desiredState: running}\n",
        UNSUSPEND,
    ),
}


def before_and_after(marked: str) -> tuple[bytes, bytes]:
    return _MARKED.sub(r"\g<before>", marked).encode(), _MARKED.sub(r"\g<after>", marked).encode()


@pytest.mark.parametrize("style", SET)
@pytest.mark.parametrize("is_windows", [False, True])
def test_an_edit_changes_only_the_value_of_its_field(style: str, *, is_windows: bool) -> None:
    before, after = before_and_after(SET[style])
    if is_windows:
        before, after = (codecs.BOM_UTF8 + each.replace(b"\n", b"\r\n") for each in (before, after))

    assert set_value(before, STATE) == after
    assert not read_documents(after, file="a.yaml", shown="a.yaml").diagnostics


@pytest.mark.parametrize("style", ADDED)
@pytest.mark.parametrize("is_windows", [False, True])
def test_a_new_key_is_one_line_in_the_style_of_the_file(style: str, *, is_windows: bool) -> None:
    before, after = before_and_after(ADDED[style])
    if is_windows:
        before, after = before.replace(b"\n", b"\r\n"), after.replace(b"\n", b"\r\n")

    assert set_value(before, REASON) == after


@pytest.mark.parametrize("style", SUSPENDED)
def test_a_suspension_is_added_changed_or_removed_and_nothing_else_changes(style: str) -> None:
    marked, edit = SUSPENDED[style]
    before, after = before_and_after(marked)

    assert set_value(before, edit) == after


@pytest.mark.parametrize(
    ("text", "edit", "sentence"),
    [
        (
            HEAD + "spec:\n  provider: &a cancelled\n  jobId: ftjob-1\n  reason: x\n  desiredState: *a\n",
            Edit("chat", ("desiredState",), "paused"),
            "line 8: spec.desiredState is an alias of another value",
        ),
        (
            HEAD + "spec:\n" + JOB + "  desiredState: &a running\n  reason: *a\n",
            STATE,
            "line 7: spec.desiredState has an anchor or a tag",
        ),
        (HEAD + "spec:\n" + JOB + "  desiredState: !!str running\n", STATE, "has an anchor or a tag"),
        (
            HEAD + "x: &a {reason: y}\nspec: *a\n",
            STATE,
            "line 5: spec is an alias of another value, so no key can be added to it",
        ),
        (
            HEAD + "x: &a {suspend: {until: soon}}\nspec: *a\n",
            Edit("chat", ("suspend",), {"reason": "x"}),
            "line 5: spec is an alias of another value, so no key can be added to it",
        ),
        (HEAD + "spec: {}\n", STATE, "line 4: spec is empty, so no key can be added to it"),
        (OTHER, STATE, "must contain exactly one job document with the name 'chat', but contains 0"),
        (
            OTHER + "---\n" + OTHER,
            Edit("other", ("reason",), "x"),
            "must contain exactly one job document with the name 'other', but contains 2",
        ),
        (
            HEAD + "spec: {\n  provider: demo, # keep\n  suspend: true,\n  jobId: a-1, desiredState: running}\n",
            UNSUSPEND,
            "a comment",
        ),
        (HEAD + "spec:\n" + JOB + "  desiredState: running\n", Edit("chat", ("reason",), "x" * 1025), "at most 1024"),
        (
            HEAD + "spec:\n" + JOB + "  desiredState: running\n",
            Edit("chat", ("reason",), "\x1b[31m"),
            "control characters",
        ),
        ("a: [", STATE, "cannot be read"),
        ("a: \ud800", STATE, "not UTF-8"),
    ],
)
def test_an_edit_that_cannot_be_made_safely_is_rejected_with_the_reason(text: str, edit: Edit, sentence: str) -> None:
    with pytest.raises(YamlEditError, match=re.escape(sentence)):
        set_value(text.encode(errors="surrogatepass"), edit)


def test_an_edit_to_the_present_value_leaves_the_bytes_unchanged() -> None:
    data = (HEAD + "spec:\n" + JOB + "  desiredState: &a   cancelled\n").encode()

    assert set_value(data, STATE) is data


def test_an_invalid_document_in_the_same_file_does_not_prevent_an_edit() -> None:
    broken = OTHER.replace("running", "rnning")
    before, after = before_and_after(HEAD + "spec:\n" + JOB + "  desiredState: [[running|cancelled]]\n---\n" + broken)

    assert set_value(before, STATE) == after


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("learning rate 10x too high, see #412", '"learning rate 10x too high, see #412"'),
        ("incident 7", "incident 7"),
        ("no", '"no"'),
        ("12", '"12"'),
        ("a: b", '"a: b"'),
        ("it's", '"it\'s"'),
        ("[x]", '"[x]"'),
        ("two\nlines", '"two\\nlines"'),
        ("2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z"),
    ],
)
def test_a_text_is_quoted_if_a_yaml_parser_could_misread_it(text: str, written: str) -> None:
    document = HEAD + f"spec: {{provider: demo, jobId: ftjob-1, desiredState: running, reason: {written}}}\n"
    read = read_documents(document.encode(), file="a.yaml", shown="a.yaml")

    assert scalar(text) == written
    assert read.jobs[0].document.spec.reason == text
