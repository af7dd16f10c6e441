"""The specs that the people of a run write. Their meaning is recorded when they are written, and not parsed.

Rules: the product's code is not used to interpret a document. A revision records, for each job of the world, what a
valid document at that time desires.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from reconciler.model.account_line import BATCH_JOB
from reconciler.model.job import Account
from reconciler.providers import load
from tests.contract.dialects.services import OPENAI, Service
from tests.scenario.batch_services import BATCHES, batches_of, is_of_batches, kind_of, provider_of

KEY_VARIABLE = "SIMULATED_KEY"
RATE_LIMIT = "{requestsPerSecond: 5, burst: 10, concurrency: 4}"
"""The rate limit in Provider documents, which an oracle checks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """The contents of one job document."""

    name: str
    file: str
    account: str
    """The name of the Provider document. For a batch, the name of the account that has the document's batches."""
    job_id: str
    desired: str
    is_valid: bool = True
    suspended_until: datetime | None = None
    """`datetime.max` for a suspension without an end."""
    max_age: timedelta | None = None
    max_queued: timedelta | None = None
    not_after: datetime | None = None
    max_cost: Decimal | None = None
    currency: str = "USD"
    """The currency of `max_cost`. It is USD if there is no `max_cost`, so that equal files are equal specs."""

    @property
    def provider(self) -> str:
        """The name of the Provider document."""
        return provider_of(self.account)

    @property
    def is_batch(self) -> bool:
        """Whether the job is a batch."""
        return is_of_batches(self.account)

    @property
    def is_sound(self) -> bool:
        """Whether the document is valid by itself. No batch can be paused."""
        return self.is_valid and not (self.is_batch and self.desired == "paused")

    @property
    def has_limits(self) -> bool:
        """Whether the spec can request a cancel as time passes."""
        return (self.max_age, self.max_queued, self.not_after, self.max_cost) != (None,) * 4

    def is_suspended(self, at: datetime) -> bool:
        """Return whether the spec allows no change at this time."""
        return self.suspended_until is not None and at < self.suspended_until

    def text(self) -> str:
        """Return the YAML text of the document."""
        lines = [
            "apiVersion: jobs.reconciler/v1",
            f"kind: {kind_of(self.account)}",
            f"metadata: {{name: {self.name}}}",
            "spec:",
            f"  provider: {self.provider}",
            f"  jobId: {json.dumps(self.job_id)}",
            f"  desiredState: {self.desired if self.is_valid else 'canceled'}",
        ]
        if self.suspended_until is not None:
            until = "" if self.suspended_until == FOREVER else f", until: {_instant(self.suspended_until)}"
            lines.append(f"  suspend: {{reason: incident{until}}}")
        limits = [
            f"maxAge: {_seconds(self.max_age)}" if self.max_age else "",
            f"maxQueued: {_seconds(self.max_queued)}" if self.max_queued else "",
            f"notAfter: {_instant(self.not_after)}" if self.not_after else "",
            f"maxCost: {self.max_cost} {self.currency}" if self.max_cost else "",
        ]
        if any(limits):
            lines.append(f"  limits: {{{', '.join(filter(None, limits))}}}")
        return "\n".join(lines) + "\n"


SETTINGS = "settings.yaml"
FOREVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """All documents at one time. `accounts` maps a Provider document's name to its base URL.

    `services` has the service of each Provider document that is not OpenAI's.
    """

    job_specs: tuple[JobSpec, ...]
    accounts: Mapping[str, str]
    services: Mapping[str, Service] = field(default_factory=dict)
    declared_prices: Mapping[tuple[str, str], Decimal] = field(default_factory=dict)
    """What an hour of a job costs, by the name of the Provider document and the kind. Other jobs have no such price."""
    has_rate_limits: bool = True
    """Whether the Provider documents set a rate limit."""
    broken_files: frozenset[str] = frozenset()
    broken_accounts: frozenset[str] = frozenset()
    is_settings_broken: bool = False
    is_suspended: bool = False

    def service(self, account: str) -> Service:
        """Return the service of an account."""
        return self.services.get(provider_of(account), OPENAI)

    def shown(self, account: str) -> Service:
        """Return how the service of an account shows the jobs of its kind."""
        service = self.service(account)
        return BATCHES[service.type] if is_of_batches(account) else service

    def lines(self) -> dict[str, str]:
        """Return each account's name, by its text in statuses. The jobs of each kind are an account."""
        found = {}
        for account, base_url in self.accounts.items():
            type_ = load(self.service(account).type)
            options = type_.options.model_validate(dict(self.service(account).options))
            fine_tuning_jobs = Account(type_.name, base_url, type_.scope(options))
            found[str(fine_tuning_jobs)] = account
            if type_.name in BATCHES:
                found[str(fine_tuning_jobs.of_kind(BATCH_JOB))] = batches_of(account)
        return found

    def unreadable_files(self) -> frozenset[str]:
        """Return the files that exist and cannot be read."""
        broken = self.broken_files & {each.file for each in self.job_specs}
        return broken | {SETTINGS} if self.is_settings_broken else broken

    def without(self, path: str) -> Revision:
        """Return the revision that a process can read while the disk refuses a file or a directory.

        Args:
            path: the path of the refused file or directory, relative to the directory that contains `specs`.
        """
        refused = {each.file for each in self.job_specs if f"specs/{each.file}/".startswith(f"{path}/")}
        return replace(self, broken_files=self.broken_files | refused)

    def with_files(self, newer: Revision, files: Collection[str]) -> Revision:
        """Return the revision with the documents in `files` replaced by those of a newer revision."""
        kept = tuple(each for each in self.job_specs if each.file not in files)
        return replace(self, job_specs=(*kept, *(each for each in newer.job_specs if each.file in files)))

    def without_provider(self, path: str) -> Revision:
        """Return the revision as a pass reads it while the disk refuses a Provider document, or its directory."""
        refused = {each for each in self.accounts if f"specs/providers/{each}.yaml/".startswith(f"{path}/")}
        return replace(self, broken_accounts=self.broken_accounts | refused)

    def readable(self) -> tuple[JobSpec, ...]:
        """Return the documents in files that can be read, including invalid documents."""
        return tuple(each for each in self.job_specs if each.file not in self.broken_files)

    def valid(self) -> tuple[JobSpec, ...]:
        """Return the documents that may be acted on: valid, and without a conflict with another."""
        readable = self.readable()
        sound = [each for each in readable if each.is_sound and each.provider not in self.broken_accounts]
        names = Counter(each.name for each in readable)
        jobs = Counter((each.account, each.job_id) for each in sound)
        return tuple(each for each in sound if names[each.name] == 1 and jobs[each.account, each.job_id] == 1)

    def wish_for(self, account: str, job_id: str) -> JobSpec | None:
        """Return the only valid document that names this job, or None."""
        return next((each for each in self.valid() if (each.account, each.job_id) == (account, job_id)), None)

    def files(self) -> dict[str, bytes]:
        """Return every file, by its path below the specs directory."""
        texts: dict[str, list[str]] = {}
        for job_spec in self.job_specs:
            texts.setdefault(job_spec.file, []).append(job_spec.text())
        files = {file: "---\n".join(parts) for file, parts in texts.items()}
        for file in self.broken_files & files.keys():
            files[file] = "<<<<<<< HEAD\n\t{ not: yaml\n" + files[file]
        for account, base_url in self.accounts.items():
            is_broken = account in self.broken_accounts
            files[f"providers/{account}.yaml"] = _provider(
                account, base_url, self.service(account), is_broken=is_broken
            ) + (f"  rateLimit: {RATE_LIMIT}\n" if self.has_rate_limits else "")
            files[f"providers/{account}.yaml"] += self._prices(account)
        files[SETTINGS] = _settings(is_broken=self.is_settings_broken, is_suspended=self.is_suspended)
        return {file: text.encode() for file, text in files.items()}

    def _prices(self, account: str) -> str:
        """Return the prices of a Provider document, as YAML text; empty without prices."""
        found = [
            f'{{kind: {kind}, perHour: "{value}"}}'
            for (name, kind), value in self.declared_prices.items()
            if name == account
        ]
        return f"  prices: {{currency: USD, list: [{', '.join(found)}]}}\n" if found else ""

    def changed(self, name: str, /, **changes: object) -> Revision:
        """Return the revision with changed contents of every document with this name."""
        return replace(
            self,
            job_specs=tuple(
                replace(each, **changes) if each.name == name else each  # type: ignore[arg-type]  # the fields come from the caller
                for each in self.job_specs
            ),
        )


def _provider(account: str, base_url: str, service: Service, *, is_broken: bool) -> str:
    return (
        "apiVersion: jobs.reconciler/v1\n"
        "kind: Provider\n"
        f"metadata: {{name: {account}}}\n"
        "spec:\n"
        f"  {'tpye' if is_broken else 'type'}: {service.type}\n"
        f"  options: {json.dumps(dict(service.options))}\n"
        f"  baseUrl: {base_url}\n"
        f"  credentials: {{env: {KEY_VARIABLE}}}\n"
    )


def _settings(*, is_broken: bool, is_suspended: bool) -> str:
    suspend = str(is_suspended).lower()
    text = (
        f"apiVersion: jobs.reconciler/v1\nkind: Settings\nmetadata: {{name: settings}}\nspec: {{suspend: {suspend}}}\n"
    )
    return f"{text}<<<<<<< HEAD\n" if is_broken else text


def _seconds(span: timedelta) -> str:
    return f"{int(span.total_seconds())}s"


def _instant(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
