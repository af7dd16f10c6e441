"""The base class of everything that users write as YAML."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class PlacedError(ValueError):
    """An error in a part of the value that a validator checks, for a report at the line of that part."""

    def __init__(self, message: str, path: tuple[str | int, ...]) -> None:
        """Create the error. `path` leads from the value that the validator checks to the part."""
        super().__init__(message)
        self.path = path


class Document(BaseModel):
    """Base class of documents and of the options of provider types.

    It is frozen, has camelCase keys, and refuses unknown keys. Code may also use the Python names of its fields.
    """

    model_config = ConfigDict(
        frozen=True,
        defer_build=True,  # building all models takes longer than reading a small repository
        extra="forbid",
        hide_input_in_errors=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
    )
