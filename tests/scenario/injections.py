"""Injections into a run: one function for each action of people, providers and disks.

Rules: each function takes the simulation, changes one thing and records it. Its choices come from the simulation's
random source. A function that finds nothing to change does nothing.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from reconciler.model.job import Phase
from reconciler.sandbox.faults import FAULTS
from reconciler.sandbox.world import InvalidRequestError, UnknownJobError
from tests.scenario.batch_services import batch_id, batches_of, can_share_ids
from tests.scenario.batch_services import job_id as made_up_id
from tests.scenario.oracles.status_yaml import OVER
from tests.scenario.price_book import kinds_of
from tests.scenario.process import SPECS, STATUSES
from tests.scenario.provider import KEY, Provider, ResponseFault
from tests.scenario.repository import FOREVER, KEY_VARIABLE, JobSpec
from tests.scenario.seeded_jobs import a_declared_job, id_of
from tests.scenario.simulation import Simulation
from tests.support.limited_provider import Hint, LimitedProvider

Injector = Callable[[Simulation], None]
DESIRED = ("running", "paused", "cancelled", "cancelled", "observed")
_OUTAGES: tuple[dict[str, Any], ...] = (
    {"fault": "status", "status": "500"},
    {"fault": "reset-before-acting"},
    {"fault": "html"},
    {"fault": "wrong-body-404"},
)
_STATUSES = (400, 401, 403, 404, 408, 409, 422, 425, 429, 500, 502, 503, 504, 529)
_RETRY_AFTER = ("1s", "7s", "90s", "10m")


# --- edits by people -----------------------------------------------------------------------------------------


def change_desired_state(simulation: Simulation) -> None:
    """Change the desired state of a job."""
    job_spec, desired = any_job_spec(simulation), simulation.rng.choice(DESIRED)
    simulation.edit(
        f"{job_spec.name}: {job_spec.desired} -> {desired}", simulation.revision.changed(job_spec.name, desired=desired)
    )


def want_gone(simulation: Simulation) -> None:
    """Set the desired state of an unfinished job to cancelled."""
    now, valid = simulation.clock.now(), simulation.revision.valid()
    going_on = [
        each for each in valid if simulation.history.truth(each.account, each.job_id, now) in {"queued", "running"}
    ]
    if job_specs := [each for each in going_on if each.desired != "cancelled"]:
        job_spec = simulation.rng.choice(job_specs)
        simulation.edit(
            f"{job_spec.name}: {job_spec.desired} -> cancelled",
            simulation.revision.changed(job_spec.name, desired="cancelled"),
        )


def toggle_typo(simulation: Simulation) -> None:
    """Make a typo in a job document, or correct it."""
    job_spec = any_job_spec(simulation)
    what = "a typo" if job_spec.is_valid else "mended"
    simulation.edit(
        f"{job_spec.name}: {what}", simulation.revision.changed(job_spec.name, is_valid=not job_spec.is_valid)
    )


def toggle_broken_file(simulation: Simulation) -> None:
    """Leave a merge conflict in a file, or resolve it."""
    file = any_job_spec(simulation).file
    broken = simulation.revision.broken_files ^ {file}
    simulation.edit(
        f"{file}: {'broken' if file in broken else 'mended'}", replace(simulation.revision, broken_files=broken)
    )


def delete(simulation: Simulation) -> None:
    """Delete a job document, unless only three are left."""
    if len(simulation.revision.job_specs) > 3:
        gone = any_job_spec(simulation)
        kept = tuple(each for each in simulation.revision.job_specs if each != gone)
        simulation.edit(f"{gone.name}: deleted", replace(simulation.revision, job_specs=kept))


def rename(simulation: Simulation) -> None:
    """Rename a job document."""
    job_spec = any_job_spec(simulation)
    new = f"{job_spec.name}-x"
    simulation.edit(f"{job_spec.name}: renamed to {new}", simulation.revision.changed(job_spec.name, name=new))


def move(simulation: Simulation) -> None:
    """Move a document to another folder."""
    job_spec = any_job_spec(simulation)
    file = f"team-{simulation.rng.randrange(3)}/moved-{job_spec.name}.yaml"
    simulation.edit(f"{job_spec.name}: moved to {file}", simulation.revision.changed(job_spec.name, file=file))


def duplicate(simulation: Simulation) -> None:
    """Copy a job document to another file, with its own name, or with another name for its job."""
    job_spec = any_job_spec(simulation)
    copy = replace(job_spec, file=f"copy-of-{job_spec.name}.yaml")
    if simulation.rng.random() < 0.5:
        copy = replace(copy, name=f"{job_spec.name}-copy", desired=simulation.rng.choice(DESIRED))
    simulation.edit(
        f"{job_spec.name}: copied", replace(simulation.revision, job_specs=(*simulation.revision.job_specs, copy))
    )


def remove_copies(simulation: Simulation) -> None:
    """Remove all documents that `duplicate` has made."""
    kept = tuple(each for each in simulation.revision.job_specs if not each.file.startswith("copy-of-"))
    if kept != simulation.revision.job_specs:
        simulation.edit("all copies removed", replace(simulation.revision, job_specs=kept))


def suspend(simulation: Simulation) -> None:
    """Suspend a job for a while or permanently, or end its suspension."""
    job_spec, now = any_job_spec(simulation), simulation.clock.now().replace(microsecond=0)
    until = simulation.rng.choice([None, FOREVER, now + timedelta(minutes=simulation.rng.randrange(1, 10))])
    simulation.edit(
        f"{job_spec.name}: suspended until {until}", simulation.revision.changed(job_spec.name, suspended_until=until)
    )


def limit(simulation: Simulation) -> None:
    """Remove the limits of a job, or replace them by one limit."""
    job_spec, age = any_job_spec(simulation), timedelta(minutes=simulation.rng.choice([5, 60, 400, 60_000]))
    limits: dict[str, object] = {"max_age": None, "max_queued": None, "not_after": None}
    which = simulation.rng.choice(["max_age", "max_queued", "not_after", "none"])
    if which in limits:
        at = simulation.clock.now().replace(microsecond=0)
        limits[which] = at + age if which == "not_after" else age
    simulation.edit(f"{job_spec.name}: {which} {age}", simulation.revision.changed(job_spec.name, **limits))


def limit_cost(simulation: Simulation) -> None:
    """Set a limit of the cost of a job, in the currency of the prices or in another, or remove it."""
    job_spec, most = (
        any_job_spec(simulation),
        simulation.rng.choice([None, Decimal(2), Decimal(2), Decimal(30), Decimal(90_000)]),
    )
    drawn = simulation.rng.choice(["USD", "USD", "USD", "EUR"])
    currency = drawn if most is not None else "USD"
    simulation.edit(
        f"{job_spec.name}: maxCost {most} {currency}",
        simulation.revision.changed(job_spec.name, max_cost=most, currency=currency),
    )


def change_declared_price(simulation: Simulation) -> None:
    """Change a price in a Provider document, add one, or remove it."""
    revision, rng = simulation.revision, simulation.rng
    keys = [(name, kind) for name in revision.accounts for _, kind in kinds_of(revision.service(name).type)]
    key, price = rng.choice(keys), rng.choice([None, Decimal(1), Decimal(60), Decimal(900_000)])
    others = {each: value for each, value in revision.declared_prices.items() if each != key}
    declared = others if price is None else {**others, key: price}
    simulation.edit(f"price of {' '.join(key)}: {price}", replace(revision, declared_prices=declared))


def name_another_job(simulation: Simulation) -> None:
    """Let a spec name another job, or a job that does not exist."""
    job_spec = any_job_spec(simulation)
    others = [each.job_id for each in simulation.revision.job_specs if each.account == job_spec.account]
    if job_spec.is_batch:
        typo = batch_id(simulation.revision.service(job_spec.account), 999)
        # A fine-tuning job whose ID a batch could have: the spec must not reach it.
        others += [each.job_id for each in simulation.revision.job_specs if each.job_id[:1] == typo[:1]]
    else:
        typo = made_up_id(simulation.revision.service(job_spec.account), "typo")
        if can_share_ids(simulation.revision.service(job_spec.account)):
            others += [each.job_id for each in simulation.revision.job_specs if each.provider == job_spec.account]
    job_id = simulation.rng.choice([*others, typo])
    simulation.edit(f"{job_spec.name}: names {job_id}", simulation.revision.changed(job_spec.name, job_id=job_id))


def turn_jobs(simulation: Simulation) -> None:
    """Let each spec name the job of another spec of its account."""
    turned = []
    for account in sorted({each.account for each in simulation.revision.job_specs}):
        ours = [each for each in simulation.revision.job_specs if each.account == account]
        turned += [replace(each, job_id=ours[place - 1].job_id) for place, each in enumerate(ours)]
    simulation.edit("every spec names another spec's job", replace(simulation.revision, job_specs=tuple(turned)))


def change_kind(simulation: Simulation) -> None:
    """Change the kind of a spec. Its job ID may also be that of a job of the other kind."""
    shared = [
        each for each in simulation.revision.job_specs if each.job_id.isdigit() and _of_other_kind(simulation, each)
    ]
    if shared:
        job_spec = simulation.rng.choice(shared)
        account = _of_other_kind(simulation, job_spec)
        simulation.edit(f"{job_spec.name}: in {account}", simulation.revision.changed(job_spec.name, account=account))


def _of_other_kind(simulation: Simulation, job_spec: JobSpec) -> str | None:
    """Return the account with the provider's jobs of the other kind, or None. None also if they cannot have this ID."""
    other = job_spec.provider if job_spec.is_batch else batches_of(job_spec.provider)
    can_share = can_share_ids(simulation.revision.service(job_spec.account))
    return other if can_share and other in simulation.providers else None


def toggle_broken_account(simulation: Simulation) -> None:
    """Break a Provider document, or repair it."""
    broken = simulation.revision.broken_accounts ^ {any_provider(simulation).host.name}
    simulation.edit(
        f"broken Provider documents: {sorted(broken)}", replace(simulation.revision, broken_accounts=broken)
    )


def mend_accounts(simulation: Simulation) -> None:
    """Make every Provider document valid again."""
    simulation.edit("Provider documents: mended", replace(simulation.revision, broken_accounts=frozenset()))


def break_settings(simulation: Simulation) -> None:
    """Make Settings invalid."""
    simulation.edit("Settings: broken", replace(simulation.revision, is_settings_broken=True))


def toggle_suspension(simulation: Simulation) -> None:
    """Suspend every change, or end that suspension."""
    is_suspended = not simulation.revision.is_suspended
    simulation.edit(f"Settings: suspend {is_suspended}", replace(simulation.revision, is_suspended=is_suspended))


def mend_settings(simulation: Simulation) -> None:
    """Make Settings valid again, with nothing suspended."""
    simulation.edit("Settings: mended", replace(simulation.revision, is_settings_broken=False, is_suspended=False))


def mend_everything(simulation: Simulation) -> None:
    """Make Settings and every Provider document valid, with nothing suspended."""
    mended = replace(simulation.revision, broken_accounts=frozenset(), is_settings_broken=False, is_suspended=False)
    simulation.edit("all mended", mended)


def edit_during_look(simulation: Simulation) -> None:
    """Change a spec while the next pass waits for a slow response."""
    rules = [{"fault": "slow", "for": "4s", "on": "retrieve", "times": 2}]
    for provider in simulation.providers.values():
        provider.faults.add(FAULTS.validate_python(rules))
    simulation.machine.after_reads.append(lambda: change_desired_state(simulation))


# --- damage to files -----------------------------------------------------------------------------------------


def damage_status(simulation: Simulation) -> None:
    """Truncate, empty, edit or delete a status file, or leave a merge conflict in it."""
    paths = sorted(path for path in simulation.statuses() if not path.startswith("_"))
    if not paths:
        return
    path = simulation.rng.choice(paths)
    data = simulation.statuses()[path]
    how = simulation.rng.choice(["cut off", "edited by hand", "edited by hand", "in conflict", "deleted", "emptied"])
    damaged = {
        "cut off": data[: simulation.rng.randrange(len(data) + 1)],
        "edited by hand": _made_up(data),
        "in conflict": b"<<<<<<< HEAD\n" + data + b"=======\n" + data + b">>>>>>> theirs\n",
        "emptied": b"",
        "deleted": None,
    }
    simulation.tamper(path, how, damaged[how])


def _made_up(data: bytes) -> bytes:
    """Return a status that a person has edited to report success."""
    text = data.decode()
    for word in ("running", "queued", "paused", "pausing", "validating_files", "cancelling"):
        text = text.replace(f"phase: {word}\n", "phase: cancelled\n").replace(
            f"Status: {word}\n", "Status: cancelled\n"
        )
    text = text.replace("final: false", "final: true").replace("status: 'False'", "status: 'True'")
    return text.replace("reason: CancelPending", "reason: Cancelled").encode()


def fill_disk(simulation: Simulation) -> None:
    """Let the next writes fail because the disk is full."""
    simulation.machine.failing_writes = simulation.rng.randrange(1, 4)


def refuse_reads(simulation: Simulation) -> None:
    """Let the disk refuse a file or directory of specs or statuses, for a moment or until it is repaired."""
    root, files = SPECS, {SPECS / each for each in simulation.revision.files()}
    if simulation.statuses() and simulation.rng.random() < 0.8:
        root, files = STATUSES, {STATUSES / each for each in simulation.statuses()}
    directories = {parent for file in files for parent in file.parents if parent.is_relative_to(root)}
    path = simulation.rng.choice(sorted(files | directories))
    number = simulation.rng.choice(_REFUSALS)
    left = simulation.rng.choice([1, 1, 2, 5, 1000])

    def refuse(asked: Path) -> int | None:
        nonlocal left
        if asked != path or left == 0:
            return None
        left -= 1
        return number

    simulation.machine.refuse = refuse


_REFUSALS = (errno.EIO, errno.ESTALE, errno.EMFILE, errno.EACCES)


# --- events at the provider ----------------------------------------------------------------------------------


def create_outside(simulation: Simulation) -> None:
    """Create a job as another user does. Often a person then writes a spec for it."""
    provider, rng = any_provider(simulation), simulation.rng
    number = 500 + len(provider.world.born)
    job_id = id_of(simulation.revision.service(provider.name), provider.name, number)
    provider.world.bear(job_id, a_declared_job(rng, provider.name, provider.service), simulation.clock.now())
    simulation.note_event("created outside", f"{provider.name}/{job_id}")
    if rng.random() < 0.6:
        name = f"{'batch' if provider.has_batches else 'job'}-{provider.host.name}-{number}"
        job_spec = JobSpec(
            name=name, file=f"{name}.yaml", account=provider.name, job_id=job_id, desired=rng.choice(DESIRED)
        )
        edited = replace(simulation.revision, job_specs=(*simulation.revision.job_specs, job_spec))
        simulation.edit(f"{name}: written", edited)


def change_outside(simulation: Simulation) -> None:
    """Cancel, pause or resume a job as another user does."""
    provider = any_provider(simulation)
    ours = [each.job_id for each in simulation.revision.job_specs if each.account == provider.name]
    job_id = simulation.rng.choice(sorted(ours or provider.world.ids() or {"ftjob-00"}))
    verb = simulation.rng.choice(["cancel", "pause", "resume", "pause", "resume"])
    if verb != "cancel" and Phase.PAUSED in provider.service.lacks:
        return
    act = {"cancel": provider.world.cancel, "pause": provider.world.pause, "resume": provider.world.resume}[verb]
    with suppress(UnknownJobError, InvalidRequestError):
        act(job_id, simulation.clock.now())
        simulation.note_event(f"another user {verb}s", f"{provider.name}/{job_id}")


def revive(simulation: Simulation) -> None:
    """Let an ended job run again, as if its provider had restored it."""
    provider, now = any_provider(simulation), simulation.clock.now()
    ended = [
        each.job_id
        for each in simulation.revision.job_specs
        if each.account == provider.name and simulation.history.truth(provider.name, each.job_id, now) in OVER
    ]
    if ended:
        job_id = simulation.rng.choice(sorted(set(ended)))
        provider.world.revive(job_id, now)
        simulation.note_event("revived", f"{provider.name}/{job_id}")


def fault(simulation: Simulation) -> None:
    """Add one of the sandbox's faults to the next requests."""
    provider, times = any_provider(simulation), simulation.rng.randrange(1, 6)
    rule = simulation.rng.choice(_RULES)(simulation)
    provider.faults.add(FAULTS.validate_python([{"times": times, **rule}]))
    simulation.note_event(
        str(rule.get("status", rule["fault"])), f"{provider.name}, the next {times} {rule.get('on', 'requests')}"
    )


def damage_list(simulation: Simulation) -> None:
    """Let the next lists fail on one page, loop, be empty, show an unknown status, or show an earlier state."""
    provider, times = any_provider(simulation), simulation.rng.randrange(1, 4)
    rule = simulation.rng.choice(_LIST_RULES)(simulation)
    provider.faults.add(FAULTS.validate_python([{"times": times, **rule}]))
    simulation.note_event(f"list: {rule['fault']}", f"{provider.name}, {times} times")


def outage(simulation: Simulation) -> None:
    """Let the next 6 to 24 requests to an account fail."""
    provider, times = any_provider(simulation), simulation.rng.randrange(6, 25)
    rule = simulation.rng.choice(_OUTAGES)
    provider.faults.add(FAULTS.validate_python([{"times": times, **rule}]))
    simulation.note_event("outage", f"{provider.name}: {rule}, {times} times")


def limit_requests(simulation: Simulation) -> None:
    """Let a provider throttle requests above a rate, with or without a hint."""
    provider, rng = any_provider(simulation), simulation.rng
    provider.host.limit = LimitedProvider(rng.choice([0.2, 0.5, 2.0, 8.0]), rng.choice(list(Hint)))
    simulation.note_event("throttles", f"{provider.name}: {provider.host.limit.per_second} a second")


def response_fault(simulation: Simulation) -> None:
    """Let the next responses have absurd times, an error that repeats the key, or no `Date` header."""
    provider, times = any_provider(simulation), simulation.rng.randrange(1, 5)
    kind = simulation.rng.choice(["absurd-times", "echoed-key", "no-date"])
    provider.response_faults.append(ResponseFault(kind, times, simulation.rng.randrange(100)))
    simulation.note_event(kind, f"{provider.name}, the next {times} answers")


def skew_clock(simulation: Simulation) -> None:
    """Set the error of a provider's clock: none, a small or a large one."""
    provider = any_provider(simulation)
    provider.host.skew = timedelta(seconds=simulation.rng.choice([-7200, -240, 240, 301, 7200, 0]))
    simulation.note_event("clocks disagree", f"{provider.name} by {provider.host.skew}")


def switch_account(simulation: Simulation) -> None:
    """Let the key belong to another project, or to the right project again."""
    provider = any_provider(simulation)
    provider.host.is_wrong_project = not provider.host.is_wrong_project
    simulation.note_event("switched account", f"{provider.name}: {provider.host.is_wrong_project}")


def lose_key(simulation: Simulation) -> None:
    """Use a wrong key, no key, or the right key again."""
    key, what = simulation.rng.choice([("sk-another-key-000", "wrong"), ("", "none"), (KEY, "right")])
    simulation.machine.environ[KEY_VARIABLE] = key
    simulation.note_event("key changed", what)


def _status(simulation: Simulation) -> dict[str, Any]:
    status = simulation.rng.choice(_STATUSES)
    retry = (
        {"retryAfter": simulation.rng.choice(_RETRY_AFTER)}
        if status in {429, 503} and simulation.rng.random() < 0.7
        else {}
    )
    return {"fault": "status", "status": str(status), **retry}


def _on_cancel(simulation: Simulation) -> dict[str, Any]:
    return {**_status(simulation), "on": "cancel"}


def _plain(fault: str, on: str = "any") -> Callable[[Simulation], dict[str, Any]]:
    return lambda _: {"fault": fault, "on": on}


def _lasting(fault: str, spans: Sequence[str], on: str = "any") -> Callable[[Simulation], dict[str, Any]]:
    return lambda simulation: {"fault": fault, "on": on, "for": simulation.rng.choice(spans)}


_RULES: tuple[Callable[[Simulation], dict[str, Any]], ...] = (
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
_LIST_RULES: tuple[Callable[[Simulation], dict[str, Any]], ...] = (
    lambda simulation: {"fault": "partial-page", "on": "list", "page": simulation.rng.randrange(1, 5)},
    lambda simulation: {"fault": "partial-page", "on": "list", "page": simulation.rng.randrange(1, 5)},
    _plain("endless", "list"),
    _plain("empty", "list"),
    _plain("unknown-word", "list"),
    _lasting("stale-read", ("5m", "2h"), "list"),
)


def any_job_spec(simulation: Simulation) -> JobSpec:
    """Return a random job document."""
    return simulation.rng.choice(simulation.revision.job_specs)


def any_provider(simulation: Simulation) -> Provider:
    """Return the provider of a random account."""
    return simulation.providers[simulation.rng.choice(sorted(simulation.providers))]
