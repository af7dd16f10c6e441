"""The spec of a batch: many requests to a model that a provider runs as one job."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from reconciler.model.spec import DesiredState, Document, JobSpec, Metadata

_STATES = tuple(each for each in DesiredState if each is not DesiredState.PAUSED)


def _possible(state: DesiredState) -> DesiredState:
    if state not in _STATES:
        msg = f"no provider can pause a batch: use {', '.join(_STATES[:-1])} or {_STATES[-1]}"
        raise ValueError(msg)
    return state


class BatchSpec(JobSpec):
    """The desired state of one batch."""

    desired_state: Annotated[
        DesiredState, AfterValidator(_possible), WithJsonSchema({"type": "string", "enum": list(map(str, _STATES))})
    ] = Field(description="The desired state of the batch. No provider can pause a batch.")


class BatchJob(Document):
    """A batch that exists at a provider, and its desired state."""

    api_version: Literal["jobs.reconciler/v1"]
    kind: Literal["BatchJob"]
    metadata: Metadata
    spec: BatchSpec
