"""The path of a status in the status tree."""

from __future__ import annotations

from pathlib import PurePosixPath

from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.ports import status_path

names = st.text("ab./-_ é", min_size=1, max_size=8)


@given(source=st.lists(names, min_size=1, max_size=4).map("/".join), name=names)
@example(source="team-a/bots.yaml", name="support-triage")
@example(source="bots.yaml", name="support-triage")
@example(source="a//b/./c.yaml", name="chat")
@example(source="/etc/c.yaml", name="../chat")
def test_a_status_lies_in_the_folder_of_its_spec(source: str, name: str) -> None:
    assert status_path(source, name) == str(PurePosixPath(source).parent / f"{name}.yaml")
