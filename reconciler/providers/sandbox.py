"""The sandbox as a provider: jobs declared in YAML, behind OpenAI's API, within this process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from pydantic import BaseModel, Field

from reconciler.plugin import (
    BATCH_JOB,
    FINE_TUNING_JOB,
    AccountConfig,
    Capabilities,
    Credentials,
    JobsOfKind,
    Name,
    ProviderType,
    Rate,
    Transport,
)
from reconciler.providers._openai import OPENAI_JOBS, OpenAIJobs
from reconciler.providers._openai_batches import BATCHES, CAPABILITIES, OpenAIBatches
from reconciler.providers._openai_collection import OpenAICollection
from reconciler.sandbox.config import BATCH_ID_PATTERN, JOB_ID_PATTERN, SandboxOptions

DEFAULT_WORLD = "default"


class SandboxTypeOptions(SandboxOptions):
    """The options of a sandbox, and the name of its world. Provider documents with the same world share one account."""

    world: Name = Field(DEFAULT_WORLD, description="Name of the world; each world has its own jobs and state.")


class SandboxType:
    """The provider type `sandbox`: simulated fine-tuning jobs and batches, without a network."""

    name = "sandbox"
    options = SandboxTypeOptions
    id_pattern = JOB_ID_PATTERN
    key_variable = None
    has_whole_key = False
    url_variables: tuple[str, ...] = ()
    option_variables: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    finds_credentials = False
    capabilities = Capabilities(
        cancel_loses="nothing: its jobs are simulated",
        can_pause=True,
        can_list_events=True,
        can_list_checkpoints=True,
        has_whole_rows=True,
        page_size_max=100,
        list_order="newest first",
        filters=("metadata",),
    )
    kinds: Mapping[str, JobsOfKind] = MappingProxyType(
        {
            FINE_TUNING_JOB: JobsOfKind(id_pattern=JOB_ID_PATTERN, capabilities=capabilities),
            BATCH_JOB: JobsOfKind(
                id_pattern=BATCH_ID_PATTERN,
                capabilities=replace(CAPABILITIES, cancel_costs="nothing: its batches are simulated"),
            ),
        }
    )
    rate = Rate(requests_per_second=200, burst=200, concurrency=8)

    def scope(self, options: BaseModel) -> tuple[tuple[str, str], ...]:
        """Return the name of the world, or an empty scope for the default world."""
        world = _own(options).world
        return () if world == DEFAULT_WORLD else (("world", world),)

    def canonical_id(self, job_id: str, options: BaseModel) -> str:  # noqa: ARG002 - the port's signature
        """Return the id unchanged, because a job has only one id."""
        return job_id

    def own_url(self, options: BaseModel) -> str:  # noqa: ARG002 - the port's signature
        """Return a placeholder address. Requests to it do not leave this process."""
        return "http://sandbox.localhost/v1"

    @asynccontextmanager
    async def open(
        self, config: AccountConfig, transport: Transport, credentials: Credentials
    ) -> AsyncIterator[OpenAICollection]:
        """Open the jobs of one kind in a world. Each kind has a world of its own.

        If there is a state directory, the state of the world is loaded from it and saved there. Raises `OSError` if its
        file cannot be read or written.
        """
        # Imported here because the web framework is slow to import, and `validate` and `get` import this module too.
        from reconciler.sandbox.app import create_app  # noqa: PLC0415
        from reconciler.sandbox.store import open_world, save_world  # noqa: PLC0415
        from reconciler.sandbox.world import BatchWorld, World  # noqa: PLC0415

        options, are_batches = _own(config.options), config.account.kind == BATCH_JOB
        world_type = BatchWorld if are_batches else World
        if config.state_dir is None:
            app = create_app(world_type(options, began_at=config.now()), config.now)
        else:
            path = config.state_dir / f"sandbox-{options.world}{'.batches' if are_batches else ''}.json"
            world = open_world(options, path, config.now(), world_type)
            app = create_app(world, config.now, save=partial(save_world, path))
        if are_batches:
            yield OpenAIBatches(transport.to_app(app), credentials, BATCHES)
        else:
            yield OpenAIJobs(transport.to_app(app), credentials, OPENAI_JOBS)


def _own(options: BaseModel) -> SandboxTypeOptions:
    """Return the options as this type's model. The port passes them as a plain `BaseModel`."""
    return SandboxTypeOptions.model_validate(options)


SANDBOX: ProviderType = SandboxType()
