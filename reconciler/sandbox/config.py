"""The options of a Provider document of `type: sandbox`: jobs with their phases over time, and faults.

Every scalar arrives as the text in the file and is parsed here, as in all specs.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from reconciler.model.job import TERMINAL, Phase
from reconciler.model.spec import Document, Duration, Text, Word, parse_duration, render_duration
from reconciler.sandbox.faults import Fault

JOB_ID_PATTERN = r"ftjob-[A-Za-z0-9_-]{1,64}"
"""Matches a complete job id of the sandbox."""
BATCH_ID_PATTERN = r"batch_[A-Za-z0-9_-]{1,64}"
"""Matches a complete batch id of the sandbox."""


def _parsed_duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _declarable(phase: Phase) -> Phase:
    if phase is Phase.UNKNOWN:
        msg = "'unknown' is not a status of the provider; use the fault unknown-word instead"
        raise ValueError(msg)
    return phase


Wait = Annotated[
    timedelta,
    BeforeValidator(_parsed_duration),
    Field(ge=timedelta(0)),
    PlainSerializer(render_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]{1,9}[smhd]$", "examples": ["0s", "30s"]}),
]
"""A duration; `0s` means immediately."""
JobId = Annotated[str, Field(pattern=f"^{JOB_ID_PATTERN}$")]
BatchId = Annotated[str, Field(pattern=f"^{BATCH_ID_PATTERN}$")]


class DeclaredStage(Document):
    """One declared stage in the life of a job."""

    phase: Annotated[Phase, AfterValidator(_declarable)] = Field(
        description="The status of the job; absent means that the provider no longer has the job."
    )
    for_: Duration | None = Field(
        None, alias="for", description="Duration. The last stage has no duration, because it never ends."
    )


DEFAULT_LIFE = (
    DeclaredStage(phase=Phase.VALIDATING_FILES, for_=timedelta(seconds=30)),
    DeclaredStage(phase=Phase.QUEUED, for_=timedelta(minutes=1)),
    DeclaredStage(phase=Phase.RUNNING, for_=timedelta(hours=2)),
    DeclaredStage(phase=Phase.SUCCEEDED),
)


DEFAULT_BATCH_LIFE = (
    DeclaredStage(phase=Phase.VALIDATING_FILES, for_=timedelta(seconds=30)),
    DeclaredStage(phase=Phase.RUNNING, for_=timedelta(hours=2)),
    DeclaredStage(phase=Phase.SUCCEEDED),
)


def _never_paused(life: tuple[DeclaredStage, ...]) -> tuple[DeclaredStage, ...]:
    if any(stage.phase in {Phase.PAUSING, Phase.PAUSED} for stage in life):
        msg = "a batch cannot be paused: remove the stages pausing and paused"
        raise ValueError(msg)
    return life


def _valid_life(life: tuple[DeclaredStage, ...]) -> tuple[DeclaredStage, ...]:
    *before, last = life
    if last.for_ is not None:
        msg = "the last stage never ends: remove its `for`"
        raise ValueError(msg)
    for stage, following in zip(before, life[1:], strict=True):
        if stage.for_ is None:
            msg = f"the stage {stage.phase!s} is not the last one: set its duration with `for`"
            raise ValueError(msg)
        if stage.phase is Phase.ABSENT:
            msg = "no stage can follow absent: make it the last one"
            raise ValueError(msg)
        if stage.phase in TERMINAL and following.phase is not Phase.ABSENT:
            msg = f"only absent can follow {stage.phase!s}: remove the other stages after it"
            raise ValueError(msg)
    return life


class JobFailure(Document):
    """The error that the provider reports for a failed job."""

    code: Word = "server_error"
    message: Text = "The sandbox declares that this job fails."
    param: Word | None = None


class Declared(Document):
    """The declared properties of a sandbox job of any kind."""

    id: Word
    model: Word = "gpt-4o-mini-2024-07-18"
    age: Duration | None = Field(None, description="Age of the job when the sandbox is created.")
    life: Annotated[tuple[DeclaredStage, ...], Field(min_length=1), AfterValidator(_valid_life)] = Field(
        DEFAULT_LIFE, description="Phases of the job and their durations, if no change is requested."
    )
    error: JobFailure = Field(
        default_factory=JobFailure, description="The error that is reported once the job has failed."
    )
    metadata: Annotated[dict[str, str], Field(max_length=16)] = Field(default_factory=dict)
    cancel_takes: Wait | None = Field(None, description="Duration of a cancel. Default: `cancelTakes` of the sandbox.")
    cancel_word: Literal["cancelling"] | None = Field(
        None, description="Status during a cancel. Default: `cancelWord` of the sandbox."
    )


class DeclaredJob(Declared):
    """A fine-tuning job that exists in the sandbox."""

    id: JobId
    trained_tokens: int = Field(
        100_000, ge=0, description="Number of trained tokens, reported once the job has succeeded."
    )
    suffix: Annotated[str, Field(max_length=64)] = Field("", description="A part of the fine-tuned model's name.")
    training_file: Word = "file-sandbox-training"
    validation_file: Word | None = None
    seed: int = Field(0, ge=0, le=2_147_483_647)
    pause_takes: Wait | None = Field(None, description="Duration of a pause. Default: `pauseTakes` of the sandbox.")


class DeclaredBatch(Declared):
    """A batch that exists in the sandbox."""

    id: BatchId
    life: Annotated[
        tuple[DeclaredStage, ...], Field(min_length=1), AfterValidator(_valid_life), AfterValidator(_never_paused)
    ] = Field(DEFAULT_BATCH_LIFE, description="Phases of the batch and their durations, if no change is requested.")
    input_file_id: Word = "file-sandbox-batch"
    endpoint: Word = "/v1/chat/completions"
    requests: int = Field(100, ge=1, le=1_000_000, description="Number of requests in the batch.")
    failed_requests: int = Field(
        0, ge=0, description="Number of failed requests, reported once the batch has succeeded."
    )
    tokens: int = Field(100_000, ge=0, description="Number of tokens that all requests of the batch use together.")
    cancel_word: Literal["cancelling"] | None = Field(
        "cancelling", description="Status during a cancel. With null, `cancelWord` of the sandbox applies."
    )

    @model_validator(mode="after")
    def _has_no_more_failures_than_requests(self) -> Self:
        if self.failed_requests > self.requests:
            msg = f"failedRequests is {self.failed_requests:,}, but the batch has {self.requests:,} requests"
            raise ValueError(msg)
        return self


class SandboxOptions(Document):
    """The jobs and faults of a sandbox."""

    jobs: tuple[DeclaredJob, ...] = Field((), description="The fine-tuning jobs, for specs of kind FineTuningJob.")
    batches: tuple[DeclaredBatch, ...] = Field((), description="The batches, for specs of kind BatchJob.")
    cancel_takes: Wait = Field(timedelta(0), description="Duration of a cancel, unless a job sets its own.")
    pause_takes: Wait = Field(timedelta(0), description="Duration of a pause, unless a job sets its own.")
    cancel_word: Literal["cancelling"] | None = Field(
        None,
        description="Status during a cancel. By default the job keeps its status until it is cancelled, as at OpenAI.",
    )
    faults: tuple[Fault, ...] = Field(
        (), description="Fault rules. The first rule that applies to a request determines the fault."
    )

    @model_validator(mode="after")
    def _has_each_id_once(self) -> Self:
        counts = Counter(job.id for job in (*self.jobs, *self.batches))
        twice = sorted(id_ for id_, count in counts.items() if count > 1)
        if twice:
            msg = f"these ids are declared more than once: {', '.join(twice)}; give each job its own id"
            raise ValueError(msg)
        return self
