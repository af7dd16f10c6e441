"""An attack with an invented account option: `allowedPaths` still applies, because key and host are the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.model.exit_code import ExitCode
from tests.support.cli import Checkout

DOCUMENTS = """\
apiVersion: jobs.reconciler/v1
kind: Provider
metadata: {{name: {name}}}
spec: {{{spec}}}
---
apiVersion: jobs.reconciler/v1
kind: FineTuningJob
metadata: {{name: {name}-job}}
spec: {{provider: {name}, jobId: "1234567890", desiredState: cancelled}}
"""
ACCOUNTS = {
    "an AWS account id that is made up": (
        "type: {type}, options: {{region: us-east-1}}",
        "type: {type}, options: {{region: us-east-1, accountId: '123456789012'}}",
        "bedrock",
    ),
    "a Google project by its number": (
        "type: {type}, options: {{project: my-project, location: us-central1}}",
        "type: {type}, options: {{project: '123456789012', location: us-central1}}",
        "vertex-ai",
    ),
}


@pytest.mark.parametrize("account", ACCOUNTS)
def test_a_cloud_account_under_another_option_is_still_protected(tmp_path: Path, account: str) -> None:
    owners, made_up, type_ = ACCOUNTS[account]
    checkout = Checkout(tmp_path)
    theirs = f"{owners.format(type=type_)}, allowedPaths: [research/**]"
    checkout.write("research/all.yaml", DOCUMENTS.format(name="research", spec=theirs))
    checkout.write("other/all.yaml", DOCUMENTS.format(name="evil", spec=made_up.format(type=type_)))
    ran = checkout.run("validate")

    assert ran.code == ExitCode.INVALID_DOCUMENT
    assert "specs/other/all.yaml:9: spec.provider: provider 'evil' uses " in ran.out
    assert "as 'research' does, which may be used only by files that match research/**" in ran.out
    assert "specs/research/all.yaml" not in ran.out
