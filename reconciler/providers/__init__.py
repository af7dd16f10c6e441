"""The provider types by name. `load` imports the module of a type when the type is first needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from reconciler.plugin import ProviderType

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints

ENTRY_POINTS = "reconciler.providers"

NAMES: Mapping[str, str] = MappingProxyType(
    {
        "anthropic": "reconciler.providers.anthropic:ANTHROPIC",
        "azure-openai": "reconciler.providers.azure_openai:AZURE_OPENAI",
        "bedrock": "reconciler.providers.bedrock:BEDROCK",
        "cohere": "reconciler.providers.cohere:COHERE",
        "fireworks": "reconciler.providers.fireworks:FIREWORKS",
        "gemini": "reconciler.providers.gemini:GEMINI",
        "hf-jobs": "reconciler.providers.hf_jobs:HF_JOBS",
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
"""The built-in types, by the value of `spec.type`. Plug-ins add further types in the group `ENTRY_POINTS`."""


def provider_names() -> tuple[str, ...]:
    """Return the names of all built-in and installed types, sorted."""
    return tuple(sorted({*NAMES, *_installed().names}))


@cache
def _installed() -> EntryPoints:
    """Return the installed plug-ins. The result is cached, because the search is slow and each spec may need it."""
    from importlib.metadata import entry_points  # noqa: PLC0415  slow to import, and needed only for plug-ins

    return entry_points(group=ENTRY_POINTS)


def load(name: str) -> ProviderType:
    """Return the provider type with this name. A built-in type takes precedence over a plug-in.

    Raises `LookupError` with a message for the user if the name is unknown, if the type cannot be imported, or if a
    plug-in claims a variable of a built-in type. Any other exception that the module of a plug-in raises during its
    import is passed on.
    """
    installed = None if name in NAMES else _installed_type(name)
    value = NAMES[name] if installed is None else installed.value
    try:
        loaded: ProviderType = _import(value) if installed is None else installed.load()
    except (ImportError, AttributeError) as error:
        msg = f"the provider type {name!r} cannot be loaded from {value} ({error}): reinstall or update its package"
        raise LookupError(msg) from error
    if installed is not None:
        _check_variables(name, value, loaded)
    return loaded


def _import(value: str) -> Any:
    """Return the object that `module:attribute` names."""
    module, _, attribute = value.partition(":")
    return getattr(import_module(module), attribute)


def _installed_type(name: str) -> EntryPoint:
    """Return the entry point of a plug-in. Raises `LookupError`, with a message for the user, if there is none."""
    installed = _installed()
    if name in installed.names:
        return installed[name]
    nearest = get_close_matches(name, provider_names(), n=1)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"the types are {', '.join(provider_names())}"
    msg = f"{name!r} is not a provider type; {hint}"
    raise LookupError(msg)


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
