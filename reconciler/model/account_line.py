"""The account line: the text by which statuses and the journal name an account and one kind of job in it.

It contains the provider type, the base URL, the options that identify the account, and the kind, such as
`openai https://api.openai.com/v1 kind=BatchJob`. It is the text of `model.job.Account`.

Rules: the line for fine-tuning jobs names no kind, so that statuses from before there were other kinds stay valid. Two
kinds of job in one account have different lines, so that a line never identifies jobs of two kinds.
"""

from __future__ import annotations

from typing import Literal

FINE_TUNING_JOB = "FineTuningJob"
"""The name of the default kind of job."""
BATCH_JOB = "BatchJob"
"""The name of the kind of batches."""
KIND_NAMES = (FINE_TUNING_JOB, BATCH_JOB)
"""The names of all kinds of job. `model.kind` says what each of them means."""
KindName = Literal["FineTuningJob", "BatchJob"]
"""The type of a field that contains one of `KIND_NAMES`."""
EMBEDDED = "sandbox"
"""The provider type whose jobs are simulated in this process."""
KIND_MARK = " kind="
"""The mark before the kind in an account line. No other part of a line may contain it."""
_PORTS = {"https": 443, "http": 80}


def host_of(base_url: str) -> str:
    """Return the host and port of a normalised base URL. If the URL has no port, the scheme's default port is added."""
    scheme, _, rest = base_url.partition("://")
    host = rest.partition("/")[0]
    return host if host.rpartition(":")[2].isdecimal() else f"{host}:{_PORTS.get(scheme, scheme)}"


def kind_of_line(account: str) -> str:
    """Return the kind of job that an account line names. A line that names no kind is the line for fine-tuning jobs."""
    _, mark, kind = account.rpartition(KIND_MARK)
    return kind if mark else FINE_TUNING_JOB


def without_kind(account: str) -> str:
    """Return an account line without its kind."""
    return account.partition(KIND_MARK)[0]


def titled(name: str, kind: str) -> str:
    """Return the name of an account for display, followed by the kind of its jobs if they are not fine-tuning jobs."""
    return name if kind == FINE_TUNING_JOB else f"{name} {kind}"


def kind_suffix(kind: str) -> str:
    """Return the suffix for a kind other than fine-tuning jobs in the name of a provider status, such as `--batchjob`.

    The name of a Provider document must not end with such a suffix.
    """
    return f"--{kind.lower()}"


def account_title(status_name: str, kind: str) -> str:
    """Return the name of an account for display, from the name of its provider status and the kind of its jobs."""
    return titled(status_name.removesuffix(kind_suffix(kind)), kind)
