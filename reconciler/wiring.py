"""Puts the parts together: the only module that knows every concrete class.

Rules: whatever is opened here is closed here, by one exit stack a run; a plan is given accounts that it can only read;
heavy parts are imported where they are needed, so that `--help` is quick.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath

from pydantic import BaseModel

from reconciler.adapters.audit import AuditFile
from reconciler.adapters.checkout import CheckedOutSpecs, find_checkout
from reconciler.adapters.clock import SystemClock
from reconciler.adapters.disk import LocalDisk
from reconciler.adapters.documents import read_documents
from reconciler.adapters.git import GitError
from reconciler.adapters.lock import LockHeld, hold
from reconciler.adapters.publish import Signature, open_publisher
from reconciler.adapters.remote import RemoteSpecs, open_remote, polling, publish_to_remote
from reconciler.adapters.specs_dir import SpecsDir
from reconciler.adapters.state_dir import StateDirRefused, default_state_dir, prepare_state_dir
from reconciler.adapters.statuses_dir import StatusesDir
from reconciler.adapters.tampering import edited_statuses, foreign_commits
from reconciler.adapters.trust import Trust, normalise_base_url
from reconciler.adapters.watch import watching
from reconciler.adapters.yaml_text import Unreadable, parse
from reconciler.errors import PublishError
from reconciler.loop.accounts import Tools
from reconciler.loop.forever import Watch
from reconciler.loop.once import Memory, run_pass
from reconciler.loop.orders import Brakes, GitRemote, Patience, Place, Publishing, Selection, TrustSources, orders
from reconciler.loop.read import read_rows
from reconciler.loop.resolve import resolve
from reconciler.loop.tally import exit_codes
from reconciler.loop.until import run_until
from reconciler.model.plan import Report
from reconciler.model.record import Audit
from reconciler.model.spec import CredentialSource
from reconciler.observing import Observers
from reconciler.opening import OpenAccounts
from reconciler.ports import (
    ProviderType,
    Snapshot,
    SpecSource,
    Waker,
)
from reconciler.providers import known, load
from reconciler.sandbox.faults import FAULTS
from reconciler.sandbox.options import SandboxOptions
from reconciler.sandbox.store import forget_worlds

NOT_PUBLISHED = Publishing()


class UsageError(Exception):
    """What was asked for cannot be: exit 64."""


class Busy(Exception):
    """Another reconciler is at work: exit 75."""


class ConfigurationError(Exception):
    """Something that the operator sets is missing or wrong: exit 78."""


async def run_once(
    place: Place,
    selection: Selection,
    brakes: Brakes,
    trust: TrustSources,
    *,
    dry_run: bool,
    patience: Patience,
    publishing: Publishing = NOT_PUBLISHED,
    tell: Callable[[Report], None],
) -> Report:
    """Make passes until done: see `loop.until`. Raises the three errors above."""
    with _state_of(place, is_locked=not dry_run, may_begin_anew=publishing.status_branch is None) as state_dir:
        there = _published_place(place, publishing, state_dir)
        async with _tools(there, trust, state_dir, may_change=not dry_run) as opened:
            tools = await _publishing_tools(opened, there, publishing)
            return await run_until(
                tools,
                orders(selection, brakes),
                wait_s=patience.wait_s,
                timeout_s=patience.timeout_s,
                jitter=random.random,
                tell=tell,
            )


async def watch(
    place: Place,
    selection: Selection,
    brakes: Brakes,
    trust: TrustSources,
    *,
    stop: asyncio.Event,
    observers: Observers,
    publishing: Publishing = NOT_PUBLISHED,
) -> None:
    """Make passes until `stop`: see `loop.forever`. Raises the three errors above."""
    with _state_of(place, is_locked=True, may_begin_anew=publishing.status_branch is None) as state_dir:
        there = _published_place(place, publishing, state_dir)
        async with (
            _tools(there, trust, state_dir, may_change=True, watch=(stop, observers)) as opened,
            _waking(opened.specs, there) as waker,
        ):
            tools = await _publishing_tools(opened, there, publishing)
            wanted = orders(selection, brakes)
            await Watch(tools, wanted, waker, random.random, observers.lookout, observers.passed).run(stop)


async def make_plan(place: Place, selection: Selection, brakes: Brakes, trust: TrustSources) -> Report:
    """Look at everything and say what would be done. Nothing here can change anything."""
    async with reading(place, trust) as tools:
        return (await run_pass(tools, orders(selection, brakes), Memory())).report


@asynccontextmanager
async def reading(place: Place, trust: TrustSources) -> AsyncIterator[Tools]:
    """Open everything to look at it. Nothing here can change anything at a provider."""
    with _state_of(place, is_locked=False) as state_dir:
        async with _tools(place, trust, state_dir, may_change=False) as tools:
            yield tools


def validate(place: Place, *, since: str | None = None, author: str = NOT_PUBLISHED.author) -> Report:
    """Read every document and status and say what is wrong. No key, no network.

    Args:
        place: where they are.
        since: a revision; each commit after it is checked too.
        author: whose commits may touch statuses.
    """
    environment = _Environment(place, Trust((), os.environ))
    snapshot = _specs(place).snapshot()
    resolved = resolve(snapshot, environment, is_suspended=False)
    try:
        edited = edited_statuses(place.statuses)
        meddled = () if since is None else foreign_commits(place.specs, place.statuses, since, author)
    except (GitError, ValueError) as error:
        msg = f"the commits since {since} cannot be checked: {error}"
        raise UsageError(msg) from None
    report = Report(diagnostics=(*snapshot.diagnostics, *resolved.diagnostics, *edited, *meddled))
    return replace(report, exit_codes=exit_codes(report))


def read_specs(place: Place) -> Snapshot:
    """Return the documents as they stand. No key, no network."""
    return _specs(place).snapshot()


def provider_types() -> dict[str, ProviderType | str]:
    """Return every provider type by its name, or why it cannot be used here."""
    found: dict[str, ProviderType | str] = {}
    for name in known():
        try:
            found[name] = load(name)
        except LookupError as error:
            found[name] = str(error.args[0])
    return found


def read_statuses(place: Place, selection: Selection) -> Report:
    """Return what the statuses say, read against today's specs. No key, no network."""
    environment = _Environment(place, Trust((), os.environ))
    stored = StatusesDir(place.statuses, LocalDisk(place.statuses)).load()
    is_selected = selection.predicate()
    return read_rows(_specs(place).snapshot(), stored, environment, is_selected, SystemClock().now())


async def serve_sandbox(
    host: str,
    port: int,
    jobs: Path | None,
    api_key: str | None,
    faults: tuple[str, ...],
    on_ready: Callable[[str], None],
) -> None:
    """Serve a sandbox until a signal; its world is in memory. Raises `UsageError`."""
    from reconciler.sandbox.app import create_app  # noqa: PLC0415  the web framework, for this verb only
    from reconciler.sandbox.server import serve  # noqa: PLC0415
    from reconciler.sandbox.world import World  # noqa: PLC0415

    clock = SystemClock()
    world = World(_sandbox_options(jobs, faults), began_at=clock.now())
    try:
        await serve(create_app(world, clock.now, api_key=api_key), host, port, on_ready=on_ready)
    except OSError as error:
        msg = f"cannot listen on {host}:{port}: {error.strerror or error}"
        raise UsageError(msg) from None


def _sandbox_options(jobs: Path | None, faults: tuple[str, ...]) -> SandboxOptions:
    """Read what a sandbox is declared to be: the Provider documents of its type in a file, and faults as YAML."""
    try:
        declared = [] if jobs is None else _declared_worlds(jobs)
        rules = [parse(fault)[0].value for fault in faults]
        options = [SandboxOptions.model_validate(each) for each in declared]
        return SandboxOptions(
            jobs=tuple(job for each in options for job in each.jobs),
            faults=(*FAULTS.validate_python(rules), *(fault for each in options for fault in each.faults)),
        )
    except (OSError, ValueError, Unreadable) as error:
        msg = f"the sandbox cannot be set up: {error}"
        raise UsageError(msg) from None


def _declared_worlds(file: Path) -> list[dict[str, object]]:
    snapshot = read_documents(file.read_bytes(), file=file.name, shown=str(file))
    errors = [str(each) for each in snapshot.diagnostics]
    if errors:
        raise ValueError("\n".join(errors))
    return [each.document.spec.options for each in snapshot.providers if each.document.spec.type == "sandbox"]


def _specs(place: Place) -> SpecsDir:
    return SpecsDir(place.specs, place.statuses, LocalDisk(place.specs), str(place.specs))


def _published_place(place: Place, publishing: Publishing, state_dir: Path) -> Place:
    """Return where statuses stand: those of a branch of their own are kept beside the other state."""
    is_elsewhere = publishing.status_branch is not None or place.remote is not None
    if not is_elsewhere or place.status_dir is not None:
        return place
    return replace(place, status_dir=state_dir / "published")


async def _publishing_tools(tools: Tools, place: Place, publishing: Publishing) -> Tools:
    """Return the tools with a publisher, once what is published has been read back."""
    if not publishing.is_wanted:
        return tools
    try:
        signature = Signature.parse(publishing.author)
        if isinstance(tools.specs, RemoteSpecs):
            publisher = publish_to_remote(
                tools.specs, place.statuses, publishing.status_branch, signature, publishing.trailers
            )
        else:
            publisher = open_publisher(
                place.specs,
                place.statuses,
                branch=publishing.status_branch,
                remote=publishing.remote if publishing.is_pushed else None,
                signature=signature,
                trailers=publishing.trailers,
            )
        await publisher.pull()
    except (PublishError, ValueError) as error:
        msg = f"statuses cannot be published: {error}"
        raise ConfigurationError(msg) from None
    return replace(tools, publisher=publisher)


def _source(place: Place, state_dir: Path, *, is_watch: bool) -> SpecSource:
    """Return the specs, with what Git knows of them where they are checked out or fetched."""
    if place.remote is not None:
        return _fetched(place.remote, state_dir, is_watch=is_watch)
    specs, checkout = _specs(place), find_checkout(place.specs)
    return (
        specs
        if checkout is None
        else CheckedOutSpecs(specs, place.specs, checkout, place.statuses, SystemClock().now, is_pinned=is_watch)
    )


def _fetched(remote: GitRemote, state_dir: Path, *, is_watch: bool) -> RemoteSpecs:
    """Return the specs of a Git remote. A watch waits for one that is away; a single pass cannot."""
    try:
        file = remote.token_file
        token = file.read_text(encoding="utf-8").strip() if file else os.environ.get("RECONCILE_GIT_TOKEN")
        git = open_remote(state_dir / "remote", remote.url, token)
    except (OSError, GitError, ValueError) as error:
        msg = f"the specs cannot be fetched: {error}"
        raise ConfigurationError(msg) from None
    statuses = str(PurePosixPath(remote.path) / "status")
    specs = RemoteSpecs(
        git, remote.ref, remote.path, statuses, state_dir / "revision", SystemClock().now, remote.accepted
    )
    specs.poll()
    if specs.head is None and not is_watch:
        msg = f"the specs cannot be fetched: {specs.away}"
        raise ConfigurationError(msg)
    return specs


def _waking(specs: SpecSource, place: Place) -> AbstractAsyncContextManager[Waker]:
    if isinstance(specs, RemoteSpecs) and place.remote is not None:
        return polling(specs, place.remote.poll_s)
    return watching(place.specs.resolve(), place.statuses.resolve())


@contextmanager
def _state_of(place: Place, *, is_locked: bool, may_begin_anew: bool = True) -> Iterator[Path]:
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
        with hold(state_dir / "lock", command=" ".join(["reconcile", *sys.argv[1:]]), since=SystemClock().now()):
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


@asynccontextmanager
async def _tools(
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
        yield Tools(
            specs=_source(place, state_dir, is_watch=watch is not None),
            statuses=StatusesDir(place.statuses, LocalDisk(place.statuses)),
            environment=_Environment(place, bound),
            accounts=accounts,
            clock=clock,
            control=accounts.control if may_change else None,
            is_stopping=stop.is_set,
            audit=_audit(place, stack) if may_change else None,
        )


def _audit(place: Place, stack: AsyncExitStack) -> Audit | None:
    try:
        return stack.enter_context(AuditFile(place.audit)) if place.audit else None
    except OSError as error:
        msg = f"the audit {place.audit} cannot be written: {error.strerror or error}"
        raise ConfigurationError(msg) from None


class _Environment:
    """What the operator decides, outside the specs."""

    def __init__(self, place: Place, trust: Trust) -> None:
        self._place = place
        self._trust = trust

    def provider_type(self, name: str) -> ProviderType:
        return load(name)

    def base_url(self, type_: ProviderType, options: BaseModel, written: str | None) -> str:
        usual = os.environ.get(type_.url_variable) if type_.url_variable else None
        text = written or usual or type_.own_url(options)
        if text is None:
            msg = f"{type_.name} has no address of its own: say where it is, with spec.baseUrl"
            raise ValueError(msg)
        return normalise_base_url(text)

    def distrust(
        self, type_: ProviderType, options: BaseModel, credentials: CredentialSource | None, base_url: str
    ) -> str | None:
        return self._trust.check(type_, options, credentials, base_url)

    def show(self, file: str) -> str:
        return str(self._place.specs / file)

    def show_status(self, file: str) -> str:
        return str(self._place.statuses / file)
