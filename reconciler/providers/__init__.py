"""How a provider is asked: one file each, loaded only when a spec names it."""

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
"""The types that ship, by the word in `spec.type`; others come from the entry point group."""


def known() -> tuple[str, ...]:
    """Return every name that `load` takes, sorted."""
    return tuple(sorted({*NAMES, *_installed().names}))


@cache
def _installed() -> EntryPoints:
    """Return what is installed besides, which is looked for once: it takes milliseconds, and each spec may ask."""
    return entry_points(group=ENTRY_POINTS)


def load(name: str) -> ProviderType:
    """Return the provider type of that name; one that ships wins over an entry point.

    Raises LookupError with a sentence: the name is not known, or what it stands for cannot be imported.
    """
    if name in NAMES:
        found = EntryPoint(name, NAMES[name], ENTRY_POINTS)
    elif name in (installed := _installed()).names:
        found = installed[name]
    else:
        near = get_close_matches(name, known(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known())}"
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
    """Raise LookupError where a plug-in claims a variable of a type that ships: the key there is bound to that one."""
    ours = [load(each) for each in NAMES]
    taken = {variable for each in ours for variable in _variables(each)}
    claimed = sorted({*_variables(type_)} & taken)
    if claimed:
        msg = (
            f"the provider type {name!r} of {value} claims {' and '.join(claimed)}, which is of a type that "
            "ships with reconcile: it needs a variable of its own"
        )
        raise LookupError(msg)


def _variables(type_: ProviderType) -> Iterator[str]:
    yield from (each for each in (type_.key_variable, *type_.url_variables) if each is not None)
    yield from chain.from_iterable(type_.option_variables.values())
