"""The jobs of a run from a seed: the services, and each job's phases over time.

Rules: a run has jobs of both kinds. At some providers with both kinds, a fine-tuning job has the ID of a batch.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from reconciler.sandbox.config import Declared, DeclaredBatch, DeclaredJob, SandboxOptions
from tests.contract.dialects.services import Service
from tests.scenario.batch_services import (
    BATCHES,
    BATCHES_ONLY,
    FINE_TUNING,
    batch_id,
    batches_of,
    can_share_ids,
    is_of_batches,
    job_id,
    provider_of,
)
from tests.scenario.repository import JobSpec

Life = list[dict[str, str]]
LIVES: tuple[Life, ...] = (
    [{"phase": "running"}],
    [{"phase": "queued", "for": "10m"}, {"phase": "running"}],
    [{"phase": "validating_files", "for": "30s"}, {"phase": "queued"}],
    [{"phase": "queued", "for": "5m"}, {"phase": "running", "for": "2h"}, {"phase": "succeeded"}],
    [{"phase": "running", "for": "15m"}, {"phase": "succeeded"}],
    [{"phase": "running", "for": "70m"}, {"phase": "failed"}],
    [{"phase": "running", "for": "20m"}, {"phase": "paused"}],
    [{"phase": "paused"}],
    [{"phase": "running", "for": "3h"}, {"phase": "cancelled"}],
    [{"phase": "running", "for": "10m"}, {"phase": "succeeded", "for": "40m"}, {"phase": "absent"}],
)
BATCH_LIVES: tuple[Life, ...] = (
    [{"phase": "running"}],
    [{"phase": "running", "for": "40h"}, {"phase": "succeeded"}],
    [{"phase": "running", "for": "24h"}, {"phase": "failed"}],
    [{"phase": "queued", "for": "10m"}, {"phase": "running", "for": "30h"}, {"phase": "succeeded"}],
    [{"phase": "validating_files", "for": "5m"}, {"phase": "running", "for": "2h"}, {"phase": "succeeded"}],
    [{"phase": "running", "for": "15m"}, {"phase": "succeeded"}],
    [{"phase": "running", "for": "70m"}, {"phase": "failed"}],
    [{"phase": "running", "for": "3h"}, {"phase": "cancelled"}],
    [{"phase": "running", "for": "10m"}, {"phase": "succeeded", "for": "40m"}, {"phase": "absent"}],
)
_VANISHING = [{"phase": "running", "for": "65m"}, {"phase": "absent"}]


def drawn_services(rng: random.Random, names: Sequence[str]) -> dict[str, Service]:
    """Return the service of each Provider document. The first has fine-tuning jobs; at least one has batches."""
    services = {name: rng.choice(FINE_TUNING if name == names[0] else (*FINE_TUNING, *BATCHES_ONLY)) for name in names}
    if not any(each.type in BATCHES for each in services.values()):
        services["batches"] = rng.choice(BATCHES_ONLY)
    return services


def with_fine_tuning(services: Mapping[str, Service]) -> tuple[str, ...]:
    """Return the accounts with fine-tuning jobs."""
    return tuple(name for name, service in services.items() if service in FINE_TUNING)


def with_batches(services: Mapping[str, Service]) -> tuple[str, ...]:
    """Return the accounts with batches."""
    return tuple(batches_of(name) for name, service in services.items() if service.type in BATCHES)


def id_of(service: Service, account: str, number: int) -> str:
    """Return the ID of a job of an account, by its number."""
    return batch_id(service, number) if is_of_batches(account) else job_id(service, f"{number:02}")


def with_shared_ids(
    rng: random.Random, job_specs: tuple[JobSpec, ...], services: Mapping[str, Service]
) -> tuple[JobSpec, ...]:
    """Give some fine-tuning jobs the ID of a batch in the same account at the provider."""
    batches = [each for each in job_specs if each.is_batch]
    renamed: dict[str, str] = {}
    for job_spec in job_specs:
        left = [each.job_id for each in batches if each.provider == job_spec.account]
        left = [each for each in left if each not in renamed.values()]
        if left and can_share_ids(services[job_spec.provider]) and not job_spec.is_batch and rng.random() < 0.3:
            renamed[job_spec.name] = rng.choice(left)
    return tuple(replace(each, job_id=renamed.get(each.name, each.job_id)) for each in job_specs)


def world_of(
    rng: random.Random,
    account: str,
    job_specs: Iterable[JobSpec],
    services: Mapping[str, Service],
    lives: int = 0,
) -> SandboxOptions:
    """Return the jobs of an account, with the IDs in its specs. `lives` makes lives that never end more frequent."""
    ours = [each.job_id for each in job_specs if each.account == account]
    service = services[provider_of(account)]
    if is_of_batches(account):
        jobs = batches_in(rng, len(ours), BATCHES[service.type], (*BATCH_LIVES, *BATCH_LIVES[:1] * lives))
    else:
        jobs = jobs_of(rng, len(ours), service, (*LIVES, *LIVES[:1] * lives))
    return declared(account, dict(zip(ours, jobs, strict=True)))


def declared(account: str, jobs: Mapping[str, Mapping[str, Any]]) -> SandboxOptions:
    """Return these jobs of an account as the sandbox declares them. The IDs may have any format."""
    key, prefix = ("batches", "batch_") if is_of_batches(account) else ("jobs", "ftjob-")
    options = SandboxOptions.model_validate(
        {key: [{**facts, "id": f"{prefix}{place}"} for place, facts in enumerate(jobs.values())]}
    )
    # `model_copy` does not validate, so a job may get an ID that the sandbox would reject.
    named = zip(getattr(options, key), jobs, strict=True)
    return options.model_copy(update={key: tuple(job.model_copy(update={"id": job_id}) for job, job_id in named)})


def a_declared_job(rng: random.Random, account: str, service: Service) -> Declared:
    """Return a new job of an account."""
    if is_of_batches(account):
        facts = next(batches_in(rng, 1, service, BATCH_LIVES))
        return DeclaredBatch.model_validate({"id": "batch_new", **facts, "age": None})
    facts = next(jobs_of(rng, 1, service, LIVES))
    return DeclaredJob.model_validate({"id": "ftjob-new", **facts, "age": None})


def jobs_of(rng: random.Random, count: int, service: Service, lives: Sequence[Life]) -> Iterator[dict[str, Any]]:
    """Yield `count` fine-tuning jobs of an account, each with one of the `lives`."""
    for place in range(count):
        job: dict[str, Any] = {
            "life": _life(rng, place, count, service, lives),
            "cancelTakes": rng.choice(["0s", "0s", "20s", "3m", "9m"]),
            "pauseTakes": rng.choice(["0s", "20s", "2m"]),
        }
        if rng.random() < 0.7:
            job["age"] = rng.choice(["1m", "10m", "50m", "5h"])
        if rng.random() < 0.4:
            job["cancelWord"] = "cancelling"
        yield job


def batches_in(rng: random.Random, count: int, service: Service, lives: Sequence[Life]) -> Iterator[dict[str, Any]]:
    """Yield `count` batches of an account, each with one of the `lives`.

    Their counts change all the time. Their cancels take up to ten minutes, as at OpenAI. Some end with failed requests,
    or expire.
    """
    for place in range(count):
        batch: dict[str, Any] = {
            "life": _life(rng, place, count, service, lives),
            "cancelTakes": rng.choice(["0s", "20s", "3m", "9m", "10m"]),
            "requests": 100_000,
            "failedRequests": rng.choice([0, 0, 7]),
            "error": {"code": rng.choice(["expired", "expired", "invalid_request"])},
        }
        if rng.random() < 0.7:
            batch["age"] = rng.choice(["1m", "10m", "50m", "5h"])
        yield batch


def _life(rng: random.Random, place: int, count: int, service: Service, lives: Sequence[Life]) -> Life:
    # In each account, at most one job vanishes while it is running, and none does in an account of three jobs or fewer.
    # If more did at once, reconcile would suspect a wrong key.
    may_vanish = place == 0 and count > 3
    return _as_shown(_VANISHING if may_vanish and rng.random() < 0.3 else rng.choice(lives), service)


def _as_shown(life: Life, service: Service) -> Life:
    """Return a life without the phases that the service cannot show."""
    shown = [each for each in life if each["phase"] not in service.lacks]
    return shown if life[-1] in shown else [*shown[:-1], {"phase": "running"}]
