"""Which account a provider name refers to, and why requests to it may not be allowed."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from reconciler.controller.account_resolver import (
    SEARCHED_MAX,
    AccountResolver,
    accounts_by_name,
)
from reconciler.controller.resolved_account import CONCURRENCY_MAX, SpecProblem, diagnose
from reconciler.model.exit_code import ExitCode
from reconciler.model.job import Account, CredentialScope
from reconciler.model.reason import Reason
from reconciler.ports import BINDINGS_MAX, Rate, Snapshot
from tests.support.build import ACCOUNT
from tests.support.documents import a_provider, located
from tests.support.in_memory_operator import Operator
from tests.support.spec_revisions import NOBODY, account_of, problem_of, revision, told

EU = "https://eu.example/v1"


def test_a_provider_type_name_resolves_to_the_default_account_of_the_vendor() -> None:
    found = account_of(AccountResolver(revision(uses=("openai",)), NOBODY).of("openai"))

    assert found.account == ACCOUNT
    assert found.credentials is None
    assert found.rate == replace(found.type.rate, requests_per_second_max=math.inf, concurrency_max=CONCURRENCY_MAX), (
        "the pace starts at the type's rate, and has no ceiling"
    )
    assert found.scope == CredentialScope("api.openai.com:443", "OPENAI_API_KEY")


def test_a_provider_document_sets_the_url_options_credential_and_rate_limit() -> None:
    document = a_provider(
        "research",
        baseUrl="https://EU.example:443/v1/",
        credentials={"env": "EU_KEY"},
        options={"project": "proj_1"},
        rateLimit={"burst": "3", "requestsPerSecond": "2"},
    )
    operator = Operator({"RECONCILE_TRUST": "EU_KEY=eu.example"})
    found = account_of(AccountResolver(revision(located(document)), operator).of("research"))

    assert found.account == Account("openai", EU, found.type.scope(found.options))
    assert found.credentials == document.spec.credentials
    assert found.scope == CredentialScope("eu.example:443", "EU_KEY")
    assert found.rate == Rate(
        requests_per_second=2.0,
        burst=3,
        concurrency=found.type.rate.concurrency,
        requests_per_second_max=2.0,
        concurrency_max=CONCURRENCY_MAX,
    )


def test_a_type_name_that_no_spec_uses_is_resolved_on_demand() -> None:
    resolver = AccountResolver(Snapshot(), NOBODY)
    before = resolver.all().keys() - {"nebius"}
    found = account_of(resolver.of("nebius"))

    assert before == set()
    assert resolver.all() == {"nebius": found}
    assert resolver.by_account()["nebius https://api.tokenfactory.nebius.com/v1"] == found
    assert {each.account.shared for each in resolver.by_account().values()} == {found.account}


def test_a_type_whose_options_have_no_default_needs_a_provider_document() -> None:
    problem = problem_of(AccountResolver(revision(uses=("hf-jobs",)), NOBODY).of("hf-jobs"))

    assert (
        problem.message == "the type hf-jobs needs a Provider document: spec.options.namespace: this field is required"
    )
    assert problem.path == ("spec", "provider")


def test_an_account_without_a_base_url_is_not_listed_by_account() -> None:
    resolver = AccountResolver(revision(uses=("openai", "azure-openai")), NOBODY)

    assert list(resolver.by_account()) == [str(ACCOUNT), str(ACCOUNT.of_kind("BatchJob"))]


def test_each_sandbox_account_has_its_own_credential_scope() -> None:
    worlds = [a_provider(name, type="sandbox", options={"world": name}) for name in ("first", "second")]
    resolver = AccountResolver(revision(*map(located, worlds)), NOBODY)
    first, second = (account_of(resolver.of(name)) for name in ("first", "second"))

    assert first.scope.host == str(first.account) == "sandbox http://sandbox.localhost/v1 world=first"
    assert first.scope != second.scope


def test_names_from_documents_and_specs_and_explicit_names_are_all_resolved() -> None:
    snapshot = revision(located(a_provider("research")), uses=("openai",), broken_providers=frozenset({"spoilt"}))
    found = accounts_by_name(snapshot, NOBODY, ["nebius"])

    assert list(found) == ["nebius", "openai", "research", "spoilt"]
    assert {name for name, each in found.items() if isinstance(each, SpecProblem)} == {"spoilt"}


# Errors in documents are reported with their place


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"type": "opnai"}, "specs/p.yaml:5: spec.type: 'opnai' is not a provider type; did you mean 'openai'?"),
        (
            {"type": "azure-openai"},
            "specs/p.yaml:6: spec.baseUrl: azure-openai has no default base URL: set spec.baseUrl",
        ),
        (
            {"options": {"project": "a b"}},
            (
                "specs/p.yaml:7: spec.options.project: must match the regular expression ^[A-Za-z0-9_-]{1,128}$, "
                "but is 'a b'"
            ),
        ),
        (
            {"options": {"projekt": "a"}},
            (
                "specs/p.yaml:7: spec.options.projekt: unknown key; valid here: organization, project; "
                "did you mean 'project'?"
            ),
        ),
    ],
    ids=["an unknown type", "no address", "an option's text", "an unknown option"],
)
def test_an_error_in_a_provider_document_is_reported_once_with_its_line(spec: dict[str, Any], said: str) -> None:
    document = located(a_provider("research", **spec), "p.yaml", 1, type=5, baseUrl=6, options=7)
    resolver = AccountResolver(revision(document, uses=("research",)), NOBODY)

    assert told(resolver) == [said]
    assert problem_of(resolver.of("research")).reason is Reason.INVALID_PROVIDER


def test_two_documents_with_the_same_name_each_have_their_own_diagnostic() -> None:
    places = [located(a_provider("research", type=word), f"{word}.yaml") for word in ("opnai", "bedrok")]

    assert [each.partition(": ")[0] for each in told(AccountResolver(revision(*places), NOBODY))] == [
        "specs/opnai.yaml:1",
        "specs/bedrok.yaml:1",
    ]


def test_an_invalid_environment_variable_is_not_reported_as_an_error_in_a_document() -> None:
    resolver = AccountResolver(revision(located(a_provider("research"))), Operator({"OPENAI_ORG_ID": "a b"}))
    problem = problem_of(resolver.of("research"))

    assert problem.message.startswith("the variable OPENAI_ORG_ID: ")
    assert told(resolver) == []


def test_an_option_in_a_document_takes_precedence_over_the_vendors_variable() -> None:
    document = a_provider("research", options={"organization": "ours"})
    operator = Operator({"OPENAI_ORG_ID": "a b", "OPENAI_PROJECT_ID": "theirs"})
    found = account_of(AccountResolver(revision(located(document)), operator).of("research"))

    assert found.options.model_dump() == {"organization": "ours", "project": "theirs"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("reserch", "no provider is called 'reserch'; did you mean 'research'?"),
        ("opnai", "'opnai' is not a provider type; did you mean 'openai'?"),
    ],
    ids=["like a document's", "like a type's"],
)
def test_the_diagnostic_of_a_misspelt_provider_suggests_the_nearest_name(name: str, said: str) -> None:
    resolver = AccountResolver(revision(located(a_provider("research")), uses=(name,)), NOBODY)

    assert resolver.of(name) == SpecProblem(Reason.INVALID_PROVIDER, said, ("spec", "provider"))


def test_suggestions_are_limited_to_the_first_few_misspelt_names() -> None:
    names = [f"research-{number}" for number in range(SEARCHED_MAX + 5)]
    resolver = AccountResolver(revision(located(a_provider("research"))), NOBODY)
    answers = [problem_of(resolver.of(name)).message for name in names]

    assert sum("did you mean 'research'?" in each for each in answers) == SEARCHED_MAX


def test_a_missing_base_url_is_reported_at_the_spec_if_no_document_declares_the_name() -> None:
    problem = problem_of(AccountResolver(revision(uses=("azure-openai",)), NOBODY).of("azure-openai"))

    assert problem.path == ("spec", "provider")


def test_a_diagnostic_refers_to_the_line_of_the_deepest_field_with_a_known_line() -> None:
    document = located(a_provider(), "p.yaml", 3, options=9)
    deep = SpecProblem(Reason.INVALID_PROVIDER, "wrong", ("spec", "options", "project"))
    other = SpecProblem(Reason.INVALID_PROVIDER, "wrong", ("metadata",))

    assert str(diagnose(document, deep, NOBODY)) == "specs/p.yaml:9: spec.options.project: wrong"
    assert str(diagnose(document, other, NOBODY)) == "specs/p.yaml:3: metadata: wrong"


# Hosts that a credential is not bound to


def test_a_host_without_a_binding_is_a_configuration_error_that_names_the_setting() -> None:
    far = a_provider("far", baseUrl=EU, credentials={"env": "EU_KEY"})
    problem = problem_of(AccountResolver(revision(located(far)), NOBODY).of("far"))

    assert problem.reason is Reason.HOST_NOT_TRUSTED
    assert problem.unobserved.exit_code is ExitCode.CONFIGURATION
    assert not problem.unobserved.is_transient
    assert "the operator sets RECONCILE_TRUST='EU_KEY=eu.example/v1'" in problem.message


def test_an_invalid_provider_document_has_the_exit_code_of_an_invalid_document() -> None:
    assert SpecProblem(Reason.INVALID_PROVIDER, "not valid").unobserved.exit_code is ExitCode.INVALID_DOCUMENT


def test_the_error_for_one_host_lists_the_bindings_that_all_hosts_need() -> None:
    far = [located(a_provider(name, baseUrl=f"https://{name}.example")) for name in ("a", "b")]
    resolver = AccountResolver(revision(*far, uses=("openai",)), NOBODY)
    line = "RECONCILE_TRUST='OPENAI_API_KEY=a.example,OPENAI_API_KEY=b.example', in addition"

    assert [line in problem_of(resolver.of(name)).message for name in ("a", "b")] == [True, True]
    account_of(resolver.of("openai"))


def test_each_error_names_only_its_own_host_if_the_list_of_bindings_is_too_long() -> None:
    names = [f"{'long-' * 20}{number}" for number in range(1 + BINDINGS_MAX // 100)]
    far = [located(a_provider(f"p-{name[-1]}", baseUrl=f"https://{name[:62]}{name[-1]}.example")) for name in names]
    resolver = AccountResolver(revision(*far), NOBODY)
    own = [each.document.spec.base_url.removeprefix("https://") for each in far if each.document.spec.base_url]

    for number, host in enumerate(own):
        message = problem_of(resolver.of(f"p-{number}")).message
        assert message.endswith(f"RECONCILE_TRUST='OPENAI_API_KEY={host}'")


# What a spec depends on


def test_an_unchanged_provider_keeps_its_resolved_object_across_revisions() -> None:
    snapshot = revision(located(a_provider("research")), uses=("research",))
    before, after = AccountResolver(snapshot, NOBODY), AccountResolver(snapshot, NOBODY)
    kept = after.basis("research", before.all())[0]

    assert kept is before.of("research")
    assert after.of("research") is kept


@pytest.mark.parametrize(
    "later",
    [{"options": {"project": "proj_2"}}, {"allowedPaths": ["team/**"]}, {"rateLimit": {"burst": "3"}}],
    ids=["its account", "who may use it", "how gently it is asked"],
)
def test_a_changed_provider_document_changes_the_basis_of_its_specs(later: dict[str, Any]) -> None:
    before = AccountResolver(revision(located(a_provider("research"))), NOBODY)
    after = AccountResolver(revision(located(a_provider("research", **later))), NOBODY)

    assert after.basis("research", before.all()) != before.basis("research", {})


def test_the_basis_of_an_unresolved_provider_contains_no_path_rules() -> None:
    resolver = AccountResolver(revision(uses=("azure-openai",)), NOBODY)

    assert resolver.basis("azure-openai", {}) == (resolver.of("azure-openai"), None, ())


# The ids of an account


@pytest.mark.parametrize("text", ["ftjob/abc", "-ftjob", "ftjob..abc", "ftjob abc", ""])
def test_the_error_for_an_invalid_job_id_shows_the_pattern_without_lookaheads(text: str) -> None:
    found = account_of(AccountResolver(Snapshot(), NOBODY).of("openai"))

    with pytest.raises(ValueError, match="is not a job id of openai") as error:
        found.canonical_id(text)

    assert str(error.value).endswith(
        "copy the id from the provider; it must match [A-Za-z0-9][A-Za-z0-9._:-]{0,127}, not begin with batch_ and "
        "not contain '..'"
    )


def test_the_error_for_the_id_of_a_fine_tuning_job_in_a_spec_of_a_batch_says_what_is_wrong_with_it() -> None:
    found = account_of(AccountResolver(Snapshot(), NOBODY).of("openai")).of_kind("BatchJob")
    assert found is not None

    with pytest.raises(ValueError, match="'ftjob-1' is not the id of a BatchJob of openai") as error:
        found.canonical_id("ftjob-1")
    assert str(error.value).endswith(
        "it must match [A-Za-z0-9][A-Za-z0-9._:-]{0,127}, not begin with ftjob- and not contain '..'"
    )


def test_two_spellings_of_a_job_id_have_the_same_canonical_id() -> None:
    options = {"project": "acme-ml", "location": "europe-west4"}
    document = a_provider("google", type="vertex-ai", options=options)
    found = account_of(AccountResolver(revision(located(document)), NOBODY).of("google"))

    assert found.canonical_id("projects/acme-ml/locations/europe-west4/tuningJobs/123") == "123"
    assert found.canonical_id("123") == "123"
