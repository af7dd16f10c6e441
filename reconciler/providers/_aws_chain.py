"""AWS credentials as botocore finds them: variables, profiles, a role, SSO, a web identity, a program, the machine's.

Rules: botocore never asks a person for a code: it raises instead. Exceptions that are not botocore's come out of it as
well; a program that is not installed is a FileNotFoundError.

Sources: botocore 1.44.8 `credentials.py`, `tokens.py`, `utils.py`; docs.aws.amazon.com/STS, common errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from reconciler.plugin import PermanentError, TransientError
from reconciler.providers._ambient_credentials import silence_libraries
from reconciler.providers._aws_errors import THROTTLED
from reconciler.providers._vendor_errors import AWS, Cause, as_code, cause_of, cause_of_status, not_to_be_had

HINT = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or run where a role is attached; `aws sts "
    "get-caller-identity` shows whether these work"
)
TROUBLE = THROTTLED | {"IDPCommunicationError", "InternalFailure", "InternalServerException", "ServiceUnavailable"}
"""Codes that pass by themselves, whatever their HTTP status."""
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "UnauthorizedException"})

_STATUS = re.compile(r"non 200 response \(?(\d{3})")
"""How botocore begins what it tells of a container's or machine's answer."""
_OF_THIS_MACHINE = frozenset({"container-role", "iam-role"})
"""What botocore calls the providers that ask the container's or the machine's own service."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What a request is signed with."""

    access_key: str
    secret_key: str
    token: str | None

    @property
    def are_clean(self) -> bool:
        """Whether they hold nothing that no key has, such as the line break at the end of a file."""
        together = f"{self.access_key}{self.secret_key}{self.token or ''}"
        return together.isascii() and together.isprintable() and " " not in together


class NeedsPersonError(Exception):
    """A profile needs a code that only a person has."""


class Chain:
    """The places where botocore looks."""

    def __init__(self) -> None:
        self._found: Any = None

    def keys(self) -> Keys:
        """Return keys that hold for some minutes more: botocore refreshes them ten minutes before their time."""
        silence_libraries()
        try:
            if self._found is None:
                self._found = _session().get_credentials()
            frozen = self._found.get_frozen_credentials() if self._found else None
        except Exception as error:  # noqa: BLE001 - what a program or a file of the user's raises is not botocore's
            failure = error_of(error)
        else:
            failure = not_to_be_had("AWS", Cause.MISSING, "no key and no role", HINT)
            if frozen is not None and frozen.access_key and frozen.secret_key:
                keys = Keys(frozen.access_key, frozen.secret_key, frozen.token)
                if keys.are_clean:
                    return keys
                failure = not_to_be_had("AWS", Cause.BROKEN, "a key holds a blank, a line break or the like", HINT)
        raise failure


def error_of(error: Exception) -> TransientError | PermanentError:
    """Return what an exception out of botocore's chain means, without a word of it."""
    name, provider = type(error).__name__, getattr(error, "kwargs", {}).get("provider")
    if hasattr(error, "operation_name"):  # a `ClientError`, of which botocore makes a class for each code
        cause, detail = _of_answer(error)
    elif provider in _OF_THIS_MACHINE or name == "MetadataRetrievalError":
        cause, detail = _of_machine(error)
    elif isinstance(error, NeedsPersonError):
        cause, detail = Cause.PERSON, "an MFA code"
    elif provider == "custom-process" or (not type(error).__module__.startswith("botocore") and _runs_a_program()):
        cause, detail = Cause.PROGRAM, f"credential_process, {name}"
    else:
        cause, detail = cause_of(error, AWS), name
    return not_to_be_had("AWS", cause, detail, HINT)


def _of_answer(error: Any) -> tuple[Cause, str]:
    """Return what an answer of STS, SSO or the like means: its code, and which operation was refused."""
    answer: Mapping[str, Any] = error.response if isinstance(error.response, dict) else {}
    code = as_code((answer.get("Error") or {}).get("Code")) or "without a code"
    status = (answer.get("ResponseMetadata") or {}).get("HTTPStatusCode") or 0
    detail = f"{code} of {as_code(error.operation_name) or 'a request'}"
    if code in TROUBLE or cause_of_status(status) is Cause.AWAY:
        return Cause.AWAY, detail
    return (Cause.EXPIRED if code in EXPIRED else Cause.REFUSED), detail


def _of_machine(error: Exception) -> tuple[Cause, str]:
    """Return what an answer of the container's or machine's own service means: only a 4xx lasts."""
    found = _STATUS.search(str(error))
    status = int(found[1]) if found else 0
    return cause_of_status(status) or Cause.AWAY, f"HTTP {status}" if status else type(error).__name__


def _runs_a_program() -> bool:
    """Whether the profile in use, or one that it takes its keys from, has them from a program."""
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
    """Return a session that raises instead of asking for an MFA code, for which botocore would read the terminal."""
    from botocore.session import Session  # noqa: PLC0415 - an extra

    session = Session()
    roles = session.get_component("credential_provider").get_provider("assume-role")
    roles._prompter = _refuse_to_ask  # noqa: SLF001 - botocore has no public way to say so
    return session


def _refuse_to_ask(_prompt: str) -> str:
    raise NeedsPersonError
