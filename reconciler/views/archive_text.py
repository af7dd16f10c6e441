"""The result of `reconcile archive` as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from reconciler.views.text import clean, count, names


def archive_text(files: Iterable[tuple[str, Sequence[str]]]) -> str:
    """Return a line for each moved file, with the names of its specs."""
    rows = [(clean(file), names(list(specs))) for file, specs in files]
    width = max((len(file) for file, _ in rows), default=0)
    return "".join(f"{file:<{width}}  {specs}\n" for file, specs in rows)


def moved_text(files: int, jobs: int, *, is_restored: bool, is_dry: bool) -> str:
    """Return what was moved, or would be moved in a dry run, and what to do next."""
    verb = "restored" if is_restored else "archived"
    if not files:
        return f"No job was {verb}."
    if is_dry:
        return f"Dry run: {count(jobs, 'job')} would be {verb}. Nothing was moved."
    undo = "" if is_restored else " `reconcile archive --restore NAME` moves a spec back."
    return f"{verb.capitalize()} {count(jobs, 'job')} in {count(files, 'file')}. Commit the moved files.{undo}"


def kept_text(whys: Mapping[str, int]) -> str:
    """Return how many jobs are kept for each reason."""
    reasons = "; ".join(f"{number:,} because {why}" for why, number in sorted(whys.items()))
    return f"Kept {count(sum(whys.values()), 'job')}: {reasons}."
