from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.formats.yaml_documents import YamlUnreadableError
from reconciler.formats.yaml_text import parse
from reconciler.local.disk import LocalDisk
from reconciler.local.parse_cache import ParseCache

TEXT = "a: 1\nb: [x, {c: ~}]\n---\n- é\n- '0123'\n"
TOLD = "wanted: cancelled\n"


def opened(file: Path, *, has_lines: bool = True, is_kept: bool = True) -> ParseCache:
    return ParseCache(file, LocalDisk(file.parent), has_lines=has_lines, is_kept=is_kept)


def kept(file: Path, *texts: str) -> None:
    cache = opened(file)
    for text in texts:
        cache(text)
    cache.save()


def seal(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()


def forge(file: Path) -> None:
    """Change a cached result and seal the file again. A reader that returns it has not parsed the text."""
    body = file.read_bytes()[:-64].replace(b"cancelled", b"forged")
    file.write_bytes(body + seal(body))


def said(file: Path) -> object:
    return opened(file)(TOLD)[0].value["wanted"]


@pytest.mark.parametrize("text", [TEXT, "", "# nothing\n", "--- ~\n--- text\n", "a: \u2028 \U0001f600\n"])
def test_a_cached_result_equals_a_fresh_parse(tmp_path: Path, text: str) -> None:
    kept(tmp_path / "parsed", text)

    assert opened(tmp_path / "parsed")(text) == parse(text)


def test_a_cached_text_is_not_parsed_again(tmp_path: Path) -> None:
    kept(tmp_path / "parsed", TOLD)
    forge(tmp_path / "parsed")

    assert said(tmp_path / "parsed") == "forged"


def _tear(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def _alter(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"forged", b"edited"))


def _be_another_reader(file: Path) -> None:
    body = file.read_bytes()[:-64].replace(b"pyyaml-", b"pyyaml-0")
    file.write_bytes(body + seal(body))


def _be_somebody_elses(file: Path) -> None:
    file.write_text("not ours\n", encoding="utf-8")


def _be_gone(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("harm", [_tear, _alter, _be_another_reader, _be_somebody_elses, _be_gone])
def test_a_damaged_or_foreign_cache_is_ignored(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    file = tmp_path / "parsed"
    kept(file, TOLD)
    forge(file)

    harm(file)

    assert said(file) == "cancelled"


def test_the_problems_of_a_text_are_reported_on_every_read(tmp_path: Path) -> None:
    twice = "a: 1\na: 2\n"
    kept(tmp_path / "parsed", twice)

    assert opened(tmp_path / "parsed")(twice)[0].problems
    with pytest.raises(YamlUnreadableError):
        opened(tmp_path / "parsed")("a: [")


def test_a_text_that_is_no_longer_used_is_removed_from_the_cache(tmp_path: Path) -> None:
    file = tmp_path / "parsed"
    kept(file, TEXT, TOLD)
    kept(file, TEXT)

    assert b"cancelled" not in file.read_bytes()


def test_an_unchanged_cache_is_not_written_again(tmp_path: Path) -> None:
    file = tmp_path / "parsed"
    kept(file, TEXT)
    before = file.stat().st_mtime_ns

    kept(file, TEXT)

    assert file.stat().st_mtime_ns == before


def test_a_cache_that_is_not_kept_returns_each_entry_once_and_writes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "parsed"
    kept(file, TOLD)
    forge(file)
    before = file.read_bytes()

    cache = opened(file, is_kept=False)
    first, second = cache(TOLD), cache(TOLD)
    cache.save()

    assert (first[0].value, second[0].value) == ({"wanted": "forged"}, {"wanted": "cancelled"})
    assert file.read_bytes() == before


def test_a_cache_without_lines_returns_no_line_numbers(tmp_path: Path) -> None:
    file = tmp_path / "parsed"
    cache = opened(file, has_lines=False)
    cache(TOLD)
    cache.save()

    assert opened(file, has_lines=False)(TOLD)[0].lines == {}


def test_a_cache_that_cannot_be_saved_raises_no_error(tmp_path: Path) -> None:
    (tmp_path / "missing").write_text("a file in its place", encoding="utf-8")

    cache = opened(tmp_path / "missing" / "parsed")
    cache(TOLD)
    cache.save()

    assert (tmp_path / "missing").is_file()
