"""The operator's file: rules for every spec, in a place that authors of specs cannot write.

The file is parsed as strictly as a spec, but below the specs directory its kind is unknown. A repository may tighten
these rules and never loosen them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from reconciler.model.scalar import Flag, Word
from reconciler.model.spec import GLOBS_MAX, Document, Metadata, Safety

RULES_MAX = 1000
"""The most entries of `trust` and `paths`. Each is compared with every account and spec."""
CredentialName = Annotated[Word, Field(description="A variable, or the path of a file.")]
KindName = Literal["FineTuningJob"]


class PathRule(Document):
    """Restricts a credential to some spec files."""

    credential: CredentialName
    host: Word | None = Field(
        None, description="The host that the rule is for, as host or host:port. Default: every host that is trusted."
    )
    specs: Annotated[tuple[Word, ...], Field(min_length=1, max_length=GLOBS_MAX)] = Field(
        description="At most 100 globs below the specs directory."
    )


class OperatorSafety(Safety):
    """The guard's limits. With a flag or variable beside them, the stricter one holds."""

    kinds: dict[KindName, Safety] = Field(
        default_factory=dict, description="Limits on all jobs of a kind, instead of the general ones."
    )
    credentials: dict[CredentialName, Safety] = Field(
        default_factory=dict, description="Limits on each account of a credential, instead of the general ones."
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
        description="Which spec files may use which credential. A credential that is listed here is for these files "
        "only, whatever allowedPaths says.",
    )
    safety: OperatorSafety = Field(default_factory=OperatorSafety, description="The guard's limits.")
    suspend: Flag = Field(default=False, description="true: no change is requested anywhere.")


class OperatorConfig(Document):
    """The rules for every spec. They are in a file of their own, outside the specs: --config."""

    api_version: Literal["jobs.reconciler/v1"]
    kind: Literal["OperatorConfig"]
    metadata: Metadata | None = Field(None, description="Optional, because there is only one such file.")
    spec: OperatorSpec


OPERATOR_KINDS: dict[str, type[BaseModel]] = {"OperatorConfig": OperatorConfig}
"""The kinds of document in the operator's file. Specs have none of them."""
