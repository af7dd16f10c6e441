"""Which spec files may use an account, by Provider documents and by the operator."""

from __future__ import annotations

from reconciler.controller.account_resolver import AccountResolver
from reconciler.controller.path_rules import AllowedPaths, PathRules, Ruling
from reconciler.controller.resolved_account import SpecProblem
from reconciler.model.job import Account, CredentialScope
from reconciler.model.reason import Reason
from reconciler.ports import Snapshot
from tests.support.build import ACCOUNT, a_spec
from tests.support.documents import a_provider, located
from tests.support.in_memory_operator import Operator
from tests.support.spec_revisions import NOBODY, account_of


def test_a_file_outside_the_allowed_paths_is_refused_under_any_account_name() -> None:
    kept = located(a_provider("kept", allowedPaths=["team/**"]))
    outside = [located(a_spec(provider=name), "elsewhere.yaml") for name in ("kept", "openai")]
    inside = located(a_spec(provider="openai"), "team/a.yaml")
    resolver = AccountResolver(Snapshot(providers=(kept,), jobs=(*outside, inside)), NOBODY)
    by_name, by_type = (
        resolver.refusal(each, account_of(resolver.of(each.document.spec.provider))) for each in outside
    )

    assert by_name == SpecProblem(
        Reason.INVALID_SPEC,
        "provider 'kept' may be used only by files that match team/**",
        ("spec", "provider"),
    )
    assert by_type is not None
    assert by_type.message.startswith(
        "provider 'openai' is the same account as 'kept', which may be used only by files"
    )
    assert resolver.refusal(inside, account_of(resolver.of("openai"))) is None


def test_an_operator_rule_applies_to_a_secret_under_any_variable_name() -> None:
    operator = Operator({"OPENAI_API_KEY": "secret", "A_KEY": "secret"}, paths=(("A_KEY", None, ("team/**",)),))
    spec = located(a_spec(provider="openai"), "elsewhere.yaml")
    resolver = AccountResolver(Snapshot(jobs=(spec,)), operator)
    refusal = resolver.refusal(spec, account_of(resolver.of("openai")))

    assert refusal is not None
    assert refusal.message == (
        "provider 'openai' uses api.openai.com:443 with A_KEY, which the operator's file allows only for files that "
        "match team/**"
    )


SCOPE = CredentialScope("api.openai.com:443", "KEY")


def test_a_file_must_match_the_allowed_paths_of_every_provider_with_that_credential() -> None:
    rules = PathRules([(SCOPE, AllowedPaths(name, ACCOUNT, (f"{name}/**", "both/**"))) for name in ("a", "b")])

    assert rules.objection("both/x.yaml", "openai", ACCOUNT, SCOPE) is None
    assert rules.objection("a/x.yaml", "openai", ACCOUNT, SCOPE) is not None
    assert rules.objection("b/x.yaml", "openai", ACCOUNT, SCOPE) is not None


def test_allowed_paths_do_not_apply_to_another_credential_or_host() -> None:
    rules = PathRules([(SCOPE, AllowedPaths("a", ACCOUNT, ("a/**",)))])
    others = [CredentialScope(SCOPE.host, "OTHER"), CredentialScope("eu.example:443", SCOPE.credential)]

    assert [rules.objection("x.yaml", "a", ACCOUNT, each) for each in others] == [None, None]


def test_the_refusal_names_the_credential_shared_with_another_account() -> None:
    rules = PathRules([(SCOPE, AllowedPaths("research", ACCOUNT, ("a/**",)))])
    other = Account("openai", "https://api.openai.com/v2")

    assert rules.objection("x.yaml", "mine", other, SCOPE) == (
        "provider 'mine' uses api.openai.com:443 with KEY, as 'research' does, which may be used only by files that "
        "match a/**; the operator can set another rule, with paths in the --config file"
    )


def test_the_rules_of_a_credential_include_operator_rules_and_allowed_paths() -> None:
    everywhere, here = Ruling("KEY", None, ("b/**",)), Ruling("KEY", SCOPE.host, ("c/**",))
    allowance = AllowedPaths("research", ACCOUNT, ("a/**",))
    rules = PathRules([(SCOPE, allowance)], [everywhere, here, Ruling("OTHER", None, ())])

    assert rules.of(SCOPE) == (everywhere, here, allowance)
    assert rules.of(CredentialScope(SCOPE.host, "NO_KEY")) == ()
    assert rules.objection("b/x.yaml", "openai", ACCOUNT, SCOPE) is None
    assert rules.objection("c/x.yaml", "openai", ACCOUNT, SCOPE) is None
    assert rules.objection("a/x.yaml", "openai", ACCOUNT, SCOPE) == (
        "provider 'openai' uses api.openai.com:443 with KEY, which the operator's file allows only for files that "
        "match b/**, c/**"
    )


def objection(file: str, provider: str, *rulings: Ruling, allowed: str | None = None) -> str | None:
    documents = [] if allowed is None else [(SCOPE, AllowedPaths("research", ACCOUNT, (allowed,)))]
    return PathRules(documents, rulings).objection(file, provider, ACCOUNT, SCOPE)


def test_an_operator_rule_takes_precedence_over_allowed_paths() -> None:
    ruling = Ruling("KEY", None, ("research/**",))

    assert objection("research/a.yaml", "openai", ruling, allowed="elsewhere/**") is None
    assert objection("elsewhere/a.yaml", "openai", ruling, allowed="elsewhere/**") is not None
    assert objection("research/a.yaml", "openai", allowed="elsewhere/**") is not None


def test_allowed_paths_narrow_an_operator_rule_only_for_their_own_provider() -> None:
    ruling = Ruling("KEY", None, ("research/**",))

    assert objection("research/b/x.yaml", "research", ruling, allowed="research/a/**") is not None
    assert objection("research/b/x.yaml", "openai", ruling, allowed="research/a/**") is None


def test_an_operator_rule_limits_a_credential_to_the_named_hosts() -> None:
    here = Ruling("KEY", "api.openai.com:443", ("a/**",))
    there = Ruling("KEY", "eu.api.openai.com:443", ("b/**",))
    other = Ruling("OTHER", None, ("c/**",))

    assert objection("a/x.yaml", "openai", here, there, other) is None
    assert objection("b/x.yaml", "openai", here, there, other) is not None
    assert objection("b/x.yaml", "openai", there) == (
        "provider 'openai' uses api.openai.com:443 with KEY, which the operator's file does not allow for any file"
    )
    assert objection("c/x.yaml", "openai", other) is None
