"""Functions that store a world in a file, so that the next `reconcile --once` continues with it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile

from reconciler.sandbox.config import SandboxOptions
from reconciler.sandbox.world import World


def open_world(options: SandboxOptions, path: Path, now: datetime, world_type: type[World] = World) -> World:
    """Return the world in a file. If the file is missing or invalid, a new world is created and saved there.

    Raises `OSError` if the file cannot be read or written.
    """
    try:
        return world_type.from_json(options, path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        world = world_type(options, began_at=now)
        save_world(path, world.to_json())
        return world


def save_world(path: Path, text: str) -> None:
    """Replace the file atomically, so that a reader finds either the old world or the new one.

    Raises `OSError` if the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as temporary:
        temporary.write(text)
    Path(temporary.name).replace(path)


def remove_worlds(directory: Path) -> None:
    """Remove every stored world in a directory. Raises `OSError` if one cannot be removed."""
    for path in directory.glob("sandbox-*.json"):
        path.unlink(missing_ok=True)
