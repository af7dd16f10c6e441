"""What a pass works with, opened: state, environment, accounts."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

from pydantic import BaseModel

from reconciler.controller.run_options import Place, TrustSources
from reconciler.controller.runtime import Tools
from reconciler.local.clock import SystemClock
from reconciler.local.credential_policy import Trust, normalise_base_url
from reconciler.local.disk import LocalDisk
from reconciler.local.lock import PATIENCE_S, LockHeld, hold
from reconciler.local.parse_cache import ParseCache
from reconciler.local.state_dir import StateDirRefused, default_state_dir, prepare_state_dir
from reconciler.local.status_store import StatusesDir
from reconciler.model.action_record import Audit
from reconciler.model.spec import CredentialSource
from reconciler.ports import (
    ProviderType,
)
from reconciler.providers import load
from reconciler.sandbox.store import forget_worlds
from reconciler.telemetry.audit_log import AuditFile
from reconciler.wiring.command_errors import Busy, ConfigurationError, UsageError
from reconciler.wiring.monitoring import Observers
from reconciler.wiring.open_accounts import OpenAccounts
from reconciler.wiring.sources import source_of


@contextmanager
def state_of(place: Place, *, is_locked: bool, may_begin_anew: bool = True) -> Iterator[Path]:
    """Prepare the state directory, and hold its lock where something may be changed."""
    wanted = place.state_dir or default_state_dir(place.identity, os.environ)
    try:
        state_dir = prepare_state_dir(wanted, place.specs)
    except StateDirRefused as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        msg = f"the state directory {wanted} cannot be used: {error.strerror or error}; name another with --state-dir"
        raise ConfigurationError(msg) from None
    is_usual = place.state_dir is None and place.remote is None and may_begin_anew
    try:
        with hold(
            state_dir / "lock",
            command=_command(sys.argv[1:]),
            since=SystemClock().now(),
            patience_s=PATIENCE_S if is_locked else 0,
        ):
            if is_usual and not any(place.statuses.rglob("*.yaml")):
                # The embedded sandbox begins anew where no status remembers it, as in a fresh clone at an old path.
                forget_worlds(state_dir)
            if is_locked:
                yield state_dir
                return
    except LockHeld as error:
        if is_locked:
            raise Busy(str(error)) from None
    yield state_dir


def _command(arguments: Sequence[str]) -> str:
    """Return what others are told of our command line: no option's value, for it may be a URL with a secret in it."""
    verbs = arguments[:1] if arguments and not arguments[0].startswith("-") else []
    return " ".join(["reconcile", *verbs, *(each.partition("=")[0] for each in arguments if each.startswith("--"))])


@asynccontextmanager
async def open_tools(
    place: Place,
    trust: TrustSources,
    state_dir: Path,
    *,
    may_change: bool,
    watch: tuple[asyncio.Event, Observers] | None = None,
) -> AsyncIterator[Tools]:
    """Open everything. A watch brings the wish to stop, and those who are told what happens."""
    try:
        texts = {str(file): file.read_text(encoding="utf-8") for file in trust.files}
        bound = Trust.read(os.environ, texts)
    except (OSError, ValueError) as error:
        msg = f"what may be trusted cannot be read: {error}"
        raise ConfigurationError(msg) from None
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        stop, observers = watch or (asyncio.Event(), None)
        accounts = OpenAccounts(stack, state_dir, trust.secret_dirs, clock.now, observers)
        stopping = asyncio.create_task(accounts.close_at(stop))
        stack.callback(stopping.cancel)
        open_cache = partial(_parse_cache, stack, state_dir, is_kept=may_change and watch is None)
        stack.callback(stop.set)
        parse = open_cache("specs", has_lines=True)
        yield Tools(
            specs=await source_of(place, state_dir, parse, is_watch=watch is not None, is_stopping=stop.is_set),
            statuses=StatusesDir(place.statuses, LocalDisk(place.statuses), open_cache("statuses", has_lines=False)),
            environment=OperatorEnvironment(place, bound),
            accounts=accounts,
            clock=clock,
            control=accounts.control if may_change else None,
            is_stopping=stop.is_set,
            audit=_audit(place, stack) if may_change else None,
        )


def _parse_cache(stack: AsyncExitStack, state_dir: Path, name: str, *, has_lines: bool, is_kept: bool) -> ParseCache:
    """Open what is remembered of texts; only who holds the lock, and ends soon, writes it anew."""
    cache = ParseCache(state_dir / f"{name}.parsed", LocalDisk(state_dir), has_lines=has_lines, is_kept=is_kept)
    if is_kept:
        stack.callback(cache.save)
    return cache


def _audit(place: Place, stack: AsyncExitStack) -> Audit | None:
    try:
        return stack.enter_context(AuditFile(place.audit)) if place.audit else None
    except OSError as error:
        msg = f"the audit {place.audit} cannot be written: {error.strerror or error}"
        raise ConfigurationError(msg) from None


class OperatorEnvironment:
    """What the operator decides, outside the specs."""

    def __init__(self, place: Place, trust: Trust | None = None) -> None:
        """Take the operator's trust; None where nothing is sent, so that nothing need be trusted."""
        self._place = place
        self._trust = trust

    def provider_type(self, name: str) -> ProviderType:
        """Return a type by its word. Raises LookupError."""
        return load(name)

    def base_url(self, type_: ProviderType, options: BaseModel, written: str | None) -> str:
        """Return the spec's base URL, else the vendor's variable's, else the type's own. Raises ValueError."""
        usual = os.environ.get(type_.url_variable) if type_.url_variable else None
        text = written or usual or type_.own_url(options)
        if text is None:
            msg = f"{type_.name} has no address of its own: say where it is, with spec.baseUrl"
            raise ValueError(msg)
        return normalise_base_url(text)

    def distrust(
        self, type_: ProviderType, options: BaseModel, credentials: CredentialSource | None, base_url: str
    ) -> str | None:
        """Return why a credential must not go there; None if it may."""
        return self._trust.check(type_, options, credentials, base_url) if self._trust else None

    def show(self, file: str) -> str:
        """Return a spec file's path as its user would type it."""
        return str(self._place.specs / file)

    def show_status(self, file: str) -> str:
        """Return a status file's path as its user would type it."""
        return str(self._place.statuses / file)
