from __future__ import annotations

import itertools

import pytest

from reconciler.core.globs import matches, matches_any


@pytest.mark.parametrize(
    ("file", "glob"),
    [
        ("a.yaml", "a.yaml"),
        ("a.yaml", "*.yaml"),
        ("a.yaml", "**"),
        ("team-a/a.yaml", "**"),
        ("team-a/a.yaml", "team-a/**"),
        ("team-a/x/y/a.yaml", "team-a/**"),
        ("team-a/a.yaml", "team-?/[a-c].yaml"),
        ("team-a/a.yaml", "./team-a//*.yaml"),
        ("team-a/a.yaml", "/team-a/*"),
        ("a.yaml", "**/a.yaml"),
        ("x/y/a.yaml", "**/a.yaml"),
        ("x/y/a.yaml", "x/**/**/a.yaml"),
        ("x/a.yaml", "x/**/**/**/a.yaml"),
        ("a/b/a/b/c", "**/a/b/c"),
        ("x", "x/**"),
    ],
)
def test_a_file_matches_the_glob(file: str, glob: str) -> None:
    assert matches(file, glob)


@pytest.mark.parametrize(
    ("file", "glob"),
    [
        ("team-b/a.yaml", "team-a/**"),
        ("Team-A/a.yaml", "team-a/**"),
        ("team-a-evil/a.yaml", "team-a/**"),
        ("x/team-a/a.yaml", "team-a/**"),
        ("team-a/x/a.yaml", "team-a/*"),
        ("team-a/a.yaml", "team-a"),
        ("team-a/a.yaml", ""),
        ("a.yaml", "**/x/a.yaml"),
        ("team-a\n/a.yaml", "team-a/**"),
        ("x/y/a.yaml", "x/**/b.yaml"),
    ],
)
def test_a_file_does_not_match_the_glob(file: str, glob: str) -> None:
    assert not matches(file, glob)


def by_trying(names: tuple[str, ...], glob: tuple[str, ...]) -> bool:
    """Match by exhaustive search, which defines the meaning of a glob and takes exponential time."""
    if not glob:
        return not names
    if glob[0] == "**":
        return any(by_trying(names[skip:], glob[1:]) for skip in range(len(names) + 1)) or len(glob) == 1
    return bool(names) and glob[0] in {"*", names[0]} and by_trying(names[1:], glob[1:])


def test_every_small_glob_matches_the_same_files_as_an_exhaustive_search() -> None:
    names = [each for length in range(5) for each in itertools.product("ab", repeat=length)]
    globs = [each for length in range(5) for each in itertools.product(("a", "*", "**"), repeat=length)]
    wrong = [
        (file, glob)
        for file, glob in itertools.product(names, globs)
        if matches("/".join(file), "/".join(glob)) != by_trying(file, glob)
    ]

    assert wrong == []
    assert len(names) * len(globs) > 3_000


def test_a_file_matches_a_list_if_any_glob_matches_and_never_an_empty_list() -> None:
    assert matches_any("b/x.yaml", ["a/**", "b/**"])
    assert not matches_any("b/x.yaml", [])
