"""The operator's file: what holds for every spec, said where no author of specs can write.

It is read as the documents are, strictly, and is none of them: below the specs directory no such kind is known. A
repository may tighten what stands here, and never loosen it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from reconciler.model.scalar import Flag, Word
from reconciler.model.spec import GLOBS_MAX, Document, Metadata, Safety

RULES_MAX = 1000
CredentialName = Annotated[Word, Field(description="A variable, or the path of a file.")]
KindName = Literal["FineTuningJob"]


class PathRule(Document):
    """Which spec files may use a credential."""

    credential: CredentialName
    host: Word | None = Field(
        None, description="Where it may be used, as host or host:port; left out, wherever it is trusted."
    )
    specs: Annotated[tuple[Word, ...], Field(min_length=1, max_length=GLOBS_MAX)] = Field(
        description="At most 100 globs below the specs directory."
    )


class OperatorSafety(Safety):
    """The guard's limits. With a flag or variable beside them, the stricter one holds."""

    kinds: dict[KindName, Safety] = Field(
        default_factory=dict, description="Limits on all jobs of a kind, in the place of the general ones."
    )
    credentials: dict[CredentialName, Safety] = Field(
        default_factory=dict, description="Limits on each account of a credential, in the place of the general ones."
    )


class OperatorSpec(Document):
    """What the operator rules."""

    trust: Annotated[dict[CredentialName, tuple[Word, ...]], Field(max_length=RULES_MAX)] = Field(
        default_factory=dict,
        description="Where each credential may be sent: host, host:port or host/path, besides what --trust says.",
        examples=[{"OPENAI_API_KEY": ["gateway.example.org/v1/acme"]}],
    )
    paths: Annotated[tuple[PathRule, ...], Field(max_length=RULES_MAX)] = Field(
        (),
        description="Which spec files may use which credential. A credential that stands here is for these files only, "
        "whatever any allowedPaths says.",
    )
    safety: OperatorSafety = Field(default_factory=OperatorSafety, description="The guard's limits.")
    suspend: Flag = Field(default=False, description="true: nothing anywhere is changed.")


class OperatorConfig(Document):
    """What holds for every spec. In a file of its own, outside of the specs: --config."""

    api_version: Literal["jobs.reconciler/v1"]
    kind: Literal["OperatorConfig"]
    metadata: Metadata | None = Field(None, description="May be left out: there is one such file.")
    spec: OperatorSpec


OPERATOR_KINDS: dict[str, type[BaseModel]] = {"OperatorConfig": OperatorConfig}
"""What the operator's file holds. It is none of the kinds that specs have."""
