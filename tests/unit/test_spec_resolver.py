"""Each spec of a revision is resolved to a subject, or to the problem that prevents changes to its job."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from reconciler.controller.resolution_cache import ResolutionCache
from reconciler.controller.resolved_account import SpecProblem
from reconciler.controller.resolved_spec import ResolvedSpec
from reconciler.controller.spec_resolver import resolve
from reconciler.core.claim import Claim
from reconciler.core.subject import INTERVAL
from reconciler.model.batch_job import BatchJob
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.job import Account, CredentialScope, JobRef
from reconciler.model.reason import Reason
from reconciler.model.spec import API_VERSION, FineTuningJob, Suspension, spec_digest
from reconciler.ports import BrokenJob, Snapshot
from reconciler.providers import load
from tests.support.build import ACCOUNT, a_spec
from tests.support.documents import a_provider, a_settings, located
from tests.support.in_memory_operator import Operator
from tests.support.spec_revisions import resolved

SCOPE = CredentialScope("api.openai.com:443", "OPENAI_API_KEY")
GOOGLE = located(
    a_provider("google", type="vertex-ai", options={"project": "acme-ml", "location": "europe-west4"}), "p.yaml"
)


def one(spec: FineTuningJob, **rest: Any) -> ResolvedSpec:
    """Resolve a revision with this one spec."""
    (found,) = resolved(located(spec), **rest).candidates
    return found


def test_a_valid_spec_resolves_to_a_subject_with_its_job_and_digest() -> None:
    document = a_spec(jobId="ftjob-1", desiredState="paused")
    found = one(document)

    assert found.problem is None
    assert found.subject is not None
    assert (found.subject.name, found.subject.source, found.subject.spec) == (
        "support-triage",
        "bots.yaml",
        document.spec,
    )
    assert found.subject.ref == found.ref == JobRef(ACCOUNT, "ftjob-1")
    assert found.subject.digest == spec_digest(document.spec, ACCOUNT)
    assert found.subject.capabilities == load("openai").capabilities
    assert (found.subject.suspension, found.subject.interval) == (None, INTERVAL)
    assert found.job == (SCOPE, "FineTuningJob", "ftjob-1")
    assert found.claim(7) == Claim(7, "support-triage", "bots.yaml", found.ref, found.job)


def test_two_spellings_of_one_job_id_have_the_same_digest() -> None:
    long = "projects/acme-ml/locations/europe-west4/tuningJobs/123"
    first, second = (one(a_spec(provider="google", jobId=text), providers=(GOOGLE,)) for text in (long, "123"))

    assert first.subject is not None
    assert second.subject is not None
    assert first.subject.ref.id == "123"
    assert first.subject.digest == second.subject.digest
    assert first.subject.spec.job_id == long


def test_the_same_spec_in_two_accounts_has_two_digests() -> None:
    eu = located(a_provider("eu", options={"project": "proj_eu"}))
    first, second = (one(a_spec(provider=name), providers=(eu,)) for name in ("openai", "eu"))

    assert first.subject is not None
    assert second.subject is not None
    assert first.subject.digest != second.subject.digest


# Suspension and interval


@pytest.mark.parametrize(
    ("is_suspended", "settings", "own", "reason"),
    [
        (True, True, {"reason": "audit"}, "the operator suspended all jobs"),
        (False, True, {"reason": "audit"}, "the Settings suspend all jobs"),
        (False, False, {"reason": "audit"}, "audit"),
    ],
    ids=["the operator", "else Settings", "else the spec"],
)
def test_the_widest_suspension_is_reported_for_a_job(
    *, is_suspended: bool, settings: bool, own: dict[str, str], reason: str
) -> None:
    snapshot = Snapshot(
        jobs=(located(a_spec(suspend=own)),), settings=(located(a_settings(suspend=str(settings).lower())),)
    )
    (found,) = resolve(snapshot, Operator(), is_suspended=is_suspended).candidates

    assert found.subject is not None
    assert found.subject.suspension == Suspension(reason=reason)


def test_the_poll_interval_of_a_job_comes_from_settings() -> None:
    found = one(a_spec(), settings=(located(a_settings(interval="5m")),))

    assert found.subject is not None
    assert found.subject.interval == timedelta(minutes=5)


# Problems that prevent changes


def test_an_invalid_job_id_is_reported_at_its_line_and_still_names_an_account() -> None:
    found = resolved(located(a_spec(jobId="../jobs"), jobId=9))
    (spec,) = found.candidates

    assert spec.subject is None
    assert spec.problem is not None
    assert (spec.problem.reason, spec.problem.path) == (Reason.INVALID_SPEC, ("spec", "jobId"))
    assert [(each.file, each.line, each.field) for each in found.diagnostics] == [("specs/bots.yaml", 9, "spec.jobId")]
    assert spec.ref == JobRef(ACCOUNT, "../jobs")
    assert spec.job is None


def test_a_kind_of_job_that_the_provider_lacks_is_reported_at_the_kind_of_the_spec() -> None:
    provider = located(a_provider("lab", type="fireworks", options={"account": "acme"}), "p.yaml")
    spec = {"provider": "lab", "jobId": "batch-1", "desiredState": "cancelled"}
    document = {"apiVersion": API_VERSION, "kind": "BatchJob", "metadata": {"name": "labels"}, "spec": spec}
    batch = located(BatchJob.model_validate(document), "batches.yaml", 3)
    found = resolve(Snapshot(jobs=(batch,), providers=(provider,)), Operator(), is_suspended=False)
    (candidate,) = found.candidates

    assert (candidate.target, candidate.subject) == (None, None)
    assert [str(each) for each in found.diagnostics] == [
        "specs/batches.yaml:3: kind: fireworks has no jobs of this kind: change the kind, or name another provider"
    ]


def test_an_invalid_provider_stops_its_specs_and_is_reported_only_at_the_provider() -> None:
    provider = located(a_provider("research", type="opnai"), "p.yaml")
    found = resolved(located(a_spec(provider="research")), providers=(provider,))
    (spec,) = found.candidates

    assert spec.problem == SpecProblem(
        Reason.INVALID_PROVIDER, "'opnai' is not a provider type; did you mean 'openai'?"
    )
    assert (spec.ref, spec.job) == (None, None)
    assert [(each.file, each.field) for each in found.diagnostics] == [("specs/p.yaml", "spec.type")]


def test_a_missing_option_is_named_in_the_status_of_each_job() -> None:
    provider = located(a_provider("lab", type="fireworks"), "p.yaml")
    found = resolved(located(a_spec(provider="lab", jobId="dpoJobs/a")), providers=(provider,))
    (spec,) = found.candidates

    assert spec.problem == SpecProblem(Reason.INVALID_PROVIDER, "spec.options.account: this field is required")
    assert [(each.field, each.message) for each in found.diagnostics] == [
        ("spec.options.account", "this field is required")
    ]


def test_an_unknown_provider_is_reported_at_the_spec_that_names_it() -> None:
    found = resolved(located(a_spec(provider="opnai"), provider=5))

    assert found.diagnostics == (
        Diagnostic(
            file="specs/bots.yaml",
            line=5,
            field="spec.provider",
            message="'opnai' is not a provider type; did you mean 'openai'?",
        ),
    )


def test_a_spec_that_may_not_use_an_account_claims_no_job_in_it() -> None:
    kept = located(a_provider("kept", allowedPaths=["team/**"]), "p.yaml")
    inside, outside = located(a_spec("inside", provider="kept"), "team/a.yaml"), located(a_spec("outside"))
    found = {each.name: each for each in resolved(inside, outside, providers=(kept,)).candidates}

    assert found["inside"].problem is None
    assert found["outside"].problem is not None
    assert found["outside"].problem.path == ("spec", "provider")
    assert not found["outside"].claim(0).may_claim
    assert found["outside"].ref is None


def test_an_invalid_document_resolves_to_a_spec_with_its_first_error() -> None:
    wrong = Diagnostic(file="specs/bots.yaml", line=4, field="spec.jobId", message="this field is required")
    other = Diagnostic(file="specs/bots.yaml", line=1, message="invalid YAML")
    broken = (
        BrokenJob(name="a", file="bots.yaml", diagnostics=(wrong, other)),
        BrokenJob(name="b", file="bots.yaml", diagnostics=(other,)),
        BrokenJob(name="c", file="bots.yaml", diagnostics=()),
    )
    found = resolved(broken_jobs=broken)

    assert [(each.name, each.problem) for each in found.candidates] == [
        ("a", SpecProblem(Reason.INVALID_SPEC, "spec.jobId: this field is required")),
        ("b", SpecProblem(Reason.INVALID_SPEC, "invalid YAML")),
        ("c", SpecProblem(Reason.INVALID_SPEC, "the spec is not valid")),
    ]
    assert found.diagnostics == ()


def test_two_specs_of_one_job_are_duplicates_even_under_different_provider_names() -> None:
    alias = located(a_provider("alias", options={"project": "proj_1"}), "p.yaml")
    first, second = (
        located(a_spec("first"), "a.yaml", 1, jobId=6),
        located(a_spec("second", provider="alias"), "b.yaml"),
    )
    found = resolved(first, second, located(a_spec("third", jobId="ftjob-3"), "c.yaml"), providers=(alias,))
    problems = {each.name: each.problem for each in found.candidates}

    assert problems == {
        "first": SpecProblem(
            Reason.DUPLICATE_JOB,
            "another spec names the job ftjob-abc123 too: second; remove all but one",
            ("spec", "jobId"),
        ),
        "second": SpecProblem(
            Reason.DUPLICATE_JOB,
            "another spec names the job ftjob-abc123 too: first; remove all but one",
            ("spec", "jobId"),
        ),
        "third": None,
    }
    assert [each.subject is None for each in found.candidates] == [True, True, False]
    assert [(each.file, each.line) for each in found.diagnostics] == [("specs/a.yaml", 6), ("specs/b.yaml", 1)]


def test_two_specs_with_one_name_are_duplicates_without_another_diagnostic() -> None:
    found = resolved(located(a_spec(jobId="ftjob-1"), "a.yaml"), located(a_spec(jobId="ftjob-2"), "b.yaml"))

    assert [each.problem for each in found.candidates] == [
        SpecProblem(
            Reason.DUPLICATE_JOB,
            f"the name 'support-triage' is used more than once: also in {file}; rename all but one",
        )
        for file in ("b.yaml", "a.yaml")
    ]
    assert found.diagnostics == ()


def test_an_invalid_spec_keeps_its_own_problem_if_its_name_is_a_duplicate() -> None:
    broken = BrokenJob(name="support-triage", file="b.yaml", diagnostics=())
    valid, invalid = resolved(located(a_spec(), "a.yaml"), broken_jobs=(broken,)).candidates

    assert valid.problem is not None
    assert valid.problem.reason is Reason.DUPLICATE_JOB
    assert invalid.problem is not None
    assert invalid.problem.reason is Reason.INVALID_SPEC


KEPT = located(a_provider("kept", allowedPaths=["team/**"]), "p.yaml")
INSIDE = located(a_spec("stops", provider="kept"), "team/stops.yaml")


@pytest.mark.parametrize(
    "outside",
    [
        {"broken_jobs": (BrokenJob(name="stops", file="elsewhere/x.yaml", diagnostics=()),)},
        {"also": located(a_spec("stops", provider="nowhere"), "elsewhere/x.yaml")},
        {"also": located(a_spec("stops", provider="kept", jobId="ftjob-2"), "elsewhere/x.yaml")},
    ],
    ids=["is not valid", "names an unknown provider", "may not use the account"],
)
def test_a_document_outside_allowed_paths_cannot_stop_a_spec_with_the_same_name(
    outside: dict[str, Any],
) -> None:
    also = (outside.pop("also"),) if "also" in outside else ()
    victim, other = resolved(INSIDE, *also, providers=(KEPT,), **outside).candidates

    assert victim.problem is None
    assert victim.subject is not None
    assert other.problem is not None
    assert other.problem.reason is not Reason.DUPLICATE_JOB
    assert not other.may_claim


def test_an_invalid_document_inside_allowed_paths_stops_a_spec_with_the_same_name() -> None:
    broken = BrokenJob(name="stops", file="team/x.yaml", diagnostics=())
    victim, _ = resolved(INSIDE, providers=(KEPT,), broken_jobs=(broken,)).candidates

    assert victim.problem is not None
    assert victim.problem.reason is Reason.DUPLICATE_JOB


def test_a_spec_with_an_invalid_job_id_does_not_affect_other_specs() -> None:
    wrong, right = resolved(located(a_spec("wrong", jobId="../x")), located(a_spec("right"), "b.yaml")).candidates

    assert wrong.problem is not None
    assert right.problem is None


# A revision as a whole


def test_the_jobs_named_by_a_revision_include_those_of_stopped_specs() -> None:
    found = resolved(
        located(a_spec("first"), "a.yaml"),
        located(a_spec("second"), "b.yaml"),
        located(a_spec("wrong", jobId="../x"), "c.yaml"),
        broken_jobs=(BrokenJob(name="broken", file="d.yaml", diagnostics=()),),
    )

    assert found.named == {(SCOPE, "FineTuningJob", "ftjob-abc123")}


def test_diagnostics_are_sorted_by_file_and_line() -> None:
    late, early = (
        located(a_spec("late", provider="x"), "b.yaml", 9),
        located(a_spec("early", provider="y"), "b.yaml", 2),
    )
    provider = located(a_provider("z", type="w"), "a.yaml")

    assert [(each.file, each.line) for each in resolved(late, early, providers=(provider,)).diagnostics] == [
        ("specs/a.yaml", 1),
        ("specs/b.yaml", 2),
        ("specs/b.yaml", 9),
    ]


def test_a_revision_contains_its_accounts_and_the_canonical_credential_names() -> None:
    snapshot = Snapshot(
        jobs=(located(a_spec()),), providers=(located(a_provider("eu", options={"project": "proj_eu"})),)
    )
    operator = Operator({"OPENAI_API_KEY": "secret", "TEAM_KEY": "secret"}, speaks_of=("TEAM_KEY", "OPENAI_API_KEY"))
    found = resolve(snapshot, operator, is_suspended=False)
    eu = Account("openai", ACCOUNT.base_url, (("project", "proj_eu"),))

    accounts = [each.of_kind(kind) for each in (ACCOUNT, eu) for kind in ("FineTuningJob", "BatchJob")]
    assert {line: each.account for line, each in found.targets.items()} == {str(each): each for each in accounts}
    assert found.names == {"TEAM_KEY": "OPENAI_API_KEY", "OPENAI_API_KEY": "OPENAI_API_KEY"}


def _spec_of(rng: random.Random, number: int) -> FineTuningJob:
    """Return a spec that rarely has the name or job of another one, and rarely an invalid provider or job."""
    name, job = (number if rng.random() < 0.95 else rng.randrange(6) for _ in range(2))
    return a_spec(
        f"job-{name}",
        provider=rng.choice([*["openai"] * 20, "main", "nowhere"]),
        jobId=rng.choice([*[f"ftjob-{job}"] * 20, "a job"]),
        desiredState=rng.choice(["observed", "running", "cancelled"]),
    )


@pytest.mark.sampled(2)
@pytest.mark.parametrize("seed", range(5))
def test_specs_resolve_after_any_edits_as_if_they_were_resolved_for_the_first_time(seed: int) -> None:
    rng, cache, places = random.Random(seed), ResolutionCache(), [*range(6)]  # noqa: S311  repeatable, not secret
    jobs = {number: located(_spec_of(rng, number), f"{number}.yaml") for number in places}
    providers, edits = (located(a_provider("main"), "p.yaml"),), 0
    for _ in range(300):
        for number in rng.sample(places, rng.choice([0, 1, 1, 2])):
            jobs[number] = located(_spec_of(rng, number), f"{number}.yaml", line=rng.randrange(1, 3))
        if rng.random() < 0.05:
            providers = (located(a_provider("main", baseUrl=rng.choice(["https://a.example", None])), "p.yaml"),)
        order = rng.sample(places, 6) if rng.random() < 0.05 else places
        revision = [jobs[number] for number in order if number or rng.random() < 0.95]
        before = cache.last
        again = resolved(*revision, known=cache, providers=providers)
        edits += before is not None and cache.last is not before and again.claims is before.claims

        assert again == resolved(*revision, providers=providers)
    assert edits > 20
