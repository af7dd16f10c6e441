"""What Git is given besides its command: our settings and, of a repository's own, those that a list allows.

Rules: a repository is data. Git reads a stand-in for the repository's common directory: its objects, branches and tags
by links, a `config` that holds the allowed settings only, an `info/attributes` that turns every filter and driver off,
and no hooks. Of the environment, Git gets what an operator sets, and nothing that a hook or a parent Git sets.

What the repository's own `.git/config` (with `config.worktree` and included files) can still do:

- name remotes: their URLs and what is fetched of them. A push goes there, over https, http, ssh, git or a path;
- add a header, a proxy or a certificate authority for http, as CIs do to hand over a token;
- say how files stand in the working tree: line endings, modes, letter case, links, a sparse checkout;
- say in which format objects and references are stored.

Nothing of it starts a program. A credential helper, an ssh command and a rewritten URL come from the operator's own
global or system configuration, or from the environment.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

REMOTE_PROTOCOLS = "https:http:ssh:git:file"
"""What a command that needs a remote may speak. A helper such as `ext::` would be a program of its own."""

OURS = (
    "safe.bareRepository=explicit",
    "core.hooksPath=/dev/null",
    "core.attributesFile=/dev/null",
    "core.fsmonitor=false",
    "core.pager=cat",
    "diff.external=",
    "gpg.program=false",
    "commit.gpgSign=false",
    "push.gpgSign=false",
    "merge.verifySignatures=false",
    "submodule.recurse=false",
    "push.recurseSubmodules=no",
    "gc.autoDetach=false",
    # A large file of a remote passes through memory piece by piece, and little is kept there.
    "core.bigFileThreshold=8m",
    "core.deltaBaseCacheLimit=16m",
    "pack.threads=2",
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=20",
)
NO_HOUSEKEEPING = ("gc.auto=0", "maintenance.auto=false")
"""For somebody's checkout: it is for his own Git to repack it, which knows of all its working trees."""
_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
    "GIT_EDITOR": "true",
    "GIT_ADVICE": "0",
    "GIT_ATTR_NOSYSTEM": "1",
    # A path is a name, so that a file called `:(exclude)x` or `*.yaml` means itself.
    "GIT_LITERAL_PATHSPECS": "1",
    # `refs/replace` and grafts would show other commits than those that were reviewed.
    "GIT_NO_REPLACE_OBJECTS": "1",
    "LC_ALL": "C",
}
_OFFLINE = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1"}
_OPERATORS = re.compile(
    r"GIT_(SSH|SSH_COMMAND|SSH_VARIANT|ASKPASS|PROXY_COMMAND|EXEC_PATH|AUTHOR_DATE|COMMITTER_DATE"
    r"|CONFIG_(COUNT|KEY_\d+|VALUE_\d+|GLOBAL|SYSTEM|NOSYSTEM)|(SSL|PROXY_SSL|HTTP|TRACE|TRACE2)(_\w+)?)"
)
"""The variables of Git that an operator sets. All others say where a hook runs, or change what a command means."""

_ALLOWED: Mapping[str, frozenset[str]] = {
    "core": frozenset(
        {"repositoryformatversion", "filemode", "ignorecase", "precomposeunicode", "protecthfs", "protectntfs"}
        | {"symlinks", "longpaths", "autocrlf", "eol", "safecrlf", "trustctime", "checkstat", "abbrev"}
        | {"sharedrepository", "sparsecheckout", "sparsecheckoutcone", "logallrefupdates"}
    ),
    "extensions": frozenset({"objectformat", "refstorage", "compatobjectformat", "preciousobjects", "noop"}),
    "user": frozenset({"name", "email"}),
    "remote": frozenset({"url", "pushurl", "fetch"}),
    "http": frozenset({"extraheader", "proxy", "proxyauthmethod", "sslcainfo", "sslcapath", "version", "postbuffer"}),
}
"""By their sections, with and without a subsection: the settings of a repository that Git gets."""
_SET_ASIDE = frozenset({"worktreeconfig", "partialclone", "relativeworktrees"})
"""Extensions that mean nothing beside a stand-in: what they concern was read already, or is fetched by nobody."""
_WORD = re.compile(r"[a-z0-9]*")
_URL = re.compile(r'^\turl = "(.*)"$', re.MULTILINE)
_ELSEWHERE = re.compile(r"(https?|ssh|git)://|[^/]+:(?!//)")
"""A URL, or a host with a path in the way of ssh."""

LINKED = ("objects", "refs", "packed-refs", "shallow", "reftable", "logs")
NO_PROGRAM = "* -filter -diff -merge\n"
"""Attributes that turn off whatever a filter or a driver of the operator's own would run for files of a commit."""


class UnknownExtensionError(Exception):
    """A repository is stored in a way that this program does not know, so that it might be read wrongly."""


def environment(given: Mapping[str, str], *, has_remote: bool) -> dict[str, str]:
    """Return the environment of a command, of the one that this process has been given."""
    ours = {name: value for name, value in given.items() if not name.startswith("GIT_") or _OPERATORS.fullmatch(name)}
    return {**ours, **_ENVIRONMENT, **({"GIT_ALLOW_PROTOCOL": REMOTE_PROTOCOLS} if has_remote else _OFFLINE)}


def allowed_settings(listed: str) -> str:
    """Return the text of a configuration file with the settings of a repository that are allowed.

    Args:
        listed: what `git config --list -z` prints of its configuration.

    Raises `UnknownExtensionError`.
    """
    return "".join(as_text(key, value) for key, value in _settings(listed) if _is_allowed(key, value))


def is_set(listed: str, name: str) -> bool:
    """Return whether a setting that is true or false is true; `name` may be the end of its name."""
    found = [value for key, value in _settings(listed) if key.endswith(name)]
    return bool(found) and (found[-1] or "true").lower() in {"true", "yes", "on", "1"}


def is_elsewhere(text: str) -> bool:
    """Return whether the remotes that a configuration names are all on other machines, as far as it says so."""
    urls = _URL.findall(text)
    return bool(urls) and all(map(_ELSEWHERE.match, urls))


def _settings(listed: str) -> Iterator[tuple[str, str | None]]:
    """Yield each setting: its section and name are in lower case."""
    for each in listed.split("\0")[:-1]:
        key, has_value, value = each.partition("\n")
        yield key, value if has_value else None


def _is_allowed(key: str, value: str | None) -> bool:
    section, name = key.partition(".")[0], key.rpartition(".")[2]
    if section == "extensions" and name in _SET_ASIDE:
        return False
    is_known = name in _ALLOWED.get(section, ())
    if section == "extensions" and not (is_known and _WORD.fullmatch(value or "")):
        msg = f"the repository needs the extension {name[:40]!r}, which reconcile does not know"
        raise UnknownExtensionError(msg)
    return is_known


def as_text(key: str, value: str | None) -> str:
    """Return a setting as it stands in a configuration file; None is one that is there without a value."""
    section, name = key.partition(".")[0], key.rpartition(".")[2]
    subsection = key[len(section) + 1 : -len(name) - 1]
    head = f'[{section} "{_escaped(subsection)}"]' if subsection else f"[{section}]"
    return f"{head}\n\t{name}\n" if value is None else f'{head}\n\t{name} = "{_escaped(value)}"\n'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


@contextmanager
def stand_in(common_dir: Path, settings: str, attributes: str, scratch: Path | None) -> Iterator[Path]:
    """Make the stand-in for a repository's common directory while the body runs. Raises OSError.

    Args:
        common_dir: the repository's own.
        settings: the text of its configuration.
        attributes: what comes before the attributes that commits hold.
        scratch: where to make it; None is the system's place for temporary files.
    """
    with tempfile.TemporaryDirectory(prefix="reconcile-", dir=scratch, ignore_cleanup_errors=True) as directory:
        here = Path(directory)
        for name in LINKED:
            # Git makes the first ones where they are missing; through a link to nothing it cannot make a directory.
            if name != "logs" or (common_dir / name).is_dir():
                (here / name).symlink_to(common_dir / name)
        (here / "info").mkdir()
        (here / "info" / "attributes").write_text(attributes, encoding="ascii")
        (here / "config").write_text(settings, encoding="utf-8")
        try:
            yield here
        finally:
            _keep_shallow(here / "shallow", common_dir / "shallow")


def _keep_shallow(link: Path, file: Path) -> None:
    """Do with the file what Git did with its link: once history is whole, Git removes what says where it ends."""
    if link.is_symlink():
        return
    if link.exists():
        link.replace(file)
    else:
        file.unlink(missing_ok=True)
