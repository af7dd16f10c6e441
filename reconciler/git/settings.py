"""The configuration and environment of Git commands: fixed settings, and an allowlist for a repository's own settings.

Theory: a repository is data, but its `.git/config` can name programs that Git runs. Therefore Git reads a stand-in for
the repository's common directory. The stand-in contains links to the objects, branches and tags, a `config` with only
the allowed settings, and an `info/attributes` that disables every filter and driver. It does not contain hooks. Of the
`GIT_*` variables in the environment, Git gets only those that an operator sets, not those that a hook or a parent Git
process sets.

What the repository's own `.git/config` (with `config.worktree` and included files) can still do:

- name remotes: their URLs and what is fetched from them. A push goes to such a URL, over https, http, ssh or git, or to
  a local path;
- add a header, a proxy or a certificate authority for http, as CI hosts do to pass a token;
- set how files appear in the working tree: line endings, modes, letter case, links, a sparse checkout;
- set the format of objects and references.

None of these settings names a program. A credential helper, an ssh command and a rewritten URL can come only from the
operator's own global or system configuration, or from the environment.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

REMOTE_PROTOCOLS = "https:http:ssh:git:file"
"""The protocols that a command with a remote may use. A remote helper such as `ext::` would run a program."""

OUR_SETTINGS = (
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
    # Large files are streamed instead of loaded, and caches stay small.
    "core.bigFileThreshold=8m",
    "core.deltaBaseCacheLimit=16m",
    "pack.threads=2",
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=20",
)
NO_HOUSEKEEPING = ("gc.auto=0", "maintenance.auto=false")
"""Further settings for a user's checkout. Only the user's own Git repacks it, because only that Git reads the list of
its linked working trees."""
_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
    "GIT_EDITOR": "true",
    "GIT_ADVICE": "0",
    "GIT_ATTR_NOSYSTEM": "1",
    # Paths are taken literally, so that a file may be named `:(exclude)x` or `*.yaml`.
    "GIT_LITERAL_PATHSPECS": "1",
    # With `refs/replace`, Git could show different commits from those that were reviewed.
    "GIT_NO_REPLACE_OBJECTS": "1",
    "LC_ALL": "C",
}
_OFFLINE = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1"}
_OPERATORS = re.compile(
    r"GIT_(SSH|SSH_COMMAND|SSH_VARIANT|ASKPASS|PROXY_COMMAND|EXEC_PATH|AUTHOR_DATE|COMMITTER_DATE"
    r"|CONFIG_(COUNT|KEY_\d+|VALUE_\d+|GLOBAL|SYSTEM|NOSYSTEM)|(SSL|PROXY_SSL|HTTP|TRACE|TRACE2)(_\w+)?)"
)
"""The Git variables that an operator sets. All others are set for hooks, or change the meaning of a command."""

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
"""The repository settings that are passed to Git, by section. They are allowed with and without a subsection."""
_DROPPED_EXTENSIONS = frozenset({"worktreeconfig", "partialclone", "relativeworktrees"})
"""Extensions that are omitted from a stand-in, because they are not needed there: their files were already read, or
their objects are never fetched."""
_WORD = re.compile(r"[a-z0-9]*")
_URL = re.compile(r'^\turl = "(.*)"$', re.MULTILINE)
_ELSEWHERE = re.compile(r"(https?|ssh|git)://|[^/]+:(?!//)")
"""A URL of another machine, or a host and path in ssh syntax."""

LINKED = ("objects", "refs", "packed-refs", "shallow", "reftable", "logs")
NO_PROGRAM = "* -filter -diff -merge\n"
"""The attributes that disable filters and drivers for every file, even those in the operator's own configuration."""


class UnknownExtensionError(Exception):
    """A repository uses an extension that reconcile does not support and might misread."""


def environment(given: Mapping[str, str], *, has_remote: bool) -> dict[str, str]:
    """Return the environment of a Git command: `given` with fixed settings, and without `GIT_*` variables of hooks.

    Of the `GIT_*` variables in `given`, only those that an operator sets are kept. A fixed setting takes precedence.
    With `has_remote`, Git may use `REMOTE_PROTOCOLS`. Otherwise, it can reach no remote and fetches no missing object.
    """
    ours = {name: value for name, value in given.items() if not name.startswith("GIT_") or _OPERATORS.fullmatch(name)}
    return {**ours, **_ENVIRONMENT, **({"GIT_ALLOW_PROTOCOL": REMOTE_PROTOCOLS} if has_remote else _OFFLINE)}


def allowed_settings(listed: str) -> str:
    """Return the text of a configuration file that contains only the allowed settings of a repository.

    Args:
        listed: the output of `git config --list -z`.

    Raises `UnknownExtensionError` if the repository uses an extension that reconcile does not support.
    """
    return "".join(as_text(key, value) for key, value in _settings(listed) if _is_allowed(key, value))


def is_set(listed: str, name: str) -> bool:
    """Return whether a boolean setting is true. `name` is the full name of the setting, or the end of that name."""
    found = [value for key, value in _settings(listed) if key.endswith(name)]
    return bool(found) and (found[-1] or "true").lower() in {"true", "yes", "on", "1"}


def is_elsewhere(text: str) -> bool:
    """Return whether a configuration names remotes, and all of them are on other machines, judged by their URLs."""
    urls = _URL.findall(text)
    return bool(urls) and all(map(_ELSEWHERE.match, urls))


def _settings(listed: str) -> Iterator[tuple[str, str | None]]:
    """Yield the name and value of each setting, with its section and key in lower case. A setting may have no value."""
    for each in listed.split("\0")[:-1]:
        key, has_value, value = each.partition("\n")
        yield key, value if has_value else None


def _is_allowed(key: str, value: str | None) -> bool:
    section, name = key.partition(".")[0], key.rpartition(".")[2]
    if section == "extensions" and name in _DROPPED_EXTENSIONS:
        return False
    is_known = name in _ALLOWED.get(section, ())
    if section == "extensions" and not (is_known and _WORD.fullmatch(value or "")):
        msg = (
            f"the repository uses the extension {name[:40]!r}, which reconcile does not support: use a clone without it"
        )
        raise UnknownExtensionError(msg)
    return is_known


def as_text(key: str, value: str | None) -> str:
    """Return a setting as lines of a configuration file. If `value` is None, the setting has no value."""
    section, name = key.partition(".")[0], key.rpartition(".")[2]
    subsection = key[len(section) + 1 : -len(name) - 1]
    head = f'[{section} "{_escaped(subsection)}"]' if subsection else f"[{section}]"
    return f"{head}\n\t{name}\n" if value is None else f'{head}\n\t{name} = "{_escaped(value)}"\n'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


@contextmanager
def stand_in(common_dir: Path, settings: str, attributes: str, scratch: Path | None) -> Iterator[Path]:
    """Create a stand-in for a repository's common directory, which exists while the body runs, and yield its path.

    Raises `OSError` if it cannot be created, or if the list of shallow commits cannot be kept after the body.

    Args:
        common_dir: the common directory of the repository.
        settings: the text of the configuration file in the stand-in.
        attributes: the text of an attributes file, which takes precedence over those in commits.
        scratch: the parent directory of the stand-in. None means the system's default for temporary files.
    """
    with tempfile.TemporaryDirectory(prefix="reconcile-", dir=scratch, ignore_cleanup_errors=True) as directory:
        here = Path(directory)
        for name in LINKED:
            # Git can create a missing file through a dangling link, but not a directory.
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
    """If Git replaced or removed the link, do the same to the file. A complete history makes Git remove the link."""
    if link.is_symlink():
        return
    if link.exists():
        link.replace(file)
    else:
        file.unlink(missing_ok=True)
