"""The provider types: an adapter module for each, imported only when a spec uses it."""

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
        "azure-openai": "reconciler.providers.azure_openai:AZURE_OPENAI",
        "bedrock": "reconciler.providers.bedrock:BEDROCK",
        "litellm": "reconciler.providers.litellm:LITELLM",
        "litellm-passthrough": "reconciler.providers.litellm:LITELLM_PASSTHROUGH",
        "nebius": "reconciler.providers.openai:NEBIUS",
        "openai": "reconciler.providers.openai:OPENAI",
        "sagemaker": "reconciler.providers.sagemaker:SAGEMAKER",
        "sandbox": "reconciler.providers.sandbox:SANDBOX",
        "vertex-ai": "reconciler.providers.vertex_ai:VERTEX_AI",
    }
)
"""The built-in types, by the value of `spec.type`. Further types come from the entry point group."""


def provider_names() -> tuple[str, ...]:
    """Return every name that `load` accepts, sorted."""
    return tuple(sorted({*NAMES, *_installed().names}))


@cache
def _installed() -> EntryPoints:
    """Return the installed plug-ins. Cached, because the search takes milliseconds and each spec may need it."""
    return entry_points(group=ENTRY_POINTS)


def load(name: str) -> ProviderType:
    """Return the provider type of a name. A built-in type takes precedence over an entry point.

    Raises LookupError with a sentence if the name is unknown or its module cannot be imported.
    """
    if name in NAMES:
        found = EntryPoint(name, NAMES[name], ENTRY_POINTS)
    elif name in (installed := _installed()).names:
        found = installed[name]
    else:
        nearest = get_close_matches(name, provider_names(), n=1)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"there are {', '.join(provider_names())}"
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
    """Raise LookupError if a plug-in uses a variable of a built-in type, because its key is bound to that type."""
    built_in = [load(each) for each in NAMES]
    reserved = {variable for each in built_in for variable in _variables(each)}
    claimed = sorted({*_variables(type_)} & reserved)
    if claimed:
        msg = (
            f"the provider type {name!r} of {value} claims {' and '.join(claimed)}, which belongs to a built-in type: "
            "it needs another variable"
        )
        raise LookupError(msg)


def _variables(type_: ProviderType) -> Iterator[str]:
    yield from (each for each in (type_.key_variable, *type_.url_variables) if each is not None)
    yield from chain.from_iterable(type_.option_variables.values())
