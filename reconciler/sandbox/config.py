"""What a Provider document of `type: sandbox` declares: jobs with a life, and what goes wrong.

Every scalar arrives as text and is parsed here, as everywhere in the specs.
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
"""What every id in the sandbox looks like, whole."""


def _span(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _declarable(phase: Phase) -> Phase:
    if phase is Phase.UNKNOWN:
        msg = "'unknown' is not a word of the provider's; use the fault unknown-word for that"
        raise ValueError(msg)
    return phase


Wait = Annotated[
    timedelta,
    BeforeValidator(_span),
    Field(ge=timedelta(0)),
    PlainSerializer(render_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]{1,9}[smhd]$", "examples": ["0s", "30s"]}),
]
"""A duration that may be `0s`, which means at once."""
JobId = Annotated[str, Field(pattern=f"^{JOB_ID_PATTERN}$")]


class DeclaredStage(Document):
    """One stage of a job's life."""

    phase: Annotated[Phase, AfterValidator(_declarable)] = Field(
        description="The word that the job shows; absent: the provider has forgotten it."
    )
    for_: Duration | None = Field(None, alias="for", description="How long; the last stage lasts for ever.")


DEFAULT_LIFE = (
    DeclaredStage(phase=Phase.VALIDATING_FILES, for_=timedelta(seconds=30)),
    DeclaredStage(phase=Phase.QUEUED, for_=timedelta(minutes=1)),
    DeclaredStage(phase=Phase.RUNNING, for_=timedelta(hours=2)),
    DeclaredStage(phase=Phase.SUCCEEDED),
)


def _livable(life: tuple[DeclaredStage, ...]) -> tuple[DeclaredStage, ...]:
    *before, last = life
    if last.for_ is not None:
        msg = "the last stage lasts for ever: leave out its `for`"
        raise ValueError(msg)
    for stage, following in zip(before, life[1:], strict=True):
        if stage.for_ is None:
            msg = f"the stage {stage.phase!s} is not the last one: say how long it takes, with `for`"
            raise ValueError(msg)
        if stage.phase is Phase.ABSENT or (stage.phase in TERMINAL and following.phase is not Phase.ABSENT):
            msg = f"nothing but absent comes after {stage.phase!s}"
            raise ValueError(msg)
    return life


class JobFailure(Document):
    """Why a job fails, in the provider's words."""

    code: Word = "server_error"
    message: Text = "The sandbox declares that this job fails."
    param: Word | None = None


class DeclaredJob(Document):
    """A job that the sandbox has."""

    id: JobId
    model: Word = "gpt-4o-mini-2024-07-18"
    age: Duration | None = Field(None, description="How long before the world began it was created.")
    life: Annotated[tuple[DeclaredStage, ...], Field(min_length=1), AfterValidator(_livable)] = Field(
        DEFAULT_LIFE, description="Which phase it shows for how long, if nobody asks anything of it."
    )
    trained_tokens: int = Field(100_000, ge=0, description="Shown once it has succeeded.")
    error: JobFailure = Field(default_factory=JobFailure, description="Shown once it has failed.")
    suffix: Annotated[str, Field(max_length=64)] = Field("", description="A part of the fine-tuned model's name.")
    metadata: Annotated[dict[str, str], Field(max_length=16)] = Field(default_factory=dict)
    training_file: Word = "file-sandbox-training"
    validation_file: Word | None = None
    seed: int = Field(0, ge=0, le=2_147_483_647)
    cancel_takes: Wait | None = Field(None, description="How long a cancel takes; the world's own if left out.")
    pause_takes: Wait | None = Field(None, description="How long a pause takes; the world's own if left out.")
    cancel_word: Literal["cancelling"] | None = Field(
        None, description="What a cancel under way shows; its phase goes on if left out, as at OpenAI."
    )


class SandboxOptions(Document):
    """A world: its jobs, and what goes wrong in it."""

    jobs: tuple[DeclaredJob, ...] = ()
    cancel_takes: Wait = Field(timedelta(0), description="How long a cancel takes, unless the job says otherwise.")
    pause_takes: Wait = Field(timedelta(0), description="How long a pause takes, unless the job says otherwise.")
    cancel_word: Literal["cancelling"] | None = Field(
        None, description="What a cancel under way shows; its phase goes on if left out, as at OpenAI."
    )
    faults: tuple[Fault, ...] = Field((), description="What goes wrong; of several rules the first that matches acts.")

    @model_validator(mode="after")
    def _has_each_id_once(self) -> Self:
        counts = Counter(job.id for job in self.jobs)
        twice = sorted(id_ for id_, count in counts.items() if count > 1)
        if twice:
            msg = f"declared more than once: {', '.join(twice)}"
            raise ValueError(msg)
        return self
