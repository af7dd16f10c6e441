from __future__ import annotations

from functools import partial

import pytest

from reconciler.errors import Delivered, Kind, PermanentError, TransientError
from reconciler.model.job import UNSET, AlreadyOver, JobError, ListQuery, ObservedJob, Phase
from reconciler.providers import load
from reconciler.testing import ProviderContract
from tests.contract.dialects.adapter_call import ask, job
from tests.contract.dialects.sagemaker import ACCESS_KEY, REGION
from tests.contract.dialects.services import CUSTOMIZATION_JOBS, SAGEMAKER, TRAINING_SESSIONS
from tests.contract.harnesses import Served, ServedHarness
from tests.support.canned_transport import CannedTransport, answer

pytest.importorskip("botocore", reason="pip install 'llm-job-reconciler[aws]'")

SECRET = "canary-secret-access-key"  # noqa: S105 - a canary
OPTIONS = {"region": REGION}
asked = partial(ask, "sagemaker", OPTIONS, f"{ACCESS_KEY}:{SECRET}")
a_job = partial(job, "sagemaker")


class TestSageMaker(ProviderContract):
    """`sagemaker` fulfils the contract over a real socket. Every request has a valid signature."""

    @pytest.fixture
    def stage(self, served: Served) -> ServedHarness:
        """Return a fresh world behind the server."""
        return ServedHarness(served, SAGEMAKER)


class TestCustomizationJobs(ProviderContract):
    """The customization jobs of `sagemaker` fulfil the contract over a real socket."""

    @pytest.fixture
    def stage(self, served: Served) -> ServedHarness:
        """Return a fresh world behind the server."""
        return ServedHarness(served, CUSTOMIZATION_JOBS)


class TestTrainingSessions(ProviderContract):
    """The training sessions of `sagemaker` fulfil the contract over a real socket."""

    @pytest.fixture
    def stage(self, served: Served) -> ServedHarness:
        """Return a fresh world behind the server."""
        return ServedHarness(served, TRAINING_SESSIONS)


def shown(**fields: object) -> ObservedJob:
    transport = CannedTransport([answer({"TrainingJobName": "a", **fields})])
    found = asked(transport, lambda controller: controller.get_job(a_job("a")))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("status", "detail", "phase", "word"),
    [
        ("InProgress", "Training", Phase.RUNNING, "InProgress"),
        ("InProgress", "Starting", Phase.QUEUED, "InProgress"),
        ("InProgress", "Pending", Phase.QUEUED, "InProgress"),
        ("InProgress", None, Phase.RUNNING, "InProgress"),
        ("InProgress", "Contemplating", Phase.RUNNING, "InProgress"),
        ("Stopping", "Stopping", Phase.CANCELLING, "Stopping"),
        ("Stopped", "Stopped", Phase.CANCELLED, "Stopped"),
        ("Stopped", "MaxRuntimeExceeded", Phase.FAILED, "Stopped (MaxRuntimeExceeded)"),
        ("Stopped", "MaxWaitTimeExceeded", Phase.FAILED, "Stopped (MaxWaitTimeExceeded)"),
        ("Completed", "Completed", Phase.SUCCEEDED, "Completed"),
        ("Failed", "Failed", Phase.FAILED, "Failed"),
        ("Deleting", "Stopped", Phase.UNKNOWN, "Deleting"),
        (None, None, Phase.UNKNOWN, "null"),
    ],
)
def test_the_phase_is_derived_from_the_status_and_its_detail(
    status: object, detail: object, phase: Phase, word: str
) -> None:
    found = shown(TrainingJobStatus=status, SecondaryStatus=detail)

    assert (found.phase, found.provider_status) == (phase, word)


def test_a_job_that_exceeded_its_time_limit_has_that_as_its_error() -> None:
    found = shown(TrainingJobStatus="Stopped", SecondaryStatus="MaxRuntimeExceeded")

    assert found.error == JobError(code="MaxRuntimeExceeded")


def test_a_serverless_job_reports_its_model_package_and_tokens() -> None:
    found = shown(
        TrainingJobStatus="Completed",
        OutputModelPackageArn="arn:aws:sagemaker:us-east-1:123456789012:model-package/tuned/1",
        BillableTokenCount=5120,
        ServerlessJobConfig={
            "BaseModelArn": "arn:aws:sagemaker:us-east-1:aws:hub-content/base",
            "JobType": "FineTuning",
        },
    )

    assert found.fine_tuned_model == "arn:aws:sagemaker:us-east-1:123456789012:model-package/tuned/1"
    assert (found.trained_tokens, found.provider_status) == (5120, "Completed")


def test_a_job_that_evaluates_a_model_is_no_fine_tuning_job() -> None:
    found = shown(TrainingJobStatus="InProgress", ServerlessJobConfig={"JobType": "Evaluation"})

    assert (found.phase, found.provider_status, found.is_of_kind) == (Phase.RUNNING, "InProgress", False)
    assert shown(TrainingJobStatus="InProgress", ServerlessJobConfig={"JobType": "FineTuning"}).is_of_kind is True
    assert shown(TrainingJobStatus="InProgress").is_of_kind is True


@pytest.mark.parametrize(
    ("created", "expected"), [(1_764_547_199, True), (1_764_547_200, UNSET), (None, UNSET)], ids=["old", "new", "none"]
)
def test_a_list_row_does_not_show_whether_a_job_evaluates_a_model_unless_it_is_too_old(
    created: object, expected: object
) -> None:
    row = {"TrainingJobName": "a", "TrainingJobStatus": "InProgress", "CreationTime": created}
    transport = CannedTransport([answer({"TrainingJobSummaries": [row]})])
    page = asked(transport, lambda controller: controller.list_page(ListQuery(7), None))

    assert [each.is_of_kind for each in page.jobs] == [expected]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (1_764_000_000.125, "2025-11-24 16:00:00.125000+00:00"),
        (1_764_000_000, "2025-11-24 16:00:00+00:00"),
        (0, "None"),
        (1e300, "None"),
        ("2026-11-23T14:00:00Z", "None"),
        (None, "None"),
        (True, "None"),
    ],
)
def test_a_time_in_seconds_may_have_a_fraction_and_an_invalid_time_is_ignored(written: object, expected: str) -> None:
    assert str(shown(CreationTime=written).created_at) == expected


def test_an_empty_page_with_a_token_is_not_the_last_page() -> None:
    transport = CannedTransport([answer({"TrainingJobSummaries": [], "NextToken": "on"})])
    page = asked(transport, lambda controller: controller.list_page(ListQuery(7), "from here"))

    assert (page.jobs, page.next_cursor) == ((), "on")
    newest_first = {"SortBy": "CreationTime", "SortOrder": "Descending"}
    assert transport.bodies == [{"MaxResults": 7, "NextToken": "from here", **newest_first}]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ValidationException", "Could not find training job arn:aws:sagemaker:eu-west-1:1:training-job/a."),
        ("ValidationException", "Requested resource not found."),
        ("ResourceNotFound", None),
    ],
)
def test_a_400_response_for_a_missing_job_is_reported_as_absent(code: str, message: str | None) -> None:
    transport = CannedTransport([answer({"__type": code, "message": message}, 400)])

    assert asked(transport, lambda controller: controller.get_job(a_job("a"))) is None


def test_any_other_validation_error_is_not_an_absence() -> None:
    transport = CannedTransport(
        [answer({"__type": "ValidationException", "message": "1 validation error detected"}, 400)]
    )
    with pytest.raises(PermanentError, match="1 validation error") as caught:
        asked(transport, lambda controller: controller.get_job(a_job("a")))

    assert caught.value.kind is Kind.REFUSED


def test_a_stop_of_a_stopped_job_reports_it_as_already_over() -> None:
    words = "The request was rejected because the training job is in status Stopped."
    transport = CannedTransport(
        [
            answer({"__type": "ValidationException", "message": words}, 400),
            answer({"TrainingJobName": "a", "TrainingJobStatus": "Stopped"}),
        ]
    )
    found = asked(transport, lambda controller: controller.cancel_job(a_job("a")))

    assert isinstance(found, AlreadyOver)
    assert found.job.phase is Phase.CANCELLED


def test_a_throttled_request_has_status_400_and_was_not_delivered() -> None:
    transport = CannedTransport([answer({"__type": "ThrottlingException", "message": "Rate exceeded"}, 400)])
    with pytest.raises(TransientError) as caught:
        asked(transport, lambda controller: controller.cancel_job(a_job("a")))

    assert caught.value.delivered is Delivered.NO


def test_regions_in_china_have_a_different_host() -> None:
    type_ = load("sagemaker")

    assert type_.own_url(type_.options.model_validate(OPTIONS)) == "https://api.sagemaker.eu-west-1.amazonaws.com"
    assert (
        type_.own_url(type_.options.model_validate({"region": "cn-north-1"}))
        == "https://api.sagemaker.cn-north-1.amazonaws.com.cn"
    )


@pytest.mark.parametrize(("account_id", "is_ours"), [("123456789012", True), ("999999999999", False)])
def test_an_account_id_that_responses_contradict_is_an_error(account_id: str, *, is_ours: bool) -> None:
    ask_there = partial(ask, "sagemaker", {**OPTIONS, "accountId": account_id}, f"{ACCESS_KEY}:{SECRET}")
    arn = f"arn:aws:sagemaker:{REGION}:123456789012:training-job/a"
    row = {"TrainingJobName": "a", "TrainingJobArn": arn, "TrainingJobStatus": "InProgress"}
    transport = CannedTransport([answer(row)])
    if is_ours:
        assert ask_there(transport, lambda controller: controller.get_job(a_job("a"))) is not None
        return
    with pytest.raises(PermanentError, match="accountId is 999999999999") as caught:
        ask_there(transport, lambda controller: controller.get_job(a_job("a")))
    assert caught.value.kind is Kind.MISSING
