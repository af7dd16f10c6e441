"""Record the news of a pass for the sinks of notifications. A failure is reported, and the next pass tries again."""

from __future__ import annotations

from dataclasses import replace

from reconciler.controller.applied import disk_error
from reconciler.controller.build_report import PassResult
from reconciler.controller.desired_specs import DesiredSpecs
from reconciler.controller.runtime import Runtime
from reconciler.controller.share import Share
from reconciler.ports import StoredStatuses


def tell_news(result: PassResult, desired: DesiredSpecs, runtime: Runtime) -> PassResult:
    """Record the news of a pass in the outbox, and return the result, with a notice if the write failed.

    A dry run records no news.
    """
    if runtime.news is None or runtime.control is None:
        return result
    labels = {
        each.name: each.document.document.metadata.labels if each.document is not None else {} for each in desired.specs
    }
    try:
        runtime.news.tell_statuses(_own(runtime.statuses.known(), desired.share), labels)
    except OSError as error:
        notice = f"the notifications of this pass could not be recorded: {disk_error(error)}"
        return replace(result, report=replace(result.report, notices=(*result.report.notices, notice)))
    return result


def _own(stored: StoredStatuses, share: Share) -> StoredStatuses:
    """Return the statuses that the run handles. The news of the other statuses is for other replicas to tell."""
    if share.shard is None:
        return stored
    return replace(
        stored,
        jobs=tuple(each for each in stored.jobs if share.has_status(each)),
        providers=tuple(each for each in stored.providers if share.has_account(each.account)),
    )
