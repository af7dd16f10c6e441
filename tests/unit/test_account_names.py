"""Provider names that are invalid: ambiguous, declared twice, or one account with two different keys."""

from __future__ import annotations

import pytest

from reconciler.controller.account_resolver import AccountResolver
from reconciler.controller.resolved_account import SpecProblem
from reconciler.model.job import CredentialScope
from reconciler.model.reason import Reason
from tests.support.documents import a_provider, located
from tests.support.in_memory_operator import Operator
from tests.support.spec_revisions import NOBODY, account_of, problem_of, revision, told


def names_of_one_account(**environ: str) -> AccountResolver:
    """Return the resolver of two specs: one uses `first`, which has its own key, and one uses the default key."""
    first = located(a_provider("first", credentials={"env": "A_KEY"}), "p.yaml", 1, credentials=4)
    operator = Operator({"RECONCILE_TRUST": "A_KEY=api.openai.com", **environ})
    return AccountResolver(revision(first, uses=("first", "openai")), operator)


def test_two_provider_names_for_one_account_with_different_keys_are_invalid() -> None:
    resolver = names_of_one_account(A_KEY="secret", OPENAI_API_KEY="other secret")
    how = "use only one of the two names, or set the options that distinguish the two accounts"
    same = "is the same account with a different key"

    assert resolver.all() == {
        "first": SpecProblem(
            Reason.INVALID_PROVIDER, f"the provider 'openai' {same} (OPENAI_API_KEY): {how}", ("spec", "credentials")
        ),
        "openai": SpecProblem(
            Reason.INVALID_PROVIDER, f"the provider 'first' {same} (A_KEY): {how}", ("spec", "provider")
        ),
    }
    assert told(resolver) == [f"specs/p.yaml:4: spec.credentials: the provider 'openai' {same} (OPENAI_API_KEY): {how}"]


def test_two_variables_with_the_same_secret_are_one_credential() -> None:
    resolver = names_of_one_account(A_KEY="secret", OPENAI_API_KEY="secret")
    scopes = [account_of(resolver.of(name)).scope for name in ("first", "openai")]

    assert scopes == [CredentialScope("api.openai.com:443", "A_KEY")] * 2


def test_a_credential_is_named_as_in_the_operators_policy() -> None:
    operator = Operator({"OPENAI_API_KEY": "secret", "Z_KEY": "secret"}, speaks_of=("Z_KEY", "ABSENT"))
    resolver = AccountResolver(revision(uses=("openai", "no-such-type")), operator)

    assert account_of(resolver.of("openai")).scope.credential == "Z_KEY"
    assert resolver.names() == {"Z_KEY": "Z_KEY", "ABSENT": "ABSENT"}


def test_an_unused_provider_document_does_not_conflict_with_another_key() -> None:
    idle = located(a_provider("idle", credentials={"env": "A_KEY"}))
    operator = Operator({"RECONCILE_TRUST": "A_KEY=api.openai.com"})
    resolver = AccountResolver(revision(idle, uses=("openai",)), operator)

    assert account_of(resolver.of("openai")).account == account_of(resolver.of("idle")).account


def test_a_spec_that_may_not_use_a_provider_document_causes_no_conflict_of_keys() -> None:
    kept = located(a_provider("kept", credentials={"env": "A_KEY"}, allowedPaths=["team/**"]))
    operator = Operator({"RECONCILE_TRUST": "A_KEY=api.openai.com"})
    resolver = AccountResolver(revision(kept, uses=("kept", "openai")), operator)

    assert account_of(resolver.of("openai")).account == account_of(resolver.of("kept")).account


@pytest.mark.parametrize(
    ("rest", "why"),
    [
        ({"broken_providers": frozenset({"openai"})}, "the Provider document 'openai' is not valid"),
        (
            {"may_hold_providers": frozenset({"b.yaml", "a.yaml"})},
            "it may be in a file that cannot be read: correct specs/a.yaml, specs/b.yaml",
        ),
        (
            {"may_hold_providers": frozenset(f"{number}.yaml" for number in range(1007))},
            "correct specs/0.yaml, specs/1.yaml, specs/10.yaml, specs/100.yaml, specs/1000.yaml and 1,002 more",
        ),
    ],
    ids=["a document that is not valid", "two files that cannot be read", "a thousand of them"],
)
def test_a_type_name_is_invalid_while_a_document_may_declare_the_same_name(
    rest: dict[str, frozenset[str]], why: str
) -> None:
    problem = problem_of(AccountResolver(revision(uses=("openai",), **rest), NOBODY).of("openai"))

    assert problem.reason is Reason.INVALID_PROVIDER
    assert why in problem.message


@pytest.mark.parametrize(
    ("copies", "rest"),
    [
        (2, {}),
        (1, {"broken_providers": frozenset({"research"})}),
        (1, {"may_name_providers": frozenset({"research"})}),
    ],
    ids=["two valid documents", "one of them not valid", "one of them not readable"],
)
def test_a_provider_name_that_may_be_declared_twice_is_invalid(copies: int, rest: dict[str, frozenset[str]]) -> None:
    places = [located(a_provider("research"), f"{number}.yaml") for number in range(copies)]
    resolver = AccountResolver(revision(*places, uses=("research", "openai"), **rest), NOBODY)
    problem = problem_of(resolver.of("research"))

    assert problem.message == (
        "more than one Provider document may be called 'research', so it is not clear which one applies: keep one, and "
        "correct every invalid file"
    )
    assert problem.path == ()
    account_of(resolver.of("openai"))
