"""What can happen in a run: one function for each thing that people, providers and disks do.

Rules: each takes the stage, changes one thing and notes it; what it picks comes from the stage's random source; one
that finds nothing to act on does nothing.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from reconciler.model.job import Phase
from reconciler.sandbox.faults import FAULTS
from reconciler.sandbox.world import InvalidRequestError, UnknownJobError
from tests.scenario.oracles.status_yaml import OVER
from tests.scenario.process import SPECS, STATUSES
from tests.scenario.provider import KEY, Provider, Trick
from tests.scenario.repository import FOREVER, KEY_VARIABLE, Wish
from tests.scenario.simulation import Stage

Trouble = Callable[[Stage], None]
DESIRED = ("running", "paused", "cancelled", "cancelled", "observed")
_OUTAGES: tuple[dict[str, Any], ...] = (
    {"fault": "status", "status": "500"},
    {"fault": "reset-before-acting"},
    {"fault": "html"},
    {"fault": "wrong-body-404"},
)
_STATUSES = (400, 401, 403, 404, 408, 409, 422, 425, 429, 500, 502, 503, 504, 529)
_RETRY_AFTER = ("1s", "7s", "90s", "10m")


# --- what people write ---------------------------------------------------------------------------------------


def change_wish(stage: Stage) -> None:
    """Want another state of a job."""
    wish, desired = any_wish(stage), stage.rng.choice(DESIRED)
    stage.edit(f"{wish.name}: {wish.desired} -> {desired}", stage.revision.changed(wish.name, desired=desired))


def want_gone(stage: Stage) -> None:
    """Want a job cancelled that goes on."""
    now, valid = stage.clock.now(), stage.revision.valid()
    going_on = [each for each in valid if stage.history.truth(each.account, each.job_id, now) in {"queued", "running"}]
    if wishes := [each for each in going_on if each.desired != "cancelled"]:
        wish = stage.rng.choice(wishes)
        stage.edit(f"{wish.name}: {wish.desired} -> cancelled", stage.revision.changed(wish.name, desired="cancelled"))


def toggle_typo(stage: Stage) -> None:
    """Make a typo, or mend one."""
    wish = any_wish(stage)
    what = "a typo" if wish.is_valid else "mended"
    stage.edit(f"{wish.name}: {what}", stage.revision.changed(wish.name, is_valid=not wish.is_valid))


def toggle_broken_file(stage: Stage) -> None:
    """Leave a merge conflict in a file, or take it out."""
    file = any_wish(stage).file
    broken = stage.revision.broken_files ^ {file}
    stage.edit(f"{file}: {'broken' if file in broken else 'mended'}", replace(stage.revision, broken_files=broken))


def delete(stage: Stage) -> None:
    """Delete a document."""
    if len(stage.revision.wishes) > 3:
        gone = any_wish(stage)
        kept = tuple(each for each in stage.revision.wishes if each != gone)
        stage.edit(f"{gone.name}: deleted", replace(stage.revision, wishes=kept))


def rename(stage: Stage) -> None:
    """Give a document another name."""
    wish = any_wish(stage)
    new = f"{wish.name}-x"
    stage.edit(f"{wish.name}: renamed to {new}", stage.revision.changed(wish.name, name=new))


def move(stage: Stage) -> None:
    """Move a document to another folder."""
    wish = any_wish(stage)
    file = f"team-{stage.rng.randrange(3)}/moved-{wish.name}.yaml"
    stage.edit(f"{wish.name}: moved to {file}", stage.revision.changed(wish.name, file=file))


def duplicate(stage: Stage) -> None:
    """Copy a document: its job under another name, or its name in another file."""
    wish = any_wish(stage)
    copy = replace(wish, file=f"copy-of-{wish.name}.yaml")
    if stage.rng.random() < 0.5:
        copy = replace(copy, name=f"{wish.name}-copy", desired=stage.rng.choice(DESIRED))
    stage.edit(f"{wish.name}: copied", replace(stage.revision, wishes=(*stage.revision.wishes, copy)))


def remove_copies(stage: Stage) -> None:
    """Take all copies out again."""
    kept = tuple(each for each in stage.revision.wishes if not each.file.startswith("copy-of-"))
    if kept != stage.revision.wishes:
        stage.edit("all copies removed", replace(stage.revision, wishes=kept))


def suspend(stage: Stage) -> None:
    """Suspend a job for a while, for ever, or no more."""
    wish, now = any_wish(stage), stage.clock.now().replace(microsecond=0)
    until = stage.rng.choice([None, FOREVER, now + timedelta(minutes=stage.rng.randrange(1, 10))])
    stage.edit(f"{wish.name}: suspended until {until}", stage.revision.changed(wish.name, suspended_until=until))


def limit(stage: Stage) -> None:
    """Give a job limits, or none."""
    wish, age = any_wish(stage), timedelta(minutes=stage.rng.choice([5, 60, 400, 60_000]))
    limits: dict[str, object] = {"max_age": None, "max_queued": None, "not_after": None}
    which = stage.rng.choice(["max_age", "max_queued", "not_after", "none"])
    if which in limits:
        at = stage.clock.now().replace(microsecond=0)
        limits[which] = at + age if which == "not_after" else age
    stage.edit(f"{wish.name}: {which} {age}", stage.revision.changed(wish.name, **limits))


def mean_another_job(stage: Stage) -> None:
    """Name another job, or one that never was."""
    wish = any_wish(stage)
    others = [each.job_id for each in stage.revision.wishes if each.account == wish.account]
    job_id = stage.rng.choice([*others, "ftjob-typo"])
    stage.edit(f"{wish.name}: means {job_id}", stage.revision.changed(wish.name, job_id=job_id))


def turn_jobs(stage: Stage) -> None:
    """Let every spec mean the job that another one of its account meant."""
    turned = []
    for account in sorted({each.account for each in stage.revision.wishes}):
        ours = [each for each in stage.revision.wishes if each.account == account]
        turned += [replace(each, job_id=ours[place - 1].job_id) for place, each in enumerate(ours)]
    stage.edit("every spec means another's job", replace(stage.revision, wishes=tuple(turned)))


def toggle_broken_account(stage: Stage) -> None:
    """Break a Provider document, or mend it."""
    broken = stage.revision.broken_accounts ^ {any_provider(stage).name}
    stage.edit(f"broken Provider documents: {sorted(broken)}", replace(stage.revision, broken_accounts=broken))


def mend_accounts(stage: Stage) -> None:
    """Make every Provider document valid again."""
    stage.edit("Provider documents: mended", replace(stage.revision, broken_accounts=frozenset()))


def break_settings(stage: Stage) -> None:
    """Make Settings invalid."""
    stage.edit("Settings: broken", replace(stage.revision, is_settings_broken=True))


def toggle_suspension(stage: Stage) -> None:
    """Suspend everything, or go on."""
    is_suspended = not stage.revision.is_suspended
    stage.edit(f"Settings: suspend {is_suspended}", replace(stage.revision, is_suspended=is_suspended))


def mend_settings(stage: Stage) -> None:
    """Make Settings valid again, with nothing suspended."""
    stage.edit("Settings: mended", replace(stage.revision, is_settings_broken=False, is_suspended=False))


def mend_everything(stage: Stage) -> None:
    """Make Settings and every Provider document valid, with nothing suspended."""
    mended = replace(stage.revision, broken_accounts=frozenset(), is_settings_broken=False, is_suspended=False)
    stage.edit("all mended", mended)


def edit_during_look(stage: Stage) -> None:
    """Change a wish while the next pass is waiting for a slow answer."""
    rules = [{"fault": "slow", "for": "4s", "on": "retrieve", "times": 2}]
    for provider in stage.providers.values():
        provider.weather.add(FAULTS.validate_python(rules))
    stage.machine.ambushes.append(lambda: change_wish(stage))


# --- what happens to our files -------------------------------------------------------------------------------


def spoil_status(stage: Stage) -> None:
    """Cut off, edit, leave a conflict in, or delete a status file."""
    paths = sorted(path for path in stage.statuses() if not path.startswith("_"))
    if not paths:
        return
    path = stage.rng.choice(paths)
    data = stage.statuses()[path]
    how = stage.rng.choice(["cut off", "edited by hand", "edited by hand", "in conflict", "deleted", "emptied"])
    spoilt = {
        "cut off": data[: stage.rng.randrange(len(data) + 1)],
        "edited by hand": _made_up(data),
        "in conflict": b"<<<<<<< HEAD\n" + data + b"=======\n" + data + b">>>>>>> theirs\n",
        "emptied": b"",
        "deleted": None,
    }
    stage.tamper(path, how, spoilt[how])


def _made_up(data: bytes) -> bytes:
    """Return what a person with hope makes of a status: all is done."""
    text = data.decode()
    for word in ("running", "queued", "paused", "pausing", "validating_files", "cancelling"):
        text = text.replace(f"phase: {word}\n", "phase: cancelled\n").replace(
            f"Status: {word}\n", "Status: cancelled\n"
        )
    text = text.replace("final: false", "final: true").replace("status: 'False'", "status: 'True'")
    return text.replace("reason: CancelPending", "reason: Cancelled").encode()


def fill_disk(stage: Stage) -> None:
    """Let the next writes find the disk full."""
    stage.machine.failing_writes = stage.rng.randrange(1, 4)


def refuse_reads(stage: Stage) -> None:
    """Let the disk refuse a file or a directory, of specs or of statuses, for a moment or until it is mended."""
    root, files = SPECS, {SPECS / each for each in stage.revision.files()}
    if stage.statuses() and stage.rng.random() < 0.8:
        root, files = STATUSES, {STATUSES / each for each in stage.statuses()}
    directories = {parent for file in files for parent in file.parents if parent.is_relative_to(root)}
    path = stage.rng.choice(sorted(files | directories))
    number = stage.rng.choice(_REFUSALS)
    left = stage.rng.choice([1, 1, 2, 5, 1000])

    def refuse(asked: Path) -> int | None:
        nonlocal left
        if asked != path or left == 0:
            return None
        left -= 1
        return number

    stage.machine.refuse = refuse


_REFUSALS = (errno.EIO, errno.ESTALE, errno.EMFILE, errno.EACCES)


# --- what happens at the provider ----------------------------------------------------------------------------


def act_behind_our_back(stage: Stage) -> None:
    """Let somebody else cancel, pause or resume a job."""
    provider = any_provider(stage)
    job_id = stage.rng.choice(sorted(each.job_id for each in stage.revision.wishes))
    verb = stage.rng.choice(["cancel", "pause", "resume", "pause", "resume"])
    if verb != "cancel" and Phase.PAUSED in provider.service.lacks:
        return
    act = {"cancel": provider.world.cancel, "pause": provider.world.pause, "resume": provider.world.resume}[verb]
    with suppress(UnknownJobError, InvalidRequestError):
        act(job_id, stage.clock.now())
        stage.happen(f"somebody {verb}s", f"{provider.name}/{job_id}")


def go_back(stage: Stage) -> None:
    """Let a job that has ended run again, as if its provider had restored what it was."""
    provider, now = any_provider(stage), stage.clock.now()
    ended = [
        each.job_id
        for each in stage.revision.wishes
        if each.account == provider.name and stage.history.truth(provider.name, each.job_id, now) in OVER
    ]
    if ended:
        job_id = stage.rng.choice(sorted(set(ended)))
        provider.world.go_back(job_id, now)
        stage.happen("went back", f"{provider.name}/{job_id}")


def fault(stage: Stage) -> None:
    """Put one of the sandbox's faults in the way of the next requests."""
    provider, times = any_provider(stage), stage.rng.randrange(1, 6)
    rule = stage.rng.choice(_RULES)(stage)
    provider.weather.add(FAULTS.validate_python([{"times": times, **rule}]))
    stage.happen(
        str(rule.get("status", rule["fault"])), f"{provider.name}, the next {times} {rule.get('on', 'requests')}"
    )


def spoil_list(stage: Stage) -> None:
    """Let the next lists break off, go round, show what was, or speak in tongues."""
    provider, times = any_provider(stage), stage.rng.randrange(1, 4)
    rule = stage.rng.choice(_LIST_RULES)(stage)
    provider.weather.add(FAULTS.validate_python([{"times": times, **rule}]))
    stage.happen(f"list: {rule['fault']}", f"{provider.name}, {times} times")


def outage(stage: Stage) -> None:
    """Let a provider answer nothing good for a while."""
    provider, times = any_provider(stage), stage.rng.randrange(6, 25)
    rule = stage.rng.choice(_OUTAGES)
    provider.weather.add(FAULTS.validate_python([{"times": times, **rule}]))
    stage.happen("outage", f"{provider.name}: {rule}, {times} times")


def trick(stage: Stage) -> None:
    """Make the next answers absurd."""
    provider, times = any_provider(stage), stage.rng.randrange(1, 5)
    kind = stage.rng.choice(["absurd-times", "echoed-key", "no-date"])
    provider.tricks.append(Trick(kind, times, stage.rng.randrange(100)))
    stage.happen(kind, f"{provider.name}, the next {times} answers")


def disagree(stage: Stage) -> None:
    """Put the provider's clock wrong, by little or by much."""
    provider = any_provider(stage)
    provider.skew = timedelta(seconds=stage.rng.choice([-7200, -240, 240, 301, 7200, 0]))
    stage.happen("clocks disagree", f"{provider.name} by {provider.skew}")


def switch_account(stage: Stage) -> None:
    """Give us a key that opens another project, or the right one again."""
    provider = any_provider(stage)
    provider.is_elsewhere = not provider.is_elsewhere
    stage.happen("switched account", f"{provider.name}: {provider.is_elsewhere}")


def lose_key(stage: Stage) -> None:
    """Give us a wrong key, none, or the right one again."""
    key, what = stage.rng.choice([("sk-another-key-000", "wrong"), ("", "none"), (KEY, "right")])
    stage.machine.environ[KEY_VARIABLE] = key
    stage.happen("key changed", what)


def _status(stage: Stage) -> dict[str, Any]:
    status = stage.rng.choice(_STATUSES)
    retry = {"retryAfter": stage.rng.choice(_RETRY_AFTER)} if status in {429, 503} and stage.rng.random() < 0.7 else {}
    return {"fault": "status", "status": str(status), **retry}


def _on_cancel(stage: Stage) -> dict[str, Any]:
    return {**_status(stage), "on": "cancel"}


def _plain(fault: str, on: str = "any") -> Callable[[Stage], dict[str, Any]]:
    return lambda _: {"fault": fault, "on": on}


def _lasting(fault: str, spans: Sequence[str], on: str = "any") -> Callable[[Stage], dict[str, Any]]:
    return lambda stage: {"fault": fault, "on": on, "for": stage.rng.choice(spans)}


_RULES: tuple[Callable[[Stage], dict[str, Any]], ...] = (
    _status,
    _status,
    _on_cancel,
    _on_cancel,
    *(_plain(each) for each in ("hang", "reset-before-acting", "html", "wrong-body-404")),
    *(_plain(each) for each in ("reset-after-acting", "garbage", "empty")),
    *(_plain(each, "cancel") for each in ("hang", "reset-after-acting", "garbage", "empty", "lost-cancel")),
    _plain("lost-cancel", "cancel"),
    _lasting("late-cancel", ("20s", "4m", "14m"), "cancel"),
    _lasting("slow", ("1s", "20s", "44s", "70s")),
    _lasting("slow", ("20s", "70s"), "cancel"),
    _lasting("stale-read", ("30s", "5m", "2h")),
    _plain("unknown-word"),
    _plain("partial-page", "list"),
    _plain("endless", "list"),
)
_LIST_RULES: tuple[Callable[[Stage], dict[str, Any]], ...] = (
    lambda stage: {"fault": "partial-page", "on": "list", "page": stage.rng.randrange(1, 5)},
    lambda stage: {"fault": "partial-page", "on": "list", "page": stage.rng.randrange(1, 5)},
    _plain("endless", "list"),
    _plain("empty", "list"),
    _plain("unknown-word", "list"),
    _lasting("stale-read", ("5m", "2h"), "list"),
)


def any_wish(stage: Stage) -> Wish:
    """Return any document."""
    return stage.rng.choice(stage.revision.wishes)


def any_provider(stage: Stage) -> Provider:
    """Return any account's provider."""
    return stage.providers[stage.rng.choice(sorted(stage.providers))]
