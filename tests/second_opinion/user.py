"""A user who edits specs at random: writes, renames, deletes, breaks and repairs them, all from one seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from tests.second_opinion.clock import Clock, utc
from tests.second_opinion.documents import (
    JOB_DEFECTS,
    PROVIDER_DEFECTS,
    SETTINGS_DEFECTS,
    STATES,
    Doc,
    JobDoc,
    ProviderDoc,
    SettingsDoc,
    SpecFile,
)
from tests.second_opinion.repository import Repository

PATHS = ("a.yaml", "b.yaml", "team/c.yaml", "team/deep/d.yaml", "e.yml", "research/f.yaml")
STYLES = ("block", "block", "flow", "commented")
ACCOUNTS, SETTINGS = "accounts.yaml", "settings.yaml"


class User:
    """A user of a repository. Each call of `edit` makes one random edit."""

    def __init__(self, chance: Random, repository: Repository, clock: Clock, ids: dict[str, list[str]]) -> None:
        self.chance = chance
        self.repository = repository
        self.clock = clock
        self.ids = ids
        self.born = 0
        self.edits: list[tuple[int, str, Callable[[], str]]] = [
            (14, "want", self.want_otherwise),
            (12, "write", self.write_spec),
            (3, "limit", self.limit),
            (3, "suspend", self.suspend),
            (3, "delete", self.delete_spec),
            (2, "delete-file", self.delete_file),
            (3, "rename", self.rename_file),
            (2, "move", self.move_spec),
            (2, "rename-spec", self.rename_spec),
            (2, "target", self.other_job),
            (2, "break-file", self.break_file),
            (2, "break-doc", self.break_doc),
            (4, "mend", self.mend_something),
            (2, "double", self.double_spec),
            (1, "settings", self.settings),
            (1, "provider", self.break_provider),
            (1, "paths", self.allowed_paths),
        ]

    def edit(self) -> str:
        """Make one random edit, and return its description."""
        weights = [weight for weight, _, _ in self.edits]
        _, kind, act = self.chance.choices(self.edits, weights)[0]
        return f"{kind}: {act()}"

    def begin(self, providers: list[ProviderDoc], number: int) -> None:
        """Write the first documents: the accounts, and this many specs."""
        self.repository.write(ACCOUNTS, SpecFile(tuple(providers)))
        if self.chance.random() < 0.3:
            self.settings()
        for _ in range(number):
            self.write_spec()

    def _pairs(self) -> list[tuple[str, JobDoc]]:
        files = self.repository.files.items()
        return [(path, doc) for path, file in files for doc in file.docs if isinstance(doc, JobDoc)]

    def _pair(self) -> tuple[str, JobDoc] | None:
        pairs = self._pairs()
        return self.chance.choice(pairs) if pairs else None

    def _providers(self) -> list[ProviderDoc]:
        return [doc for file in self.repository.files.values() for doc in file.docs if isinstance(doc, ProviderDoc)]

    def write_spec(self) -> str:
        """Write a spec for a job that usually exists."""
        providers = self._providers()
        if not providers:
            return "no account to name"
        provider = self.chance.choice(providers)
        taken = {doc.job for _, doc in self._pairs()}
        free = [name for name in self.ids[provider.account] if name not in taken]
        job = self.chance.choice(free) if free and self.chance.random() < 0.95 else f"ftjob-typo{self.born}"
        self.born += 1
        labels = (("team", self.chance.choice(["red", "blue"])),) if self.chance.random() < 0.5 else ()
        desired = self.chance.choices(STATES, [3, 2, 9, 1])[0]
        reason = self.chance.choice([None, "it costs too much", 'a "quoted" reason: yes'])
        doc = JobDoc(f"spec-{self.born}", provider.name, job, desired, reason, labels=labels)
        path = self.chance.choice(PATHS)
        old = self.repository.files.get(path, SpecFile((), self.chance.choice(STYLES)))
        self.repository.write(path, replace(old, docs=(*old.docs, doc)))
        return f"{doc.name} wants {job} {desired} in {path}"

    def _changed(self, change: Callable[[JobDoc], JobDoc | None]) -> str:
        pair = self._pair()
        if pair is None:
            return "nothing to edit"
        path, doc = pair
        new = change(doc)
        self.repository.change(path, doc, new)
        return f"{doc.name} in {path} is now {new}"

    def want_otherwise(self) -> str:
        """Change the desired state of a spec."""
        state = self.chance.choices(STATES, [2, 3, 8, 1])[0]
        return self._changed(lambda doc: replace(doc, desired=state))

    def limit(self) -> str:
        """Set or remove limits."""
        until = utc(self.clock.now() + self.chance.choice([-7200, -5, 20, 3600, 86400]))
        options = [("maxAge", self.chance.choice(["1h", "5h", "2d", "60d"])), ("maxQueued", "2h"), ("notAfter", until)]
        limits = tuple(pair for pair in options if self.chance.random() < 0.4)
        return self._changed(lambda doc: replace(doc, limits=limits))

    def suspend(self) -> str:
        """Suspend a spec permanently or for a while, or end its suspension."""
        on = self.chance.random() < 0.5
        until = self.chance.choice([None, float(int(self.clock.now() + self.chance.choice([15, 600, 7200])))])
        return self._changed(lambda doc: replace(doc, suspended=on, until=until if on else None))

    def delete_spec(self) -> str:
        """Delete one document."""
        return self._changed(lambda _: None)

    def delete_file(self) -> str:
        """Delete a spec file."""
        paths = sorted({path for path, _ in self._pairs()})
        if not paths:
            return "no file to delete"
        path = self.chance.choice(paths)
        self.repository.remove(path)
        return path

    def rename_file(self) -> str:
        """Move a spec file."""
        paths = sorted({path for path, _ in self._pairs()})
        free = [path for path in PATHS if path not in self.repository.files]
        if not paths or not free:
            return "no file to rename"
        old, new = self.chance.choice(paths), self.chance.choice(free)
        self.repository.rename(old, new)
        return f"{old} to {new}"

    def move_spec(self) -> str:
        """Move a document to another file. For a moment it is in both files, or in neither."""
        pair = self._pair()
        if pair is None:
            return "nothing to move"
        path, doc = pair
        new = self.chance.choice([each for each in PATHS if each != path])
        old = self.repository.files.get(new, SpecFile(()))
        first = self.chance.random() < 0.5
        if first:
            self.repository.write(new, replace(old, docs=(*old.docs, doc)))
        self.repository.change(path, doc, None)
        if not first:
            self.repository.write(new, replace(old, docs=(*old.docs, doc)))
        return f"{doc.name} from {path} to {new}"

    def rename_spec(self) -> str:
        """Rename a spec."""
        self.born += 1
        return self._changed(lambda doc: replace(doc, name=f"spec-{self.born}"))

    def other_job(self) -> str:
        """Change the job of a spec."""
        every = [job for jobs in self.ids.values() for job in jobs]
        return self._changed(lambda doc: replace(doc, job=self.chance.choice(every)))

    def break_file(self) -> str:
        """Make a spec file invalid YAML, or sometimes the file of the Provider documents."""
        paths = sorted(self.repository.files)
        if not paths:
            return "no file to break"
        path = self.chance.choice(
            paths
            if self.chance.random() < 0.2
            else [each for each in paths if each not in (ACCOUNTS, SETTINGS)] or paths
        )
        self.repository.write(path, replace(self.repository.files[path], broken=True))
        return path

    def break_doc(self) -> str:
        """Make a mistake in one spec."""
        defect = self.chance.choice(JOB_DEFECTS)
        return self._changed(lambda doc: replace(doc, defect=defect))

    def mend_something(self) -> str:
        """Repair one invalid file or document."""
        broken = [path for path, file in self.repository.files.items() if file.broken]
        if broken:
            self.repository.mended(broken[0])
            return broken[0]
        wrong = [(path, doc) for path, file in self.repository.files.items() for doc in file.docs if doc.defect]
        if not wrong:
            return "nothing is wrong"
        path, doc = self.chance.choice(wrong)
        self.repository.change(path, doc, replace(doc, defect=None))
        return f"{path} {doc}"

    def mend_all(self) -> None:
        """Repair all files and documents, and remove Settings and duplicates."""
        for path, file in list(self.repository.files.items()):
            docs: list[Doc] = [replace(doc, defect=None) for doc in file.docs if not isinstance(doc, SettingsDoc)]
            self.repository.write(path, replace(file, docs=tuple(docs), broken=False))
        seen: set[str] = set()
        for path, doc in self._pairs():
            if {doc.name, doc.job} & seen:
                self.repository.change(path, doc, None)
            seen |= {doc.name, doc.job}

    def double_spec(self) -> str:
        """Write a second spec with the name or the job of an existing one."""
        pair = self._pair()
        if pair is None:
            return "nothing to double"
        _, doc = pair
        self.born += 1
        twin = (
            replace(doc, name=f"spec-{self.born}") if self.chance.random() < 0.7 else replace(doc, desired="cancelled")
        )
        path = self.chance.choice(PATHS)
        old = self.repository.files.get(path, SpecFile(()))
        self.repository.write(path, replace(old, docs=(*old.docs, twin)))
        return f"{twin.name} in {path} beside {doc.name}"

    def settings(self) -> str:
        """Write Settings, which may suspend every change, have stricter limits, or be invalid."""
        doc = SettingsDoc(
            suspended=self.chance.random() < 0.12,
            interval="15s",
            safety=(("maxCancelsAbsolute", self.chance.choice([1, 2, 20])),) if self.chance.random() < 0.4 else (),
            defect=self.chance.choice(SETTINGS_DEFECTS) if self.chance.random() < 0.12 else None,
        )
        self.repository.write(SETTINGS, SpecFile((doc,)))
        return str(doc)

    def break_provider(self) -> str:
        """Make a mistake in a Provider document."""
        return self._provider(lambda doc: replace(doc, defect=self.chance.choice(PROVIDER_DEFECTS)))

    def allowed_paths(self) -> str:
        """Set or remove the `allowedPaths` of an account."""
        globs = self.chance.choice([(), ("team/**",), ("**",), ("team/**", "a.yaml", "b.yaml")])
        return self._provider(lambda doc: replace(doc, paths=globs))

    def _provider(self, change: Callable[[ProviderDoc], ProviderDoc]) -> str:
        files = self.repository.files.items()
        found = [(path, doc) for path, file in files for doc in file.docs if isinstance(doc, ProviderDoc)]
        if not found:
            return "no account"
        path, doc = self.chance.choice(found)
        self.repository.change(path, doc, change(doc))
        return str(change(doc))
