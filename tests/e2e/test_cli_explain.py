from __future__ import annotations

import json

from click.testing import CliRunner

from reconciler.cli.explain_command import explain
from reconciler.cli.schema_command import schema
from reconciler.providers import NAMES
from reconciler.views.json_schema import ALL_KINDS


def test_a_reason_is_explained() -> None:
    said = CliRunner().invoke(explain, ["CancelNotHonoured"], standalone_mode=False)

    assert said.return_value == 0
    assert said.stdout.startswith("CancelNotHonoured: Ready is False")


def test_explain_without_a_topic_lists_every_topic() -> None:
    said = CliRunner().invoke(explain, [], standalone_mode=False)

    assert said.return_value == 0
    assert all(word in said.stdout for word in ("FineTuningJob", "Settings", "RefusedByGuard"))


def test_a_misspelt_topic_is_a_usage_error_with_a_suggestion() -> None:
    said = CliRunner().invoke(explain, ["spec.desiredSate"])

    assert said.exit_code != 0
    assert said.stdout == ""
    assert "or other topic 'spec.desiredSate'. Did you mean 'spec.desiredState'?" in said.stderr


def test_the_help_of_schema_lists_every_kind_and_keeps_the_line_for_editors_whole() -> None:
    said = CliRunner().invoke(schema, ["--help"], terminal_width=60)

    assert "    # yaml-language-server: $schema=.schema.json\n" in said.stdout
    assert [kind for kind in ALL_KINDS if kind not in said.stdout] == []


def test_the_schema_is_json_and_contains_every_provider_type() -> None:
    said = CliRunner().invoke(schema, [], standalone_mode=False)
    printed = json.loads(said.stdout)
    types = [each["if"]["properties"]["type"]["const"] for each in printed["$defs"]["ProviderSpec"]["allOf"]]

    assert said.return_value == 0
    assert set(NAMES) <= set(types)
