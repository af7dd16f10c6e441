"""The specs directory in a Git checkout that Git cannot read. Its files may be incomplete, so they are not acted on."""

from __future__ import annotations

from dataclasses import dataclass, replace

from reconciler.local.specs_dir import SpecsDir
from reconciler.model.kind import JobDocument
from reconciler.model.status import Origin
from reconciler.ports import Snapshot


@dataclass(frozen=True, slots=True)
class UnreadableSpecs:
    """The `SpecSource` of a checkout that Git cannot read.

    Args:
        specs: the reader of the directory's files.
        why: Git's error.
    """

    specs: SpecsDir
    why: str

    def snapshot(self, *, by_content: bool = True) -> Snapshot:
        """Return every document. `notices` contains Git's error, which may name a path and must not reach a status.

        Without `by_content`, a file whose stamp has not changed is not read again.
        """
        why = "no change is requested, because Git cannot read the checkout: see the log"
        found = self.specs.snapshot(by_content=by_content)
        return replace(
            found, why_not_trusted=why, notices=(*found.notices, f"Git cannot read the checkout: {self.why}")
        )

    def current(self, file: str, name: str) -> JobDocument | None:  # noqa: ARG002  the port's
        """Return None, because this checkout is not acted on."""
        return None

    def is_as_read(self) -> bool:
        """Return False, because this checkout is not acted on."""
        return False

    def origin(self, file: str) -> Origin | None:  # noqa: ARG002  the port's
        """Return None, because the history cannot be read."""
        return None
