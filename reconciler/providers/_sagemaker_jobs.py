"""SageMaker's model customization jobs and training sessions in one region.

- A customization job has a category. Only those of the category `AgentRFT` fine-tune a model. The others evaluate
  models, or generate, evaluate or transform data.
- A training session provisions compute for fine-tuning until it is stopped or expires. It has no status for success.
- A list row of a training session contains its ARN, but not its name.

Sources: botocore 1.44.8 `data/sagemaker/2017-07-24/service-2.json`. Not confirmed against the service: the errors for a
missing job and for a stop of a job that has ended, and the order of a list of training sessions.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar

from reconciler.plugin import UNSET, JobError, ObservedJob, Phase
from reconciler.plugin.answers import count, field, name_of, seconds, text, word
from reconciler.providers._aws import AwsApi, AwsOptions
from reconciler.providers._aws_service import job_error
from reconciler.providers._sagemaker_collection import SageMakerCollection, phase_of

FINE_TUNING_CATEGORY = "AgentRFT"
BEFORE_A_JOB = frozenset({"Starting", "Pending"})
EXPIRED = "Expired"
SESSION_STATUSES: Mapping[str, Phase] = MappingProxyType(
    {
        "Created": Phase.QUEUED,
        "Blocked": Phase.QUEUED,
        "Scheduled": Phase.QUEUED,
        "Running": Phase.RUNNING,
        "Failed": Phase.FAILED,
        EXPIRED: Phase.FAILED,
        "Stopping": Phase.CANCELLING,
        "Stopped": Phase.CANCELLED,
    }
)


class CustomizationJobs(SageMakerCollection):
    """The model customization jobs of one category."""

    noun = "Job"

    def __init__(self, api: AwsApi, options: AwsOptions, category: str) -> None:
        super().__init__(api, options)
        self._category = category
        self.prefix = f"job/{category}/"
        self.common = {"JobCategory": category}

    def _job(self, row: Mapping[str, Any], at: datetime | None) -> ObservedJob:
        # A retrieved job and a list row have different names for the secondary status.
        detail = field(row, "SecondaryStatus" if "SecondaryStatus" in row else "JobSecondaryStatus", text)
        phase, status, error = phase_of(row.get("JobStatus"), detail, BEFORE_A_JOB)
        return ObservedJob(
            id=self._id(row),
            phase=phase,
            provider_status=status,
            created_at=field(row, "CreationTime", seconds),
            finished_at=field(row, "EndTime", seconds),
            error=error or field(row, "FailureReason", job_error),
            as_of=at,
            is_of_kind=self._category == FINE_TUNING_CATEGORY,
        )

    def _id(self, row: Mapping[str, Any]) -> str:
        found = super()._id(row)
        category = text(row.get("JobCategory"))
        return found if category in {None, self._category} else f"job/{category}/{found.removeprefix(self.prefix)}"


class TrainingSessions(SageMakerCollection):
    """The training sessions in one region."""

    noun = "TrainingSession"
    order: ClassVar[Mapping[str, object]] = MappingProxyType({})
    prefix = "training-session/"

    def _job(self, row: Mapping[str, Any], at: datetime | None) -> ObservedJob:
        described = row.get("TrainingSessionDetail")
        facts = described if isinstance(described, dict) else row
        status = word(facts.get("TrainingSessionStatus"))
        return ObservedJob(
            id=self._id(facts),
            phase=SESSION_STATUSES.get(status, Phase.UNKNOWN),
            provider_status=status,
            model=field(facts, "ModelConfig.BaseModelArn", text),
            created_at=field(facts, "CreationTime", seconds),
            finished_at=field(facts, "EndTime", seconds),
            trained_tokens=field(facts, "BillableTokenUsage.TrainingTokenCount", count),
            error=UNSET if facts is row else _session_error(status, facts.get("ErrorDetails")),
            as_of=at,
        )

    def _id(self, row: Mapping[str, Any]) -> str:
        arn = name_of(row, "TrainingSessionArn")
        self._check_account(arn)
        return f"{self.prefix}{arn.rpartition('/')[2]}"


def _session_error(status: str, details: Any) -> JobError | None:
    return JobError(code=EXPIRED, message=text(details)) if status == EXPIRED else job_error(details)
