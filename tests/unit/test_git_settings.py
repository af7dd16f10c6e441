"""The environment variables and repository settings that Git gets: only those on an allow list."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reconciler.git.settings import UnknownExtensionError, allowed_settings, environment, is_elsewhere, is_set


def listed(*settings: str) -> str:
    return "".join(f"{setting}\0" for setting in settings)


def read_back(text: str, tmp_path: Path) -> list[str]:
    """Return the settings that Git reads in the text of a configuration file."""
    file = tmp_path / "config"
    file.write_text(text, encoding="utf-8")
    command = ["git", "config", "--file", str(file), "--list", "-z"]
    ran = subprocess.run(command, capture_output=True, check=True, cwd=tmp_path)
    return ran.stdout.decode().split("\0")[:-1]


def test_git_reads_every_allowed_setting_back_unchanged(tmp_path: Path) -> None:
    settings = [
        "core.autocrlf\ntrue",
        "core.filemode",
        'remote.a "b" \\ c.url\nhttps://example.org/a;b#c "d" \\e',
        "remote.origin.fetch\n+refs/heads/*:refs/remotes/origin/*",
        "remote.origin.fetch\n+refs/tags/*:refs/tags/*",
        "http.https://example.org/.extraheader\nAUTHORIZATION: basic eDp5",
        "user.name\n  \ufffd two\nlines\t ",
    ]

    assert read_back(allowed_settings(listed(*settings)), tmp_path) == settings


@pytest.mark.parametrize(
    "setting",
    [
        *("core.fsmonitor\nx", "core.sshcommand\nx", "core.hookspath\nx", "core.worktree\n/", "core.bare\ntrue"),
        *("core.gitproxy\nx", "core.askpass\nx", "core.attributesfile\nx", "core.alternaterefscommand\nx"),
        *(
            "filter.lfs.clean\nx",
            "filter.lfs.process\nx",
            "diff.a.textconv\nx",
            "merge.a.driver\nx",
            "diff.external\nx",
        ),
        *("credential.helper\nx", "credential.https://a.helper\nx", "url.ext::sh.insteadof\nhttps", "include.path\nx"),
        *("remote.a.uploadpack\nx", "remote.a.receivepack\nx", "remote.a.vcs\nx", "remote.a.promisor\ntrue"),
        *(
            "includeif.gitdir:/.path\nx",
            "alias.log\n!x",
            "gpg.program\nx",
            "gpg.ssh.program\nx",
            "protocol.allow\nalways",
        ),
        *("uploadpack.packobjectshook\nx", "http.sslverify\nfalse", "http.cookiefile\nx", "safe.directory\n*"),
        *("extensions.partialclone\na", "extensions.worktreeconfig\ntrue", "a.b\nc", "trace2.eventtarget\nx"),
    ],
)
def test_a_setting_that_is_not_on_the_allow_list_is_omitted(setting: str) -> None:
    assert allowed_settings(listed(setting)) == ""


@pytest.mark.parametrize("setting", ["extensions.new\ntrue", "extensions.refstorage\nx://y", "extensions.noop\n\n"])
def test_an_unknown_repository_extension_raises_an_error(setting: str) -> None:
    with pytest.raises(UnknownExtensionError):
        allowed_settings(listed(setting))


def test_the_last_value_of_a_repeated_setting_applies() -> None:
    assert is_set(listed("remote.origin.promisor"), ".promisor")
    assert is_set(listed("a.b\nfalse", "a.b\nYes"), "a.b")
    assert not is_set(listed("a.b\ntrue", "a.b\noff"), "a.b")
    assert not is_set(listed("remote.origin.url\nx"), ".promisor")


@pytest.mark.parametrize("url", ["https://h/r", "http://h/r", "ssh://h/r", "git://h/r", "git@h:r", "h:a/b"])
def test_a_network_remote_is_elsewhere_unless_another_remote_is_local(url: str) -> None:
    text = allowed_settings(listed(f"remote.origin.url\n{url}"))

    assert is_elsewhere(text)
    assert not is_elsewhere(text + allowed_settings(listed("remote.mirror.url\n/srv/mirror.git")))


@pytest.mark.parametrize("url", ["/srv/r.git", "../r.git", "file:///srv/r.git", "./a:b"])
def test_a_remote_on_the_same_machine_is_not_elsewhere(url: str) -> None:
    assert not is_elsewhere(allowed_settings(listed(f"remote.origin.url\n{url}")))
    assert not is_elsewhere("")


def test_git_gets_the_variables_that_operators_set_and_not_those_of_hooks() -> None:
    operators = {
        "HOME": "/home/ada",
        "GIT_SSH_COMMAND": "ssh -i key",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.extraHeader",
        "GIT_CONFIG_VALUE_0": "x",
        "GIT_CONFIG_GLOBAL": "/etc/git",
        "GIT_SSL_CAINFO": "/ca.pem",
        "GIT_TRACE": "1",
    }
    hooks = [
        *("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX"),
        *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH", "GIT_NAMESPACE", "GIT_CONFIG_PARAMETERS"),
        *("GIT_CONFIG", "GIT_EXTERNAL_DIFF", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE", "GIT_REPLACE_REF_BASE"),
        *("GIT_ATTR_SOURCE", "GIT_GLOB_PATHSPECS", "GIT_ICASE_PATHSPECS", "GIT_PROTOCOL_FROM_USER", "GIT_X"),
    ]
    given = operators | dict.fromkeys(hooks, "x")

    offline, online = environment(given, has_remote=False), environment(given, has_remote=True)

    assert {name: offline.get(name) for name in operators} == operators
    assert not offline.keys() & set(hooks)
    assert (offline["GIT_ALLOW_PROTOCOL"], offline["GIT_NO_LAZY_FETCH"]) == ("none", "1")
    assert "ext" not in online["GIT_ALLOW_PROTOCOL"].split(":")
    assert "GIT_NO_LAZY_FETCH" not in online
