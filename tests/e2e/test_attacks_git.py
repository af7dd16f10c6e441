"""Attacks through Git by an author of specs and commit messages, on the installed command.

Each attack is a repository that its author prepared. Each test checks the result: no planted command ran, no request
was sent that a reviewer could not have seen in a spec, no file outside the statuses changed, and the other specs were
applied. `RECONCILE_COMMAND` runs the same attacks on another build.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.cli import SPEC, Checkout, Ran
from tests.support.repositories import Clone, a_clone, a_remote
from tests.support.sandbox_client import Sandbox, wait_for
from tests.support.threaded_server import serving
from tests.support.watch_process import watching

MISSING = "1" * 40
BARE_CONFIG = """\
[core]
\trepositoryformatversion = 1
\tbare = false
\t{worktree}
\tfsmonitor = {command}
[extensions]
\tpartialClone = origin
[remote "origin"]
\turl = .
\tpromisor = true
\tuploadpack = {command}
\tfetch = +refs/heads/*:refs/remotes/origin/*
"""
VERBS = {
    "plan": ("plan",),
    "drift": ("drift",),
    "validate": ("validate", "--since", "HEAD"),
    "a dry run": ("--once", "--dry-run"),
    "a pass": ("--once",),
    "a pass that pushes": ("--once", "--push", "--status-branch", "statuses"),
}


@dataclass(frozen=True, slots=True)
class Field:
    """A clone with one spec that requests the cancel of its job, and the mark that a successful attack would leave."""

    clone: Clone
    checkout: Checkout
    sandbox: Sandbox
    job_id: str
    canary: Path

    @property
    def command(self) -> str:
        """A shell command that writes its environment to the canary, and succeeds."""
        return f"env > {self.canary} #"

    def run(self, *arguments: str, **environ: str) -> Ran:
        """Run the command as the operator does, with a key in the environment."""
        return self.checkout.run(*arguments, **environ)


@pytest.fixture
def field(tmp_path: Path, sandbox: Sandbox) -> Field:
    clone = a_clone(a_remote(tmp_path / "remote.git"), tmp_path / "ada")
    checkout = Checkout(clone.root, sandbox.environ)
    (job_id,) = sandbox.create(1)
    checkout.name_provider()
    checkout.want("runaway", job_id)
    clone.commit("Stop the runaway")
    clone.push()
    return Field(clone, checkout, sandbox, job_id, tmp_path / "canary")


def lay_out(where: Path, command: str) -> None:
    """Create a repository whose configuration names a command that Git would run to get missing objects."""
    (where / "objects").mkdir(parents=True)
    (where / "refs" / "heads").mkdir(parents=True)
    (where / "objects" / "keep").write_text("", encoding="utf-8")
    (where / "HEAD").write_text("ref: refs/heads/main\n", encoding="utf-8")
    (where / "refs" / "heads" / "main").write_text(f"{MISSING}\n", encoding="utf-8")
    worktree = "" if where.name == ".git" else "worktree = ."
    (where / "config").write_text(BARE_CONFIG.format(command=command, worktree=worktree), encoding="utf-8")


# Repositories below the specs directory


@pytest.mark.sampled(1)
@pytest.mark.parametrize("verb", VERBS)
def test_a_bare_repository_among_the_specs_runs_no_program(field: Field, verb: str) -> None:
    lay_out(field.checkout.specs, field.command)
    field.clone.git("add", "--force", "specs")
    field.clone.git("commit", "--quiet", "--message", "Add some files")
    ran = field.run(*VERBS[verb])

    assert not field.canary.exists()
    assert "contains a Git repository" in ran.out + ran.err
    assert ran.code != 0
    assert field.sandbox.cancels(field.job_id) == []


@pytest.mark.sampled(2)
@pytest.mark.parametrize("verb", [verb for verb in VERBS if "push" not in verb and verb != "validate"])
def test_a_git_directory_inside_a_plain_specs_directory_runs_no_program(
    field: Field, verb: str, tmp_path: Path
) -> None:
    synced = field.checkout.copy_to(tmp_path / "synced")
    subprocess.run(["rm", "-rf", str(synced.root / ".git")], check=True)
    lay_out(synced.specs / ".git", field.command)
    ran = synced.run(*VERBS[verb])

    assert not field.canary.exists()
    assert "contains a Git repository" in ran.out + ran.err
    assert ran.code != 0
    assert field.sandbox.cancels(field.job_id) == []


def test_a_watch_stops_acting_while_a_repository_exists_among_the_specs(
    field: Field,
) -> None:
    (other,) = field.sandbox.create(1)
    with watching(field.checkout) as watch:
        wait_for(lambda: field.sandbox.cancels(field.job_id), "the first job is cancelled")
        lay_out(field.checkout.specs / "x", field.command)
        field.checkout.want("another", other)
        wait_for(
            lambda: "contains a Git repository" in watch.said(), "the watch reports the repository among the specs"
        )
        asked = field.sandbox.cancels(other)
        subprocess.run(["rm", "-rf", str(field.checkout.specs / "x")], check=True)
        wait_for(lambda: field.sandbox.cancels(other), "the watch cancels the other job once the repository is gone")
        code = watch.stop()

    assert code == 0
    assert asked == []
    assert not field.canary.exists()


# Programs that the configuration of the repository, attributes of files, or variables of a hook name

NOWHERE = "127.0.0.1:1"
PROGRAMS = {
    "core.fsmonitor": ("{command}", ""),
    "core.hooksPath": ("{hooks}", ""),
    "core.alternateRefsCommand": ("{command}", ""),
    "core.pager": ("{command}", ""),
    "core.editor": ("{command}", ""),
    "core.sshCommand": ("{command}", f"ssh://git@{NOWHERE}/x"),
    "core.gitProxy": ("{script}", f"git://{NOWHERE}/x"),
    "core.askPass": ("{script}", "{locked}"),
    "credential.helper": ("!{command}", "{locked}"),
    "remote.origin.uploadpack": ("{command}", ""),
    "remote.origin.receivepack": ("{command}", ""),
    "remote.origin.vcs": ("ext", "sh -c {script}"),
    "url.ext::sh -c {script} #.insteadOf": ("file://", ""),
    "filter.evil.clean": ("{command}", ""),
    "filter.evil.smudge": ("{command}", ""),
    "filter.evil.process": ("{command}", ""),
    "diff.external": ("{script}", ""),
    "diff.evil.command": ("{script}", ""),
    "diff.evil.textconv": ("{script}", ""),
    "merge.evil.driver": ("{command}", ""),
    "gpg.program": ("{script}", ""),
    "alias.rev-list": ("!{command}", ""),
}
"""The repository settings that name a program: the value, and the remote for which Git would run it."""
PUSHES = {
    "its own branch": ("--once", "--push"),
    "a branch of its own": ("--once", "--push", "--status-branch", "statuses"),
}
HOOKS = ("pre-push", "post-merge", "post-checkout", "reference-transaction", "post-index-change")


def configure(clone: Clone, field: Field, *keys: str, locked: str = "") -> None:
    """Set these settings of a repository so that each names a planted program."""
    script, hooks = field.canary.with_name("script"), field.canary.with_name("hooks")
    hooks.mkdir()
    for file in (script, *(hooks / name for name in HOOKS), *(clone.root / ".git" / "hooks" / name for name in HOOKS)):
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/sh\n{field.command}\n", encoding="utf-8")
        file.chmod(0o755)
    names = {"command": field.command, "script": script, "hooks": hooks, "locked": locked}
    for key in keys:
        value, url = PROGRAMS[key]
        clone.git("config", key.format(**names), value.format(**names))
        if url:
            clone.git("config", "remote.origin.url", url.format(**names))


@contextmanager
def locked() -> Iterator[str]:
    """Yield the URL of a remote that requires a password."""

    class Locked(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(HTTPStatus.UNAUTHORIZED)
            self.send_header("www-authenticate", 'Basic realm="x"')
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Locked)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}/x"


@pytest.mark.sampled(2)
@pytest.mark.parametrize("key", PROGRAMS)
def test_a_git_setting_of_the_checkout_that_names_a_program_runs_nothing(
    field: Field, tmp_path: Path, key: str
) -> None:
    runner = a_clone(tmp_path / "remote.git", tmp_path / "runner")
    field.checkout.write("notes.txt", "somebody was faster\n")
    field.clone.commit("Write notes")
    field.clone.push()
    with locked() as url:
        configure(runner, field, key, locked=url)
        (runner.root / ".git" / "info" / "attributes").write_text("* filter=evil diff=evil merge=evil\n")
        ran = Checkout(runner.root, field.sandbox.environ).run("--once", "--push")

    assert not field.canary.exists()
    assert ran.code in {0, 78}, ran.err


@pytest.mark.sampled(1)
@pytest.mark.parametrize("way", PUSHES)
def test_an_included_git_configuration_file_runs_no_program(field: Field, way: str) -> None:
    configure(field.clone, field, *(key for key, (_, url) in PROGRAMS.items() if not url and "url" not in key))
    config = field.clone.root / ".git" / "config"
    included = field.canary.with_name("included")
    config.rename(included)
    config.write_text(f"[include]\n\tpath = {included}\n", encoding="utf-8")
    field.checkout.write(".gitattributes", "* filter=evil diff=evil merge=evil\n")
    ran = field.run(*PUSHES[way])

    assert not field.canary.exists()
    assert ran.code == 0, ran.err
    assert field.sandbox.cancels(field.job_id) == [field.job_id]


def test_the_configuration_of_a_linked_working_tree_runs_no_program(field: Field, tmp_path: Path) -> None:
    field.clone.git("config", "extensions.worktreeConfig", "true")
    field.clone.git("worktree", "add", "--quiet", "-b", "other", str(tmp_path / "linked"))
    linked = Clone(tmp_path / "linked")
    linked.git("config", "--worktree", "core.fsmonitor", field.command)
    linked.git("config", "--worktree", "filter.evil.clean", field.command)
    (linked.root / "specs" / ".gitattributes").write_text("* filter=evil\n", encoding="utf-8")
    ran = Checkout(linked.root, field.sandbox.environ).run("--once", "--commit")

    assert not field.canary.exists()
    assert ran.code == 0, ran.err
    assert linked.subjects("HEAD")[0].startswith("reconcile:")


@pytest.mark.sampled(1)
@pytest.mark.parametrize("way", PUSHES)
def test_git_attributes_among_the_specs_do_not_run_the_operators_filters(field: Field, way: str) -> None:
    mine = field.canary.with_name("gitconfig")
    program = f"{field.command}"
    mine.write_text(
        f'[filter "lfs"]\n\tclean = {program}\n\tsmudge = {program}\n\tprocess = {program}\n'
        f'[diff "lfs"]\n\ttextconv = {program}\n',
        encoding="utf-8",
    )
    field.checkout.write(".gitattributes", "[attr]x filter=lfs diff=lfs\n*.yaml x\n* filter=lfs diff=lfs\n")
    field.clone.commit("Add attributes")
    field.checkout.want("runaway", field.job_id, "cancelled")
    ran = field.run(*PUSHES[way], GIT_CONFIG_GLOBAL=str(mine))

    assert not field.canary.exists()
    assert ran.code == 0, ran.err


SHOWN = (
    "spec: {{provider: main, jobId: {job}, "
    'reason: "the old one said \u201d, desiredState: cancelled}} # and was wrong", desiredState: running}}\n'
)
"""A spec with a typographic quote. If Git replaced it by an ASCII quote, the spec would request a cancel."""
REENCODING = {
    "at the top": (".gitattributes", "*.yaml text working-tree-encoding=ASCII//TRANSLIT\nspecs/status/** !text\n"),
    "by a macro": (".gitattributes", "[attr]x text working-tree-encoding=ascii//translit\n*.yaml x\n"),
    "among the specs": ("specs/.gitattributes", "shown.yaml working-tree-encoding=ASCII//TRANSLIT\n"),
}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("where", REENCODING)
def test_a_spec_whose_checkout_differs_from_the_reviewed_text_is_not_acted_on(
    field: Field, tmp_path: Path, where: str
) -> None:
    (job_id,) = field.sandbox.create(1)
    head, _, _ = SPEC.format(name="shown", provider="main", job_id=job_id, state="running").partition("spec:")
    field.checkout.write("shown.yaml", head + SHOWN.format(job=job_id))
    field.clone.commit("Let it run")
    file, text = REENCODING[where]
    (field.clone.root / file).write_text(text, encoding="utf-8")
    field.clone.git("add", "--", file)
    field.clone.git("commit", "--quiet", "--message", "Add attributes")
    field.clone.push()
    runner = a_clone(tmp_path / "remote.git", tmp_path / "runner")
    ran = Checkout(runner.root, field.sandbox.environ).run("--once")

    assert 'said ", desiredState: cancelled} #' in (runner.root / "specs" / "shown.yaml").read_text(encoding="utf-8")
    assert field.sandbox.cancels(job_id) == []
    assert ran.code == 65
    assert "the checked-out file differs from its commit, because its Git attribute" in ran.err


@pytest.mark.sampled(2)
@pytest.mark.parametrize("target", ["/dev/zero", "/proc/self/environ", ".", "pipe"])
def test_a_git_attributes_path_that_is_not_a_file_does_not_block_a_pass(field: Field, target: str) -> None:
    attributes = field.clone.root / "specs" / ".gitattributes"
    if target == "pipe":
        os.mkfifo(attributes)
    else:
        attributes.symlink_to(target)
    ran = field.run("--once")

    assert ran.code in {0, 65}, ran.err
    assert "Traceback" not in ran.err


def test_a_spec_that_needs_a_git_filter_is_not_acted_on(field: Field, tmp_path: Path) -> None:
    runner = a_clone(tmp_path / "remote.git", tmp_path / "runner")
    (runner.root / ".gitattributes").write_text("*.bin filter=lfs\n", encoding="utf-8")
    (field.clone.root / "large.bin").write_text("version https://git-lfs.github.com/spec/v1\n", encoding="utf-8")
    field.clone.commit("Add a model")
    field.clone.push()
    ran = Checkout(runner.root, field.sandbox.environ).run("--once", "--push")

    assert ran.code == 78
    assert "the checkout cannot follow main" in ran.err
    assert not (runner.root / "large.bin").exists()


def test_variables_set_by_a_git_hook_select_no_repository_and_run_no_program(field: Field, tmp_path: Path) -> None:
    other = a_clone(tmp_path / "remote.git", tmp_path / "other")
    before = other.git("for-each-ref")
    ran = field.run(
        "--once",
        "--commit",
        GIT_DIR=str(other.root / ".git"),
        GIT_WORK_TREE=str(other.root),
        GIT_COMMON_DIR=str(other.root / ".git"),
        GIT_INDEX_FILE=str(other.root / ".git" / "index"),
        GIT_OBJECT_DIRECTORY=str(other.root / ".git" / "objects"),
        GIT_ALTERNATE_OBJECT_DIRECTORIES="/nowhere",
        GIT_NAMESPACE="other",
        GIT_EXTERNAL_DIFF=field.command,
        GIT_CONFIG_PARAMETERS=f"'core.fsmonitor={field.command}'",
        GIT_CONFIG="/nowhere",
    )

    assert ran.code == 0, ran.err
    assert not field.canary.exists()
    assert other.git("for-each-ref") == before
    assert field.clone.subjects("main")[0].startswith("reconcile:")


def test_a_remote_url_that_names_a_program_runs_nothing(field: Field) -> None:
    field.clone.git("remote", "set-url", "origin", f"ext::sh -c '{field.command}'")
    ran = field.run("--once", "--push")

    assert not field.canary.exists()
    assert ran.code == 78
    assert field.sandbox.cancels(field.job_id) == []


REMOTES = {
    "a program as a remote": ("ext::sh -c '{command}'", "main"),
    "an option as a remote": ("--upload-pack={script}", "main"),
    "an option as a host": ("ssh://-oProxyCommand={script}/x", "main"),
    "an option as a user": ("-oProxyCommand={script}@host:x", "main"),
    "a helper as a remote": ("fd::17/x", "main"),
    "an option as a branch": ("{remote}", "--upload-pack={script}"),
    "a path as a branch": ("{remote}", "../../../etc/passwd"),
    "a refspec as a branch": ("{remote}", "main:refs/heads/other"),
    "a blank in a branch": ("{remote}", "main --exec={script}"),
}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("how", REMOTES)
def test_an_invalid_remote_or_branch_name_runs_nothing(field: Field, tmp_path: Path, how: str) -> None:
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\n{field.command}\n", encoding="utf-8")
    script.chmod(0o755)
    names = {"command": field.command, "script": script, "remote": (tmp_path / "remote.git").as_uri()}
    url, branch = (each.format(**names) for each in REMOTES[how])
    ran = field.run("--once", f"--git-url={url}", f"--git-ref={branch}")

    assert not field.canary.exists()
    assert ran.code in {64, 69, 70, 78}
    assert field.sandbox.cancels(field.job_id) == []


def test_local_commands_do_not_fetch_missing_objects_of_a_partial_clone(field: Field, tmp_path: Path) -> None:
    subprocess.run(["git", "-C", str(tmp_path / "remote.git"), "config", "uploadpack.allowFilter", "true"], check=True)
    for state in ("observed", "cancelled"):
        field.checkout.want("runaway", field.job_id, state)
        field.clone.commit(f"Want it {state}\n\nApprove-Cancels: 1")
    field.clone.push()
    partial = a_clone(tmp_path / "remote.git", tmp_path / "partial", "--filter=blob:none")
    partial.git("config", "remote.origin.uploadpack", field.command)
    ran = Checkout(partial.root, field.sandbox.environ).run("--once")

    assert not field.canary.exists()
    assert ran.code == 0, ran.err
    assert "omits versions of files" in ran.err


WRAPPER = """\
#!/bin/sh
{{ printf '%s\\0' "$GIT_ALLOW_PROTOCOL" "$@"; printf '\\n'; }} >> {log}
exec {git} "$@"
"""


def test_every_git_call_names_its_repository_and_only_remote_calls_allow_a_protocol(
    field: Field, tmp_path: Path
) -> None:
    bin_, log = tmp_path / "bin", tmp_path / "log"
    bin_.mkdir()
    (bin_ / "git").write_text(WRAPPER.format(log=log, git=shutil.which("git")), encoding="utf-8")
    (bin_ / "git").chmod(0o755)
    path = f"{bin_}:{os.environ['PATH']}"
    clone = Checkout(a_clone(tmp_path / "remote.git", tmp_path / "runner").root, field.sandbox.environ)
    url = (tmp_path / "remote.git").as_uri()
    codes = [
        clone.run("--once", "--wait", "--push", PATH=path).code,
        clone.run("--once", "--push", "--status-branch", "statuses", PATH=path).code,
        clone.run("validate", "--since", "HEAD", PATH=path).code,
        clone.run("--once", "--git-url", url, "--push", PATH=path).code,
    ]
    commands = [line.split("\0")[:-1] for line in log.read_text(encoding="utf-8").split("\n") if line]
    needs_remote = [not {"ls-remote", "fetch", "push"}.isdisjoint(words) for _, *words in commands]

    assert codes == [0, 0, 0, 0]
    assert len(commands) > 30
    assert [words for _, *words in commands if not any(each.startswith("--git-dir=/") for each in words)] == []
    assert all(
        (protocols == "none") is not is_remote
        for (protocols, *_), is_remote in zip(commands, needs_remote, strict=True)
    )
