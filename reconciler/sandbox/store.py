"""A world in a file, so that `reconcile --once` finds it as the last run left it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile

from reconciler.sandbox.config import SandboxOptions
from reconciler.sandbox.world import World


def open_world(options: SandboxOptions, path: Path, now: datetime) -> World:
    """Return the world that the file holds; a missing, torn or foreign file begins a new one, and is replaced.

    Raises OSError where the file can be neither read nor written.
    """
    try:
        return World.from_json(options, path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        world = World(options, began_at=now)
        save_world(path, world.to_json())
        return world


def save_world(path: Path, text: str) -> None:
    """Put the text in the file's place in one step, so that a reader finds the old world or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as beside:
        beside.write(text)
    Path(beside.name).replace(path)


def forget_worlds(directory: Path) -> None:
    """Remove every world that a directory holds."""
    for path in directory.glob("sandbox-*.json"):
        path.unlink(missing_ok=True)
