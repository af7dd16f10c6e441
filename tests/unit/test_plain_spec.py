"""`plain_spec` against the general parser that it replaces for most specs."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.formats.plain_spec import DEPTH_MAX, LINE_MAX, parse_plain
from reconciler.formats.yaml_documents import RawDocument, YamlUnreadableError
from reconciler.formats.yaml_text import parse

PLAIN = """\
---
# The bot of the shop.
apiVersion: jobs.reconciler/v1
kind: FineTuningJob  # a job
metadata: {name: bot, team: 'a'}
spec:
  provider: openai
  model: ft:gpt-4o-mini-2024-07-18:acme::abc

  labels:
      team: "a: b # c"
      note: 'x, y'
      empty: ''
  suspend: null
  desiredState: cancelled
"""
SCALARS = (
    *"""\
a
null
Null
~
true
1.5
0x1f
a:b
a:
a: b
a#b
a #b
''
'it''s'
- a
-
?
{}
[]
{a: b}
{ a: 'b' , c: d }
{a: b,}
{a: b, a: c}
{null: a}
{a:b}
{a}
|
>
&a b
*a
!!str a
@a
%a
`a`
=
<<
a  b
ä
#c
'a' b
'a'#b
"a" # b
{a: b} # c
{a: b}#c
(a)
a@b
a+b
2026-11-23T14:03:20Z
a,b
a]
""".splitlines(),
    '"a"',
    '"\\n"',
    "\t",
    "a\tb",
    "",
    " ",
    " # c",
)
KEYS = (
    *"""\
a
b
null
Null
yes
aB1
a-b
<<
'a'
1
a b
- a
? a
# a
---
...
%a
""".splitlines(),
    "",
)
lines = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(("", "", "  ", "    ", " ", "\t")),
    st.sampled_from(KEYS) | st.just("a") | st.sampled_from(["c", "d", "e"]),
    st.sampled_from((": ", ": ", ":", "", " : ", ":  ")),
    st.sampled_from(SCALARS) | st.sampled_from(("", "b")),
    st.sampled_from(("", "", " ", " # c", "#c", "\r")),
)
texts = st.lists(lines, max_size=6).map("\n".join) | st.text("ab:- \n#{},'\"", max_size=20)


def same(text: str) -> bool:
    """Return whether a text is left to the general parser, or has the same result as that parser gives."""
    plain = parse_plain(text)
    return plain is None or is_result(plain, parse(text))


def is_result(plain: RawDocument, documents: tuple[RawDocument, ...]) -> bool:
    general = [(each.value, each.line, each.problems) for each in documents]
    return [(plain.value, plain.line, plain.problems)] == general


@given(texts)
@example(PLAIN)
@example("a: b\n  c: d")
@example("a:\nb: c")
@example("a:\n- b")
@example("a: b\n c")
@example("  a: b\nc: d")
@example("a:\n    b: c\n  d: e")
@example("a:\n  b: c\n    d: e")
@example(f"{'a' * 1100}: b")
@example("# only a comment")
@example("---\n---\na: b")
@example("a: b\n---\nc: d")
def test_a_plain_text_has_the_result_of_the_general_parser(text: str) -> None:
    assert same(text)


def test_each_value_is_read_as_the_general_parser_reads_it() -> None:
    forms = ("{}: {}", "x:\n  {}: {}\ny: z", "x: {{{}: {}}}", "x:\n  {}: {}\n  # c")
    for form, key, value in product(forms, KEYS, SCALARS):
        text = form.format(key, value)
        try:
            assert same(text), text
        except YamlUnreadableError:
            pytest.fail(f"{text!r} is not YAML, and was read as a plain text")


def test_a_usual_spec_is_plain() -> None:
    plain = parse_plain(PLAIN)
    assert plain is not None
    assert (plain.line, plain.value["spec"]["labels"]["team"]) == (3, "a: b # c")


def test_the_values_of_two_specs_with_the_same_line_are_independent() -> None:
    one, other = (parse_plain("metadata: {name: bot}") for _ in range(2))
    assert one is not None
    assert other is not None
    one.value["metadata"]["name"] = "changed"

    assert other.value == {"metadata": {"name": "bot"}}


def test_a_long_line_is_left_to_the_general_parser() -> None:
    assert parse_plain(f"a: {'b' * (LINE_MAX - 3)}") is not None
    assert parse_plain(f"a: {'b' * (LINE_MAX - 2)}") is None


def test_deeper_nesting_is_left_to_the_general_parser() -> None:
    def nested(depth: int) -> str:
        return "\n".join(f"{' ' * each}a:" for each in range(depth)) + f"\n{' ' * depth}a: b"

    assert parse_plain(nested(DEPTH_MAX - 1)) is not None
    assert parse_plain(nested(DEPTH_MAX)) is None
