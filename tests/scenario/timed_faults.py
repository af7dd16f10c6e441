"""What goes wrong around a watch for a time: each takes the stage, begins, notes until when it lasts, and then ends.

Rules: what is drawn comes from the stage's random source; each says which account or job it stands in the way of, so
that of all others no less is expected meanwhile.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from reconciler.errors import Delivered, Kind, PermanentError, TransientError
from reconciler.sandbox.faults import FAULTS
from tests.scenario.disruptions import DEAF, KEY_LOST, Hindrance, RetryAsked
from tests.scenario.injections import any_provider, any_wish, mend_settings
from tests.scenario.oracles.status_yaml import UNFINISHED
from tests.scenario.process import SPECS, STATUSES
from tests.scenario.provider import KEY
from tests.scenario.remote import Branch
from tests.scenario.repository import KEY_VARIABLE, Wish
from tests.scenario.simulation import Stage

OUTAGES: tuple[dict[str, Any], ...] = (
    {"fault": "status", "status": "500"},
    {"fault": "status", "status": "503", "retryAfter": "30s"},
    {"fault": "status", "status": "429"},
    {"fault": "status", "status": "429", "retryAfter": "90s"},
    {"fault": "status", "status": "401"},
    {"fault": "reset-before-acting"},
    {"fault": "hang"},
    {"fault": "html"},
)
_SLOW: tuple[dict[str, Any], ...] = ({"fault": "slow", "for": "3s"}, {"fault": "slow", "for": "40s"})
_OF_ONE_JOB: tuple[dict[str, Any], ...] = (
    {"fault": "status", "status": "403"},
    {"fault": "status", "status": "404"},
    {"fault": "garbage"},
    {"fault": "empty"},
    {"fault": "status", "status": "400"},
)
_JAMS: tuple[Exception, ...] = (
    TransientError("its token endpoint did not answer", delivered=Delivered.NO),
    PermanentError("its credential is refused", kind=Kind.DENIED),
    ValueError("a bug in a vendor's library"),
)
_LASTING_S = (20.0, 70.0, 200.0, 700.0, 700.0, 1700.0)
_REFUSALS = (errno.EIO, errno.ESTALE, errno.EMFILE, errno.EACCES)


def outage(stage: Stage) -> None:
    """Let one account answer nothing good for a while."""
    provider, rule = any_provider(stage), stage.rng.choice(OUTAGES)
    _rule(stage, f"outage: {rule.get('status', rule['fault'])}", rule, provider.name)


def hang(stage: Stage) -> None:
    """Let one account answer nothing at all for a while, and want something of it, so that a request is out."""
    provider = any_provider(stage)
    _rule(stage, "outage: hang", {"fault": "hang"}, provider.name)
    if wishes := _of(stage, provider.name):
        wish = stage.rng.choice(wishes)
        desired = "observed" if wish.desired == "cancelled" else "cancelled"
        stage.edit(f"{wish.name}: -> {desired}", stage.revision.changed(wish.name, desired=desired))


def slowness(stage: Stage) -> None:
    """Let one account answer slowly for a while."""
    _rule(stage, "slow answers", stage.rng.choice(_SLOW), any_provider(stage).name)


def list_lag(stage: Stage) -> None:
    """Let the lists of one account lag behind for a while. What is asked by its id is as it is."""
    rule = {"fault": "stale-read", "on": "list", "for": stage.rng.choice(["30s", "10m"])}
    _begin_rule(stage, rule, any_provider(stage).name)(_seconds(stage))
    stage.happen("lists lag", "")


def forbid_job(stage: Stage) -> None:
    """Let one job answer nothing good for a while."""
    wish = any_wish(stage)
    rule = {**stage.rng.choice(_OF_ONE_JOB), "job": wish.job_id, "on": "retrieve"}
    _rule(stage, f"one job: {rule.get('status', rule['fault'])}", rule, wish.account, wish.job_id)


def vanish(stage: Stage) -> None:
    """Let a job, or a crowd of jobs, be gone for a while; at least one of the account stays."""
    provider, now = any_provider(stage), stage.clock.now()
    going_on = [each for each in _of(stage, provider.name) if _truth(stage, each) in UNFINISHED]
    gone = stage.rng.sample(going_on, stage.rng.choice([1, 1, len(going_on) // 2])) if len(going_on) > 3 else []
    seconds = _seconds(stage)
    for wish in gone:
        until = now + timedelta(seconds=seconds)
        provider.world.vanish(wish.job_id, now, until)
        stage.history.events.append(Hindrance(now, f"{len(gone)} vanish", until, wish.account, wish.job_id))


def wrong_project(stage: Stage) -> None:
    """Give us a key that opens another project for a while."""
    provider = any_provider(stage)
    provider.is_elsewhere = True
    _note(stage, "wrong project", lambda: setattr(provider, "is_elsewhere", False), provider.name)


def shut(stage: Stage) -> None:
    """Let one account raise when it is opened, for a while. A process that has it open knows nothing of that."""
    provider = any_provider(stage)
    provider.jam = stage.rng.choice(_JAMS)
    _note(stage, "cannot be opened", lambda: setattr(provider, "jam", None), provider.name)


def lose_key(stage: Stage) -> None:
    """Give us a wrong key, or none, for a while: all accounts use one."""
    stage.machine.environ[KEY_VARIABLE] = stage.rng.choice(["sk-another-key-000", ""])
    _note(stage, KEY_LOST, lambda: stage.machine.environ.update({KEY_VARIABLE: KEY}))


def skew(stage: Stage) -> None:
    """Put one provider's clock wrong for a while, by little or by much. What a spec wants is not a matter of clocks."""
    provider = any_provider(stage)
    provider.skew = timedelta(seconds=stage.rng.choice([-7200, -240, 240, 301, 7200]))
    stage.happen("clocks disagree", f"{provider.name} by {provider.skew}")
    stage.later(_seconds(stage), lambda: setattr(provider, "skew", timedelta(0)))


def fill_disk(stage: Stage) -> None:
    """Let every write find the disk full for a while."""
    stage.machine.failing_writes = 10**6
    _note(
        stage, "disk full", lambda: setattr(stage.machine, "failing_writes", 0), seconds=stage.rng.choice([5.0, 90.0])
    )


def refuse_reads(stage: Stage) -> None:
    """Let the disk refuse one file, or a whole directory, for a while."""
    root, files = stage.rng.choice([(SPECS, stage.revision.files()), (STATUSES, stage.statuses())])
    path = stage.rng.choice([root, *(root / each for each in sorted(files))])
    number = stage.rng.choice(_REFUSALS)

    def refuse(asked: Path) -> int | None:
        return number if asked == path else None

    def end() -> None:
        if stage.machine.refuse is refuse:
            stage.machine.refuse = lambda _: None

    stage.machine.refuse = refuse
    _note(stage, "disk refuses", end, seconds=stage.rng.choice([3.0, 70.0, 200.0]))


def git_away(stage: Stage) -> None:
    """Let no push arrive for a while, be that known at once or only later."""
    branch = _branch(stage)
    branch.is_away, branch.takes_s = True, stage.rng.choice([0.1, 20.0])
    _note(stage, "remote away", branch.mend)


def git_slow(stage: Stage) -> None:
    """Let each push take its time for a while."""
    branch = _branch(stage)
    branch.takes_s = stage.rng.choice([5.0, 50.0])
    _note(stage, "remote slow", branch.mend)


def deafness(stage: Stage) -> None:
    """Let changes of the specs be noticed by nobody for a while, whether or not the watcher knows that it is dead."""
    stage.bell.is_deaf, stage.bell.is_alive = True, stage.rng.random() < 0.5
    _note(stage, DEAF if stage.bell.is_alive else f"{DEAF}, and known to be", stage.bell.hear)


def break_settings(stage: Stage) -> None:
    """Make Settings invalid, or suspend everything, for a while."""
    is_broken = stage.rng.random() < 0.5
    stage.edit("Settings", replace(stage.revision, is_settings_broken=is_broken, is_suspended=not is_broken))
    stage.later(_seconds(stage), lambda: mend_settings(stage))


def go_down(stage: Stage) -> None:
    """Let the machine go down within the next effects."""
    stage.life.dies_before = stage.life.effects + stage.rng.choice(
        [0, stage.rng.randrange(12), stage.rng.randrange(60)]
    )


def ask_for_retry(stage: Stage) -> None:
    """Let a person ask for the next attempt of a job."""
    _ask_for(stage, any_wish(stage).name)


def lose_cancel(stage: Stage) -> None:
    """Let the next cancel of an account be taken and have no effect; a minute later a person wants it tried again."""
    provider = any_provider(stage)
    provider.weather.add(FAULTS.validate_python([{"fault": "lost-cancel", "on": "cancel", "times": 1}]))
    going_on = [each for each in _of(stage, provider.name) if _truth(stage, each) == "running"]
    if wishes := [each for each in going_on if each.desired != "cancelled"]:
        name = stage.rng.choice(wishes).name
        stage.edit(f"{name}: -> cancelled", stage.revision.changed(name, desired="cancelled"))
        stage.later(stage.rng.choice([30.0, 90.0]), lambda: _ask_for(stage, name))


def _ask_for(stage: Stage, name: str) -> None:
    stage.asked.add(name)
    stage.history.events.append(RetryAsked(stage.clock.now(), name))


def _rule(stage: Stage, kind: str, rule: dict[str, Any], account: str, job_id: str | None = None) -> None:
    seconds = _seconds(stage)
    _begin_rule(stage, rule, account)(seconds)
    until = stage.clock.now() + timedelta(seconds=seconds)
    stage.history.events.append(Hindrance(stage.clock.now(), kind, until, account, job_id))


def _begin_rule(stage: Stage, rule: dict[str, Any], account: str) -> Callable[[float], None]:
    weather = stage.providers[account].weather
    (fault,) = FAULTS.validate_python([rule])
    weather.add([fault])
    return lambda seconds: stage.later(seconds, lambda: weather.remove(fault))


def _note(
    stage: Stage, kind: str, end: Callable[[], object], account: str | None = None, *, seconds: float | None = None
) -> None:
    """Note what has begun, and let it end after a while."""
    lasts_s, now = _seconds(stage) if seconds is None else seconds, stage.clock.now()
    stage.history.events.append(Hindrance(now, kind, now + timedelta(seconds=lasts_s), account))
    stage.later(lasts_s, end)


def _seconds(stage: Stage) -> float:
    return stage.rng.choice(_LASTING_S)


def _branch(stage: Stage) -> Branch:
    return stage.machine.branch or Branch()


def _of(stage: Stage, account: str) -> list[Wish]:
    return [each for each in stage.revision.valid() if each.account == account]


def _truth(stage: Stage, wish: Wish) -> str:
    return stage.history.truth(wish.account, wish.job_id, stage.clock.now())
