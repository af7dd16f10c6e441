"""Attacks by an author of the checkout on the GitHub action: none of the files runs, and none reads a key.

Each planted file leaves a mark when it runs. In the first job, the files are only present. In the second job, the
workflow's environment points to them, as users set it for their own tools.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path

import pytest

from tests.support.action import ACTION, FOLDER, Ran, skip_without_index, use_action
from tests.support.cli import Checkout
from tests.support.markdown_table import ROOT
from tests.support.repositories import Clone
from tests.support.workflows import ship_to

KEY, TOKEN = "sk-live-secret", "ghs_live_secret"
PYTHON = Path(sys.executable)
MARK = "import os; open({mark!r}, 'a').write(repr(dict(os.environ)) + chr(10))\n"
SHADOW = """\
import importlib, runpy, sys
sys.path[:] = [each for each in sys.path if each not in ({root!r}, "", ".")]
if __name__ == "__main__":
    runpy.run_module({module!r}, run_name="__main__", alter_sys=True)
else:
    del sys.modules[__name__]
    sys.modules[__name__] = importlib.import_module(__name__)
"""
SETUP = "from setuptools import setup\nsetup(name={package!r}, version='99.0', py_modules=[])\n"
PATH = f"{PYTHON.parent}:{os.environ['PATH']}"
BARE = """\
[core]
\trepositoryformatversion = 1
\tbare = true
[extensions]
\tpartialClone = origin
[remote "origin"]
\turl = {remote}
\tuploadpack = {program}
"""
SHADOWED = ("venv", "ensurepip", "pip", "hatchling", "hashlib", "subprocess", "reconciler")
REPLACED = ("git", "python3", "uv", "base64", "mkdir")


@dataclass(frozen=True, slots=True)
class Job:
    """A job of a workflow: its checkout, its environment, and the marks that planted files leave when they run.

    `temp` is the runner's directory, in which an earlier job may have installed `reconcile`.
    """

    root: Path
    temp: Path
    environ: dict[str, str] = field(default_factory=lambda: {"OPENAI_API_KEY": KEY})

    @property
    def checkout(self) -> Path:
        """The workspace."""
        return self.root / "checkout"

    def mark(self, name: str) -> Path:
        """Return the path of the mark that a planted file leaves when it runs."""
        return self.root / "marks" / name

    def marks(self) -> dict[str, str]:
        """Return the marks by the name of the planted file. A mark usually has the environment of its process."""
        return {path.name: path.read_text(encoding="utf-8") for path in (self.root / "marks").iterdir()}

    def write(self, file: str, text: str) -> None:
        """Write an executable file to the checkout."""
        path = self.checkout / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def shadow(self, module: str) -> None:
        """Plant a module that leaves a mark and then acts as the real module with this name."""
        text = MARK.format(mark=str(self.mark(module))) + SHADOW.format(root=str(self.checkout), module=module)
        self.write(f"{module}.py", text)

    def replace(self, program: str) -> None:
        """Plant a program that leaves a mark and then acts as the real program with this name."""
        real = shutil.which(program, path=PATH) or "false"
        for file in (program, f"bin/{program}"):
            self.write(file, f'#!/bin/sh\nenv >> {self.mark(program)}\nexec {real} "$@"\n')

    def sdist(self, package: str, folder: str) -> str:
        """Plant a source distribution of a newer version of a dependency, and return the path of its folder."""
        name = f"{package}-99.0"
        setup = MARK.format(mark=str(self.mark(package))) + SETUP.format(package=package)
        self.write(f"{folder}/{name}/setup.py", setup)
        self.write(f"{folder}/{name}/PKG-INFO", f"Metadata-Version: 2.1\nName: {package}\nVersion: 99.0\n")
        with tarfile.open(self.checkout / folder / f"{name}.tar.gz", "w:gz") as packed:
            packed.add(self.checkout / folder / name, name)
        return str(self.checkout / folder)

    def validate(self, action: Path = ACTION, directory: str = ".") -> Ran:
        """Run `validate` with the action, which has a key in its environment and a token as input."""
        given = {"command": "validate", "github-token": TOKEN, "working-directory": directory}
        return use_action(self.checkout, self.temp, given, {"PATH": PATH, **self.environ}, action=action)


def a_job(root: Path, temp: Path | None = None) -> Job:
    job = Job(root, temp or root / "temp")
    (root / "marks").mkdir(parents=True)
    Checkout(job.checkout).want("runaway", "ftjob-abc123", provider="openai")
    Clone(job.checkout).git("init", "--quiet", "--initial-branch=main")
    return job


@pytest.fixture(scope="module", autouse=True)
def _index() -> None:
    skip_without_index()


@dataclass(frozen=True, slots=True)
class Ended:
    """The result of a workflow's job."""

    ran: Ran
    marks: dict[str, str]
    temp: Path


@pytest.fixture(scope="module")
def with_files(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Run a job whose checkout contains modules and configuration files that a tool might read from a directory."""
    job = a_job(tmp_path_factory.mktemp("files"))
    for module in SHADOWED:
        job.shadow(module)
    job.write("sitecustomize.py", MARK.format(mark=str(job.mark("sitecustomize"))))
    job.write("usercustomize.py", MARK.format(mark=str(job.mark("usercustomize"))))
    nowhere = "http://127.0.0.1:9/simple"
    job.write("uv.toml", f'index-url = "{nowhere}"\n')
    job.write("pyproject.toml", f'[tool.uv]\nindex-url = "{nowhere}"\n')
    job.write("pip.conf", f"[global]\nindex-url = {nowhere}\n")
    job.write("setup.cfg", f"[easy_install]\nindex_url = {nowhere}\n")
    job.write("x.pth", MARK.format(mark=str(job.mark("pth"))).replace("\n", ""))
    job.write(".python-version", "2.7\n")
    job.write(".netrc", "default login mallory password mallory\n")
    job.write("hatch.toml", "[build.targets.wheel.hooks.custom]\npath = 'subprocess.py'\n")
    job.write(".env", f"UV_DEFAULT_INDEX={nowhere}\nOPENAI_API_KEY=another\n")
    return Ended(job.validate(), job.marks(), job.temp)


@pytest.fixture(scope="module")
def with_variables(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Run a job whose workflow sets variables for other tools, which refer to files in the checkout."""
    job = a_job(tmp_path_factory.mktemp("variables"))
    job.write("sitecustomize.py", MARK.format(mark=str(job.mark("PYTHONPATH"))))
    job.write("startup.py", MARK.format(mark=str(job.mark("PYTHONSTARTUP"))))
    job.write("pip.conf", f"[global]\nfind-links = {job.sdist('structlog', 'more')}\n")
    for program in REPLACED:
        job.replace(program)
    job.environ.update(
        PYTHONPATH=str(job.checkout),
        PYTHONSTARTUP=str(job.checkout / "startup.py"),
        PIP_CONFIG_FILE=str(job.checkout / "pip.conf"),
        UV_FIND_LINKS=job.sdist("uvicorn", "uv-links"),
        UV_INDEX="http://127.0.0.1:9/simple",
        UV_CONFIG_FILE=str(job.checkout / "uv.toml"),
        PATH=f":{job.checkout}/bin:{job.root}/elsewhere:{PATH}:.",
    )
    (job.root / "elsewhere").symlink_to(job.checkout / "bin")
    job.write("uv.toml", "offline = true\n")
    return Ended(job.validate(), job.marks(), job.temp)


@pytest.mark.long
@pytest.mark.parametrize("plant", [*SHADOWED, "sitecustomize", "usercustomize", "pth"])
def test_the_action_imports_no_module_from_the_checkout(with_files: Ended, plant: str) -> None:
    assert plant not in with_files.marks


@pytest.mark.parametrize("plant", ["PYTHONPATH", "PYTHONSTARTUP", "structlog", "uvicorn", *REPLACED])
def test_no_variable_makes_the_action_run_code_from_the_checkout(with_variables: Ended, plant: str) -> None:
    assert plant not in with_variables.marks


@pytest.mark.long
def test_configuration_files_in_the_checkout_have_no_effect_on_the_action(with_files: Ended) -> None:
    assert with_files.ran.code == 0, with_files.ran.log
    assert "Everything is valid." in with_files.ran.log


def test_no_variable_has_an_effect_on_the_action(with_variables: Ended) -> None:
    assert with_variables.ran.code == 0, with_variables.ran.log
    assert "Everything is valid." in with_variables.ran.log


@pytest.mark.long
def test_no_planted_module_received_the_key(with_files: Ended) -> None:
    assert [name for name, said in with_files.marks.items() if KEY in said or TOKEN in said] == []


def test_no_planted_program_received_the_key(with_variables: Ended) -> None:
    assert [name for name, said in with_variables.marks.items() if KEY in said or TOKEN in said] == []


def test_the_environment_of_the_action_contains_only_locked_packages(with_variables: Ended) -> None:
    locked = set(
        re.findall(r"^([\w.-]+)==([^ ]+)", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    )
    (site,) = with_variables.temp.glob("reconcile-*/lib/python3*/site-packages")
    found = {(each.metadata["Name"], each.version) for each in distributions(path=[str(site)])}
    ours = {each for each in found if each[0] == "llm-job-reconciler"}

    assert len(ours) == 1
    assert {(normalised(name), version) for name, version in found - ours} <= locked


def normalised(name: str) -> str:
    """Return the name of a package as lock files write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


SEARCH_PATH = 'GITHUB_WORKSPACE=$1; PATH=$2; LD_LIBRARY_PATH=$2; . "$3"; echo "$PATH"; echo "$LD_LIBRARY_PATH"'


@pytest.mark.parametrize("workspace", ["jobs", "link"])
def test_relative_directories_and_those_of_the_checkout_are_not_searched(tmp_path: Path, workspace: str) -> None:
    for folder in ("jobs/bin", "jobs-copy/bin", "with space"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "link").symlink_to("jobs")
    (tmp_path / "into").symlink_to("jobs/bin")
    dropped = ["", ".", "bin", "../jobs/bin", *(f"{tmp_path}/{each}" for each in ("jobs", "jobs/bin", "link/bin"))]
    dropped += [f"{tmp_path}/{each}" for each in ("into", "jobs-copy/../jobs/bin", "missing")]
    kept = [f"{tmp_path}/jobs-copy/bin", f"{tmp_path}/with space", "/usr/bin", "/bin"]
    searched = ":".join([*dropped, *kept])
    given = [str(tmp_path / workspace), searched, str(ACTION / "search_path.sh")]
    ran = subprocess.run(
        ["/bin/bash", "-euc", SEARCH_PATH, "-", *given], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert ran.stdout.splitlines() == [":".join(kept)] * 2


@pytest.mark.long
def test_a_newer_release_of_a_dependency_is_not_installed_and_gets_no_key(tmp_path: Path) -> None:
    job = a_job(tmp_path)
    runtime = tmp_path / "tools"
    runtime.mkdir()
    (runtime / "uv").write_text(f'#!/bin/sh\nenv >> {tmp_path / "uv-saw"}\nexec {PYTHON.with_name("uv")} "$@"\n')
    (runtime / "uv").chmod(0o755)
    job.environ.update(PIP_FIND_LINKS=job.sdist("platformdirs", "links"), PATH=f"{runtime}:{PATH}")
    ran = job.validate()
    saw = (tmp_path / "uv-saw").read_text(encoding="utf-8")

    assert ran.code == 0, ran.log
    assert job.marks() == {}
    assert [secret for secret in (KEY, TOKEN) if secret in saw] == []


def test_a_package_whose_hash_differs_from_the_lock_is_not_installed(tmp_path: Path) -> None:
    ship_to(tmp_path / "theirs", ACTION.parents[2])
    lock = tmp_path / "theirs" / "requirements.txt"
    text = lock.read_text(encoding="utf-8")
    lock.write_text(re.sub(r"(?<=sha256:)[0-9a-f]{8}", "00000000", text), encoding="utf-8")
    ran = a_job(tmp_path / "job").validate(tmp_path / "theirs" / FOLDER)

    assert ran.code != 0
    assert "Hash mismatch" in ran.log
    assert "Everything is valid." not in ran.log


@pytest.mark.long
def test_a_runner_without_uv_installs_the_locked_version(tmp_path: Path) -> None:
    runtime = tmp_path / "tools"
    runtime.mkdir()
    for name in ("bash", "git", "base64", "tr"):
        (runtime / name).symlink_to(str(shutil.which(name)))
    (runtime / "python3").write_text(f'#!/bin/sh\nexec {a_python_with_pip()} "$@"\n', encoding="utf-8")
    (runtime / "python3").chmod(0o755)
    job = a_job(tmp_path)
    job.environ["PATH"] = str(runtime)
    ran = job.validate()

    assert ran.code == 0, ran.log
    assert "Everything is valid." in ran.log


def a_python_with_pip() -> str:
    """Return a Python that can bootstrap, as a runner's can."""
    for found in (PYTHON, Path(sys.base_prefix, "bin", "python3")):
        if subprocess.run([found, "-I", "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0:
            return str(found)
    pytest.skip("no Python here has pip")


def test_the_error_for_an_old_python_says_how_to_get_a_newer_one(tmp_path: Path) -> None:
    runtime = tmp_path / "tools"
    runtime.mkdir()
    (runtime / "python3").write_text(f'#!/bin/sh\ncase "$3" in *version_info*) exit 1;; esac\nexec {PYTHON} "$@"\n')
    (runtime / "python3").chmod(0o755)
    (runtime / "bash").symlink_to(str(shutil.which("bash")))
    job = a_job(tmp_path)
    job.environ["PATH"] = str(runtime)
    ran = job.validate()

    assert ran.code == 1
    assert "::error::reconcile is not installed: it needs Python 3.11 or later, which actions/setup-python" in ran.log


@pytest.mark.long
def test_a_bare_repository_in_the_working_directory_runs_no_program(tmp_path: Path, with_files: Ended) -> None:
    job = a_job(tmp_path, with_files.temp)
    job.write("team/specs/runaway.yaml", (job.checkout / "specs" / "runaway.yaml").read_text(encoding="utf-8"))
    job.write("team/fetch.sh", f"#!/bin/sh\ntouch {job.mark('uploadpack')}\nexit 1\n")
    job.write("team/HEAD", "ref: refs/heads/main\n")
    job.write("team/objects/keep", "")
    job.write("team/refs/remotes/origin/main", f"{'1' * 40}\n")
    job.write("team/config", BARE.format(program=job.checkout / "team" / "fetch.sh", remote=job.checkout))
    job.environ["GITHUB_BASE_REF"] = "main"
    job.validate(directory="team")

    assert job.marks() == {}
