"""A spec saved as `cancelled`: how long until the POST arrives at the provider, with a watch on many specs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median

from tests.benchmarks.world import Measured, at_work, measured, now
from tests.support.cli import SPEC
from tests.support.sandbox_corner import wait_for


def save_in_place(path: Path, text: str) -> None:
    """Save as `echo >` does."""
    path.write_text(text, encoding="utf-8")


def save_atomically(path: Path, text: str) -> None:
    """Save as an editor does: beside it, and renamed."""
    fresh = path.with_name(f".{path.name}.swp")
    fresh.write_text(text, encoding="utf-8")
    fresh.rename(path)


def save_by_swap(path: Path, text: str) -> None:
    """Save as a Kubernetes volume does: a link to a new directory takes the place of the old one's."""
    volume = path.parent / "..volume"
    fresh = path.parent / f"..{len(list(path.parent.glob('..2*'))) + 2_000_000}"
    fresh.mkdir()
    (fresh / path.name).write_text(text, encoding="utf-8")
    if not path.is_symlink():
        path.unlink()
        (path.parent / f".{path.name}.new").symlink_to(f"..{path.name}.data/{path.name}")
        (path.parent / f".{path.name}.new").rename(path)
    link = path.parent / f"..{path.name}.data"
    volume.unlink(missing_ok=True)
    volume.symlink_to(fresh.name)
    volume.rename(link)


SAVES: dict[str, Callable[[Path, str], None]] = {
    "in place": save_in_place,
    "atomic": save_atomically,
    "volume swap": save_by_swap,
}


def delay_ms(there: Measured, number: int, save: Callable[[Path, str], None]) -> float:
    """Save one spec, and return how long it took to become a POST. Returns once the cancel is proved."""
    job_id, name = there.ids[number], f"job-{number:05}"
    text = SPEC.format(name=name, provider="main", job_id=job_id, state="cancelled")
    saved_at = now()
    save(there.checkout.specs / f"{name}.yaml", text)
    wait_for(lambda: there.cancelled_at(job_id), f"{name} is cancelled")
    wait_for(lambda: there.checkout.status(name).final, f"{name} is proved")
    arrived_at = there.cancelled_at(job_id)
    assert arrived_at is not None
    return (arrived_at - saved_at).total_seconds() * 1000


def run(root: Path, specs: int, edits: int) -> dict[str, dict[str, float]]:
    """Measure every way of saving, and a burst."""
    results = {}
    with measured(root, specs) as there, at_work(there):
        for turn, (name, save) in enumerate(SAVES.items()):
            found = [delay_ms(there, turn * edits + number, save) for number in range(edits)]
            results[name] = {"median_ms": median(found), "max_ms": max(found), "edits": edits}
    return results
