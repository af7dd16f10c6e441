"""What the specs desire at a given time, by the rules of the README: the permitted changes and the required ones.

`permits` is generous and `obliges` is strict. The documentation does not define what lies between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch

from tests.second_opinion.clock import seconds
from tests.second_opinion.documents import Doc, JobDoc, ProviderDoc, SettingsDoc, SpecFile

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
SLACK = 2.0
"""Seconds by which clocks and rounded times may disagree."""


def duration(text: str) -> float:
    """Return the seconds of a duration as documents write it, such as 6h."""
    return int(text[:-1]) * UNITS[text[-1]]


@dataclass(frozen=True)
class Known:
    """What is true of a job: when it was created, and whether a client may know that it has started.

    `has_time` says whether the client's clock agrees with the provider's: otherwise no limit can be judged.
    """

    created: float
    seen_started: bool
    has_time: bool = True


@dataclass(frozen=True)
class Want:
    """What one spec wants of one job of one account. `sure`: nothing else in the specs casts doubt on it."""

    doc: JobDoc
    account: str
    path: str
    sure: bool = True

    def suspended(self, moment: float, slack: float = 0.0) -> bool:
        """Say whether the spec is suspended at `moment`; within `slack` of its end it counts as not."""
        return self.doc.suspended and (self.doc.until is None or moment < self.doc.until - slack)

    def over(self, moment: float, known: Known) -> bool:
        """Say whether the job is over a limit at `moment`. Limits of an observed job are only reported."""
        limits, age = dict(self.doc.limits), moment - known.created
        if self.doc.desired == "observed" or not known.has_time:
            return False
        return (
            ("maxAge" in limits and age > duration(limits["maxAge"]))
            or ("maxQueued" in limits and age > duration(limits["maxQueued"]) and not known.seen_started)
            or ("notAfter" in limits and moment > seconds(limits["notAfter"]))
        )

    def verbs(self, moment: float, known: Known) -> set[str]:
        """Return the changes that the spec may lead to at `moment`."""
        if self.suspended(moment, SLACK):
            return set()
        wanted = {"cancelled": {"cancel"}, "running": {"resume"}, "paused": {"pause"}}.get(self.doc.desired, set())
        return wanted | ({"cancel"} if self.over(moment + SLACK, known) else set())

    def must_end(self, moment: float, known: Known) -> bool:
        """Say whether the job must be cancelled, beyond doubt."""
        if not self.sure or self.suspended(moment):
            return False
        limits = dict(self.doc.limits)
        limits.pop("maxQueued", None)  # that it never started can only be known by who has seen all of its life
        over = self.over(moment - 60, known) and bool(limits)
        return self.doc.desired == "cancelled" or (over and not self._only_queued(moment, known))

    def _only_queued(self, moment: float, known: Known) -> bool:
        rest = {name: text for name, text in self.doc.limits if name != "maxQueued"}
        return not (
            ("maxAge" in rest and moment - 60 - known.created > duration(rest["maxAge"]))
            or ("notAfter" in rest and moment - 60 > seconds(rest["notAfter"]))
        )


@dataclass(frozen=True)
class Snapshot:
    """All spec files from one moment on."""

    since: float
    files: Mapping[str, SpecFile] = field(default_factory=dict)
    halted: bool = False

    def docs(self) -> list[tuple[str, Doc]]:
        """Return each document of the files that are YAML, with the path of its file."""
        return [(path, doc) for path, file in self.files.items() if not file.broken for doc in file.docs]

    def jobs(self) -> list[tuple[str, JobDoc]]:
        """Return the job documents, the wrong ones included."""
        return [(path, doc) for path, doc in self.docs() if isinstance(doc, JobDoc)]

    def settings(self) -> list[SettingsDoc]:
        """Return the Settings documents; more than one is an error."""
        return [doc for _, doc in self.docs() if isinstance(doc, SettingsDoc)]

    def providers(self) -> list[ProviderDoc]:
        """Return the Provider documents, the wrong ones included."""
        return [doc for _, doc in self.docs() if isinstance(doc, ProviderDoc)]

    def held_back(self) -> bool:
        """Say whether Settings hold back every change: suspended, wrong, there twice, or in a file that is no YAML."""
        settings = self.settings()
        hidden = [doc for file in self.files.values() if file.broken for doc in file.docs]
        return (
            self.halted
            or any(isinstance(doc, SettingsDoc) for doc in hidden)
            or len(settings) > 1
            or any(each.suspended or each.defect for each in settings)
        )

    def wrong(self) -> bool:
        """Say whether a document is certainly not valid."""
        return (
            any(file.broken for file in self.files.values())
            or any(doc.defect is not None for _, doc in self.docs())
            or len(self.settings()) > 1
        )

    def wants(self) -> list[Want]:
        """Return what the valid specs want, each only if no other valid spec has its name or its job."""
        named = Counter(doc.name for doc in self.providers())
        accounts = {doc.name: doc for doc in self.providers() if doc.defect is None and named[doc.name] == 1}
        found = [
            Want(doc, accounts[doc.provider].account, path)
            for path, doc in self.jobs()
            if doc.defect is None and doc.provider in accounts and self._allowed(path, accounts[doc.provider].secret)
        ]
        names = Counter(want.doc.name for want in found)
        targets = Counter((accounts[want.doc.provider].secret, want.doc.job) for want in found)
        return [
            Want(want.doc, want.account, want.path, self._sure(want))
            for want in found
            if names[want.doc.name] == 1 and targets[accounts[want.doc.provider].secret, want.doc.job] == 1
        ]

    def _allowed(self, path: str, secret: str) -> bool:
        """Say whether a file may use a credential: what any valid document says of it holds for all (SECURITY.md)."""
        holders = [doc for doc in self.providers() if doc.secret == secret and doc.paths and doc.defect is None]
        return all(any(fnmatch(path, glob) for glob in doc.paths) for doc in holders)

    def _sure(self, want: Want) -> bool:
        alike = [doc for _, doc in self.jobs() if doc.name == want.doc.name or doc.job == want.doc.job]
        hidden = [doc for file in self.files.values() if file.broken for doc in file.docs]
        shadow = any(
            not isinstance(doc, JobDoc) or doc.name == want.doc.name or doc.job == want.doc.job for doc in hidden
        )
        providers = [doc for doc in self.providers() if doc.account == want.account or doc.name == want.doc.provider]
        return len(alike) == 1 and not shadow and len(providers) == 1

    def permits(self, verb: str, account: str, job: str, moment: float, known: Known) -> bool:
        """Say whether these specs let anybody ask for this change at `moment`."""
        mine = [want for want in self.wants() if (want.account, want.doc.job) == (account, job)]
        return not self.held_back() and any(verb in want.verbs(moment, known) for want in mine)
