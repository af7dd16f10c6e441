"""Report documents that occur more than once among the documents of a directory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from reconciler.model.diagnostic import Diagnostic
from reconciler.ports import BrokenJob, Located, Snapshot

_Place = tuple[str, int | None]
_Named = Located[Any] | BrokenJob


def with_duplicates_reported(snapshot: Snapshot, shown: Callable[[str], str]) -> Snapshot:
    """Return the snapshot with a diagnostic for each duplicate.

    Duplicate jobs stay in the snapshot, because the controller decides about them. `shown` returns the path of a file
    as the user would type it.
    """
    if _are_all_different(snapshot):
        return snapshot
    jobs = _by_name([(each.document.metadata.name, each) for each in snapshot.jobs])
    for broken in snapshot.broken_jobs:
        jobs[broken.name].append(broken)
    providers = _by_name([(each.document.metadata.name, each) for each in snapshot.providers])
    settings = [(each.file, each.line) for each in snapshot.settings]
    found = [*snapshot.diagnostics]
    doubled = [(name, each) for name, each in (*jobs.items(), *providers.items()) if len(each) > 1]
    for name, documents in doubled:
        message = f"the name {name!r} is also used at {{}}: rename one of them"
        found += _duplicates([*map(_place, documents)], "metadata.name", message, shown)
    message = "only one Settings document is allowed, and {} is another: remove one of the two"
    found += _duplicates(settings, "kind", message, shown)
    return replace(
        snapshot,
        broken_providers=snapshot.broken_providers | {name for name, each in providers.items() if len(each) > 1},
        is_settings_broken=snapshot.is_settings_broken or len(settings) > 1,
        diagnostics=tuple(found),
    )


def _are_all_different(snapshot: Snapshot) -> bool:
    """Return whether no document occurs twice, which is the usual case."""
    jobs = {each.document.metadata.name for each in snapshot.jobs}.union(each.name for each in snapshot.broken_jobs)
    providers = {each.document.metadata.name for each in snapshot.providers}
    return (
        len(jobs) == len(snapshot.jobs) + len(snapshot.broken_jobs)
        and len(providers) == len(snapshot.providers)
        and len(snapshot.settings) <= 1
    )


def _duplicates(
    places: Sequence[_Place], field: str, message: str, shown: Callable[[str], str]
) -> Iterator[Diagnostic]:
    for index, (file, line) in enumerate(places if len(places) > 1 else ()):
        other, other_line = places[0 if index else 1]
        where = shown(other) if other_line is None else f"{shown(other)}:{other_line}"
        yield Diagnostic(file=shown(file), line=line, field=field, message=message.format(where))


def _by_name(documents: Iterable[tuple[str, _Named]]) -> defaultdict[str, list[_Named]]:
    found: defaultdict[str, list[_Named]] = defaultdict(list)
    for name, each in documents:
        found[name].append(each)
    return found


def _place(named: _Named) -> _Place:
    """Return where a name is used."""
    if isinstance(named, BrokenJob):
        return named.file, named.diagnostics[0].line
    return named.file, named.lines.get(("metadata", "name"), named.line)
