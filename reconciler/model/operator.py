"""The operator's file, which contains rules for every spec. Spec authors must not be able to write to it.

The file is parsed as strictly as a spec. Its kind is not accepted below the specs directory. A repository cannot loosen
these rules.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from reconciler.model.scalar import Flag, Word
from reconciler.model.spec import GLOBS_MAX, Document, Metadata, Safety

RULES_MAX = 1000
"""The maximum number of entries in `trust` and in `paths`. Each entry is compared with every account or spec."""
CredentialName = Annotated[Word, Field(description="The environment variable or file that contains the credential.")]
KindName = Literal["FineTuningJob", "BatchJob"]


class PathRule(Document):
    """Restricts a credential to some spec files."""

    credential: CredentialName
    host: Word | None = Field(
        None, description="The host that the rule applies to, as host or host:port. Default: every trusted host."
    )
    specs: Annotated[tuple[Word, ...], Field(min_length=1, max_length=GLOBS_MAX)] = Field(
        description="The spec files that may use the credential: at most 100 globs, relative to the specs directory."
    )


class OperatorSafety(Safety):
    """The guard's limits on changes per hour. If a flag or variable sets the same limit, the stricter value applies."""

    kinds: dict[KindName, Safety] = Field(
        default_factory=dict,
        description="The guard's limits per hour for all jobs of one kind. The general limits still apply to "
        "each account and to all jobs together.",
    )
    credentials: dict[CredentialName, Safety] = Field(
        default_factory=dict,
        description="The guard's limits per hour for one credential. They replace the general limits in each of its "
        "accounts, and in all of its accounts at one host. The general limits still apply to all jobs together.",
    )


class OperatorSpec(Document):
    """The rules of the operator."""

    trust: Annotated[dict[CredentialName, tuple[Word, ...]], Field(max_length=RULES_MAX)] = Field(
        default_factory=dict,
        description="Where each credential may be sent, in addition to --trust: host, host:port or host/path.",
        examples=[{"OPENAI_API_KEY": ["gateway.example.org/v1/acme"]}],
    )
    paths: Annotated[tuple[PathRule, ...], Field(max_length=RULES_MAX)] = Field(
        (),
        description="Which spec files may use which credential. Only these files may use a credential that is listed "
        "here, whatever allowedPaths says.",
    )
    safety: OperatorSafety = Field(default_factory=OperatorSafety, description="The guard's limits.")
    suspend: Flag = Field(default=False, description="If true, no change is requested for any job.")


class OperatorConfig(Document):
    """The operator's rules for every spec, in a file outside the specs directory (--config)."""

    api_version: Literal["jobs.reconciler/v1"]
    kind: Literal["OperatorConfig"]
    metadata: Metadata | None = Field(None, description="Optional, because there is only one such document.")
    spec: OperatorSpec


OPERATOR_KINDS: dict[str, type[BaseModel]] = {"OperatorConfig": OperatorConfig}
"""The kinds of document in the operator's file. They are not accepted below the specs directory."""
