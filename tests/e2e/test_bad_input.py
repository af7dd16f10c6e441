"""Mistakes of users, in one table: the message and exit code of each, and whether it stops the cancel of a valid job.

`python -m tests.e2e.test_bad_input` prints the table as Markdown.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.cli import SPEC, Ran
from tests.support.in_process_command import Workspace

HEAD = "apiVersion: jobs.reconciler/v1\nkind: FineTuningJob\nmetadata: {name: bad}\n"
GOOD = SPEC.format(name="bad", provider="demo", job_id="ftjob-bad", state="cancelled")
SETTINGS = "apiVersion: jobs.reconciler/v1\nkind: Settings\nmetadata: {name: settings}\nspec:\n"
SUSPENDED = SETTINGS + "  suspend: true\n"
LEFT_ALONE = "a later version of reconcile wrote this status, so it is not changed"
MAY_HOLD_SETTINGS = (
    "specs/bad.yaml: it may contain Settings, so no change is requested for any job until it can be read"
)
PROVIDER = "apiVersion: jobs.reconciler/v1\nkind: Provider\nmetadata: {name: other}\nspec:\n"
ON_OTHER = GOOD.replace("demo", "other")
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{after}: &{after} [{', '.join(['*' + before] * 9)}]\n"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)
Contents = str | bytes | Callable[[Workspace], None]


@dataclass(frozen=True, slots=True)
class Case:
    """One mistake. `told` has parts of the output. With `stops`, the valid job beside it is not cancelled."""

    contents: Contents
    code: int
    told: tuple[str, ...]
    stops: bool = False
    arguments: tuple[str, ...] = ()


def _two_files(workspace: Workspace) -> None:
    workspace.write("bad.yaml", GOOD)
    workspace.write("team/bad.yaml", GOOD.replace("ftjob-bad", "ftjob-other"))


def _two_specs(workspace: Workspace) -> None:
    workspace.write("bad.yaml", GOOD)
    workspace.write("again.yaml", GOOD.replace("name: bad", "name: again"))


def _link_loop(workspace: Workspace) -> None:
    (workspace.specs / "bad.yaml").symlink_to("bad.yaml")


def _link_outside(workspace: Workspace) -> None:
    (workspace.specs / "bad.yaml").symlink_to("/etc/hostname")


def _folder_loop(workspace: Workspace) -> None:
    (workspace.specs / "round").symlink_to(".")


def _odd_name(workspace: Workspace) -> None:
    workspace.write("bad\n\x1b[31m.yaml", GOOD)


def _two_settings(workspace: Workspace) -> None:
    workspace.write("bad.yaml", SETTINGS + "  interval: 60s\n")
    workspace.write("more.yaml", SETTINGS + "  interval: 90s\n")


def _hidden_provider(workspace: Workspace) -> None:
    workspace.write("bad.yaml", GOOD.replace("demo", "sandbox"))
    workspace.write("team/accounts.yaml", "<<<<<<< HEAD\n" + PROVIDER.replace("other", "sandbox") + "  type: sandbox\n")


def _no_key(workspace: Workspace) -> None:
    workspace.write(
        "bad.yaml", ON_OTHER + "---\n" + PROVIDER + "  type: openai\n  credentials: {env: NOBODY_SETS_THIS}\n"
    )
    (workspace.root / "trust").write_text("NOBODY_SETS_THIS=api.openai.com\n", encoding="utf-8")


def _no_network(workspace: Workspace) -> None:
    key = workspace.root / "key"
    key.write_text("sk-not-a-key\n", encoding="utf-8")
    other = f"  type: openai\n  baseUrl: http://127.0.0.1:9/v1\n  credentials: {{file: {key}}}\n"
    workspace.write("bad.yaml", ON_OTHER + "---\n" + PROVIDER + other)
    (workspace.root / "trust").write_text(f"{key}=127.0.0.1:9\n", encoding="utf-8")


def _status_is_a_file(workspace: Workspace) -> None:
    workspace.write("status", "not a directory")


def _newer_status(workspace: Workspace) -> None:
    workspace.write("bad.yaml", GOOD)
    workspace.write("status/bad.yaml", "apiVersion: jobs.reconciler/v2\nkind: FineTuningJob\nmetadata: {name: bad}\n")


def _newer_status_of_the_job(file: str) -> Callable[[Workspace], None]:
    def prepare(workspace: Workspace) -> None:
        job = "status: {job: {account: sandbox http://sandbox.localhost/v1, id: ftjob-chat}}\n"
        name = Path(file).stem
        workspace.write(file, f"apiVersion: jobs.reconciler/v2\nkind: FineTuningJob\nmetadata: {{name: {name}}}\n{job}")

    return prepare


def with_spec(**fields: str) -> str:
    """Return a job document with these fields, which replace its default fields or follow them."""
    usual = {"provider": "demo", "jobId": "ftjob-bad", "desiredState": "cancelled"}
    return HEAD + "spec:\n" + "".join(f"  {key}: {value}\n" for key, value in (usual | fields).items())


CASES: dict[str, Case] = {
    "unknown key": Case(
        with_spec(desierdState="running"),
        65,
        ("specs/bad.yaml:8: spec.desierdState: unknown key", "did you mean 'desiredState'?"),
    ),
    "wrong type": Case(
        with_spec(limits="24h"), 65, ("specs/bad.yaml:8: spec.limits: must be a mapping, but is '24h'",)
    ),
    "bad enum": Case(
        with_spec(desiredState="canceled"),
        65,
        ("specs/bad.yaml:7: spec.desiredState: 'canceled' is not one of running, paused, cancelled, observed",),
    ),
    "missing key": Case(
        HEAD + "spec: {provider: demo, jobId: ftjob-bad}\n",
        65,
        ("specs/bad.yaml:4: spec.desiredState: this field is required",),
    ),
    "duplicate key": Case(
        GOOD + "  jobId: ftjob-2\n",
        65,
        ("specs/bad.yaml:8: spec.jobId: this key is used twice, first on line 6: remove one of them",),
    ),
    "duplicate name in two files": Case(
        _two_files,
        65,
        (
            "specs/bad.yaml:3: metadata.name: the name 'bad' is also used at specs/team/bad.yaml:3: rename one of them",
            "specs/team/bad.yaml:3: metadata.name: the name 'bad' is also used at specs/bad.yaml:3: rename one of them",
        ),
    ),
    "two specs for one job": Case(
        _two_specs,
        65,
        (
            "specs/again.yaml:6: spec.jobId: another spec names the job ftjob-bad too: bad",
            "specs/bad.yaml:6: spec.jobId: another spec names the job ftjob-bad too: again",
        ),
    ),
    "wrong apiVersion": Case(
        GOOD.replace("reconciler/v1", "reconcilr/v1"),
        65,
        ("specs/bad.yaml:1: apiVersion: must be jobs.reconciler/v1, but is 'jobs.reconcilr/v1'",),
    ),
    "newer apiVersion": Case(
        GOOD.replace("reconciler/v1", "reconciler/v2"),
        65,
        ("specs/bad.yaml:1: apiVersion: 'jobs.reconciler/v2' is newer than this reconcile, which reads jobs.re",),
    ),
    "wrong kind": Case(
        GOOD.replace("FineTuningJob", "FinetuneJob"),
        65,
        ("specs/bad.yaml:2: kind: 'FinetuneJob' is not one of FineTuningJob, BatchJob, Provider, Settings",),
    ),
    "kind that is no word": Case(
        GOOD.replace("FineTuningJob", "[FineTuningJob]"),
        65,
        ("specs/bad.yaml:2: kind: must be one of FineTuningJob, BatchJob, Provider, Settings",),
    ),
    "another tool's kind": Case(
        GOOD.replace("FineTuningJob", "Deployment"),
        65,
        ("specs/bad.yaml:2: kind: 'Deployment' is not one of FineTuningJob, BatchJob, Provider, Settings",),
    ),
    "tab indentation": Case(
        GOOD.replace("  jobId", "\tjobId"),
        65,
        ("specs/bad.yaml:6: invalid YAML: a tab is not allowed here: indent with spaces",),
    ),
    "byte order mark": Case(b"\xef\xbb\xbf" + GOOD.encode(), 0, ("bad: cancel accepted",)),
    "CRLF": Case(GOOD.replace("\n", "\r\n"), 0, ("bad: cancel accepted",)),
    "UTF-16": Case(GOOD.encode("utf-16"), 65, ("specs/bad.yaml:1: the file is UTF-16 or UTF-32: save it as UTF-8",)),
    "empty file": Case("", 0, ("1 on the way",)),
    "only comments": Case("# nothing yet\n", 0, ("1 on the way",)),
    "10 MB file": Case(GOOD + "#" * 10_000_000, 65, ("specs/bad.yaml: the file is larger than 4 MiB: split the file",)),
    "alias bomb": Case(
        BOMB, 65, ("specs/bad.yaml:6: the aliases in this file repeat more than 100,000 values: use fewer aliases",)
    ),
    "merge key": Case(
        HEAD + "x: &x {provider: demo}\nspec:\n  <<: *x\n  jobId: a-1\n  desiredState: running\n",
        65,
        (
            "specs/bad.yaml:4: x: unknown key",
            "specs/bad.yaml:6: spec.'<<': merge keys are not supported: repeat",
        ),
    ),
    "not UTF-8": Case(
        GOOD.encode() + b"# caf\xe9\n",
        65,
        ("specs/bad.yaml:8: the file is not UTF-8: byte 0xe9 at offset 146; save it as UTF-8",),
    ),
    "NUL byte": Case(
        GOOD.encode() + b"# \x00\n",
        65,
        ("specs/bad.yaml:8: the file contains the control character U+0000, which YAML does not allow: remove it",),
    ),
    "not YAML": Case(
        "spec: [\n", 65, ("specs/bad.yaml:2: invalid YAML: a value is missing here, or a bracket is never closed",)
    ),
    "conflict markers": Case(
        "<<<<<<< HEAD\n" + GOOD + "=======\n>>>>>>> other\n",
        65,
        ("specs/bad.yaml:1: a Git merge conflict is not resolved here: resolve it",),
    ),
    "a list": Case(
        "- a\n- b\n", 65, ("specs/bad.yaml:1: a document must be a mapping with apiVersion, kind, metadata and spec",)
    ),
    "link that goes round": Case(
        _link_loop, 65, ("specs/bad.yaml: it is not read, because it is a link in a loop: replace or remove it",)
    ),
    "link that leads outside": Case(
        _link_outside,
        65,
        ("specs/bad.yaml: it is not read, because it is a link that leads out of the specs directory",),
    ),
    "folder that holds itself": Case(
        _folder_loop,
        0,
        ("specs/round: it is not read, because it is a link to a directory that would be read twice",),
    ),
    "file name with escape codes": Case(
        _odd_name,
        65,
        ("specs/bad\\n\\x1b[31m.yaml: this name is not UTF-8, or contains control characters: rename it",),
    ),
    "two Settings": Case(
        _two_settings,
        65,
        (
            "specs/bad.yaml:1: kind: only one Settings document is allowed, and specs/more.ya",
            "specs/more.yaml:1: kind: only one Settings document is allowed, and specs/bad.ya",
        ),
        stops=True,
    ),
    "Settings above a conflict": Case(SUSPENDED + "<<<<<<< HEAD\n", 65, (MAY_HOLD_SETTINGS,), stops=True),
    "Settings above a bracket that is never closed": Case(
        SUSPENDED + "more: [\n", 65, (MAY_HOLD_SETTINGS,), stops=True
    ),
    "Settings with a misspelt kind, below a conflict": Case(
        "<<<<<<< HEAD\n" + SUSPENDED.replace("Settings", "settngs"), 65, (MAY_HOLD_SETTINGS,), stops=True
    ),
    "Settings as UTF-16": Case(SUSPENDED.encode("utf-16"), 65, ("save it as UTF-8", MAY_HOLD_SETTINGS), stops=True),
    "Settings that are called Config": Case(
        SUSPENDED.replace("Settings", "Config"), 65, ("kind: 'Config' is not one of",), stops=True
    ),
    "Provider in a file that cannot be read": Case(
        _hidden_provider,
        65,
        ("no Provider document 'sandbox' was found; it may be in a file that cannot be read: correct specs/team/acc",),
    ),
    "invalid Settings": Case(
        SETTINGS + "  interval: 1s\n", 65, ("specs/bad.yaml:5: spec.interval: must be at least 15s",), stops=True
    ),
    "invalid Provider": Case(
        ON_OTHER + "---\n" + PROVIDER + "  type: opena1\n",
        65,
        ("specs/bad.yaml:13: spec.type: 'opena1' is not a provider type; did you mean 'openai'?",),
    ),
    "Provider without a type": Case(
        ON_OTHER + "---\n" + PROVIDER + "  baseUrl: https://x.example\n",
        65,
        ("specs/bad.yaml:12: spec.type: this field is required",),
    ),
    "literal secret": Case(
        ON_OTHER + "---\n" + PROVIDER + "  type: openai\n  credentials: sk-live-123456789\n",
        65,
        ("specs/bad.yaml:14: spec.credentials: must be {env: VARIABLE} or {file: PATH}: never write",),
    ),
    "literal secret as a variable": Case(
        ON_OTHER + "---\n" + PROVIDER + "  type: openai\n  credentials: {env: sk-live-123456789}\n",
        65,
        ("specs/bad.yaml:14: spec.credentials: must be {env: VARIABLE} or {file: PATH}: never write",),
    ),
    "password in the address": Case(
        ON_OTHER + "---\n" + PROVIDER + "  type: openai\n  baseUrl: https://me:sk-live-1@x.example\n",
        65,
        ("specs/bad.yaml:14: spec.baseUrl: must be an address such as https://host/path, without a user, a que",),
    ),
    "missing variable": Case(
        _no_key,
        78,
        ("NOBODY_SETS_THIS is not set: set this environment variable to the provider's key",),
        arguments=("--trust", "trust"),
    ),
    "host not trusted": Case(
        ON_OTHER + "---\n" + PROVIDER + "  type: openai\n  baseUrl: https://evil.example/v1\n",
        78,
        ("OPENAI_API_KEY is not bound to evil.example", "RECONCILE_TRUST='OPENAI_API_KEY=evil.example/v1'"),
    ),
    "unknown provider": Case(
        GOOD.replace("demo", "demos"),
        65,
        ("specs/bad.yaml:5: spec.provider: no provider is called 'demos'; did you mean 'demo'?",),
    ),
    "allowedPaths violated": Case(
        ON_OTHER + "---\n" + PROVIDER + "  type: sandbox\n  options: {world: w}\n  allowedPaths: [team-a/**]\n",
        65,
        ("specs/bad.yaml:5: spec.provider: provider 'other' may be used only by files that match team-a/**",),
    ),
    "allowedPaths violated by the bare type": Case(
        GOOD.replace("demo", "sandbox") + "---\n" + PROVIDER + "  type: sandbox\n  allowedPaths: [team-a/**]\n",
        65,
        ("provider 'sandbox' is the same account as 'other', which may be used only by files that match team-a/**",),
        stops=True,
    ),
    "allowedPaths violated by another alias": Case(
        ON_OTHER
        + "---\n"
        + PROVIDER
        + "  type: sandbox\n  options: {world: w}\n---\n"
        + PROVIDER.replace("other", "prod")
        + "  type: sandbox\n  options: {world: w}\n  allowedPaths: [team-a/**]\n",
        65,
        ("specs/bad.yaml:5: spec.provider: provider 'other' is the same account as 'prod', which may be used only",),
    ),
    "bad duration": Case(
        with_spec(limits="{maxAge: 1 day}"),
        65,
        ("specs/bad.yaml:8: spec.limits.maxAge: '1 day' is not a duration: write a whole number and one of s, ",),
    ),
    "naive time": Case(
        with_spec(limits="{notAfter: 2026-12-01T00:00:00}"),
        65,
        ("specs/bad.yaml:8: spec.limits.notAfter: '2026-12-01T00:00:00' is not a time with a zone: write it as",),
    ),
    "id with a slash": Case(
        with_spec(jobId="a/b"),
        65,
        ("specs/bad.yaml:6: spec.jobId: 'a/b' is not a job id of sandbox: copy the id",),
    ),
    "id with dots": Case(
        with_spec(jobId="a..b"),
        65,
        ("specs/bad.yaml:6: spec.jobId: 'a..b' is not a job id of sandbox: copy the id",),
    ),
    "id with a question mark": Case(
        with_spec(jobId="a?b"),
        65,
        ("specs/bad.yaml:6: spec.jobId: 'a?b' is not a job id of sandbox: copy the id",),
    ),
    "id with spaces": Case(
        with_spec(jobId="a b"),
        65,
        ("specs/bad.yaml:6: spec.jobId: 'a b' is not a job id of sandbox: copy the id",),
    ),
    "id of 300 characters": Case(
        with_spec(jobId="a" * 300),
        65,
        ("specs/bad.yaml:6: spec.jobId: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",),
    ),
    "id with a typo": Case(
        with_spec(jobId="ftjob-typo"),
        1,
        ("the provider has no job with this id: check spec.jobId for a typo, and check the account",),
    ),
    "name with a line break": Case(
        GOOD.replace("name: bad", 'name: "b\\nad"'),
        65,
        ("specs/bad.yaml:3: metadata.name: 'b\\nad' is not a name: use at most 63 of a-z, 0-9 and '-', beginnin",),
    ),
    "name with escape codes": Case(
        GOOD.replace("name: bad", 'name: "\\e[31mbad"'),
        65,
        ("specs/bad.yaml:3: metadata.name: '\\x1b[31mbad' is not a name: use at most 63 of a-z, 0-9 and '-', be",),
    ),
    "reason with escape codes": Case(
        with_spec(reason='"\\e[31mred"'), 65, ("specs/bad.yaml:8: spec.reason: must not contain control characters",)
    ),
    "no network": Case(
        _no_network,
        69,
        ("cannot connect to 127.0.0.1:9",),
        arguments=("--trust", "trust", "--secrets-dir", ".", "--timeout", "0s"),
    ),
    "statuses cannot be written": Case(
        _status_is_a_file, 70, ("the intent could not be written, so no request was sent",), stops=True
    ),
    "status of a later version": Case(
        _newer_status,
        65,
        ("specs/status/bad.yaml: a later version of reconcile wrote this status, so it is not changed",),
    ),
    "status of a later version, and its spec has moved": Case(
        _newer_status_of_the_job("status/team/chat.yaml"), 65, (LEFT_ALONE,), stops=True
    ),
    "status of a later version, and its spec has another name": Case(
        _newer_status_of_the_job("status/old.yaml"), 65, (LEFT_ALONE,), stops=True
    ),
    "missing directory": Case("", 65, ("spcs: there is no such directory",), stops=True, arguments=("--specs", "spcs")),
    "a file in the place of the directory": Case(
        "", 65, ("specs/chat.yaml: this is not a directory",), stops=True, arguments=("--specs", "specs/chat.yaml")
    ),
    "empty directory": Case("", 0, ("no jobs.",), stops=True, arguments=("--specs", "empty")),
}


def run(workspace: Workspace, case: Case) -> Ran:
    """Make the mistake beside a job that is to be cancelled, and run one pass."""
    workspace.declare("ftjob-chat", "ftjob-bad", "ftjob-other")
    workspace.want("chat", "cancelled")
    (workspace.root / "empty").mkdir()
    if callable(case.contents):
        case.contents(workspace)
    else:
        workspace.write("bad.yaml", case.contents)
    return workspace.run("--once", *case.arguments)


@pytest.mark.parametrize("name", CASES)
def test_an_input_error_is_explained_and_stops_only_what_it_must(name: str, tmp_path: Path) -> None:
    case = CASES[name]

    ran = run(Workspace(tmp_path), case)

    assert ran.code == case.code
    assert all(part in ran.out + ran.err for part in case.told)
    assert "Traceback" not in ran.err
    assert "sk-live" not in ran.out + ran.err
    assert "\x1b" not in ran.out + ran.err
    assert ("chat: cancel accepted" in ran.out) is not case.stops


def table() -> str:
    """Return the table as Markdown."""
    lines = ["| Mistake | Exit code | As printed |", "|---|---|---|"]
    for name, case in CASES.items():
        with TemporaryDirectory() as root:
            ran = run(Workspace(Path(root)), case)
            told = (ran.err or ran.out).strip().replace(root, ".").replace("|", "\\|").splitlines() or ["(nothing)"]
            lines.append(f"| {name} | {ran.code} | {'<br>'.join(f'`{each}`' for each in told)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
