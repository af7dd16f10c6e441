"""How the exceptions of the vendors' credential libraries are classified, without repeating their messages."""

from __future__ import annotations

import inspect
import logging
import socket
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from reconciler.errors import Delivered, Kind, PermanentError, TransientError
from reconciler.providers import _aws_chain, _entra, _google
from reconciler.providers._ambient_credentials import LOGGERS, silence_libraries
from reconciler.providers._vendor_errors import AWS, AZURE, GOOGLE, Cause, as_code, cause_of, credentials_error

CANARY = "canary-of-what-a-library-was-given"
MODULES = (
    ("botocore.exceptions", AWS),
    ("google.auth.exceptions", GOOGLE),
    ("azure.core.exceptions", AZURE),
    ("azure.identity._exceptions", AZURE),
)


def exceptions_of(module: str) -> Iterator[str]:
    """Yield the names of the exceptions that a module defines, without its warnings."""
    for name, each in vars(pytest.importorskip(module)).items():
        is_own = inspect.isclass(each) and each.__module__ == module
        if is_own and issubclass(each, Exception) and not issubclass(each, Warning):
            yield name


@pytest.mark.parametrize(("module", "table"), MODULES, ids=[module for module, _ in MODULES])
def test_every_exception_of_a_vendor_library_is_classified(module: str, table: Mapping[str, Cause]) -> None:
    assert sorted(set(exceptions_of(module)) - set(table)) == []


@pytest.mark.parametrize("cause", Cause)
def test_an_unavailable_vendor_is_transient_and_other_causes_are_missing_credentials(cause: Cause) -> None:
    error = credentials_error("AWS", cause, "Detail", "do this")

    if cause is Cause.UNAVAILABLE:
        assert isinstance(error, TransientError)
        assert error.delivered is Delivered.NO
    else:
        assert isinstance(error, PermanentError)
        assert error.kind is Kind.MISSING
        assert str(error).endswith("; do this")
    assert "Detail" in str(error)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ConnectionRefusedError(), Cause.UNAVAILABLE),
        (TimeoutError(), Cause.UNAVAILABLE),
        (socket.gaierror(), Cause.UNAVAILABLE),
        (FileNotFoundError(), Cause.BROKEN),
        (KeyError(), Cause.BROKEN),
        (RuntimeError(), Cause.BROKEN),
    ],
)
@pytest.mark.parametrize("table", [AWS, AZURE, GOOGLE], ids=["aws", "azure", "google"])
def test_a_python_exception_is_an_outage_only_if_it_is_about_the_network(
    table: Mapping[str, Cause], error: Exception, cause: Cause
) -> None:
    assert cause_of(error, table) is cause


@pytest.mark.parametrize("text", ["AccessDenied", "invalid_grant", "AADSTS7000215", "Client.Denied"])
def test_an_error_code_is_reported(text: str) -> None:
    assert as_code(text) == text


@pytest.mark.parametrize("text", ["", "a sentence", "sk-12345678", "a" * 65, "x=1", None, 3, {}])
def test_text_that_is_not_an_error_code_is_not_reported(text: object) -> None:
    assert as_code(text) is None


# --- AWS ---


def refused(code: str, status: int = 400, operation: str = "AssumeRole") -> Exception:
    """Return the exception that botocore raises for an error response of STS or SSO."""
    answer = {"Error": {"Code": code, "Message": CANARY}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error: Exception = pytest.importorskip("botocore.exceptions").ClientError(answer, operation)
    return error


@pytest.mark.parametrize("code", ["Throttling", "RequestLimitExceeded", "IDPCommunicationError", "ServiceUnavailable"])
def test_aws_outage_codes_are_transient_regardless_of_the_status(code: str) -> None:
    assert isinstance(_aws_chain.error_of(refused(code)), TransientError)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_aws_outage_statuses_are_transient_regardless_of_the_code(status: int) -> None:
    assert isinstance(_aws_chain.error_of(refused("Whatever", status)), TransientError)


@pytest.mark.parametrize(
    "code", ["AccessDenied", "ForbiddenException", "InvalidIdentityToken", "ExpiredTokenException"]
)
def test_an_aws_rejection_is_reported_by_its_code_and_operation(code: str) -> None:
    error = _aws_chain.error_of(refused(code, 403))

    assert isinstance(error, PermanentError)
    assert f"({code} from AssumeRole)" in str(error)
    assert CANARY not in str(error)


@pytest.mark.parametrize(
    ("provider", "words", "kind"),
    [
        ("custom-process", CANARY, PermanentError),
        ("iam-role", "response did not contain: " + CANARY, TransientError),
        ("container-role", f"Received non 200 response 500 from container metadata: {CANARY}", TransientError),
        ("container-role", f"Received non 200 response 429 from container metadata: {CANARY}", TransientError),
        ("container-role", f"Received non 200 response 403 from container metadata: {CANARY}", PermanentError),
    ],
)
def test_an_aws_retrieval_error_is_classified_by_its_credential_provider(
    provider: str, words: str, kind: type[Exception]
) -> None:
    exceptions = pytest.importorskip("botocore.exceptions")
    error = _aws_chain.error_of(exceptions.CredentialRetrievalError(provider=provider, error_msg=words))

    assert isinstance(error, kind)
    assert CANARY not in str(error)


# --- Google ---


@pytest.mark.parametrize(
    ("status", "answer", "kind", "told"),
    [
        (400, {"error": "invalid_grant", "error_description": CANARY}, PermanentError, "invalid_grant, HTTP 400"),
        (
            403,
            f'{{"error": {{"status": "PERMISSION_DENIED", "message": "{CANARY}"}}}}',
            PermanentError,
            "PERMISSION_DENIED",
        ),
        (400, {"error": "temporarily_unavailable"}, TransientError, "temporarily_unavailable"),
        (502, f"<html>{CANARY}</html>", TransientError, "HTTP 502"),
        (429, {}, TransientError, "HTTP 429"),
        (None, None, PermanentError, "RefreshError"),
    ],
)
def test_a_google_rejection_is_classified_by_its_status_and_code(
    status: int | None, answer: Any, kind: type[Exception], told: str
) -> None:
    exceptions = pytest.importorskip("google.auth.exceptions")
    error = _google.error_of(exceptions.RefreshError(CANARY, answer), status)

    assert isinstance(error, kind)
    assert told in str(error)
    assert CANARY not in str(error)


def test_a_google_outage_wrapped_in_another_exception_is_transient() -> None:
    exceptions = pytest.importorskip("google.auth.exceptions")
    behind = exceptions.TransportError(CANARY)
    error = exceptions.RefreshError(behind)
    error.__cause__ = behind

    assert isinstance(_google.error_of(error, None), TransientError)


# --- Microsoft Entra ---


def test_an_entra_outage_is_transient_even_if_other_credentials_are_missing() -> None:
    azure = pytest.importorskip("azure.identity")
    core = pytest.importorskip("azure.core.exceptions")
    raised = [azure.CredentialUnavailableError(CANARY), core.ServiceRequestError(CANARY)]

    assert isinstance(_entra.error_of(raised, [], had_token=False), TransientError)


def test_an_entra_rejection_is_reported_by_its_code() -> None:
    core = pytest.importorskip("azure.core.exceptions")
    raised = [core.ClientAuthenticationError(f"AADSTS7000215: Invalid client secret provided: {CANARY}")]
    error = _entra.error_of(raised, [], had_token=True)

    assert isinstance(error, PermanentError)
    assert "AADSTS7000215" in str(error)
    assert CANARY not in str(error)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_entra_outage_is_transient_even_if_the_library_reports_no_credential(status: int) -> None:
    azure = pytest.importorskip("azure.identity")
    error = _entra.error_of([azure.CredentialUnavailableError(CANARY)], [status], had_token=False)

    assert isinstance(error, TransientError)
    assert f"HTTP {status}" in str(error)


@pytest.mark.parametrize(("had_token", "kind"), [(True, TransientError), (False, PermanentError)])
def test_a_missing_entra_identity_is_transient_only_if_it_had_a_token_before(
    *, had_token: bool, kind: type[Exception]
) -> None:
    azure = pytest.importorskip("azure.identity")

    assert isinstance(_entra.error_of([azure.CredentialUnavailableError(CANARY)], [], had_token=had_token), kind)


# --- logging ---------


@pytest.mark.parametrize("name", LOGGERS)
def test_log_messages_of_vendor_libraries_are_not_written(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    silence_libraries()
    logging.getLogger(f"{name}.below").error(CANARY)
    logging.getLogger(name).error(CANARY)

    assert capfd.readouterr() == ("", "")
