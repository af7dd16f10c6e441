"""The public API: every public name of `reconciler.plugin` and `reconciler.testing`, with its signature.

A difference may break a third-party adapter. `python -m tests.unit.test_public_api --write` rewrites the file.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, cast, get_origin

import pytest
from pydantic import BaseModel

MODULES = ("reconciler.plugin", "reconciler.plugin.answers", "reconciler.testing")
PLAIN = (bool, int, float, str, tuple, type(None))
PUBLIC = Path(__file__).parent / "public_api.txt"


def api() -> str:
    return "".join(f"{line}\n" for name in MODULES for line in _module(name))


def _module(name: str) -> Iterator[str]:
    module = importlib.import_module(name)
    yield f"# {name}"
    for each in module.__all__:
        yield from _told(each, getattr(module, each))


def _told(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, type) and issubclass(value, enum.Enum):
        yield f"{name}: {', '.join(f'{each.name}={each.value!r}' for each in value)}"
    elif isinstance(value, type):
        bases = ", ".join(base.__name__ for base in value.__bases__ if base is not object)
        yield f"class {name}({bases})" if bases else f"class {name}"
        yield from (f"    {line}" for line in _members(value))
    elif inspect.isfunction(value):
        yield name + _signature(value)
    elif get_origin(value) is Annotated:
        yield f"{name} = {value.__origin__.__name__}"
    else:
        yield f"{name} = {sorted(map(str, value)) if isinstance(value, frozenset) else value!r}"


def _members(cls: type) -> Iterator[str]:
    """Yield the constructor, properties and methods of a class, including those of its bases in reconciler."""
    ours = [base for base in cls.__mro__ if base.__module__.startswith("reconciler.")]
    is_made = not issubclass(cls, BaseModel) and not getattr(cls, "_is_protocol", False)
    for name in sorted({name for base in ours for name in vars(base)}):
        member = inspect.getattr_static(cls, name)
        if isinstance(member, property):
            yield f"{name} -> {inspect.signature(cast('Any', member.fget)).return_annotation}"
        elif inspect.isfunction(member) and ((name == "__init__" and is_made) or not name.startswith("_")):
            yield name + _signature(member)


def _signature(function: Callable[..., Any]) -> str:
    """Return the signature, with `…` for a default that may differ from one process to the next."""
    signature = inspect.signature(function)
    plain = [
        each if each.default is each.empty or isinstance(each.default, PLAIN) else each.replace(default=...)
        for each in signature.parameters.values()
    ]
    return str(signature.replace(parameters=plain)).replace("Ellipsis", "…").replace("'", "")


def test_no_public_name_or_signature_has_changed() -> None:
    assert api() == PUBLIC.read_text(encoding="utf-8"), "run python -m tests.unit.test_public_api --write"


@pytest.mark.parametrize("module", MODULES)
def test_every_exported_name_exists_and_is_listed_once(module: str) -> None:
    names = importlib.import_module(module).__all__

    assert len(set(names)) == len(names)
    assert all(hasattr(importlib.import_module(module), name) for name in names)


if __name__ == "__main__" and sys.argv[1:] == ["--write"]:
    PUBLIC.write_text(api(), encoding="utf-8")
