"""Files whose names resemble those of specs, but are not read as specs."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.formats.lookalikes import intended_name
from reconciler.local.disk import LocalDisk
from reconciler.local.specs_dir import SpecsDir
from reconciler.local.specs_walk import SET_ASIDE_MAX
from reconciler.model.diagnostic import Severity
from reconciler.ports import Snapshot

SPEC = """\
apiVersion: jobs.reconciler/v1
kind: FineTuningJob
metadata: {name: bot}
spec: {provider: openai, jobId: ftjob-1, desiredState: cancelled}
"""


def read(specs: Path) -> Snapshot:
    return SpecsDir(specs, specs / "status", LocalDisk(specs), "specs").snapshot()


@pytest.mark.parametrize(
    "name", ["a.YAML", "a.Yml", "team/a.YML", "a.json", "a.JSON", "a.yaml.txt", "a.YAML.TXT", "a.yml.txt", "a.json.txt"]
)
def test_a_spec_with_a_wrong_file_extension_is_reported_as_a_warning(tmp_path: Path, name: str) -> None:
    (tmp_path / "team").mkdir()
    (tmp_path / name).write_text(SPEC)
    found = read(tmp_path)

    assert [str(each) for each in found.diagnostics] == [
        f"specs/{name}: the file is not read, because its name does not end in .yaml or .yml: rename it to a.yaml"
    ]
    assert [each.severity for each in found.diagnostics] == [Severity.WARNING]
    assert (found.jobs, found.broken_files) == ((), frozenset())


@pytest.mark.parametrize(
    "name",
    ["a.yaml~", "a.yaml.bak", "a.yaml.orig", "#a.yaml#", ".a.yaml.swp", "a.yaml.j2", "README.md", "yaml", "_a.YAML"],
)
def test_backups_templates_and_prose_files_cause_no_warning(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(SPEC)

    assert read(tmp_path).diagnostics == ()


@pytest.mark.parametrize("name", ["_a.yaml", "team/_a.yml", "_team/a.yaml", "_team/deep/a.yaml", "team/_x/_a.yaml"])
def test_a_spec_whose_name_starts_with_an_underscore_is_reported_as_a_warning(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(SPEC)
    found = read(tmp_path)

    assert [(each.file, each.severity) for each in found.diagnostics] == [(f"specs/{name}", Severity.WARNING)]
    assert "starts with _" in found.diagnostics[0].message
    assert (found.jobs, found.broken_files) == ((), frozenset())


@pytest.mark.parametrize("name", [".a.yaml", ".team/a.yaml", "_team/.a.yaml", "_values.yaml", "_status/a.yaml"])
def test_hidden_files_statuses_and_other_files_with_an_underscore_cause_no_warning(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("replicas: 3" if "values" in name else SPEC)

    assert SpecsDir(tmp_path, tmp_path / "_status", LocalDisk(tmp_path), "specs").snapshot().diagnostics == ()


def test_only_the_first_files_that_are_set_aside_are_searched(tmp_path: Path) -> None:
    (tmp_path / "_many").mkdir()
    for number in range(SET_ASIDE_MAX + 5):
        (tmp_path / "_many" / f"{number}.yaml").write_text(SPEC)

    assert len(read(tmp_path).diagnostics) == SET_ASIDE_MAX - 1


@pytest.mark.parametrize("name", ["train.json", "notes.yaml.txt"])
def test_a_json_or_text_file_that_contains_no_spec_causes_no_warning(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"epochs": 3}')

    assert read(tmp_path).diagnostics == ()


def test_the_warning_appears_when_a_file_contains_a_spec_and_ends_when_it_is_deleted(tmp_path: Path) -> None:
    specs = SpecsDir(tmp_path, tmp_path / "status", LocalDisk(tmp_path), "specs")
    path = tmp_path / "a.json"
    path.write_text("{}")
    before = specs.snapshot(by_content=False)
    path.write_text(SPEC)
    during = specs.snapshot(by_content=False)
    path.unlink()
    after = specs.snapshot(by_content=False)

    assert [len(each.diagnostics) for each in (before, during, after)] == [0, 1, 0]


@pytest.mark.parametrize("name", ["a.yaml", "a.yml", "a", "", "a.txt"])
def test_no_other_name_is_suggested_for_a_correct_or_unrelated_file_name(name: str) -> None:
    assert intended_name(name) is None


def test_a_status_directory_that_links_to_a_spec_directory_hides_no_specs(tmp_path: Path) -> None:
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / "a.yaml").write_text(SPEC)
    (tmp_path / "status").symlink_to("team")

    assert [each.document.metadata.name for each in read(tmp_path).jobs] == ["bot"]
