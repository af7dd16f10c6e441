"""What the specs desire at a given time, by the rules of the README: the permitted changes and the required ones.

`Snapshot.permits` is generous and `Want.must_end` is strict. The documentation does not define the cases in between.
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
"""The maximum difference between clocks and rounded times, in seconds."""


def duration(text: str) -> float:
    """Return the seconds of a duration as documents write it, such as 6h."""
    return int(text[:-1]) * UNITS[text[-1]]


@dataclass(frozen=True)
class Known:
    """The facts about a job on which limits depend: when it was created, and whether a client can know that it started.

    `has_time` is whether the client's clock agrees with the provider's. If not, no limit applies.
    """

    created: float
    seen_started: bool
    has_time: bool = True


@dataclass(frozen=True)
class Want:
    """What a spec requests for a job of an account. `sure` is whether no other document may contradict it."""

    doc: JobDoc
    account: str
    path: str
    sure: bool = True

    def suspended(self, moment: float, slack: float = 0.0) -> bool:
        """Return whether the spec is suspended at `moment`, and for more than `slack` seconds after it."""
        return self.doc.suspended and (self.doc.until is None or moment < self.doc.until - slack)

    def over(self, moment: float, known: Known) -> bool:
        """Return whether the job is over a limit at `moment`. Limits of an observed job are only reported."""
        limits, age = dict(self.doc.limits), moment - known.created
        if self.doc.desired == "observed" or not known.has_time:
            return False
        return (
            ("maxAge" in limits and age > duration(limits["maxAge"]))
            or ("maxQueued" in limits and age > duration(limits["maxQueued"]) and not known.seen_started)
            or ("notAfter" in limits and moment > seconds(limits["notAfter"]))
        )

    def verbs(self, moment: float, known: Known) -> set[str]:
        """Return the changes that the spec permits at `moment`."""
        if self.suspended(moment, SLACK):
            return set()
        wanted = {"cancelled": {"cancel"}, "running": {"resume"}, "paused": {"pause"}}.get(self.doc.desired, set())
        return wanted | ({"cancel"} if self.over(moment + SLACK, known) else set())

    def must_end(self, moment: float, known: Known) -> bool:
        """Return whether the documentation certainly requires a cancel of the job."""
        if not self.sure or self.suspended(moment):
            return False
        limits = dict(self.doc.limits)
        limits.pop("maxQueued", None)  # a client cannot know that the job never started
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
    """All spec files from a given time on."""

    since: float
    files: Mapping[str, SpecFile] = field(default_factory=dict)
    halted: bool = False

    def docs(self) -> list[tuple[str, Doc]]:
        """Return each document in a file of valid YAML, with the path of the file."""
        return [(path, doc) for path, file in self.files.items() if not file.broken for doc in file.docs]

    def jobs(self) -> list[tuple[str, JobDoc]]:
        """Return the job documents, including invalid ones."""
        return [(path, doc) for path, doc in self.docs() if isinstance(doc, JobDoc)]

    def settings(self) -> list[SettingsDoc]:
        """Return the Settings documents. More than one is an error."""
        return [doc for _, doc in self.docs() if isinstance(doc, SettingsDoc)]

    def providers(self) -> list[ProviderDoc]:
        """Return the Provider documents, including invalid ones."""
        return [doc for _, doc in self.docs() if isinstance(doc, ProviderDoc)]

    def held_back(self) -> bool:
        """Return whether no change is permitted: Settings suspend all, or are invalid, duplicate or unreadable."""
        settings = self.settings()
        hidden = [doc for file in self.files.values() if file.broken for doc in file.docs]
        return (
            self.halted
            or any(isinstance(doc, SettingsDoc) for doc in hidden)
            or len(settings) > 1
            or any(each.suspended or each.defect for each in settings)
        )

    def wrong(self) -> bool:
        """Return whether a document is certainly invalid."""
        return (
            any(file.broken for file in self.files.values())
            or any(doc.defect is not None for _, doc in self.docs())
            or len(self.settings()) > 1
        )

    def wants(self) -> list[Want]:
        """Return the request of each valid spec, unless another valid spec has the same name or job."""
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
        """Return whether a file may use a credential. The `allowedPaths` of all valid documents apply (SECURITY.md)."""
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
        """Return whether these specs permit this change at `moment`."""
        mine = [want for want in self.wants() if (want.account, want.doc.job) == (account, job)]
        return not self.held_back() and any(verb in want.verbs(moment, known) for want in mine)
