"""Report a selection that matches no spec, because its result looks like that of a pass without work."""

from __future__ import annotations

from dataclasses import replace

from reconciler.controller.run_options import Selection
from reconciler.model.report import Report
from reconciler.ports import Snapshot
from reconciler.providers import provider_names
from reconciler.views.text import did_you_mean
from reconciler.wiring.command_errors import UsageError


def check_selection(report: Report, selection: Selection, snapshot: Snapshot) -> Report:
    """Return the report, with a notice if no spec matches the selection.

    Raises `UsageError` if the report is empty and the selected provider is unknown (see `why_no_match`).
    """
    if report.rows or not (selection.labels or selection.provider or selection.kind):
        return report
    notice = why_no_match(selection, snapshot)
    return replace(report, notices=(*report.notices, notice)) if notice else report


def why_no_match(selection: Selection, snapshot: Snapshot) -> str | None:
    """Return a message if no spec matches the labels, provider and kind of a selection; None if a spec matches.

    Raises `UsageError` if the provider is not the name of a Provider document or a provider type, no spec uses it, and
    every file could be read.
    """
    _check_provider(selection.provider, snapshot)
    specs = [each.document for each in snapshot.jobs]
    criteria = _criteria(selection)
    if not criteria or any(map(selection.matches, specs)):
        return None
    labels = [f"{key}={value}" for key, value in selection.labels]
    pairs = {f"{key}={value}" for each in specs for key, value in each.metadata.labels.items()}
    hints = (did_you_mean(label, pairs) for label in labels if label not in pairs)
    return " ".join(filter(None, (f"nothing is selected: no spec has {' and '.join(criteria)}.", *hints)))


def _check_provider(provider: str | None, snapshot: Snapshot) -> None:
    """Raise `UsageError` if a provider is unknown. A file that could not be read may name it."""
    if provider is not None and not snapshot.broken_files and provider not in _providers(snapshot):
        hint = did_you_mean(provider, _providers(snapshot)) or "`reconcile providers` lists them all."
        msg = f"no provider is called {provider!r}. {hint}"
        raise UsageError(msg)


def _criteria(selection: Selection) -> list[str]:
    """Return the provider, the kind and the labels that a spec must have, as phrases."""
    found = [f"the provider {selection.provider}"] if selection.provider else []
    found += [f"the kind {selection.kind}"] if selection.kind else []
    return [*found, *(f"the label {key}={value}" for key, value in selection.labels)]


def _providers(snapshot: Snapshot) -> set[str]:
    named = {each.document.metadata.name for each in snapshot.providers}
    used = {each.document.spec.provider for each in snapshot.jobs}
    return named | used | snapshot.broken_providers | set(provider_names())
