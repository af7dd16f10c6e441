"""Where the action gets its packages: from an index, or from a cache directory, and only those that its lock names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.action import Ran, skip_without_index, use_action
from tests.support.cli import Checkout
from tests.support.markdown_table import ROOT
from tests.support.package_index import PackageIndex, package_index
from tests.support.repositories import Clone

LOCKED = ("--require-hashes", "--only-binary", ":all:")
NOWHERE = "http://127.0.0.1:9/simple"
MARK = "open({mark!r}, 'a').write('run')\n"
SETUP = "from setuptools import setup\nsetup(name={name!r}, version={version!r}, py_modules=[])\n"

pytestmark = pytest.mark.long


@dataclass(frozen=True, slots=True)
class Scene:
    """A repository whose workflow validates its specs, and a cache directory on its runner."""

    root: Path

    @property
    def cache(self) -> Path:
        """The cache directory."""
        return self.root / "cache, of packages"

    @property
    def mark(self) -> Path:
        """A file that planted code writes when it runs."""
        return self.root / "mark"

    def wheels(self) -> Path:
        """Return the directory in the cache that contains the wheels."""
        (found,) = self.cache.iterdir()
        return found

    def validate(self, name: str, index: str | None = None, *, cache: str | None = None) -> Ran:
        """Run `validate` in a new job, and return its result.

        Args:
            name: the name of the job.
            index: the URL of the package index, by default that of this machine.
            cache: the input `cache-dir`, by default the cache directory of this scene.
        """
        checkout = Checkout(self.root / name)
        checkout.want("runaway", "ftjob-abc123", provider="openai")
        Clone(checkout.root).git("init", "--quiet", "--initial-branch=main")
        inputs = {"command": "validate", "cache-dir": str(self.cache) if cache is None else cache}
        environ = {"PATH": f"{tools(self.root)}:{os.environ['PATH']}", **({"UV_DEFAULT_INDEX": index} if index else {})}
        return use_action(checkout.root, self.root / f"{name}-temp", inputs, environ)


def tools(root: Path) -> Path:
    """Return a directory with a Python that has pip, and without uv."""
    folder = root / "tools"
    if not folder.exists():
        folder.mkdir()
        (folder / "uv").write_text("#!/bin/sh\necho uv 0.0.1\n", encoding="utf-8")
        (folder / "python3").write_text(f'#!/bin/sh\nexec {a_python_with_pip()} "$@"\n', encoding="utf-8")
        for each in folder.iterdir():
            each.chmod(0o755)
    return folder


def a_python_with_pip() -> str:
    """Return a Python of this machine that has pip, as that of a runner does."""
    for found in (sys.executable, str(Path(sys.base_prefix, "bin", "python3"))):
        if subprocess.run([found, "-I", "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0:
            return found
    pytest.skip("no Python here has pip")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Return a scene in which a first job has filled the cache."""
    skip_without_index()
    scene = Scene(tmp_path_factory.mktemp("scene"))
    first = scene.validate("first")

    assert first.code == 0, first.log
    assert first.outputs["cache-hit"] == "false"
    return scene


def test_a_later_job_installs_from_the_cache_without_an_index(
    scene: Scene, record_property: Callable[[str, object], None]
) -> None:
    begun = time.monotonic()
    later = scene.validate("later", NOWHERE)
    size = sum(each.stat().st_size for each in scene.wheels().iterdir())
    record_property("install", f"from {size / 1e6:.0f} MB of wheels in {time.monotonic() - begun:.1f} s")

    assert later.code == 0, later.log
    assert later.outputs["cache-hit"] == "true"
    assert "Everything is valid." in later.log


def test_a_cache_directory_that_cannot_be_written_is_ignored(scene: Scene) -> None:
    ran = scene.validate("unwritable", cache="/dev/null/wheels")

    assert ran.code == 0, ran.log
    assert "::warning::the cache directory '/dev/null/wheels' is not used" in ran.log
    assert ran.outputs["cache-hit"] == "false"


def test_a_planted_release_or_changed_file_on_an_index_is_not_installed(
    scene: Scene, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    locked = sorted(scene.wheels().iterdir())
    for wheel in locked:
        shutil.copy(wheel, tmp_path)
        name, version = wheel.name.split("-")[:2]
        plant_sdist(tmp_path, name, "99.0", scene.mark)
        plant_sdist(tmp_path, name, version, scene.mark)
        plant_wheel(tmp_path / f"{name}-99.0-py3-none-any.whl", name, "99.0", scene.mark)
    with package_index(tmp_path) as index:
        ran = scene.validate("planted", index.url, cache="")
    record_property("download", f"{sum(index.sent.values()) / 1e6:.0f} MB in {len(index.sent)} files")

    assert ran.code == 0, ran.log
    assert set(index.sent) == {each.name for each in locked}
    assert not scene.mark.exists()


def test_a_package_that_an_index_serves_with_other_contents_is_not_installed(scene: Scene, tmp_path: Path) -> None:
    for wheel in scene.wheels().iterdir():
        shutil.copy(wheel, tmp_path)
    changed = next(tmp_path.glob("platformdirs-*.whl"))
    plant_wheel(changed, "platformdirs", changed.name.split("-")[1], scene.mark)
    with package_index(tmp_path) as index:
        ran = scene.validate("changed", index.url, cache="")

    assert ran.code != 0
    assert "Hash mismatch" in ran.log
    assert sent_by(index, "platformdirs")
    assert not scene.mark.exists()


def test_a_changed_wheel_in_the_cache_is_not_installed(tmp_path: Path, scene: Scene) -> None:
    other = Scene(tmp_path)
    shutil.copytree(scene.cache, other.cache)
    changed = next(other.wheels().glob("platformdirs-*.whl"))
    plant_wheel(changed, "platformdirs", changed.name.split("-")[1], other.mark)
    ran = other.validate("changed")

    assert ran.code == 0, ran.log
    assert "::warning::the cache directory" in ran.log
    assert "Hash mismatch" in ran.log
    assert ran.outputs["cache-hit"] == "false"
    assert not other.mark.exists()
    assert list(other.cache.iterdir()) == []  # so that the next job fills it again


@pytest.mark.parametrize("python", ["3.11", "3.14"])
@pytest.mark.parametrize(
    "platform",
    [
        "aarch64-apple-darwin",
        "aarch64-unknown-linux-gnu",
        "aarch64-unknown-linux-musl",
        "x86_64-unknown-linux-gnu",
        "x86_64-unknown-linux-musl",
    ],
)
def test_the_lock_files_contain_a_wheel_of_each_package(tmp_path: Path, platform: str, python: str) -> None:
    skip_without_index()
    locks = [ROOT / "requirements.txt", *sorted((ROOT / ".ci").glob("*requirements.txt"))]
    target = ("--target", str(tmp_path), "--python-platform", platform, "--python-version", python)
    ran = subprocess.run(
        [
            Path(sys.executable).with_name("uv"),
            "pip",
            "install",
            "--no-config",
            "--dry-run",
            *target,
            *LOCKED,
            *(f"-r{each}" for each in locks),
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr


def sent_by(index: PackageIndex, project: str) -> list[str]:
    """Return the files of a project that the index has sent."""
    return [each for each in index.sent if each.startswith(f"{project}-")]


def plant_sdist(folder: Path, name: str, version: str, mark: Path) -> None:
    """Write a source distribution whose build writes the mark."""
    top = f"{name}-{version}"
    source = folder / "sources" / top
    source.mkdir(parents=True)
    text = MARK.format(mark=str(mark)) + SETUP.format(name=name, version=version)
    (source / "setup.py").write_text(text, encoding="utf-8")
    (source / "PKG-INFO").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    with tarfile.open(folder / f"{top}.tar.gz", "w:gz") as packed:
        packed.add(source, top)


def plant_wheel(path: Path, name: str, version: str, mark: Path) -> None:
    """Write a wheel whose module writes the mark when it is imported, and every Python process imports it."""
    info = f"{name}-{version}.dist-info"
    path.unlink(missing_ok=True)
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.pth", f"import os; {MARK.format(mark=str(mark))}")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
