"""The cache of resolved specs: an entry is used while everything that it depends on is unchanged."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.controller.resolution_cache import ResolutionCache
from reconciler.ports import BrokenJob
from tests.support.build import a_spec
from tests.support.documents import a_provider, a_settings, located
from tests.support.spec_revisions import resolved


def test_an_unchanged_document_is_not_resolved_again() -> None:
    cache = ResolutionCache()
    document, other = located(a_spec()), located(a_spec("other", jobId="ftjob-2"), "b.yaml")
    before = resolved(document, other, known=cache)
    after = resolved(document, located(other.document, "b.yaml"), known=cache)

    assert after.candidates[0] is before.candidates[0]
    assert after.candidates[1] is not before.candidates[1]
    assert after.candidates == before.candidates


@pytest.mark.parametrize(
    "rest",
    [
        {"settings": (located(a_settings(suspend="true")),)},
        {"settings": (located(a_settings(interval="5m")),)},
        {"providers": (located(a_provider("openai", options={"project": "proj_2"}), "p.yaml"),)},
        {"providers": (located(a_provider("openai", allowedPaths=["team/**"]), "p.yaml"),)},
    ],
    ids=["suspension", "interval", "account", "allowed paths"],
)
def test_a_document_is_resolved_again_when_its_settings_or_provider_change(rest: dict[str, Any]) -> None:
    cache = ResolutionCache()
    document = located(a_spec())
    before = resolved(document, known=cache)
    fresh = resolved(document, **rest)
    after = resolved(document, known=cache, **rest)

    assert after.candidates == fresh.candidates != before.candidates


def test_an_unchanged_revision_is_not_resolved_again() -> None:
    cache = ResolutionCache()
    document, broken = located(a_spec()), BrokenJob(name="broken", file="b.yaml", diagnostics=())
    before = resolved(document, broken_jobs=(broken,), known=cache)
    after = resolved(document, broken_jobs=(broken,), known=cache)
    mended = resolved(document, known=cache)

    assert after == before
    assert after.candidates is before.candidates
    assert [each.name for each in mended.candidates] == ["support-triage"]
    assert mended.claims == before.claims[:1]


def test_a_document_missing_from_the_revision_is_removed_from_the_cache() -> None:
    cache = ResolutionCache()
    document = located(a_spec())
    resolved(document, known=cache)
    resolved(known=cache)

    assert (cache.found, dict(cache.targets)) == ({}, {})


def test_a_spec_is_valid_again_once_its_duplicate_is_removed() -> None:
    cache = ResolutionCache()
    first, second = located(a_spec("first"), "a.yaml"), located(a_spec("second"), "b.yaml")
    clash = resolved(first, second, known=cache)
    (after,) = resolved(first, known=cache).candidates

    assert clash.candidates[0].subject is None
    assert after.problem is None
    assert after.subject is not None
