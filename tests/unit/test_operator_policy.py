"""The operator's decisions: the configured policy and the test operator give the same results."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.controller.operator_policy import OperatorPolicy
from reconciler.controller.run_options import Paths
from reconciler.local.credential_policy import Trust
from reconciler.local.operator_file import OperatorRules, parse_rules
from reconciler.model.spec import CredentialSource
from reconciler.providers import NAMES, load
from reconciler.wiring.configured_policy import ConfiguredPolicy
from tests.support.in_memory_operator import Operator

SOURCES = (None, CredentialSource(env="TEAM_KEY"), CredentialSource(env="OPENAI_API_KEY"))
WRITTEN = (None, "https://eu.example/v1/")


def the_products() -> OperatorPolicy:
    """Return the policy that reconcile configures from the environment of this process."""
    return ConfiguredPolicy(Paths(Path("specs")), OperatorRules(), Trust.read(os.environ, {}))


def answers(policy: OperatorPolicy, word: str, source: CredentialSource | None, written: str | None) -> list[object]:
    """Return the decisions of a policy for an account of this type, one for each question."""
    type_ = policy.provider_type(word)
    options = type_.options.model_construct()
    try:
        url = policy.base_url(type_, options, written)
    except ValueError as error:
        return [str(error)]
    return [
        url,
        policy.why_not_trusted(type_, options, source, url),
        policy.credential(type_, source).name,
        dict(policy.default_options(type_, source)),
    ]


@pytest.mark.parametrize("word", [word for word in NAMES if word in {"openai", "nebius", "azure-openai", "litellm"}])
@pytest.mark.parametrize("source", SOURCES, ids=["the usual key", "a team's key", "the usual key by its name"])
@pytest.mark.parametrize("written", WRITTEN, ids=["its own address", "an address that is written"])
def test_the_test_operator_decides_as_the_configured_policy_does(
    word: str, source: CredentialSource | None, written: str | None
) -> None:
    ours, theirs = Operator(os.environ), the_products()

    assert ours.provider_type(word) is theirs.provider_type(word) is load(word)
    assert answers(ours, word, source, written) == answers(theirs, word, source, written)


def test_no_rule_applies_without_an_operator_file() -> None:
    for policy in (Operator(os.environ), the_products()):
        assert (policy.named(), policy.ruled()) == ({}, ())
        assert policy.show("a.yaml") == "specs/a.yaml"
        assert policy.show_status("a.yaml") == "specs/status/a.yaml"


def test_equal_secrets_have_equal_marks_and_a_missing_secret_has_no_mark() -> None:
    operator = Operator({"OPENAI_API_KEY": "secret", "TEAM_KEY": "secret", "OTHER_KEY": "another"})
    type_ = load("openai")
    usual, team, other, absent = (
        operator.credential(type_, source)
        for source in (None, *(CredentialSource(env=name) for name in ("TEAM_KEY", "OTHER_KEY", "NO_KEY")))
    )

    assert usual.mark == team.mark
    assert usual.name != team.name
    assert other.mark not in {usual.mark, None}
    assert absent.mark is None


def test_the_prices_of_every_pass_are_the_same_objects_so_that_they_are_compared_quickly() -> None:
    text = (
        "apiVersion: jobs.reconciler/v1\nkind: OperatorConfig\n"
        "spec: {prices: {currency: USD, list: [{provider: openai, kind: FineTuningJob, perHour: 3}]}}\n"
    )
    policy = ConfiguredPolicy(Paths(Path("specs")), parse_rules(text.encode(), "operator.yaml"))

    assert policy.prices() is policy.prices()
    assert [str(each) for each in policy.prices() or ()] == ["3.00 USD per hour"]


def test_a_provider_type_is_known_by_its_name_whether_or_not_it_can_be_used() -> None:
    for policy in (Operator(os.environ), the_products()):
        assert policy.is_provider_type("bedrock")
        assert not policy.is_provider_type("gpu-cluster")
