"""Read and check the documents. No credential or network is needed."""

from __future__ import annotations

from dataclasses import replace

from reconciler.controller.report_exit_codes import exit_codes
from reconciler.controller.run_options import NOT_PUBLISHED, Paths
from reconciler.controller.spec_resolver import resolve
from reconciler.controller.unread_statuses import complaints
from reconciler.git.command import GitError
from reconciler.git.status_audit import edited_statuses, foreign_commits
from reconciler.model.report import Report
from reconciler.ports import ProviderType, Snapshot, status_path
from reconciler.providers import load, provider_names
from reconciler.wiring.command_errors import UsageError
from reconciler.wiring.configured_policy import ConfiguredPolicy
from reconciler.wiring.indexes import reading_specs_index, reading_status_index
from reconciler.wiring.operator_setup import read_operator_rules
from reconciler.wiring.sources import specs_dir, status_store


def validate(paths: Paths, *, since: str | None = None, author: str = NOT_PUBLISHED.author) -> Report:
    """Check every document and status, and return a report with their problems. No credential or network is needed.

    Raises `UsageError` if the commits after `since` cannot be checked, and the errors of `read_operator_rules`.

    Args:
        paths: the directories of the documents and statuses.
        since: a revision; the commits after it are checked too. None checks no commit.
        author: the author of the commits that may change statuses, such as `name <email>`.
    """
    rules = read_operator_rules(paths)
    policy = ConfiguredPolicy(paths, rules)
    snapshot = specs_dir(paths, reading_specs_index(paths)).snapshot()
    resolved = resolve(snapshot, policy, is_suspended=False)
    try:
        stored = status_store(paths, reading_status_index(paths)).load()
        expected = {status_path(each.source, each.name) for each in resolved.candidates}
        edited = edited_statuses(stored, paths.statuses, expected)
        foreign = () if since is None else foreign_commits(paths.specs, paths.statuses, since, author)
    except (GitError, ValueError) as error:
        msg = f"the commits since {since} cannot be checked: {error}"
        raise UsageError(msg) from None
    report = Report(
        diagnostics=(*rules.diagnostics, *snapshot.diagnostics, *resolved.diagnostics, *edited, *foreign),
        errors=tuple(complaints(stored, policy)),
    )
    return replace(report, exit_codes=exit_codes(report))


def read_specs(paths: Paths) -> Snapshot:
    """Return every document below the specs directory. No credential or network is needed."""
    return specs_dir(paths, reading_specs_index(paths)).snapshot()


def provider_types() -> dict[str, ProviderType | str]:
    """Return each provider type by its name. For a type that cannot be loaded, the value is the reason."""
    found: dict[str, ProviderType | str] = {}
    for name in provider_names():
        try:
            found[name] = load(name)
        except LookupError as error:
            found[name] = str(error.args[0])
    return found
