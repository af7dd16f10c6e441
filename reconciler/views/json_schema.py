"""The format of the documents as one JSON Schema, and as a flat list of fields for `explain` and the reference.

Everything is derived from the pydantic models that read the documents, so that nothing is defined twice. The schema
requires numbers and booleans without quotes, because an editor resolves the types of YAML. `reconcile` accepts them
in quotes too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from reconciler.model.kind import DOCUMENTS
from reconciler.model.operator import OPERATOR_KINDS

Kinds = Mapping[str, type[BaseModel]]
"""The model of each kind of document, by the name of the kind."""
DIALECT = "https://json-schema.org/draft/2020-12/schema"
ALL_KINDS: Kinds = MappingProxyType({**DOCUMENTS, **OPERATOR_KINDS})

Options = Mapping[str, type[BaseModel]]
"""The model of `spec.options`, by provider type."""

REQUIRED, OPTIONAL = "required", "optional"
_KEYWORDS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}
"""JSON Schema's names for bounds. If a validator runs before a bound is checked, pydantic writes its own names."""


class _Untitled(GenerateJsonSchema):
    """A schema generator that writes no titles, because pydantic only derives them from the names of the fields."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Return False, so that no field gets a title."""
        del schema
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldNote:
    """The description of one field. `path` begins with a kind, or with a provider type if the field is an option."""

    path: str
    type: str
    need: str
    """Whether an author must write the field, and its default; or that no author writes it."""
    description: str

    @property
    def is_required(self) -> bool:
        """Whether an author must write the field."""
        return self.need == REQUIRED


def json_schema(options: Options, kinds: Kinds = DOCUMENTS) -> dict[str, Any]:
    """Return the JSON Schema of a document of any of these kinds. A Provider's options depend on its type."""
    options = options if "Provider" in kinds else {}
    references, definitions = _definitions(kinds, options)
    if options:
        definitions["ProviderSpec"]["allOf"] = [
            {
                "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
                "then": {"properties": {"options": references[name]}},
            }
            for name in options
        ]
    return {
        "$schema": DIALECT,
        "title": f"reconcile: {', '.join(kinds)}",
        "oneOf": [references[kind] for kind in kinds],
        "$defs": definitions,
    }


def field_notes(options: Options) -> tuple[FieldNote, ...]:
    """Return every field: the fields of the kinds, then the options of each type. A mapping precedes its own fields."""
    references, definitions = _definitions(ALL_KINDS, options)
    return tuple(
        note
        for root, reference in references.items()
        for note in _walk(root, reference, definitions, is_required=root in ALL_KINDS)
    )


def _definitions(kinds: Kinds, options: Options) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Return the reference to each kind and to each type's options, and the definitions that they refer to."""
    models = {**kinds, **options}
    references, schema = models_json_schema(
        [(model, "validation") for model in dict.fromkeys(models.values())],
        by_alias=True,
        schema_generator=_Untitled,
    )
    definitions = {name: _with_standard_keywords(definition) for name, definition in schema["$defs"].items()}
    return {name: references[model, "validation"] for name, model in models.items()}, definitions


def _with_standard_keywords(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            _KEYWORDS.get(key, key): _with_standard_keywords(value)
            for key, value in node.items()
            if not (key == "default" and value is None)
        }
    return [_with_standard_keywords(each) for each in node] if isinstance(node, list) else node


def _walk(path: str, node: dict[str, Any], definitions: dict[str, Any], *, is_required: bool) -> Iterator[FieldNote]:
    choices = _choices(node, definitions)
    described = [each["description"] for each in (node, *choices) if "description" in each]
    yield FieldNote(
        path=path,
        type=_types(node, definitions),
        need=REQUIRED if is_required else _optional(node),
        description=" ".join(described[0].split()) if described else "",
    )
    for choice in choices:
        holder = _resolved(choice.get("items", choice), definitions)
        for key, value in holder.get("properties", {}).items():
            yield from _walk(f"{path}.{key}", value, definitions, is_required=key in holder.get("required", ()))


def _optional(node: dict[str, Any]) -> str:
    """Return that a field is optional, with its default if that is a number, a word or a flag.

    The default of a field with examples is left out, because the schema writes it in another form than documents.
    """
    default = node.get("default")
    if not isinstance(default, int | float | str) or default == "" or "examples" in node:
        return OPTIONAL
    return f"{OPTIONAL}; default {str(default).lower() if isinstance(default, bool) else default}"


def _choices(node: dict[str, Any], definitions: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the alternatives that a field accepts, without null, which means the same as leaving the field out."""
    node = _resolved(node, definitions)
    alternatives = node.get("anyOf") or node.get("oneOf") or [node]
    return [_resolved(each, definitions) for each in alternatives if each.get("type") != "null"]


def _resolved(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    reference = node.get("$ref")
    found: dict[str, Any] = node if reference is None else definitions[reference.rpartition("/")[2]]
    return found


def _types(node: dict[str, Any], definitions: dict[str, Any]) -> str:
    return " or ".join(dict.fromkeys(_type(choice, definitions) for choice in _choices(node, definitions)))


def _type(node: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "enum" in node or "const" in node:
        return ", ".join(node.get("enum") or [str(node["const"])])
    match node.get("type"):
        case "array":
            return f"list of {_types(node.get('items', {}), definitions)}"
        case "object":
            return "mapping"
        case "boolean":
            return "true or false"
        case "integer" | "number":
            return f"{'whole number' if node['type'] == 'integer' else 'number'}{_bounds(node)}"
        case "string" if node.get("format") == "date-time":
            return "time, as 2026-12-01T00:00:00Z"
        case "string":
            return ", as ".join(["text", *([" ".join(node["examples"])] if "examples" in node else [])])
        case _:
            return "anything"


def _bounds(node: dict[str, Any]) -> str:
    words = {"exclusiveMinimum": "more than", "minimum": "at least", "maximum": "at most"}
    bounds = [f"{word} {node[key]}" for key, word in words.items() if key in node]
    return f", {', '.join(bounds)}" if bounds else ""
