"""Deliberate bugs, each a small change of one file: what `plant` puts into a copy of the package.

Rules: each is a mistake that somebody could make, and one change; its text stands in its file exactly once, which a
test checks, so that a bug moves along with the code that it is about.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Bug:
    """One change of one file. `old` stands there exactly once."""

    name: str
    file: str
    old: str
    new: str
    judge: str | None = None
    """The oracle that must notice it; None: any may."""

    def planted(self, text: str) -> str:
        """Return the file's text with the bug in it. Raises ValueError where the bug no longer fits."""
        if text.count(self.old) != 1:
            msg = f"{self.name}: its text stands {text.count(self.old)} times in {self.file}; mend the bug"
            raise ValueError(msg)
        return text.replace(self.old, self.new)

    def plant_in(self, package: Path) -> None:
        """Put the bug into a copy of the package. Raises ValueError where it no longer fits."""
        file = package / self.file
        file.write_text(self.planted(file.read_text(encoding="utf-8")), encoding="utf-8")


BUGS = (
    Bug(
        "forget the intent",
        "controller/apply.py",
        "            context.statuses.write(intent, durable=True)\n",
        "            pass\n",
    ),
    Bug(
        "an intent that a crash may lose",
        "controller/apply.py",
        "context.statuses.write(intent, durable=True)",
        "context.statuses.write(intent, durable=False)",
    ),
    Bug(
        "read a partial list as whole: what is not on it is gone",
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
        "ask again at once",
        "core/backoff.py",
        "    return now >= next_attempt_at(receipt) or receipt.last_attempt_at - now > SKEW_MAX\n",
        "    return True\n",
    ),
    Bug(
        "drop Retry-After",
        "transport.py",
        "self._throttle.pause_for(response.retry_after_s)",
        "self._throttle.pause_for(0)",
    ),
    Bug(
        "take a failed look for absence",
        "controller/observe.py",
        "        return _Answer(unseen_by(error), is_of_account(error))\n",
        "        return _Answer(Observed(None))\n",
    ),
    Bug(
        "take any 404 for absence",
        "providers/_openai.py",
        "        if is_job_not_found(response, ref):\n            return None\n",
        "        if response.status == 404:\n            return None\n",
    ),
    Bug(
        "absence is done",
        "core/table.py",
        "    Situation.VANISHED: (\n" + "        _stalled(Reason.JOB_VANISHED),\n" * 3,
        "    Situation.VANISHED: (\n"
        + "        _stalled(Reason.JOB_VANISHED),\n" * 2
        + "        _ready(Reason.JOB_GONE),\n",
    ),
    Bug(
        "limits on finished jobs",
        "core/situation.py",
        "    is_checked = phase in UNFINISHED and limits.is_believable(as_of, now)\n",
        "    is_checked = limits.is_believable(as_of, now)\n",
    ),
    Bug(
        "forget that a status was lost, and take its job for one that never started",
        "core/facts.py",
        "    return any(entry.reason is Reason.STATUS_DISCARDED for entry in ours)\n",
        "    return ours is None\n",
    ),
    Bug(
        "limits by a clock that is wrong",
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
        "act on a spec that changed meanwhile",
        "controller/send_request.py",
        "        return spec_digest(document.spec, account) == spec_digest(subject.spec, account)\n",
        "        return True\n",
    ),
    Bug(
        "ask whether it is wanted before the wait for its turn, and not after",
        "throttle.py",
        "    if is_wanted is not None and not is_wanted():\n",
        "    if is_wanted is not None and not is_wanted:\n",
    ),
    Bug(
        "act though Settings suspended everything meanwhile",
        "controller/send_request.py",
        " or not specs.is_as_read():\n",
        ":\n",
    ),
    Bug(
        "a guard that forgets the hour",
        "core/remembered_attempts.py",
        "WINDOW = timedelta(hours=1)",
        "WINDOW = timedelta(seconds=1)",
    ),
    Bug(
        "a guard that forgets a job once its spec means another",
        "core/match.py",
        "        spent=remembered(attempts(status), now),\n",
        "",
    ),
    Bug(
        "a guard that forgets a status that is written over",
        "core/match.py",
        "attempts_of.pop(claim.name, ())",
        "attempts_of.pop(claim.name, ())[:0]",
    ),
    Bug(
        "a guard that judges only what is due",
        "core/change_budget.py",
        "for name, account in self.standing.items() if name not in seen}",
        "for name, account in self.standing.items() if name not in seen and not account}",
    ),
    Bug(
        "a guard that forgets a deleted spec",
        "core/orphans.py",
        "    if not counting:\n",
        "    if counting is not None:\n",
    ),
    Bug(
        "never withdraw",
        "core/receipts.py",
        "replace(receipt, outcome=Outcome.WITHDRAWN) if receipt.is_open and receipt.verb is not wanted else receipt",
        "receipt",
    ),
    Bug(
        "remove statuses though a file cannot be read",
        "controller/prune.py",
        "    return _count(desired.snapshot) > 0 and not desired.snapshot.broken_files\n",
        "    return _count(desired.snapshot) > 0\n",
    ),
    Bug(
        "believe a suspect look",
        "core/absence.py",
        "    if not doubted:\n        return None\n",
        "    if absent:\n        return None\n",
    ),
    Bug(
        "act on both of two specs for one job",
        "core/match.py",
        "        elif claim.ref is not None and claim.job is not None and len(names) > 1:\n",
        "        elif claim.ref is not None and claim.job is not None and len(names) > 9:\n",
    ),
    Bug(
        "act though it is suspended",
        "core/decide.py",
        "    return suspension is not None and (suspension.until is None or now < suspension.until)\n",
        "    return suspension is not None and suspension.until is not None and now < suspension.until\n",
    ),
    Bug(
        "act though Settings are broken",
        "controller/desired_specs.py",
        "        return not self.snapshot.is_settings_broken and self.snapshot.why_not_trusted is None",
        "        return self.snapshot.why_not_trusted is None",
    ),
    Bug(
        "take Settings that cannot be read for none",
        "formats/spec_parser.py",
        '    if kinds["Settings"] > len(found.settings)',
        '    if kinds["Settings"] > 9',
    ),
    Bug(
        "a paused job is over",
        "core/finality.py",
        "    if phase not in TERMINAL:\n        return False\n",
        "    if phase not in TERMINAL:\n        return phase is Phase.PAUSED\n",
    ),
    Bug(
        "final at the first sight of an end",
        "core/finality.py",
        "    has_lasted = since is not None and now - since >= AGREE_AFTER\n",
        "    has_lasted = True\n",
    ),
    Bug(
        "what is gone is never looked at again",
        "core/finality.py",
        "    if phase not in TERMINAL:\n        return False\n",
        "    if phase not in TERMINAL:\n        return phase is Phase.ABSENT\n",
    ),
    Bug(
        "open a final job at the first look that denies its end",
        "core/finality.py",
        "    if now - doubted_at < AGREE_AFTER:\n",
        "    if now < doubted_at:\n",
    ),
    Bug(
        "believe a list row that denies an end",
        "controller/observe.py",
        "    answers = await _retrieve_all(reader, requested)\n",
        "    answers = [_Answer(Observed(rows[ref.id])) for ref in requested]\n",
    ),
    Bug(
        "never doubt an end",
        "controller/observe.py",
        "    requested = sorted(denied)[:CONTRADICTED_MAX]\n",
        "    requested = sorted(denied)[:0]\n",
    ),
    Bug(
        "let any job vanish as if its cancel was accepted",
        "core/absence.py",
        "in _PRESENT) - self.may_vanish\n",
        "in _PRESENT) - self.phases.keys()\n",
    ),
    Bug(
        "wait for ever for Settings to be mended",
        "controller/account_worker.py",
        "    if halt is not None and decision.action is not None:\n",
        "    if halt is None and decision.action is not None:\n",
    ),
    Bug(
        "a status with the time of the pass in it",
        "core/conditions.py",
        "now if before is None or has_moved else before.last_transition_time",
        "now",
    ),
    Bug(
        "an answer closes the receipt",
        "core/settle.py",
        "return replace(receipt, accepted_at=now)",
        'return replace(receipt, accepted_at=now, confirmed_at=now, outcome="cancelled")',
    ),
    Bug(
        "take the refusal of a job that is over for an acceptance",
        "controller/send_request.py",
        "        return RequestOutcome(Progress.ALREADY_OVER, "
        """f"refused: already {answer.job.phase}", job=answer.job)\n""",
        "        pass\n",
    ),
    Bug(
        "take what others cancelled for our doing",
        "core/receipts.py",
        "None if receipt.refusals + is_refused >= receipt.attempts else now",
        "now",
    ),
    Bug(
        "take an answer of 2xx that shows no job for none",
        "plugin/answers.py",
        "    body = response.json() if response.body.strip() else None\n",
        "    body = json_object(response)\n",
    ),
    Bug(
        "let one job that is forbidden hide its account",
        "controller/request_failure.py",
        "_OF_THE_ACCOUNT = frozenset({Kind.DENIED, Kind.MISSING, Kind.UNREACHABLE})",
        "_OF_THE_ACCOUNT = frozenset(Kind)",
    ),
    Bug(
        "let one garbled row hide its page",
        "plugin/answers.py",
        "    if jobs and not read_jobs:\n",
        "    if len(read_jobs) < len(jobs):\n",
    ),
    Bug(
        "act on a list that lags behind",
        "controller/send_request.py",
        "    if not case.is_by_row:\n",
        "    if case.decision.action:\n",
    ),
    Bug(
        "believe at once that a crowd is gone",
        "core/absence.py",
        "    return gone >= CROWD_MIN and",
        "    return gone < CROWD_MIN and",
    ),
    Bug(
        "doubt for ever that a crowd is gone",
        "core/absence.py",
        "DOUBT_LASTS = timedelta(hours=1)",
        "DOUBT_LASTS = timedelta(days=1000)",
    ),
    Bug(
        "let a part of an account vouch for the whole",
        "controller/unobserved.py",
        "kept = {ref.account for ref, missed in self.jobs.items() if missed.is_by_account}",
        "kept = set[Account]()",
    ),
    Bug(
        "let the sight of one job make every job seen",
        "controller/health.py",
        "            self._seen_at[ref] = max(result.seen_at[ref], self._seen_at[ref])\n",
        "            self._seen_at = dict.fromkeys(self._seen_at, result.seen_at[ref])\n",
    ),
    Bug(
        "be ready before anything was observed",
        "controller/health.py",
        "missing = {ref.account for ref in result.wanted} - self._looked_at",
        "missing = {ref.account for ref in result.wanted} - {ref.account for ref in result.wanted}",
    ),
    Bug(
        "let a bug with one job end the look at its account",
        "controller/runtime.py",
        "        raise DefectError(error) from error\n",
        "        raise\n",
    ),
    Bug(
        "let a bug in one answer lose the others",
        "controller/send_request.py",
        "    except Exception as error:  # noqa: BLE001  as said above\n",
        "    except OSError as error:\n",
    ),
    Bug(
        "say nothing of a limit that cannot be judged",
        "core/decide.py",
        "        case Reason.AS_DESIRED if seen.unjudged is not None:\n",
        "        case Reason.AS_DESIRED if seen.unjudged == '':\n",
    ),
    Bug(
        "a key in a message",
        "redaction.py",
        "        if not self.is_in(text):\n            return text\n",
        "        return text\n",
    ),
    Bug(
        "take a status that could not be read for none",
        "local/status_store.py",
        "            elif not is_gone(error):\n                self._unread += (unread(path, error),)\n",
        "            else:\n                self._discarded += (path,)\n",
    ),
    Bug(
        "take a directory of statuses that could not be read for an empty one",
        "local/status_walk.py",
        "            if error.errno != errno.ENAMETOOLONG:\n",
        "            if error.errno == errno.ENOTDIR:\n",
    ),
    Bug(
        "let the guard count without the statuses that could not be read",
        "controller/budget_sources.py",
        "    found = doubts(stored, desired.specs, runtime.policy)\n",
        "    found: dict[str, str] = {}\n",
    ),
    Bug(
        "let a pass wait for an account that takes long",
        "controller/watch.py",
        "await self._pass(due, partial(self._until_needed, within_s=PATIENCE_S))",
        "await self._pass(due, None)",
    ),
    Bug(
        "let jobs that have vanished hide all others of their account",
        "controller/observe.py",
        "            self._replace(doubt.absent, doubt.unseen)\n",
        "            self._replace([ref.id for ref in self.by_job], doubt.unseen)\n",
    ),
    Bug(
        "let one job without an answer hide its account",
        "controller/request_failure.py",
        "        return error.delivered is Delivered.NO\n",
        "        return True\n",
    ),
    Bug(
        "look at all others before a change that is wanted",
        "controller/observation_order.py",
        "    if not 0 < len(urgent) <= few < len(request.asked):\n",
        "    if urgent or few:\n",
    ),
    Bug(
        "take an answer of 2xx that holds a refusal for an acceptance",
        "plugin/answers.py",
        """    if words := [text(each) or "" for each in parts if each]:\n""",
        """    if words := [text(each) or "" for each in parts if each is None]:\n""",
    ),
    Bug(
        "tell the audit that whatever was answered was accepted",
        "controller/send_request.py",
        "                progress=answer.progress,\n",
        "                progress=Progress.ACCEPTED if answer.job else answer.progress,\n",
    ),
    Bug(
        "count a cancel that was refused as accepted",
        "core/receipts.py",
        "    return any(receipt.verb is Verb.CANCEL and receipt.accepted_at is not None for receipt in receipts)\n",
        "    return any(receipt.verb is Verb.CANCEL for receipt in receipts)\n",
    ),
    Bug(
        "count an attempt that was refused as one that may have had an effect",
        "core/settle.py",
        "refusals=receipt.refusals + 1",
        "refusals=receipt.refusals",
        judge="said_by_whom",
    ),
    Bug(
        "call each end of a job that was asked to stop a cancel",
        "core/receipts.py",
        "        return Outcome(phase.value)\n",
        "        return Outcome.CANCELLED if receipt.verb is Verb.CANCEL else Outcome(phase.value)\n",
        judge="said_ended",
    ),
    Bug(
        "decide about jobs whose statuses could not be read",
        "controller/desired_specs.py",
        "tuple(key for key in self.selected if key not in self.unknown)",
        "tuple(self.selected)",
        judge="written_over",
    ),
    Bug(
        "ask for each job of a crowd that has vanished",
        "controller/observe.py",
        "CROWD_CERTAIN_AFTER = 5\n",
        "CROWD_CERTAIN_AFTER = 500\n",
        judge="asked_in_vain",
    ),
    Bug(
        "look once a day at a job that has vanished",
        "core/schedule.py",
        "    since = phase_since(status, status.phase) or now\n",
        "    since = phase_since(status, status.phase) or now\n"
        "    if status.phase is Phase.ABSENT:\n        return timedelta(days=1)\n",
        judge="outdated",
    ),
    Bug(
        "send a question again without a turn of its own",
        "transport.py",
        "        await self._throttle.acquire_retry()\n",
        "",
    ),
    Bug(
        "never become ready",
        "controller/health.py",
        "        self._looked_at.update(each.account for each in result.report.accounts)\n",
        "        pass\n",
    ),
    Bug(
        "say that the specs are watched when they are not",
        "controller/health.py",
        "watched_at=now if is_watching else self.overview.watched_at,",
        "watched_at=now,",
    ),
    Bug(
        "let a job that goes on rest for as long as it likes",
        "core/schedule.py",
        "INTERVALS_MAX = 5\n",
        "INTERVALS_MAX = 500\n",
    ),
    Bug(
        "publish nothing but the first pass",
        "controller/reconcile.py",
        "    return await publish(result, desired, runtime)\n",
        "    return await publish(result, desired, runtime) if due is None else result\n",
    ),
    Bug(
        "tell of an account that is away only after twenty looks",
        "controller/unobserved.py",
        "REPORTED_AFTER = 2\n",
        "REPORTED_AFTER = 20\n",
    ),
    Bug(
        "wake for nothing but what is due",
        "controller/watch.py",
        "min([self._scan_at, *free])",
        "min([math.inf, *free])",
    ),
    Bug(
        "forget what a person wants to be tried again",
        "controller/watch.py",
        "replace(self.options, retry=self.options.retry | names)",
        "replace(self.options, retry=self.options.retry)",
    ),
    Bug(
        "finish whatever is under way before it stops",
        "controller/watch.py",
        "GRACE_S = 20.0\n",
        "GRACE_S = 2000.0\n",
    ),
    Bug(
        "let a wanted change rest as long as another job of its account that is away",
        "controller/watch.py",
        "first_planned_s = min(",
        "first_planned_s = max(",
    ),
)
