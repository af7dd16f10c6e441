"""Text for GitLab: sections of a job's log, outputs as a dotenv report, and the Markdown of a note.

Rules: text from specs and providers is escaped. In the log, it can neither begin nor end a section. In the dotenv
report, it cannot add an output. In a note, it cannot run a quick action, mention a user or create a reference.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from reconciler.ci.annotations import Annotation, Level
from reconciler.views.text import clean, count

OUTPUT_PREFIX = "RECONCILE_RESULT_"
"""The beginning of the name of each output. No option of `reconcile` has a variable that begins in this way."""
OUTPUT_MAX = 255
"""The maximum length of one output, in characters. All outputs of a job must fit into 5 KB."""
OMITTED = frozenset({"version", "plan-digest"})
"""The outputs that are left out, because a GitLab server accepts 20 by default. The log and the plan file have them."""

_SECTION = re.compile(r"section_(?=(?:start|end):[0-9])")
_OUTPUT = re.compile(r"[\w./:@+-]+", re.ASCII)
_OUTPUT_LINE = re.compile(rf"({OUTPUT_PREFIX}[A-Z_]+)=([\w./:@+-]+)", re.ASCII)
_NOTE = re.compile(
    r"""
      (?P<kept>
          ^```[^\n]*\n[^\n]*\n```$      # a block of code, which has one line
        | `[^`\n]*`                     # code
        | <!--[ ]-->                    # an empty comment
        | \]\([^()\[\]\s]*\)            # the address of a link
        | ^\#{1,6}[ ]                   # the beginning of a title
        | \\.                           # an escaped character
      )
    | ^[ \t]*/                          # a quick action
    | [@\#!%^] (?=[^\s|])               # a user, an issue, a merge request, a milestone or an alert
    """,
    re.VERBOSE | re.MULTILINE,
)


def without_sections(text: str) -> str:
    """Return text in which no part begins or ends a section of the log (https://docs.gitlab.com/ci/jobs/job_logs/).

    The escape is also valid in JSON, so a program that parses JSON output reads the original text.
    """
    return _SECTION.sub(r"section\\u005f", text)


def section(name: str, title: str, lines: Iterable[str], at: int) -> str:
    """Return a section of the log that is collapsed, in the form of https://docs.gitlab.com/ci/jobs/job_logs/.

    Args:
        name: the name of the section, which the job's log contains only once: letters, digits, `_`, `.` and `-`.
        title: the line that is shown while the section is collapsed.
        lines: the lines of the section.
        at: the current time, in seconds of Unix time.
    """
    body = "".join(f"{line}\n" for line in lines)
    begin = f"\x1b[0Ksection_start:{at}:{name}[collapsed=true]\r\x1b[0K{clean(title)}\n"
    return f"{begin}{body}\x1b[0Ksection_end:{at}:{name}\r\x1b[0K\n"


def section_title(found: Iterable[Annotation]) -> str:
    """Return the number of annotations of each level, such as `2 errors and 1 notice about the specs`."""
    counted = Counter(each.level for each in found)
    parts = [count(counted[level], level) for level in Level if counted[level]]
    return f"{' and '.join(filter(None, [', '.join(parts[:-1]), parts[-1]]))} about the specs"


def annotation_lines(found: Iterable[Annotation], url_of: Callable[[str, int | None], str | None]) -> Iterable[str]:
    """Yield each annotation as a line of the log, and below it the address of its place, which GitLab shows as a link.

    `url_of` returns the address of a file and a line, or None if it is unknown.
    """
    for each in found:
        place = "" if each.file is None else f"{clean(each.file)}:{each.line}: "
        yield f"{each.level}: {each.title}: {'' if each.message.startswith(place) else place}{clean(each.message)}"
        if each.file is not None and (url := url_of(each.file, each.line)) is not None:
            yield f"  {url}"


def dotenv_text(before: str, values: Mapping[str, str]) -> str:
    """Return a dotenv report with these outputs added to those of an earlier command of the job.

    The outputs in `OMITTED` are left out, and those that GitLab does not accept: empty or long ones, and those with
    white space, quotes or `$`. GitLab allows letters, digits and `_` in a name, neither white space nor line breaks in
    a value, and neither empty lines nor comments (https://docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsdotenv).

    Args:
        before: the report of the earlier commands. Lines that this function has not written are dropped.
        values: the value of each output, by its name in lower case with hyphens.
    """
    kept = {found[1]: found[2] for line in before.splitlines() if (found := _OUTPUT_LINE.fullmatch(line))}
    for name, value in values.items():
        variable = OUTPUT_PREFIX + name.replace("-", "_").upper()
        kept.pop(variable, None)
        if name not in OMITTED and len(value) <= OUTPUT_MAX and _OUTPUT.fullmatch(value):
            kept[variable] = value
    return "".join(f"{name}={value}\n" for name, value in kept.items())


def note_text(markdown: str) -> str:
    """Return the Markdown of a result as the body of a note. It is at most twice as long.

    A line that begins with `/` would be a quick action (https://docs.gitlab.com/user/project/quick_actions/). A
    backslash before the sign of a reference makes the sign a part of the text
    (https://docs.gitlab.com/user/markdown/#gitlab-specific-references).
    """
    return _NOTE.sub(_harmless, markdown)


def _harmless(found: re.Match[str]) -> str:
    return found[0] if found["kept"] is not None else f"{found[0][:-1]}\\{found[0][-1]}"
