"""The time from a saved spec to its cancel request at the provider, with a watch over many specs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from tests.benchmarks.world import Measured, at_work, measured, now
from tests.support.cli import SPEC
from tests.support.sandbox_client import wait_for

BURST = 200


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
    fresh = path.parent / f"..{len(list(path.parent.glob('..2*'))) + 2_000_000}"
    fresh.mkdir()
    (fresh / path.name).write_text(text, encoding="utf-8")
    data = path.parent / f"..{path.name}.data"
    _link(data, fresh.name)
    if not path.is_symlink():
        _link(path, f"{data.name}/{path.name}")


def _link(path: Path, target: str) -> None:
    """Put a link in the place of whatever is there, in one step."""
    fresh = path.with_name(f"..{path.name}.new")
    fresh.symlink_to(target)
    fresh.rename(path)


SAVES: dict[str, Callable[[Path, str], None]] = {
    "in place": save_in_place,
    "atomic": save_atomically,
    "volume swap": save_by_swap,
}


def wish(there: Measured, number: int, save: Callable[[Path, str], None]) -> tuple[str, str, datetime]:
    """Save one spec as cancelled, and return its job, its name, and when that was."""
    job_id, name = there.ids[number], f"job-{number:05}"
    text = SPEC.format(name=name, provider="main", job_id=job_id, state="cancelled")
    saved_at = now()
    save(there.checkout.specs / f"{name}.yaml", text)
    return job_id, name, saved_at


def delay_ms(there: Measured, number: int, save: Callable[[Path, str], None]) -> float:
    """Save one spec, and return how long it took to become a POST. Returns once the cancel is proved."""
    job_id, name, saved_at = wish(there, number, save)
    wait_for(lambda: there.checkout.status(name).final, f"{name} is proved")
    return (there.cancelled_at(job_id) - saved_at).total_seconds() * 1000


def burst_ms(there: Measured, numbers: Iterable[int]) -> list[float]:
    """Save many specs as fast as a disk can, and return how long each took to become a POST."""
    wishes = [wish(there, number, save_in_place) for number in numbers]
    wait_for(lambda: all(there.checkout.status(name).final for _, name, _ in wishes), "all are proved", within_s=60)
    return [(there.cancelled_at(job_id) - saved_at).total_seconds() * 1000 for job_id, _, saved_at in wishes]


def answer_ms(there: Measured, times: int) -> float:
    """Return how long the provider itself takes to answer the look that comes before each request."""
    connection = HTTPConnection(urlsplit(there.sandbox.url).netloc)
    took = []
    for _ in range(times):
        begun = now()
        connection.request("GET", f"/v1/fine_tuning/jobs/{there.ids[0]}")
        connection.getresponse().read()
        took.append((now() - begun).total_seconds() * 1000)
    connection.close()
    return median(took)


def run(root: Path, specs: int, edits: int, burst: int = BURST) -> dict[str, dict[str, float]]:
    """Measure every way of saving, and a burst. `above_ms` is what is left without the provider's own answer."""
    with measured(root, specs) as there, at_work(there):
        answer = answer_ms(there, edits)
        found = {
            name: [delay_ms(there, turn * edits + number, save) for number in range(edits)]
            for turn, (name, save) in enumerate(SAVES.items())
        }
        if burst:
            found[f"burst of {burst}"] = burst_ms(there, range(specs - burst, specs))
    return {
        name: {"median_ms": median(each), "max_ms": max(each), "above_ms": median(each) - answer, "edits": len(each)}
        for name, each in found.items()
    }
