"""The provider types by name. `load` imports the module of a type when the type is first needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from itertools import chain
from types import MappingProxyType

from reconciler.plugin import ProviderType

ENTRY_POINTS = "reconciler.providers"

NAMES: Mapping[str, str] = MappingProxyType(
    {
        "anthropic": "reconciler.providers.anthropic:ANTHROPIC",
        "azure-openai": "reconciler.providers.azure_openai:AZURE_OPENAI",
        "bedrock": "reconciler.providers.bedrock:BEDROCK",
        "gemini": "reconciler.providers.gemini:GEMINI",
        "litellm": "reconciler.providers.litellm:LITELLM",
        "litellm-passthrough": "reconciler.providers.litellm:LITELLM_PASSTHROUGH",
        "mistral": "reconciler.providers.mistral:MISTRAL",
        "nebius": "reconciler.providers.openai:NEBIUS",
        "openai": "reconciler.providers.openai:OPENAI",
        "sagemaker": "reconciler.providers.sagemaker:SAGEMAKER",
        "sandbox": "reconciler.providers.sandbox:SANDBOX",
        "together": "reconciler.providers.together:TOGETHER",
        "vertex-ai": "reconciler.providers.vertex_ai:VERTEX_AI",
        "xai": "reconciler.providers.xai:XAI",
    }
)
"""The built-in types, by the value of `spec.type`. Plug-ins add further types as entry points of `ENTRY_POINTS`."""


def provider_names() -> tuple[str, ...]:
    """Return the names of all built-in and installed types, sorted."""
    return tuple(sorted({*NAMES, *_installed().names}))


@cache
def _installed() -> EntryPoints:
    """Return the installed plug-ins. The result is cached, because the search is slow and each spec may need it."""
    return entry_points(group=ENTRY_POINTS)


def load(name: str) -> ProviderType:
    """Return the provider type with this name. A built-in type takes precedence over a plug-in.

    Raises `LookupError` with a message for the user if the name is unknown, if the type cannot be imported, or if a
    plug-in claims a variable of a built-in type.
    """
    if name in NAMES:
        found = EntryPoint(name, NAMES[name], ENTRY_POINTS)
    elif name in (installed := _installed()).names:
        found = installed[name]
    else:
        nearest = get_close_matches(name, provider_names(), n=1)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"the types are {', '.join(provider_names())}"
        msg = f"{name!r} is not a provider type; {hint}"
        raise LookupError(msg)
    try:
        loaded: ProviderType = found.load()
    except (ImportError, AttributeError) as error:
        msg = f"the provider type {name!r} cannot be loaded from {found.value}: {error}"
        raise LookupError(msg) from error
    if name not in NAMES:
        _check_variables(name, found.value, loaded)
    return loaded


def _check_variables(name: str, value: str, type_: ProviderType) -> None:
    """Raise `LookupError` if a plug-in claims a variable of a built-in type, so that no plug-in receives its key."""
    built_in = [load(each) for each in NAMES]
    reserved = {variable for each in built_in for variable in _variables(each)}
    claimed = sorted({*_variables(type_)} & reserved)
    if claimed:
        msg = (
            f"the provider type {name!r} of {value} claims {' and '.join(claimed)}, which belongs to a built-in type: "
            "the plug-in must use another variable"
        )
        raise LookupError(msg)


def _variables(type_: ProviderType) -> Iterator[str]:
    yield from (each for each in (type_.key_variable, *type_.url_variables) if each is not None)
    yield from chain.from_iterable(type_.option_variables.values())
