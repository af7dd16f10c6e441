"""Deliberate bugs, each a small change of one file: what `plant` puts into a copy of the package.

Rules: each is a mistake that somebody could make, and one change; its text stands in its file exactly once, which a
test checks, so that a bug moves along with the code that it is about.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bug:
    """One change of one file. `old` stands there exactly once."""

    name: str
    file: str
    old: str
    new: str

    def planted(self, text: str) -> str:
        """Return the file's text with the bug in it. Raises ValueError where the bug no longer fits."""
        if text.count(self.old) != 1:
            msg = f"{self.name}: its text stands {text.count(self.old)} times in {self.file}; mend the bug"
            raise ValueError(msg)
        return text.replace(self.old, self.new)


BUGS = (
    Bug(
        "forget the intent",
        "controller/send_request.py",
        "            hands.statuses.write(intent, durable=True)\n",
        "            pass\n",
    ),
    Bug(
        "an intent that a crash may lose",
        "controller/send_request.py",
        "hands.statuses.write(intent, durable=True)",
        "hands.statuses.write(intent, durable=False)",
    ),
    Bug(
        "read a partial list as whole: what is not on it is gone",
        "controller/observe.py",
        "            unseen = Unseen(Reason.OBSERVATION_INCOMPLETE, str(error))\n"
        "            return Looked(dict.fromkeys(wanted, unseen), unseen)\n",
        "            return Looked({ref: Seen(None) for ref in wanted})\n",
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
        "self._gate.close_for(response.retry_after_s)",
        "self._gate.close_for(0)",
    ),
    Bug(
        "take a failed look for absence",
        "controller/observe.py",
        "        return unseen_by(error), error.delivered is Delivered.NO\n",
        "        return Seen(None), False\n",
    ),
    Bug(
        "take any 404 for absence",
        "providers/_openai.py",
        "        if says_there_is_no_job(response, ref):\n            return None\n",
        "        if response.status == 404:\n            return None\n",
    ),
    Bug(
        "absence is done",
        "core/table.py",
        "    Situation.VANISHED: (\n" + "        _give_up(Reason.JOB_VANISHED),\n" * 3,
        "    Situation.VANISHED: (\n"
        + "        _give_up(Reason.JOB_VANISHED),\n" * 2
        + "        _hold(Reason.JOB_GONE),\n",
    ),
    Bug(
        "limits on finished jobs",
        "core/situation.py",
        "    is_told = phase in UNFINISHED and limits.is_believable(as_of, now)\n",
        "    is_told = limits.is_believable(as_of, now)\n",
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
        "written_over.pop(claim.name, ())",
        "written_over.pop(claim.name, ())[:0]",
    ),
    Bug(
        "a guard that judges only what is due",
        "controller/plan.py",
        "for name, line in self.standing.items() if name not in decided}",
        "for name, line in self.standing.items() if name not in decided and not line}",
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
        "    is_whole = not snapshot.broken_files\n",
        "    is_whole = True\n",
    ),
    Bug(
        "believe a suspect look",
        "controller/observe.py",
        "    if not is_none_visible and not is_many:\n",
        "    if looks:\n",
    ),
    Bug(
        "act on both of two specs for one job",
        "core/match.py",
        "        elif claim.ref is not None and refs[claim.ref] > 1:\n",
        "        elif claim.ref is not None and refs[claim.ref] > 9:\n",
    ),
    Bug(
        "act though it is suspended",
        "core/decide.py",
        "    return suspension is not None and (suspension.until is None or now < suspension.until)\n",
        "    return suspension is not None and suspension.until is not None and now < suspension.until\n",
    ),
    Bug(
        "act though Settings are broken",
        "controller/reconcile.py",
        "    may_ask = not snapshot.is_settings_broken and",
        "    may_ask =",
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
        "    return since is not None and now - since >= AGREE_AFTER\n",
        "    return True\n",
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
        "    answers = await asyncio.gather(*(_retrieve_one(reader, ref) for ref in asked))\n",
        "    answers = [(Seen(rows[ref.id]), False) for ref in asked]\n",
    ),
    Bug(
        "never doubt an end",
        "controller/observe.py",
        "    asked = sorted(denied)[:FEW]\n",
        "    asked = sorted(denied)[:0]\n",
    ),
    Bug(
        "let any job vanish as if its cancel was accepted",
        "controller/observe.py",
        "    expected = {ref for ref in absent if ref.id in may_vanish}\n",
        "    expected = absent\n",
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
        "replace(each, accepted_at=now) if each.is_open",
        'replace(each, accepted_at=now, confirmed_at=now, outcome="cancelled") if each.is_open',
    ),
    Bug(
        "a key in a message",
        "plugin/answers.py",
        'body=redact(body, secrets).encode(errors="replace")',
        'body=body.encode(errors="replace")',
    ),
)
