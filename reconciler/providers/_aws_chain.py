"""AWS credentials from botocore's chain: variables, profiles, roles, SSO, web identity, a program, or the machine.

A profile that requires an MFA code causes `NeedsPersonError` instead of a prompt. The chain also raises exceptions that
are not botocore's, such as `FileNotFoundError` for a credential program that is not installed.

Sources: botocore 1.44.8 `credentials.py`, `tokens.py`, `utils.py`; docs.aws.amazon.com/STS, common errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from reconciler.plugin import PermanentError, TransientError
from reconciler.plugin.answers import THROTTLING_CODES
from reconciler.providers._ambient_credentials import silence_libraries
from reconciler.providers._vendor_errors import AWS, Cause, as_code, cause_of, cause_of_status, credentials_error

HINT = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or run where a role is attached; `aws sts "
    "get-caller-identity` shows whether these work"
)
TRANSIENT_CODES = THROTTLING_CODES | {
    "IDPCommunicationError",
    "InternalFailure",
    "InternalServerException",
    "ServiceUnavailable",
}
"""Error codes that mean a temporary failure, whatever the HTTP status."""
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "UnauthorizedException"})

_STATUS = re.compile(r"non 200 response \(?(\d{3})")
"""Finds the HTTP status in botocore's message about the metadata service of a container or machine."""
_METADATA_PROVIDERS = frozenset({"container-role", "iam-role"})
"""botocore's names of the providers that use the metadata service of a container or machine."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that a request is signed with. `token` is the session token, or None if the keys have none."""

    access_key: str
    secret_key: str
    token: str | None

    @property
    def is_well_formed(self) -> bool:
        """Whether the keys contain only printable ASCII characters and no spaces. A line break is not printable."""
        together = f"{self.access_key}{self.secret_key}{self.token or ''}"
        return together.isascii() and together.isprintable() and " " not in together


class NeedsPersonError(Exception):
    """A profile requires an MFA code, which only a person can enter."""


class CredentialChain:
    """botocore's credential chain. The credentials that it finds are kept, and botocore refreshes them."""

    def __init__(self) -> None:
        self._found: Any = None

    def keys(self) -> Keys:
        """Return the keys. Keys with a known expiry are refreshed by botocore at least ten minutes before it.

        Raises `TransientError` or `PermanentError` if the chain does not provide well-formed keys.
        """
        silence_libraries()
        try:
            if self._found is None:
                self._found = _session().get_credentials()
            frozen = self._found.get_frozen_credentials() if self._found else None
        except Exception as error:  # noqa: BLE001 - a credential program or file can cause any exception
            failure = error_of(error)
        else:
            failure = credentials_error("AWS", Cause.MISSING, "no key and no role", HINT)
            if frozen is not None and frozen.access_key and frozen.secret_key:
                keys = Keys(frozen.access_key, frozen.secret_key, frozen.token)
                if keys.is_well_formed:
                    return keys
                failure = credentials_error(
                    "AWS", Cause.BROKEN, "a key contains an invalid character, such as a line break", HINT
                )
        raise failure


def error_of(error: Exception) -> TransientError | PermanentError:
    """Return the provider error for an exception from botocore's chain. The exception's message is left out."""
    name, provider = type(error).__name__, getattr(error, "kwargs", {}).get("provider")
    if hasattr(error, "operation_name"):  # a `ClientError`; botocore creates a subclass for each code
        cause, detail = _cause_of_response(error)
    elif provider in _METADATA_PROVIDERS or name == "MetadataRetrievalError":
        cause, detail = _cause_of_metadata(error)
    elif isinstance(error, NeedsPersonError):
        cause, detail = Cause.PERSON, "an MFA code"
    elif provider == "custom-process" or (not type(error).__module__.startswith("botocore") and _runs_a_program()):
        cause, detail = Cause.PROGRAM, f"credential_process, {name}"
    else:
        cause, detail = cause_of(error, AWS), name
    return credentials_error("AWS", cause, detail, HINT)


def _cause_of_response(error: Any) -> tuple[Cause, str]:
    """Return the cause of an error response from STS or SSO, and a detail: the error code and the operation."""
    answer: Mapping[str, Any] = error.response if isinstance(error.response, dict) else {}
    code = as_code((answer.get("Error") or {}).get("Code")) or "no error code"
    status = (answer.get("ResponseMetadata") or {}).get("HTTPStatusCode") or 0
    detail = f"{code} from {as_code(error.operation_name) or 'a request'}"
    if code in TRANSIENT_CODES or cause_of_status(status) is Cause.UNAVAILABLE:
        return Cause.UNAVAILABLE, detail
    return (Cause.EXPIRED if code in EXPIRED else Cause.REFUSED), detail


def _cause_of_metadata(error: Exception) -> tuple[Cause, str]:
    """Return the cause of a failure of the metadata service: `UNAVAILABLE` unless the status shows another cause."""
    found = _STATUS.search(str(error))
    status = int(found[1]) if found else 0
    return cause_of_status(status) or Cause.UNAVAILABLE, f"HTTP {status}" if status else type(error).__name__


def _runs_a_program() -> bool:
    """Return whether the profile in use, or one of its source profiles, gets its keys from a program."""
    with suppress(Exception):
        from botocore.session import Session  # noqa: PLC0415 - an extra

        session = Session()
        profiles = session.full_config.get("profiles", {})
        name = session.get_config_variable("profile") or "default"
        for _ in profiles:
            if "credential_process" in profiles[name]:
                return True
            name = profiles[name]["source_profile"]
    return False


def _session() -> Any:
    """Return a botocore session that raises `NeedsPersonError` instead of prompting for an MFA code."""
    from botocore.session import Session  # noqa: PLC0415 - an extra

    session = Session()
    roles = session.get_component("credential_provider").get_provider("assume-role")
    roles._prompter = _refuse_prompt  # noqa: SLF001 - botocore has no public option for it
    return session


def _refuse_prompt(_prompt: str) -> str:
    raise NeedsPersonError
