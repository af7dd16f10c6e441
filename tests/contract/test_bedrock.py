from __future__ import annotations

import re
from functools import partial

import pytest
from pydantic import ValidationError

from reconciler.errors import Delivered, Kind, PermanentError, TransientError
from reconciler.local.credential_policy import Trust
from reconciler.model.job import UNSET, JobError, ListQuery, ObservedJob, Phase
from reconciler.providers import load
from reconciler.testing import ProviderContract
from tests.contract.dialects.adapter_call import ask, job
from tests.contract.dialects.bedrock import ACCESS_KEY, REGION, arn
from tests.contract.dialects.services import BEDROCK
from tests.contract.harnesses import Served, ServedHarness
from tests.support.canned_transport import CannedTransport, answer

pytest.importorskip("botocore", reason="pip install 'llm-job-reconciler[aws]'")

SECRET = "canary-secret-access-key"  # noqa: S105 - a canary
TYPE = load("bedrock")
OPTIONS = {"region": REGION}
asked = partial(ask, "bedrock", OPTIONS, f"{ACCESS_KEY}:{SECRET}")
a_job = partial(job, "bedrock")


class TestBedrock(ProviderContract):
    """`bedrock` fulfils the contract over a real socket. Every request has a valid signature."""

    @pytest.fixture
    def stage(self, served: Served) -> ServedHarness:
        """Return a fresh world behind the server."""
        return ServedHarness(served, BEDROCK)


def shown(**fields: object) -> ObservedJob:
    transport = CannedTransport([answer({"jobName": "a", "jobArn": arn("a"), **fields})])
    found = asked(transport, lambda controller: controller.get_job(a_job("a")))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("status", "details", "phase"),
    [
        ("InProgress", {}, Phase.RUNNING),
        ("InProgress", {"trainingDetails": {"status": "InProgress"}}, Phase.RUNNING),
        ("InProgress", {"trainingDetails": {"status": "NotStarted"}}, Phase.QUEUED),
        (
            "InProgress",
            {"validationDetails": {"status": "InProgress"}, "trainingDetails": {"status": "NotStarted"}},
            Phase.VALIDATING_FILES,
        ),
        ("InProgress", None, Phase.RUNNING),
        ("Stopping", {"trainingDetails": {"status": "NotStarted"}}, Phase.CANCELLING),
        ("Stopped", {}, Phase.CANCELLED),
        ("Completed", {}, Phase.SUCCEEDED),
        ("Failed", {}, Phase.FAILED),
        ("Paused", {}, Phase.UNKNOWN),
        (None, {}, Phase.UNKNOWN),
    ],
)
def test_the_phase_is_derived_from_the_status_and_its_details(status: object, details: object, phase: Phase) -> None:
    assert shown(status=status, statusDetails=details).phase is phase


def test_optional_fields_of_a_job_are_read_if_present_and_left_empty_if_not() -> None:
    found = shown(
        status="Failed",
        creationTime="2026-11-23T14:00:00.123Z",
        failureMessage="bad data",
        statusDetails={"trainingDetails": {"creationTime": "2026-11-23T15:00:00Z"}},
    )

    assert found.error == JobError(message="bad data")
    assert str(found.created_at) == "2026-11-23 14:00:00.123000+00:00"
    assert str(found.started_at) == "2026-11-23 15:00:00+00:00"
    assert found.finished_at is UNSET


def test_a_job_can_be_retrieved_by_its_arn() -> None:
    transport = CannedTransport([answer({"jobName": "a", "jobArn": arn("a"), "status": "InProgress"})])
    found = asked(transport, lambda controller: controller.get_job(a_job(arn("a"))))

    assert found is not None
    assert (found.id, found.aliases) == (arn("a"), ("a",))
    assert "/" not in transport.asked[0][1].removeprefix("/model-customization-jobs/")


@pytest.mark.parametrize("status", [404, 400])
def test_a_missing_job_is_absent_with_the_status_code_of_botocore_and_of_moto(status: int) -> None:
    transport = CannedTransport([answer({"__type": "com.amazonaws.bedrock#ResourceNotFoundException"}, status)])

    assert asked(transport, lambda controller: controller.get_job(a_job("a"))) is None


def test_a_throttled_stop_was_not_delivered() -> None:
    transport = CannedTransport([answer({"__type": "ThrottlingException"}, 400, retry_after_s=3.0)])
    with pytest.raises(TransientError) as caught:
        asked(transport, lambda controller: controller.cancel_job(a_job("a")))

    assert (caught.value.delivered, caught.value.retry_after_s) == (Delivered.NO, 3)


def test_a_conflict_on_a_job_that_still_runs_is_an_error() -> None:
    conflict = answer({"__type": "ConflictException", "message": "not now"}, 400)
    transport = CannedTransport([conflict, answer({"jobName": "a", "status": "InProgress"})])
    with pytest.raises(PermanentError, match="ConflictException: not now") as caught:
        asked(transport, lambda controller: controller.cancel_job(a_job("a")))

    assert caught.value.kind is Kind.REFUSED


def test_an_empty_page_with_a_token_is_not_the_last_page() -> None:
    transport = CannedTransport([answer({"modelCustomizationJobSummaries": [], "nextToken": "on"})])
    page = asked(transport, lambda controller: controller.list_page(ListQuery(10), None))

    assert (page.jobs, page.next_cursor) == ((), "on")


def test_a_credential_that_is_not_a_key_pair_is_missing_and_nothing_is_sent() -> None:
    transport = CannedTransport([])
    with pytest.raises(PermanentError, match="ACCESS_KEY_ID:SECRET_ACCESS_KEY") as caught:
        ask("bedrock", OPTIONS, "just-one-word", transport, lambda controller: controller.get_job(a_job("a")))

    assert caught.value.kind is Kind.MISSING
    assert "just-one-word" not in str(caught.value)
    assert transport.asked == []


def test_a_session_token_is_sent_and_redacted_from_responses_like_the_signing_key() -> None:
    token = "canary-session-token"  # noqa: S105 - a canary
    transport = CannedTransport([answer({"__type": "ValidationException", "message": "no"}, 400)])
    with pytest.raises(PermanentError):
        ask("bedrock", OPTIONS, f"A:{SECRET}:{token}", transport, lambda controller: controller.get_job(a_job("a")))

    assert transport.headers["X-Amz-Security-Token"] == token
    assert transport.concealed == {SECRET, token}


@pytest.mark.parametrize("id_", ["a", "my-job.v1+2", "A" * 63, arn("a")])
def test_job_names_and_arns_are_valid_ids(id_: str) -> None:
    assert re.fullmatch(TYPE.id_pattern, id_)


@pytest.mark.parametrize(
    "id_", ["", "-a", "a/b", "a?b", "a b", "a_b", "A" * 64, "arn:aws:s3:::bucket", arn("a") + "/stop"]
)
def test_anything_but_a_name_or_an_arn_is_not_a_valid_id(id_: str) -> None:
    assert re.fullmatch(TYPE.id_pattern, id_) is None


@pytest.mark.parametrize(
    ("region", "url"),
    [
        ("us-east-1", "https://bedrock.us-east-1.amazonaws.com"),
        ("us-gov-west-1", "https://bedrock.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "https://bedrock.cn-north-1.amazonaws.com.cn"),
        ("us-iso-east-1", "https://bedrock.us-iso-east-1.c2s.ic.gov"),
        ("us-isob-east-1", "https://bedrock.us-isob-east-1.sc2s.sgov.gov"),
        ("eusc-de-east-1", "https://bedrock.eusc-de-east-1.amazonaws.eu"),
    ],
)
def test_each_region_has_its_own_host_which_needs_no_binding(region: str, url: str) -> None:
    options = TYPE.options.model_validate({"region": region})

    assert TYPE.own_url(options) == url
    assert Trust.read({}, {}).check(TYPE, options, None, url) is None


def test_ambient_credentials_are_sent_to_another_host_only_if_bound_to_it() -> None:
    options = TYPE.options.model_validate(OPTIONS)
    elsewhere = "http://127.0.0.1:5566"
    bound = Trust.read({"RECONCILE_TRUST": "AWS_ACCESS_KEY_ID=127.0.0.1:5566"}, {})
    named = Trust.read({"AWS_ENDPOINT_URL_BEDROCK": elsewhere}, {})

    assert "AWS_ACCESS_KEY_ID is not bound" in str(Trust.read({}, {}).check(TYPE, options, None, elsewhere))
    assert Trust.read({}, {}).check(TYPE, options, None, "https://bedrock.eu-west-1.amazonaws.com")
    assert bound.check(TYPE, options, None, elsewhere) is None
    assert named.check(TYPE, options, None, elsewhere) is None


@pytest.mark.parametrize("region", ["", "us-east-1.evil.example", "evil.example/", "evil.example#-1", "us-east-1\n"])
def test_no_option_selects_a_host_outside_aws(region: str) -> None:
    with pytest.raises(ValidationError):
        TYPE.options.model_validate({"region": region})


def test_two_aws_accounts_in_one_region_are_distinct_accounts() -> None:
    one = TYPE.options.model_validate({"region": REGION, "accountId": "123456789012"})

    assert TYPE.scope(one) == (("account_id", "123456789012"), ("region", REGION))
    assert TYPE.scope(TYPE.options.model_validate(OPTIONS)) == (("region", REGION),)


def test_an_account_id_that_responses_contradict_is_an_error() -> None:
    ask_there = partial(ask, "bedrock", {**OPTIONS, "accountId": "999999999999"}, f"{ACCESS_KEY}:{SECRET}")
    row = {"jobName": "a", "jobArn": arn("a"), "status": "InProgress"}
    with pytest.raises(PermanentError, match="the credential belongs to AWS account 123456789012") as one:
        ask_there(CannedTransport([answer(row)]), lambda controller: controller.get_job(a_job("a")))
    page = answer({"modelCustomizationJobSummaries": [row]})
    with pytest.raises(PermanentError, match="the credential belongs to AWS account 123456789012") as listed:
        ask_there(CannedTransport([page]), lambda controller: controller.list_page(ListQuery(9), None))

    assert {one.value.kind, listed.value.kind} == {Kind.MISSING}


@pytest.mark.parametrize("options", [{"region": "eu-west-1"}, {"region": REGION, "accountId": "999999999999"}])
def test_an_arn_of_another_region_or_account_is_rejected(options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"AWS account 123456789012 in .*, but the options name "):
        TYPE.canonical_id(arn("a"), TYPE.options.model_validate(options))

    assert TYPE.canonical_id(arn("a"), TYPE.options.model_validate(OPTIONS)) == arn("a")
