from __future__ import annotations

import pytest

from reconciler.model.job import Account, JobRef
from reconciler.providers._not_found import BATCH, names_missing, says_missing

REF = JobRef(Account("anthropic", "https://canned.example", kind="BatchJob"), "msgbatch_1")
WITH_THE_ID = [
    "Message batch with id msgbatch_1 not found.",
    "No batch found with id 'msgbatch_1'.",
    'No message batch found with id "msgbatch_1"',
    "Batch not found: No batch found with id 'msgbatch_1'",
    "Batch msgbatch_1 not found",
    "Batch 'msgbatch_1' was not found.",
    "The batch (msgbatch_1) does not exist",
    "msgbatch_1 not found",
    "'msgbatch_1' does not exist",
    "batches/msgbatch_1 is not found.",
    "Not found: msgbatch_1",
    "not found: batch msgbatch_1",
    "Unknown batch: msgbatch_1",
    "could not find batch with id msgbatch_1",
    "Batch with id msgbatch_1 doesn't exist",
    "Batch id msgbatch_1 cannot be found",
    "No such batch: msgbatch_1",
    "no such job: msgbatch_1",
    "Error code: 404 - No batch found with id 'msgbatch_1'.",
    "No batch exists with id msgbatch_1",
    "No batch with ID msgbatch_1 exists",
    "There is no batch with id msgbatch_1",
    "Batch msgbatch_1 not found (GET /v1/messages/batches/msgbatch_1)",
    "Batch msgbatch_1 no longer exists",
    "Resource 'msgbatch_1' not found",
    "Batch with id: msgbatch_1 not found",
    "Sorry, batch msgbatch_1 was not found",
    "Unable to find the batch msgbatch_1 in this workspace",
    "Batch msgbatch_1 could not be found in workspace w",
    "Batch 'msgbatch_1' has not been found",
    "Could not find message batch msgbatch_1.",
    "batch_not_found: Batch msgbatch_1 not found",
    "404 batch msgbatch_1 not found",
    "The requested batch msgbatch_1 was not found in this project.",
    "No batch msgbatch_1",
    "Batch ID 'msgbatch_1' not found",
]
WITHOUT_THE_ID = [
    "batch not found",
    "Message batch not found",
    "Batch cannot be found",
    "Batch not found at /v1/messages/batches/msgbatch_1",
    "Batch job ID does not exist",
    "No batch job found with this id",
    "Error: batch job could not be found",
    "Batch not found.",
]
ABOUT_SOMETHING_ELSE = [
    "The model of batch msgbatch_1 was not found",
    "Results for message batch msgbatch_1 not found",
    "Results for message batch msgbatch_1: not found",
    "Route for message batch msgbatch_1: no healthy upstream",
    "No upstream for msgbatch_1",
    "no route for msgbatch_1",
    "nothing for msgbatch_1",
    "No results found for batch msgbatch_1",
    "Could not find model for batch msgbatch_1",
    "Could not find the results of batch msgbatch_1",
    "Not found: /v1/messages/batches/msgbatch_1",
    "Route GET:/v1/messages/batches/msgbatch_1 not found",
    "no route for /v1/messages/batches/msgbatch_1: batch not found",
    "/v1/messages/batches/msgbatch_1: batch not found",
    "Cannot GET /v1/messages/batches/msgbatch_1",
    "Batch msgbatch_12 not found",
    "Batch xmsgbatch_1 not found",
    "Batch msgbatch_1-a not found",
    "Batch msgbatch_1 results not found",
    "No batch msgbatch_1 results",
    "Model not found: msgbatch_1",
    "Method not found: batches.get",
    "The batch API is not enabled",
    "Batches not found",
    "The batch job endpoint does not exist",
    "unknown service: batch job",
    "model 'batch-command' not found",
    "Requested entity was not found.",
    "Not found",
    "Workspace for batch msgbatch_1 does not exist",
    "Batch msgbatch_1's model was not found",
    "msgbatch_1",
    "Upstream for batch not found",
    "The output file of msgbatch_1 does not exist",
    "no healthy upstream: msgbatch_1",
    "Batch msgbatch_1: model not found",
    "Batch msgbatch_1 upstream not found",
    "could not find batch msgbatch_1 upstream",
    "no such route: batch/msgbatch_1",
    "no such route: msgbatch_1",
    "No deployment found for batch msgbatch_1",
    "The batch's file does not exist",
]


@pytest.mark.parametrize("message", WITH_THE_ID)
def test_a_message_whose_subject_is_the_id_says_that_the_job_does_not_exist(message: str) -> None:
    assert names_missing(message, REF, BATCH)
    assert says_missing(message, REF, BATCH)


@pytest.mark.parametrize("message", WITHOUT_THE_ID)
def test_a_message_whose_subject_is_the_kind_does_not_name_the_job(message: str) -> None:
    assert says_missing(message, REF, BATCH)
    assert not names_missing(message, REF, BATCH)


@pytest.mark.parametrize("message", ABOUT_SOMETHING_ELSE)
def test_a_message_whose_subject_is_something_else_says_nothing_about_the_job(message: str) -> None:
    assert not says_missing(message, REF, BATCH)
