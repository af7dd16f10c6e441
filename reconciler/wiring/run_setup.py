"""Open the state directory and the runtime of a run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from reconciler.controller.run_options import Paths, TrustSources
from reconciler.controller.runtime import Runtime
from reconciler.git.discovery import is_tracked
from reconciler.local.attempt_journal import StateJournal
from reconciler.local.clock import SystemClock
from reconciler.local.disk import LocalDisk
from reconciler.local.lock import LOCK_WAIT_S, LockHeldError, hold
from reconciler.local.operator_file import OperatorRules
from reconciler.local.state_dir import StateDirRefusedError, StateDirUnsafeError, default_state_dir, prepare_state_dir
from reconciler.model.action_record import Audit, Notify, ignore_event
from reconciler.ports import NO_TRACER, Tracer
from reconciler.preflight import may_send
from reconciler.telemetry.audit_log import AuditFile
from reconciler.wiring.command_errors import BusyError, ConfigurationError, UsageError
from reconciler.wiring.configured_policy import ConfiguredPolicy
from reconciler.wiring.freshness import command_line
from reconciler.wiring.indexes import IndexUse, open_specs_index, open_status_index
from reconciler.wiring.monitoring import Observers
from reconciler.wiring.older_statuses import older_statuses
from reconciler.wiring.open_accounts import OpenAccounts
from reconciler.wiring.operator_setup import read_trust
from reconciler.wiring.sources import open_specs, status_store


@contextmanager
def open_state_dir(paths: Paths, *, is_locked: bool, may_reset_sandbox: bool = True) -> Iterator[Path]:
    """Prepare the state directory, and yield its path. With `is_locked`, hold its lock while the body runs.

    With `may_reset_sandbox`, the embedded sandboxes are reset first if there are no statuses and nothing holds the
    lock. Raises `BusyError` if `is_locked` and another process holds the lock. Raises `UsageError` or
    `ConfigurationError` if the directory cannot be used, and `OSError` if a file in it cannot be opened or written.
    """
    state_dir = _prepared_state_dir(paths)
    # With --state-dir, a remote or a status branch, missing statuses do not mean that the clone is new.
    may_reset = paths.state_dir is None and paths.remote is None and may_reset_sandbox
    try:
        with hold(
            state_dir / "lock",
            command=command_line(),
            since=SystemClock().now(),
            wait_s=LOCK_WAIT_S if is_locked else 0,
        ):
            if may_reset and not status_store(paths).holds_anything():
                # In a new clone at an old path, no status refers to a job of the sandbox, so the sandbox is reset.
                from reconciler.sandbox.store import remove_worlds  # noqa: PLC0415  slow to import

                remove_worlds(state_dir)
            if is_locked:
                yield state_dir
                return
    except LockHeldError as error:
        if is_locked:
            raise BusyError(str(error), error.command) from None
    yield state_dir


def _prepared_state_dir(paths: Paths) -> Path:
    """Return the state directory, created if needed. Raises `UsageError` or `ConfigurationError` if that fails."""
    try:
        wanted = paths.state_dir or default_state_dir(paths.identity, os.environ)
        return prepare_state_dir(wanted, paths.specs, is_tracked=is_tracked)
    except StateDirRefusedError as error:
        raise UsageError(str(error)) from None
    except StateDirUnsafeError as error:
        raise ConfigurationError(str(error)) from None
    except OSError as error:
        why = error.strerror or error
        msg = f"the state directory {wanted} cannot be used: {why}; name another directory with --state-dir"
        raise ConfigurationError(msg) from None


@asynccontextmanager
async def open_runtime(
    paths: Paths,
    trust: TrustSources,
    state_dir: Path,
    *,
    may_change: bool,
    rules: OperatorRules,
    watch: tuple[asyncio.Event, Observers] | None = None,
    notify: Notify = ignore_event,
    tracer: Tracer = NO_TRACER,
) -> AsyncIterator[Runtime]:
    """Open everything that a pass needs, yield it, and close it when the body ends.

    With `may_change`, the accounts can be changed; the caller must then hold the lock. `watch` contains the stop event
    and the observers of a watch; it is None for any other run. Raises `ConfigurationError` if a setting is missing or
    invalid, if a trust file cannot be read, if the Git remote cannot be used, or if the audit log cannot be written.
    """
    trusted = read_trust(paths, trust.files, rules)
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        stop, observers = watch or (asyncio.Event(), None)

        def is_stopping() -> bool:
            return stop.is_set() or not may_send()

        accounts = OpenAccounts(stack, state_dir, trust.secret_dirs, clock.now, observers, notify, tracer)
        stopping = asyncio.create_task(accounts.close_at(stop))
        stack.callback(stopping.cancel)
        # Only a run that holds the lock and ends soon saves an index.
        how = IndexUse(is_kept=may_change and watch is None, is_brief=watch is None)
        specs_index, statuses = open_specs_index(state_dir, how), status_store(paths, open_status_index(state_dir, how))
        stack.callback(statuses.save_index)
        stack.callback(stop.set)
        journal = StateJournal(state_dir, LocalDisk(state_dir), str(paths.statuses.resolve()), clock.now)
        yield Runtime(
            specs=await open_specs(
                paths,
                state_dir,
                specs_index,
                trusted,
                may_change=may_change,
                is_watch=watch is not None,
                is_stopping=is_stopping,
            ),
            statuses=statuses,
            policy=ConfiguredPolicy(paths, rules, trusted, trust.secret_dirs),
            accounts=accounts,
            clock=clock,
            control=accounts.control if may_change else None,
            is_stopping=is_stopping,
            audit=_audit(paths, stack, observers) if may_change else None,
            notify=notify,
            journal=journal,
            older=older_statuses(paths, state_dir, journal),
            tracer=tracer,
        )


def _audit(paths: Paths, stack: AsyncExitStack, observers: Observers | None) -> Audit | None:
    if paths.audit is None:
        return None
    try:
        audit = stack.enter_context(AuditFile(paths.audit))
    except OSError as error:
        msg = f"the audit log {paths.audit} cannot be written: {error.strerror or error}; pass another file to --audit"
        raise ConfigurationError(msg) from None
    if observers is not None:
        observers.on_reopen.append(audit.reopen)
    return audit
