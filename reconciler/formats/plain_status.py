"""The text and the index row of a plain status, filled into two fixed templates. Pure.

A pass over new jobs writes a status for each of them, and nearly all are *plain*: a fine-tuning job with one condition,
one transition, no receipt and no error, whose texts are printable ASCII. For such a status, `render_plain` and
`pack_plain` take a fraction of the time of `render_status` and `pack_status`.

Rules: for a plain status, the text and the row are exactly those of the general functions, and unpacking the row gives
an equal status. Every other status is left to the general functions.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from reconciler.formats.status_writer import HEADER, digest, scalar, uncached_scalar
from reconciler.model.kind import FINE_TUNING
from reconciler.model.spec import API_VERSION
from reconciler.model.status import MESSAGE_MAX, JobFacts, JobStatus

_NEEDS_NO_CLEANING = re.compile(r"[!#->@-\[\]-~]++(?: [!#->@-\[\]-~]++)*+")
"""Words of printable ASCII, without the characters that JSON escapes, and without `?`, which begins a URL's query."""
_IN_YAML, _IN_JSON = "'", '"'
"""The quotes around a time."""


def render_plain(status: JobStatus) -> str | None:
    """Return the text of the file of a status, or None if the status is not plain."""
    job = status.job
    return _text(status, job) if job is not None and _is_plain(status, job) else None


def _is_plain(status: JobStatus, job: JobFacts) -> bool:
    return (
        _has_plain_fields(status, job)
        and all(map(_is_whole, (job.created_at, job.started_at, job.finished_at)))
        and _is_whole(status.conditions[0].last_transition_time)
        and _is_whole(status.history[0].at)
        and _are_clean(status, job)
    )


def _has_plain_fields(status: JobStatus, job: JobFacts) -> bool:
    """Return whether the fields that the templates contain, and no others, have a value."""
    return (
        status.kind is FINE_TUNING
        and len(status.conditions) == len(status.history) == 1
        and not (status.receipts or status.warning or status.spent or status.doubted_at or status.paused_elsewhere)
        and None not in {status.observed_spec, job.provider_status}
        and all(each is None for each in (job.error, job.output_file, job.expires_at, job.counts, job.tokens))
    )


def _is_whole(moment: datetime | None) -> bool:
    """Return whether a time is in UTC and in whole seconds, or None."""
    return moment is None or (moment.tzinfo is UTC and not moment.microsecond)


def _are_clean(status: JobStatus, job: JobFacts) -> bool:
    """Return whether no text needs cleaning, and no text can exceed its maximum length."""
    ours = (status.name, status.source, status.observed_spec, status.conditions[0].message)
    theirs = (job.account, job.id, job.provider_status, job.model, job.fine_tuned_model)
    # An empty text, or a space at an edge of a text, gives two spaces or one at an edge, which the pattern excludes.
    joined = " ".join([each for each in (*ours, *theirs) if each is not None])
    return len(joined) <= MESSAGE_MAX and _NEEDS_NO_CLEANING.fullmatch(joined) is not None


def _text(status: JobStatus, job: JobFacts) -> str:
    (ready,), (entry,) = status.conditions, status.history
    body = f"""\
{HEADER}apiVersion: {API_VERSION}
kind: {status.kind.name}
metadata:
  name: {uncached_scalar(status.name)}
status:
  observedGeneration: {status.observed_generation}
  observedSpec: {uncached_scalar(status.observed_spec)}
  source: {uncached_scalar(status.source)}
  phase: {status.phase}
  final: {"true" if status.final else "false"}
  conditions:
  - type: {ready.type}
    status: '{ready.status}'
    reason: {ready.reason}
    message: {scalar(ready.message)}
    observedGeneration: {ready.observed_generation}
    lastTransitionTime: {_moment(ready.last_transition_time, _IN_YAML)}
  job:
    account: {scalar(job.account)}
    id: {uncached_scalar(job.id)}
    providerStatus: {scalar(job.provider_status)}
    model: {scalar(job.model)}
    fineTunedModel: {uncached_scalar(job.fine_tuned_model)}
    createdAt: {_moment(job.created_at, _IN_YAML)}
    startedAt: {_moment(job.started_at, _IN_YAML)}
    finishedAt: {_moment(job.finished_at, _IN_YAML)}
    trainedTokens: {"null" if job.trained_tokens is None else job.trained_tokens}
    error: null
  receipts: []
  history:
  - {{at: {_moment(entry.at, _IN_YAML)}, phase: {entry.phase}, reason: {entry.reason}}}
"""
    return body + digest(body)


def pack_plain(status: JobStatus, job: JobFacts) -> str:
    """Return the row of a status for which `render_plain` returns a text. `job` is the job of the status."""
    (ready,), (entry,) = status.conditions, status.history
    condition = (
        f'"{ready.type}","{ready.status}","{ready.reason}","{ready.message}",'
        f"{ready.observed_generation},{_moment(ready.last_transition_time, _IN_JSON)}"
    )
    facts = (
        f'"{job.account}","{job.id}","{job.provider_status}",{_json(job.model)},{_json(job.fine_tuned_model)},'
        f"{_moment(job.created_at, _IN_JSON)},{_moment(job.started_at, _IN_JSON)},{_moment(job.finished_at, _IN_JSON)},"
        f"{'null' if job.trained_tokens is None else job.trained_tokens},null"
    )
    return (
        f'["{status.kind.name}","{status.name}",[{status.observed_generation},"{status.observed_spec}",'
        f'"{status.source}","{status.phase}",{"true" if status.final else "false"},null,null,[[{condition}]],[{facts}],'
        f'[],null,[],[[{_moment(entry.at, _IN_JSON)},"{entry.phase}","{entry.reason}"]]]]'
    )


def _json(text: str | None) -> str:
    return "null" if text is None else f'"{text}"'


def _moment(moment: datetime | None, quote: str) -> str:
    return "null" if moment is None else f"{quote}{moment.isoformat()[:19]}Z{quote}"
