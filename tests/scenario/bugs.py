"""Deliberate bugs, each a small change of one file, which `plant_in` makes in a copy of the package.

Rules: each bug is a mistake that a developer could make, and one change. Its old text is in its file exactly once. A
test checks this, so a bug is updated together with the code that it changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Bug:
    """One change of one file. `old` is in the file exactly once."""

    name: str
    file: str
    old: str
    new: str
    oracle: str | None = None
    """The oracle that must detect the bug. None means that any oracle may detect it."""
    is_of_replicas: bool = False
    """Whether the bug concerns several replicas, so that only their runs are tried."""

    def planted(self, text: str) -> str:
        """Return the file's text with the bug in it. Raises ValueError if `old` is not in it exactly once."""
        if text.count(self.old) != 1:
            msg = (
                f"{self.name}: the text is in {self.file} {text.count(self.old)} times instead of once; update the bug"
            )
            raise ValueError(msg)
        return text.replace(self.old, self.new)

    def plant_in(self, package: Path) -> None:
        """Put the bug into a copy of the package. Raises ValueError if `old` is not in its file exactly once."""
        file = package / self.file
        file.write_text(self.planted(file.read_text(encoding="utf-8")), encoding="utf-8")


BUGS = (
    Bug(
        "do not write the intent",
        "controller/apply.py",
        "failed = self.context.statuses.write_all((intent for _, intent in intents), are_intents=True)",
        "failed: dict[str, Exception] = {}",
    ),
    Bug(
        "write the intent without fsync",
        "local/status_store.py",
        "self._replace(changed, durable=True, are_intents=are_intents)",
        "self._replace(changed, durable=False, are_intents=are_intents)",
    ),
    Bug(
        "write the intent without fsync of its directory",
        "local/status_store.py",
        "self._replace(changed, durable=True, are_intents=are_intents)",
        "self._replace(changed, durable=True)",
    ),
    Bug(
        "treat a partial list as complete, so that jobs that it lacks count as gone",
        "controller/observe.py",
        "self.by_job.update(dict.fromkeys(missing, self.listing.broken))",
        "self.by_job.update(dict.fromkeys(missing, Observed(None)))",
    ),
    Bug(
        "treat unknown as terminal",
        "model/job.py",
        "TERMINAL = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED})",
        "TERMINAL = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED, Phase.UNKNOWN})",
    ),
    Bug(
        "retry without delay",
        "core/backoff.py",
        "    return now >= next_attempt_at(receipt, honour_within) or recorded - now > SKEW_MAX\n",
        "    return True\n",
    ),
    Bug(
        "drop Retry-After",
        "throttle.py",
        "            self.pause_for(permit.pause_s)\n",
        "            self.pause_for(0)\n",
    ),
    Bug(
        "count a failed observation as absence",
        "controller/retrieves.py",
        "        return Answer(unobserved_by(error), is_of_account(error))\n",
        "        return Answer(Observed(None))\n",
    ),
    Bug(
        "count any 404 as absence",
        "providers/_openai_collection.py",
        "        if is_job_not_found(response, ref, self._dialect.job_words):\n            return None\n",
        "        if response.status == 404:\n            return None\n",
    ),
    Bug(
        "treat a vanished job as done",
        "core/table.py",
        "    Situation.VANISHED: (\n" + "        _stalled(Reason.JOB_VANISHED),\n" * 3,
        "    Situation.VANISHED: (\n"
        + "        _stalled(Reason.JOB_VANISHED),\n" * 2
        + "        _ready(Reason.JOB_GONE),\n",
    ),
    Bug(
        "apply limits to finished jobs",
        "core/situation.py",
        "    is_checked = phase in UNFINISHED and limits.is_believable(as_of, now)\n",
        "    is_checked = limits.is_believable(as_of, now)\n",
    ),
    Bug(
        "treat a job whose status was lost as new",
        "core/facts.py",
        "    return any(entry.reason is Reason.STATUS_DISCARDED for entry in ours)\n",
        "    return ours is None\n",
    ),
    Bug(
        "judge limits by a wrong clock",
        "core/limits.py",
        "    return as_of is not None and abs(now - as_of) <= SKEW_MAX\n",
        "    return as_of is not None\n",
    ),
    Bug(
        "trust a hand-edited status",
        "formats/status_parser.py",
        "    if text != above + digest(above):\n",
        "    if not text:\n",
    ),
    Bug(
        "send a request although the spec has changed",
        "controller/send_request.py",
        "        return is_same_kind and spec_digest(document.spec, account) == spec_digest(subject.spec, account)\n",
        "        return True\n",
    ),
    Bug(
        "check whether a request is wanted before its turn in the rate limiter, and not after",
        "preflight.py",
        "    if is_wanted is not None and not is_wanted():\n",
        "    if is_wanted is not None and not is_wanted:\n",
    ),
    Bug(
        "send a request although Settings have suspended everything",
        "controller/send_request.py",
        " or not specs.is_as_read():\n",
        ":\n",
    ),
    Bug(
        "guard: forget the changes of the last hour",
        "core/remembered_attempts.py",
        "WINDOW = timedelta(hours=1)",
        "WINDOW = timedelta(seconds=1)",
    ),
    Bug(
        "guard: forget a job when its spec names another one",
        "core/match.py",
        "        spent=remembered(attempts(status), now),\n",
        "",
    ),
    Bug(
        "guard: forget a status that is overwritten",
        "core/match.py",
        "attempts_of.pop(claim.name, ())",
        "attempts_of.pop(claim.name, ())[:0]",
    ),
    Bug(
        "guard: count only the changes that are due",
        "core/change_budget.py",
        "for name, account in self.standing.items() if name not in seen}",
        "for name, account in self.standing.items() if name not in seen and not account}",
    ),
    Bug(
        "guard: forget a deleted spec",
        "core/orphans.py",
        "    if not counting:\n",
        "    if counting is not None:\n",
    ),
    Bug(
        "never withdraw a request",
        "core/receipts.py",
        "replace(receipt, outcome=Outcome.WITHDRAWN) if receipt.is_open and receipt.verb is not wanted else receipt",
        "receipt",
    ),
    Bug(
        "remove statuses although a spec file cannot be read",
        "controller/prune.py",
        "    return _count(desired.snapshot) > 0 and not desired.snapshot.broken_files\n",
        "    return _count(desired.snapshot) > 0\n",
    ),
    Bug(
        "accept a doubtful absence",
        "core/absence.py",
        "    if not doubted:\n        return None\n",
        "    if absent:\n        return None\n",
    ),
    Bug(
        "act on both specs of one job",
        "core/duplicates.py",
        "    if claim.ref is None or len(names) <= 1:\n",
        "    if claim.ref is None or len(names) <= 9:\n",
    ),
    Bug(
        "act although the job is suspended",
        "core/subject.py",
        "        return suspension is not None and (suspension.until is None or now < suspension.until)\n",
        "        return suspension is not None and suspension.until is not None and now < suspension.until\n",
    ),
    Bug(
        "act although Settings are invalid",
        "controller/desired_specs.py",
        "        return not self.snapshot.is_settings_broken and self.snapshot.why_not_trusted is None",
        "        return self.snapshot.why_not_trusted is None",
    ),
    Bug(
        "treat unreadable Settings as absent",
        "formats/spec_parser.py",
        '    if kinds["Settings"] > len(found.settings)',
        '    if kinds["Settings"] > 9',
    ),
    Bug(
        "treat a paused job as final",
        "core/finality.py",
        "    if phase not in TERMINAL:\n        return False\n",
        "    if phase not in TERMINAL:\n        return phase is Phase.PAUSED\n",
    ),
    Bug(
        "make a job final at the first observation of its end",
        "core/finality.py",
        "    has_lasted = since is not None and now - since >= AGREE_AFTER\n",
        "    has_lasted = True\n",
    ),
    Bug(
        "never observe an absent job again",
        "core/finality.py",
        "    if phase not in TERMINAL:\n        return False\n",
        "    if phase not in TERMINAL:\n        return phase is Phase.ABSENT\n",
    ),
    Bug(
        "reopen a final job after one observation",
        "core/finality.py",
        "    if now - doubted_at < AGREE_AFTER:\n",
        "    if now < doubted_at:\n",
    ),
    Bug(
        "reopen a final job by a list row alone",
        "controller/observe.py",
        "    answers = await retrieve_all(reader, requested)\n",
        "    answers = [Answer(Observed(rows[ref.id])) for ref in requested]\n",
    ),
    Bug(
        "ignore list rows that show a final job as running",
        "controller/observe.py",
        "    requested = sorted(denied)[:CONTRADICTED_MAX]\n",
        "    requested = sorted(denied)[:0]\n",
    ),
    Bug(
        "accept the absence of any job, as if a cancel had been accepted",
        "core/absence.py",
        "in _PRESENT) - self.may_vanish\n",
        "in _PRESENT) - self.phases.keys()\n",
    ),
    Bug(
        "wait forever for valid Settings",
        "controller/account_worker.py",
        "    if halt is not None and decision.action is not None:\n",
        "    if halt is None and decision.action is not None:\n",
    ),
    Bug(
        "write the time of the pass to the status",
        "core/conditions.py",
        "now if before is None or has_moved else before.last_transition_time",
        "now",
    ),
    Bug(
        "close the receipt when the provider answers",
        "core/settle.py",
        "return replace(receipt, accepted_at=now)",
        'return replace(receipt, accepted_at=now, confirmed_at=now, outcome="cancelled")',
    ),
    Bug(
        "treat `already over` as accepted",
        "controller/send_request.py",
        "        return RequestOutcome(Progress.ALREADY_OVER, "
        """f"refused: already {answer.job.phase}", job=answer.job)\n""",
        "        pass\n",
    ),
    Bug(
        "report others' cancels as ours",
        "core/receipts.py",
        "None if receipt.refusals + is_refused >= receipt.attempts else now",
        "now",
    ),
    Bug(
        "do not accept a 2xx response without a job",
        "plugin/answers.py",
        "    if not response.body.strip() or response.json() is None:\n",
        "    if not json_object(response):\n",
    ),
    Bug(
        "let one forbidden job make its account unobserved",
        "controller/request_failure.py",
        "_OF_THE_ACCOUNT = frozenset({Kind.DENIED, Kind.MISSING, Kind.UNREACHABLE})",
        "_OF_THE_ACCOUNT = frozenset(Kind)",
    ),
    Bug(
        "let one garbled row discard its page",
        "plugin/answers.py",
        "    if jobs and not read_jobs:\n",
        "    if len(read_jobs) < len(jobs):\n",
    ),
    Bug(
        "act on a list row without a retrieve",
        "controller/send_request.py",
        "    if not case.is_by_row:\n",
        "    if case.decision.action:\n",
    ),
    Bug(
        "confirm at once that many jobs are gone",
        "core/absence.py",
        "    return gone >= CROWD_MIN and",
        "    return gone < CROWD_MIN and",
    ),
    Bug(
        "doubt forever that many jobs are gone",
        "core/absence.py",
        "DOUBT_LASTS = timedelta(hours=1)",
        "DOUBT_LASTS = timedelta(days=1000)",
    ),
    Bug(
        "end an outage before all of its jobs were observed",
        "controller/unobserved.py",
        "kept = {ref.account for ref, missed in self.jobs.items() if missed.is_by_account}",
        "kept = set[Account]()",
    ),
    Bug(
        "record the observation of one job for every job",
        "controller/health.py",
        "            self._seen_at[ref] = max(result.seen_at[ref], self._seen_at[ref])\n",
        "            self._seen_at = dict.fromkeys(self._seen_at, result.seen_at[ref])\n",
    ),
    Bug(
        "report ready before the first observation",
        "controller/health.py",
        "missing = {ref.account for ref in result.wanted} - self._looked_at",
        "missing = {ref.account for ref in result.wanted} - {ref.account for ref in result.wanted}",
    ),
    Bug(
        "let an exception for one job end the observation of its account",
        "controller/runtime.py",
        "        raise DefectError(error) from error\n",
        "        raise\n",
    ),
    Bug(
        "let an exception for one response lose the others",
        "controller/send_request.py",
        "    return Applied(case, intent, case.subject.interval, answer, "
        """(f"{case.subject.name}: {bug(error)}",))\n""",
        "    raise error\n",
    ),
    Bug(
        "do not report a limit that cannot be judged",
        "core/messages.py",
        "    return [each for each in (_near_text(seen), seen.unjudged) if each is not None]\n",
        "    return [each for each in (_near_text(seen),) if each is not None]\n",
    ),
    Bug(
        "let a limit act without its warning",
        "core/limit_warning.py",
        "    return LimitState(limit if as_of > moment and now >= acts_at else None, warning, acts_at)\n",
        "    return LimitState(limit if as_of > moment else None, warning, acts_at)\n",
    ),
    Bug(
        "renew the warning of a limit in every pass",
        "core/limit_warning.py",
        "    if known is not None and known.limit == limit and known.since <= now:\n",
        "    if known is not None and known.limit == limit and known.since == now:\n",
    ),
    Bug(
        "let a cost limit act on an upper bound",
        "core/cost_limit.py",
        "    if not cost.basis.is_certain:\n",
        "    if not cost.basis:\n",
    ),
    Bug(
        "let a cost limit act at the first observation",
        "core/cost_limit.py",
        "    return LimitState(str(cost.limit) if cost.is_over and now >= acts_at else None, warning, acts_at)\n",
        "    return LimitState(str(cost.limit) if cost.is_over else None, warning, acts_at)\n",
    ),
    Bug(
        "compare a cost in one currency with a limit in another",
        "core/cost_limit.py",
        "    if cost.currency != limit.currency:\n",
        "    if not cost.currency:\n",
    ),
    Bug(
        "guard: forget what the cancels of the last hour cost",
        "core/past_attempts.py",
        "AttemptTotals.one(self._cost(attempt.sunk_cost) if attempt.verb in {None, Verb.CANCEL} else Decimal(0))",
        "AttemptTotals.one(Decimal(0))",
    ),
    Bug(
        "guard: allow a cancel whose cost is unknown",
        "model/sunk_cost.py",
        "        return not self.ignores_unknown and self.bound(cost) is None\n",
        "        return not self.ignores_unknown and self.bound(cost) is not None and not self.value\n",
        "cost_limit_exceeded",
    ),
    Bug(
        "do not redact keys in messages",
        "redaction.py",
        "        if not self.is_in(text):\n            return text\n",
        "        return text\n",
    ),
    Bug(
        "treat an unreadable status as absent",
        "local/status_store.py",
        "            elif not is_gone(error):\n                self._unread += (unread(path, error),)\n",
        "            else:\n                self._discarded += (path,)\n",
    ),
    Bug(
        "treat an unreadable directory of statuses as empty",
        "local/status_walk.py",
        "            if error.errno != errno.ENAMETOOLONG:\n",
        "            if error.errno == errno.ENOTDIR:\n",
    ),
    Bug(
        "guard: ignore unreadable statuses",
        "controller/budget_sources.py",
        "    found = doubts(desired.stored, desired.specs, runtime.policy)\n",
        "    found: dict[str, str] = {}\n",
    ),
    Bug(
        "let a pass wait for a slow account",
        "controller/watch.py",
        "await self._pass(due, partial(self._until_needed, within_s=PATIENCE_S), ",
        "await self._pass(due, None, ",
    ),
    Bug(
        "let vanished jobs make their account unobserved",
        "controller/observe.py",
        "            self._replace(doubt.absent, doubt.unobserved)\n",
        "            self._replace([ref.id for ref in self.by_job], doubt.unobserved)\n",
    ),
    Bug(
        "let one job without a response make its account unobserved",
        "controller/request_failure.py",
        "        return error.delivered is Delivered.NO\n",
        "        return True\n",
    ),
    Bug(
        "observe all other jobs before one with a wanted change",
        "controller/observation_order.py",
        "    if not urgent or costs.prefers_list(len(urgent)) or costs.are_few(len(request.asked)):\n",
        "    if urgent or costs.pages:\n",
    ),
    Bug(
        "treat a 2xx response with an error in it as accepted",
        "plugin/answers.py",
        "    if says_failure(body):\n",
        "    if says_failure(body) and not body:\n",
    ),
    Bug(
        "audit every answered request as accepted",
        "controller/send_request.py",
        "                progress=answer.progress,\n",
        "                progress=Progress.ACCEPTED if answer.job else answer.progress,\n",
    ),
    Bug(
        "count a refused cancel as accepted",
        "core/receipts.py",
        "    return any(receipt.verb is Verb.CANCEL and receipt.accepted_at is not None for receipt in receipts)\n",
        "    return any(receipt.verb is Verb.CANCEL for receipt in receipts)\n",
    ),
    Bug(
        "count a refused attempt as one that may have had an effect",
        "core/settle.py",
        "refusals=receipt.refusals + 1",
        "refusals=receipt.refusals",
        oracle="false_attribution",
    ),
    Bug(
        "report every end after a cancel request as a cancel",
        "core/receipts.py",
        "        return Outcome(phase.value)\n",
        "        return Outcome.CANCELLED if receipt.verb is Verb.CANCEL else Outcome(phase.value)\n",
        oracle="false_outcome",
    ),
    Bug(
        "decide about jobs with unreadable statuses",
        "controller/desired_specs.py",
        "tuple(key for key in self.selected if key not in self.unknown)",
        "tuple(self.selected)",
        oracle="unread_overwritten",
    ),
    Bug(
        "retrieve each of many vanished jobs",
        "controller/observe.py",
        "CROWD_CERTAIN_AFTER = 5\n",
        "CROWD_CERTAIN_AFTER = 500\n",
        oracle="useless_retrieves",
    ),
    Bug(
        "observe a vanished job only once a day",
        "core/schedule.py",
        "    since = phase_since(status, status.phase) or now\n",
        "    since = phase_since(status, status.phase) or now\n"
        "    if status.phase is Phase.ABSENT:\n        return timedelta(days=1)\n",
        oracle="outdated_status",
    ),
    Bug(
        "repeat a read without waiting for the rate limiter",
        "transport.py",
        "        await self._throttle.acquire_repeat()\n",
        "",
    ),
    Bug(
        "never report ready",
        "controller/health.py",
        "        self._looked_at.update(each.account for each in result.report.accounts)\n",
        "        pass\n",
    ),
    Bug(
        "report a dead file watcher as alive",
        "controller/health.py",
        "watched_at=now if is_watching else self.overview.watched_at,",
        "watched_at=now,",
    ),
    Bug(
        "never limit the poll interval of an unfinished job",
        "core/schedule.py",
        "INTERVALS_MAX = 5\n",
        "INTERVALS_MAX = 500\n",
    ),
    Bug(
        "publish only the first pass",
        "controller/reconcile.py",
        "    return await publish(result, desired, runtime)\n",
        "    return await publish(result, desired, runtime) if due is None else result\n",
    ),
    Bug(
        "report an outage only after twenty observations",
        "controller/unobserved.py",
        "REPORTED_AFTER = 2\n",
        "REPORTED_AFTER = 20\n",
    ),
    Bug(
        "start a pass only for due jobs",
        "controller/watch.py",
        "min([self._scan_at, *free])",
        "min([math.inf, *free])",
    ),
    Bug(
        "ignore a `retry` by a person",
        "controller/watch.py",
        "replace(self.options, retry=self.options.retry | names)",
        "replace(self.options, retry=self.options.retry)",
    ),
    Bug(
        "finish all work in progress before stopping",
        "controller/watch.py",
        "GRACE_S = 20.0\n",
        "GRACE_S = 2000.0\n",
    ),
    Bug(
        "in an unobserved account, delay a wanted change as long as the other jobs",
        "controller/watch.py",
        "first_planned_s = min(",
        "first_planned_s = max(",
    ),
    Bug(
        "kinds: forget the kind in the scopes of the guard",
        "core/scope.py",
        "        return ChangePlace(account, self.protections.get(account))\n",
        """        return ChangePlace(account.partition(" kind=")[0], self.protections.get(account))\n""",
    ),
    Bug(
        "kinds: forget the kind in the journal",
        "controller/apply.py",
        "                account=str(ref.account),\n                job_id=ref.id,\n",
        "                account=str(ref.account.shared),\n                job_id=ref.id,\n",
    ),
    Bug(
        "kinds: ignore the kind when the status of a job is looked up",
        "core/match.py",
        "records.get(job_identity(claim.ref), {})",
        "records.get((str(claim.ref.account.shared), claim.ref.id), {})",
        oracle="mixed_kinds",
    ),
    Bug(
        "kinds: list and retrieve batches at the path of fine-tuning jobs",
        "providers/_openai_service.py",
        "config.account.kind == BATCH_JOB:",
        "config.account.kind != BATCH_JOB:",
        oracle="unwanted_change",
    ),
    Bug(
        "kinds: treat two specs with the same id as duplicates, even if their kinds differ",
        "controller/resolved_account.py",
        "return self.scope, self.account.kind, job_id",
        "return self.scope, None, job_id",
    ),
    Bug(
        "kinds: write counters at every pass",
        "core/conditions.py",
        "    return replace(status, job=status.kind.with_counters_of(last.job, status.job)) == last\n",
        "    return status == last\n",
        oracle="counters_written",
    ),
    Bug(
        "pauses: resume a job that its provider paused",
        "core/paused_elsewhere.py",
        "        return last.phase not in _PAUSES\n",
        "        return False\n",
    ),
    Bug(
        "pauses: ignore the retry of a job that something else paused",
        "core/paused_elsewhere.py",
        "    is_resume_wanted = is_retry or digest not in {None, wish}\n",
        "    is_resume_wanted = digest not in {None, wish}\n",
    ),
    Bug(
        "kinds: resume a batch that somebody paused",
        "core/due_request.py",
        "    if not (subject.kind.can_be_paused and subject.capabilities.can_pause):\n",
        "    if not subject.capabilities.can_pause:\n",
    ),
    Bug(
        "replicas: handle the accounts of other shards",
        "controller/share.py",
        "        return self.shard is None or spec.name in self.own_names\n",
        "        return self.shard is None or spec is not None\n",
        oracle="foreign_account",
        is_of_replicas=True,
    ),
    Bug(
        "replicas: prune the statuses of other shards",
        "controller/desired_specs.py",
        "orphans=tuple(filter(share.has_status, matched.orphans)),",
        "orphans=matched.orphans,",
        oracle="foreign_status",
        is_of_replicas=True,
    ),
    Bug(
        "replicas: forget the statuses of the own jobs, as after a resize",
        "controller/desired_specs.py",
        "    jobs -= {job_identity(each.ref) for each in own if each.ref is not None}\n",
        "",
        oracle="lost_receipts",
        is_of_replicas=True,
    ),
    Bug(
        "replicas: overwrite the status of a job whose spec has exchanged its name",
        "controller/reconcile.py",
        "    desired, kept_errors = keep_displaced(desired, memory.workers.names, runtime)\n",
        "    kept_errors: tuple[str, ...] = ()\n",
        oracle="lost_receipts",
        is_of_replicas=True,
    ),
    Bug(
        "replicas: a leader that lost its lease continues to send requests",
        "core/leader_state.py",
        '        return Lost(f"{answer.holder} holds the lease" if answer.holder else "the lease has ended")\n',
        "        return Leading(sent_at + timing.renew_s)\n",
        oracle="acts_without_lease",
        is_of_replicas=True,
    ),
    Bug(
        "replicas: treat a lease as valid after its end",
        "core/leader_state.py",
        "    return Leading(sent_at + timing.renew_s)\n",
        "    return Leading(sent_at + 2 * timing.lease_s)\n",
        oracle="acts_without_lease",
        is_of_replicas=True,
    ),
)
