"""Random hostile trees below one folder of the specs, by kind.

A kind in `KINDS` must not affect the specs and jobs of other authors. A kind in `LOUD` may prevent changes of their
jobs, as the security notes describe, if the exit code of the command reports it. It must have no other effect.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random

from tests.support.cli import SPEC
from tests.support.hostile_repository import COMMONS, COMMONS_ACCOUNT, FAST, PROVIDER, RUNS, STOPS, HostileRepository

SETTINGS = "apiVersion: jobs.reconciler/v1\nkind: Settings\nmetadata: {{name: settings}}\nspec: {spec}\n"
DEVICES = {"zero": (1, 5), "null": (1, 3), "random": (1, 9)}
TEXT_MAX = 40_000
NOBODYS = "ftjob-nobodys"
BARE = """\
[core]
\trepositoryformatversion = 1
\tbare = {bare}
\t{worktree}
\tfsmonitor = {command}
\tsshCommand = {command}
[extensions]
\tpartialClone = origin
[remote "origin"]
\turl = .
\tpromisor = true
\tuploadpack = {command}
\treceivepack = {command}
[filter "lfs"]
\tclean = {command}
"""


@dataclass(frozen=True, slots=True)
class Author:
    """A user who may write below a folder of the specs, and the attack that this user tries next."""

    random: Random
    repository: HostileRepository
    name: str
    _numbers: Iterator[int] = field(default_factory=count)

    @property
    def folder(self) -> Path:
        """The author's folder or a folder below it, at random."""
        return self.repository.specs / self.name / self.random.choice(["", "", "a", "a/b"])

    def new_name(self) -> str:
        """Return a name that no other document has."""
        return f"{self.name}-{next(self._numbers)}"

    def put(self, path: Path, data: str | bytes) -> None:
        """Write a file. Replace an earlier entry at its path, and files and links in the place of its parents."""
        for parent in path.parents:
            if parent == self.repository.specs or not parent.is_relative_to(self.repository.specs):
                break
            if parent.is_symlink() or parent.is_file():
                parent.unlink()
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode(errors="surrogateescape"))

    def write(self, text: str | bytes, file: str = "") -> None:
        """Write a file to the author's folder, by default with a new name."""
        self.put(self.folder / (file or f"{self.new_name()}.yaml"), text)

    def declare(self, spec: str, name: str = "") -> str:
        """Write a Provider document, and return its name."""
        name = name or self.new_name()
        self.write(PROVIDER.format(name=name, spec=spec))
        return name

    def want(self, provider: str, job: str, state: str = "cancelled", name: str = "", more: str = "") -> None:
        """Write the spec of a job."""
        text = SPEC.format(name=name or self.new_name(), provider=provider, job_id=job, state=state)
        self.write(text + "".join(f"  {line}\n" for line in more.splitlines()))

    def link(self, path: Path, target: str | Path) -> None:
        """Create a link, or replace a file or link by it. Do nothing if a directory is at the path."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink() or path.is_file():
            path.unlink()
        if not path.exists():
            path.symlink_to(target)

    def pick(self, *values: str) -> str:
        """Return one of these values at random."""
        return self.random.choice(values)


# Files that Git would treat as its own


def _repository(author: Author, where: Path) -> None:
    command, is_bare = author.repository.command, where.name != ".git"
    worktree = author.pick("", "worktree = .") if is_bare else ""
    missing = "1" * 40
    author.put(where / "objects" / "keep", "")
    author.put(where / "refs" / "heads" / "main", f"{missing}\n")
    author.put(where / "HEAD", author.pick("ref: refs/heads/main\n", f"{missing}\n"))
    author.put(where / "config", BARE.format(bare=str(is_bare).lower(), worktree=worktree, command=command))
    author.put(where / "hooks" / "post-checkout", f"#!/bin/sh\n{command}\n")


def _pointer(author: Author) -> None:
    _repository(author, author.folder / "kept" / "store")
    author.write(f"gitdir: {author.pick('kept/store', '../kept/store', str(author.repository.outside))}\n", ".git")


def _attributes(author: Author) -> None:
    lines = [
        f"{author.pick('*', '*.yaml', '**/*.yaml')} {author.pick('filter', 'diff', 'merge')}=lfs" for _ in range(5)
    ]
    author.write("[attr]x filter=lfs diff=lfs merge=lfs\n* x\n" + "\n".join(lines) + "\n", ".gitattributes")
    author.write("*\n!status\n", ".gitignore")


def _modules(author: Author) -> None:
    command = author.repository.command
    lines = [f"update = !{command}", f"url = ext::sh -c {command}", "path = ../../outside", f"url = -u{command}"]
    author.write('[submodule "x"]\n\t' + "\n\t".join(author.random.sample(lines, 3)) + "\n", ".gitmodules")
    author.write(f"#!/bin/sh\n{command}\n", "hooks/post-checkout")
    author.write(f"[core]\n\tfsmonitor = {command}\n", author.pick("config", ".gitconfig", "gitconfig"))


# Entries that are not regular files, or that lead elsewhere

TARGETS = ("/etc/passwd", "/proc/self/environ", "/dev/zero", "/dev/stdin", "loop.yaml", ".", "..", "../../../outside")


def _links(author: Author) -> None:
    target = author.pick(*TARGETS, "../../../outside/precious", "../../../secrets/key", "../" * 40 + "etc/hostname")
    file = author.pick("loop.yaml", f"{author.new_name()}.yaml", f"{author.new_name()}.json", author.new_name())
    author.link(author.folder / file, target)


def _links_to_others(author: Author) -> None:
    victims = author.repository.specs / "victims"
    target = author.random.choice([victims, victims / "provider.yaml", victims / "stops.yaml", victims / "runs.yaml"])
    author.link(author.folder / f"{author.new_name()}{target.suffix}", os.path.relpath(target, author.folder))


def _links_among_statuses(author: Author) -> None:
    file = author.pick(
        ".stops.yaml.tmp", ".reconcile-0000000000000000.tmp", "common-1.yaml", f"{author.new_name()}.yaml"
    )
    path = author.repository.statuses / author.pick("commons", author.name) / file
    if author.random.random() < 0.5 and not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.hardlink_to(author.repository.outside / "precious")
    else:
        author.link(path, author.repository.outside / "precious")


def _status_folders_that_are_links(author: Author) -> None:
    statuses = author.repository.statuses
    folder = statuses / author.pick(author.name, "_providers", "new", "victims")
    if folder.is_dir() and not folder.is_symlink():
        folder.rename(author.repository.work / author.new_name())
    author.link(folder, author.pick(str(author.repository.outside), "../victims", "/"))


def _statuses_that_are_a_link(author: Author) -> None:
    statuses = author.repository.statuses
    if statuses.is_dir() and not statuses.is_symlink():
        statuses.rename(author.repository.work / "old")
    author.link(statuses, author.pick(str(author.repository.outside), "victims", "commons"))


def _devices(author: Author) -> None:
    place = author.random.choice([author.folder, author.repository.statuses / author.name])
    if place.is_symlink() or not _is_below(place, author.repository.specs):
        return
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"{author.new_name()}.{author.pick('yaml', 'json')}"
    kind = author.random.choice(["pipe", *DEVICES])
    if kind == "pipe" or os.geteuid() != 0:
        os.mkfifo(path)
    else:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(*DEVICES[kind]))


def _is_below(path: Path, root: Path) -> bool:
    return path.resolve().is_relative_to(root.resolve())


def _names(author: Author) -> None:
    good = SPEC.format(name=author.new_name(), provider="commons", job_id=NOBODYS, state="observed")
    names = (
        "--output=x.yaml",
        "-x.yaml",
        "a b.yaml",
        "é.yaml",
        "'\"$(id).yaml",
        "*.yaml",
        "x\x1b[2J.yaml",
        "::error::.yaml",
    )
    author.write(good, author.pick(*names, "x\ny.yaml", "\udcff\udcfe.yaml", "\u202egpj.yaml", "x" * 240 + ".yaml"))


def _deep(author: Author) -> None:
    here = author.random.choice([author.repository.specs, author.repository.statuses]) / author.name
    for _ in range(author.random.choice([5, 40])):
        here /= author.pick("d", "d" * 60)
    if _is_below(here, author.repository.specs):
        here.mkdir(parents=True, exist_ok=True)
        good = SPEC.format(name=author.new_name(), provider="commons", job_id=NOBODYS, state="observed")
        author.put(here / "x.yaml", good)


# Names of accounts

SPELLINGS = (
    "{type: openai}",
    "{type: openai, options: {project: p%d}}",
    "{type: openai, options: {organization: x}}",
    "{type: openai, options: {organization: x, project: y}, allowedPaths: ['**']}",
    "{type: openai, baseUrl: 'http://HOST/v1/x'}",
    "{type: openai, baseUrl: 'http://HOST/V1'}",
    "{type: openai, baseUrl: 'http://HOST:/v1;a=b'}",
    "{type: openai, baseUrl: 'http://HOST/v1/'}",
    "{type: openai, baseUrl: 'HTTP://HOST/v1', credentials: {env: OPENAI_API_KEY}}",
    "{type: litellm-passthrough, baseUrl: 'http://HOST', credentials: {env: OPENAI_API_KEY}}",
    "{type: litellm, baseUrl: 'http://HOST', credentials: {env: OPENAI_API_KEY}}",
    "{type: azure-openai, baseUrl: 'http://HOST', credentials: {env: OPENAI_API_KEY}}",
    "{type: openai, credentials: {env: OTHER_NAME}}",
    "{type: openai, credentials: {file: SECRETS/key}}",
    "{type: openai, credentials: {file: SECRETS/x/../key}}",
)


def _spelling(author: Author) -> None:
    repository = author.repository
    text = author.pick(*SPELLINGS).replace("HOST", repository.provider.host).replace("SECRETS", str(repository.secrets))
    name = (
        author.declare(text.replace("%d", str(author.random.randrange(99))))
        if author.random.random() < 0.9
        else "openai"
    )
    for job in author.random.sample([RUNS, STOPS], author.random.choice([1, 2])):
        author.want(name, job, author.pick("cancelled", "cancelled", "observed", "paused"))


def _doubled(author: Author, name: str) -> None:
    specs = (
        "{type: openai}",
        "{type: openai, allowedPaths: ['**']}",
        "{type: openai, colour: blue}",
        "{type: nonsense}",
    )
    text = PROVIDER.format(name=name, spec=author.pick(*specs, "{type: sandbox, options: {jobs: []}}"))
    author.write(text if author.random.random() < 0.8 else text.rstrip().removesuffix("}"))
    author.want(name, author.pick(RUNS, COMMONS[0]))


def _outsider(author: Author) -> None:
    name = author.pick("runs", "stops", "") if author.random.random() < 0.3 else ""
    author.want(author.pick("research", "openai"), author.pick(RUNS, STOPS), author.pick("cancelled", "observed"), name)


def _namesake(author: Author) -> None:
    author.want("commons", COMMONS[9], "observed", author.pick("runs", "stops"))


HOSTS = (
    "http://EVIL/v1",
    "http://HOST@EVIL/v1",
    "http://EVIL#@HOST/v1",
    "http://EVIL?@HOST/v1",
    "http://EVIL\\\\@HOST/v1",
    "http://user:pass@HOST/v1",
    "http://HOST/v1/../../v1",
    "http://HOST/%2e%2e/v1",
    "http://HOST//v1",
    "http://HOST/v1?x=y",
    "http://HOST/v1 ",
    "http://127.1:PORT/v1",
    "http://2130706433:PORT/v1",
    "http://0x7f000001:PORT/v1",
    "http://[::ffff:127.0.0.1]:PORT/v1",
    "http://localhost:PORT/v1",
    "//EVIL/v1",
    "file:///etc/passwd",
    "http://169.254.169.254/v1",
    "http://EVIL\\r\\nX: y/v1",
)
CREDENTIALS = (
    "{env: OPENAI_API_KEY}",
    "{env: COMMONS_KEY}",
    "{env: GITHUB_TOKEN}",
    "{env: PATH}",
    "{file: /proc/self/environ}",
    "{file: /etc/passwd}",
    "{file: SECRETS/key}",
    "{file: SECRETS/../secrets/key}",
    "{env: OPENAI_API_KEY, file: SECRETS/key}",
)


def _host(author: Author) -> None:
    provider = author.repository.provider
    evil, (_, _, port) = provider.elsewhere, provider.elsewhere.partition(":")
    url = author.pick(*HOSTS).replace("HOST", provider.host).replace("EVIL", evil).replace("PORT", port)
    credentials = author.pick(*CREDENTIALS).replace("SECRETS", str(author.repository.secrets))
    more = author.pick("", f", options: {{proxy: 'http://{evil}'}}", ', options: {project: "a\\r\\nX: y"}')
    type_ = author.pick("openai", "openai", "litellm", "litellm-passthrough", "azure-openai", "vertex-ai", "bedrock")
    name = author.declare(f'{{type: {type_}, baseUrl: "{url}", credentials: {credentials}{more}}}')
    author.want(name, author.pick(RUNS, NOBODYS, COMMONS[1]))


def _job_id(author: Author) -> None:
    ids = (
        "../%s",
        "%s/../x",
        "x/../%s",
        "%s?x",
        "%s#x",
        "%s%%2e",
        "%s/cancel",
        " %s",
        "%s ",
        "%s\x00",
        "FTJOB-%s",
        "..",
    )
    text = author.pick(*ids).replace("%s", author.pick(RUNS, STOPS, COMMONS[2])).replace("%%", "%")
    author.want(author.pick("commons", "research", "openai"), json.dumps(text))


# Statuses, from which the guard counts changes


def _statuses(author: Author, most: int) -> list[Path]:
    """Return at most this many of the commons' statuses, in random order."""
    place = author.repository.statuses / "commons"
    found = sorted(place.glob("common-*.yaml")) if not author.repository.statuses.is_symlink() else []
    author.random.shuffle(found)
    return [path for path in found if path.is_file() and not path.is_symlink()][:most]


def _few_lost(author: Author) -> None:
    for path in _statuses(author, 1):
        path.unlink()


def _many_lost(author: Author) -> None:
    for path in _statuses(author, 10):
        path.unlink() if author.random.random() < 0.8 else path.write_text("spoilt\n", encoding="utf-8")


def forged(text: str, old: str, new: str) -> str:
    """Return a status with one text replaced by another, and a matching digest."""
    body = text.rpartition("digest: ")[0].replace(old, new)
    return f"{body}digest: sha256:{hashlib.sha256(body.encode()).hexdigest()}\n"


RECEIPT = """\
  receipts:
  - verb: cancel
    because: DesiredState
    requestedAt: '{at}'
    lastAttemptAt: '{at}'
    attempts: {attempts}
"""


def _receipts(author: Author) -> None:
    at = author.pick("2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "1970-01-01T00:00:00Z")
    receipt = RECEIPT.format(at=at, attempts=author.pick("1", "2", "99"))
    receipt += author.pick("", "    approvedBy: --allow-cancels 99\n", "    approvedBy: Approve-Cancels 0123456789ab\n")
    for path in _statuses(author, 10):
        path.write_text(forged(path.read_text(encoding="utf-8"), "  receipts: []\n", receipt), encoding="utf-8")


def _sources(author: Author) -> None:
    for path in _statuses(author, 1):
        source = author.pick(
            "../../outside/x.yaml", "/x.yaml", f"{author.name}/../../../outside/x.yaml", "commons/gone.yaml"
        )
        text = path.read_text(encoding="utf-8")
        name = author.new_name()
        text = forged(text, f"commons/{path.name}", source).replace(path.stem, name)
        author.put(path.with_name(f"{name}.yaml"), forged(text, "", ""))


def _padding(author: Author) -> None:
    """Divide a batch among several names of one account, and declare a sandbox with many running jobs."""
    ids = [f"ftjob-{author.name}-{number}" for number in range(40)]
    padding = [{"id": each, "life": [{"phase": "running"}]} for each in ids]
    name = author.new_name()
    text = PROVIDER.format(name=name, spec=json.dumps({"type": "sandbox", "options": {"jobs": padding}}))
    specs = [SPEC.format(name=each, provider=name, job_id=each, state="observed") for each in ids]
    author.write("---\n".join([text, *specs]))
    for first in range(0, 9, 3):
        more = f", options: {{project: {author.new_name()}}}, {FAST}"
        alias = author.declare(COMMONS_ACCOUNT.format(host=author.repository.provider.host, more=more))
        for job in COMMONS[first : first + 3]:
            author.want(alias, job)


def _kept_out(author: Author) -> None:
    author.want(author.declare(f"{{type: openai, allowedPaths: [{author.name}/**]}}"), author.pick(RUNS, NOBODYS))


def _loosened(author: Author) -> None:
    safety = "safety: {maxCancels: 9999, maxCancelPercent: 100, maxCancelsAbsolute: 9999}"
    author.write(
        SETTINGS.format(spec=author.pick(f"{{{safety}}}", f"{{suspend: false, {safety}}}", "{interval: 36500d}"))
    )


KINDS: Mapping[str, Callable[[Author], None]] = {
    "attributes of filters, diffs and merges": _attributes,
    "submodules, hooks and configuration": _modules,
    "links that lead outside": _links,
    "links and hard links among statuses": _links_among_statuses,
    "devices and pipes": _devices,
    "names of files": _names,
    "folders that are deep": _deep,
    "another spelling of an account": _spelling,
    "a second document of the commons' Provider": lambda author: _doubled(author, "commons"),
    "a job that its author may not name": _outsider,
    "a key for another host": _host,
    "a malformed job ID": _job_id,
    "a lost status": _few_lost,
    "a status with a forged source": _sources,
    "aliases and invented jobs that would raise the limit": _padding,
}
LOUD: Mapping[str, Callable[[Author], None]] = {
    "a bare repository": lambda author: _repository(author, author.folder / author.new_name()),
    "a bare repository at the top": lambda author: _repository(author, author.repository.specs),
    "a .git directory": lambda author: _repository(author, author.folder / ".git"),
    "a .git file": _pointer,
    "links to files of others": _links_to_others,
    "folders of statuses that are links": _status_folders_that_are_links,
    "statuses that are a link": _statuses_that_are_a_link,
    "a second document of the victims' Provider": lambda author: _doubled(author, "research"),
    "the name of another author's spec": _namesake,
    "allowedPaths that exclude other authors": _kept_out,
    "lost statuses": _many_lost,
    "receipts that are forged": _receipts,
    "Settings that loosen the guard": _loosened,
}
