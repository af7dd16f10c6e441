"""Install `reconcile` from the checkout of the action, with locked dependencies, before any step that needs a secret.

Rules:

- A program that is started here gets only the variables in `HONOURED` from the environment, so it gets no provider's
  key.
- Only wheels whose hashes are in the lock files are installed, and this checkout, which the locked backend builds. The
  environment contains neither the backend nor an installer.
- Programs run in a new working directory, so that they import no module and read no configuration file of the user's
  checkout.
- `uv` installs the packages. It is the runner's, if that is new enough. Otherwise, pip installs the `uv` in the lock
  file.
- A cache directory contains only wheels. The hash of each wheel is checked at every use, so a job that can write to the
  directory cannot change what another job installs. If a cache cannot be used, the packages are downloaded again.

The script runs on the runner's Python. If no Python of the runner is new enough for `reconcile`, it reports an error.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HONOURED = (
    *("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH"),  # the last one: actions/setup-python needs it
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "UV_SYSTEM_CERTS"),
    *("UV_DEFAULT_INDEX", "PIP_INDEX_URL"),  # a mirror, which cannot change a package, because of the hashes
)
PYTHONS = ("python3", "python3.14", "python3.13", "python3.12", "python3.11")
DESCRIBE = """
import platform, sys, sysconfig
print(sys.implementation.cache_tag, sysconfig.get_platform(), *platform.libc_ver())
sys.exit(sys.version_info < (3, 11))
"""
UV_AT_LEAST = (0, 5)
ROOT = Path(__file__).resolve().parents[3]
UV_LOCK, BUILD_LOCK, LOCK = (
    ROOT / name for name in (".ci/uv-requirements.txt", ".ci/build-requirements.txt", "requirements.txt")
)
LOCKED = ("--require-hashes", "--only-binary", ":all:")
INDEX: tuple[str, ...] = ()


class NotPossibleError(Exception):
    """`reconcile` cannot be installed on this runner. The message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Python:
    """A Python of the runner. `platform` names everything that decides which wheels it can use."""

    path: str
    platform: str


def main() -> int:
    """Install `reconcile`, unless this job already has, and output the path of its Python for the next step."""
    os.umask(0o077)
    temp = Path(os.environ["RUNNER_TEMP"]).resolve()
    try:
        python = _usable_python(temp)
        environment = temp / f"reconcile-{_digest(python)}"
        is_whole = environment / "installed"
        is_hit = is_whole.exists()
        if not is_hit:
            with tempfile.TemporaryDirectory(dir=temp) as here:
                is_hit = _install(python, environment, Path(here))
            is_whole.touch()
    except NotPossibleError as error:
        sys.stdout.write(f"::error::reconcile is not installed: {error}\n")
        return 1
    with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as output:
        output.write(f"python={environment / 'bin' / 'python'}\ncache-hit={str(is_hit).lower()}\n")
    return 0


def _usable_python(here: Path) -> Python:
    """Return the first Python of the runner that is new enough. Raises `NotPossibleError` if there is none."""
    for name in PYTHONS:
        found = _program(name)
        if found is None:
            continue
        ran = _output([found, "-I", "-c", DESCRIBE], here)
        if ran.returncode == 0:
            return Python(found, ran.stdout.strip())
    msg = "it needs Python 3.11 or later, which actions/setup-python installs"
    raise NotPossibleError(msg)


def _digest(python: Python) -> str:
    """Return a digest of everything that determines the installation."""
    files = [UV_LOCK, BUILD_LOCK, LOCK, ROOT / "pyproject.toml", *sorted((ROOT / "reconciler").rglob("*.py"))]
    return _digest_of(f"{ROOT}\0{python}", files)


def _digest_of(text: str, files: list[Path]) -> str:
    found = hashlib.sha256(text.encode())
    for path in files:
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:16]


def _install(python: Python, environment: Path, here: Path) -> bool:
    """Install `reconcile` in a new environment, and return whether no package was downloaded."""
    uv = _usable_uv(here)
    given = os.environ.get("INPUT_CACHE_DIR", "").strip()
    if given:
        try:
            cache = Path(os.environ["GITHUB_WORKSPACE"], Path(given).expanduser())
            return _install_from_cache(cache, uv, python, environment, here)
        except (NotPossibleError, OSError, RuntimeError) as error:
            sys.stdout.write(f"::warning::the cache directory {given!r} is not used: {error}\n")
    _install_from(INDEX, uv, python, environment, here)
    return False


def _install_from_cache(cache: Path, uv: str | None, python: Python, environment: Path, here: Path) -> bool:
    """Install `reconcile` with wheels in a cache directory, and return whether an earlier job has downloaded them."""
    locks = [BUILD_LOCK, LOCK, *([] if uv else [UV_LOCK])]
    wheels = cache / f"reconcile-{_digest_of(python.platform, locks)}"
    is_hit = wheels.is_dir()
    if not is_hit:
        _download(wheels, locks, python, here)
    (here / "wheels").symlink_to(wheels)  # because uv splits a path at commas
    try:
        _install_from(("--no-index", "--find-links", "wheels"), uv, python, environment, here)
    except NotPossibleError:
        shutil.rmtree(wheels, ignore_errors=True)
        raise
    return is_hit


def _download(wheels: Path, locks: list[Path], python: Python, here: Path) -> None:
    """Put the wheels of these locks into a new directory, which is complete as soon as it exists.

    Raises `NotPossibleError` if they cannot be downloaded, and `OSError` if the directory cannot be written.
    """
    wheels.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=wheels.parent, prefix="partial-") as partial:
        pip = [python.path, "-I", "-m", "pip", "download", "--quiet", "--no-deps", *LOCKED]
        named = [part for lock in locks for part in ("-r", str(lock))]
        _run([*pip, "--dest", f"{partial}/wheels", *named], here)
        try:
            Path(partial, "wheels").rename(wheels)
        except OSError:
            if not wheels.is_dir():  # another job may have created it meanwhile
                raise


def _install_from(source: tuple[str, ...], uv: str | None, python: Python, environment: Path, here: Path) -> None:
    """Install `reconcile` in a new environment, with packages from this source. Raises `NotPossibleError`."""
    installer = [uv or _fetched_uv(source, python, here), "--quiet", "--no-config", "--no-cache"]
    dist, build = here / "dist", here / "build"
    for folder, lock in ((build, BUILD_LOCK), (environment, LOCK)):
        shutil.rmtree(folder, ignore_errors=True)
        _run([*installer, "venv", "--no-python-downloads", "--python", python.path, str(folder)], here)
        into = ["--python", str(folder / "bin" / "python")]
        _run([*installer, "pip", "install", *into, *LOCKED, *source, "-r", str(lock)], here)
    builder = [str(build / "bin" / "python"), "-I", "-m", "hatchling", "build", "--target", "wheel"]
    _run([*builder, "--directory", str(dist)], ROOT)
    _run([*installer, "pip", "install", *into, "--no-index", "--no-deps", *map(str, dist.glob("*.whl"))], here)


def _usable_uv(here: Path) -> str | None:
    """Return the runner's uv, or None if it has none that is new enough."""
    found = _program("uv")
    said = _output([found, "--version"], here).stdout if found else ""
    version = re.match(r"uv (\d+)\.(\d+)", said)
    return found if version and (int(version[1]), int(version[2])) >= UV_AT_LEAST else None


def _fetched_uv(source: tuple[str, ...], python: Python, here: Path) -> str:
    """Install the uv in the lock file, for a runner without a usable uv, and return its path."""
    pip = [python.path, "-I", "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade"]
    _run([*pip, *LOCKED, *source, "--target", str(here / "uv"), "-r", str(UV_LOCK)], here)
    return str(here / "uv" / "bin" / "uv")


def _program(name: str) -> str | None:
    found = shutil.which(name)
    return found and str(Path(found).absolute())


def _run(command: list[str], here: Path) -> None:
    ran = _output(command, here)
    if ran.returncode != 0:
        sys.stdout.write(ran.stdout + ran.stderr)
        name = command[command.index("-m") + 1] if "-m" in command else Path(command[0]).name
        msg = f"`{name}` failed, for the reason above; the runner needs uv, or a Python with pip"
        raise NotPossibleError(msg)


def _output(command: list[str], here: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=here, env=_clean(), capture_output=True, text=True, check=False)


def _clean() -> dict[str, str]:
    """Return the environment for the programs that are started here."""
    kept = {name: os.environ[name] for name in HONOURED if os.environ.get(name)}
    index = kept.get("UV_DEFAULT_INDEX") or kept.get("PIP_INDEX_URL")
    mirror = {"UV_DEFAULT_INDEX": index, "PIP_INDEX_URL": index} if index else {}
    quiet = {"PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    return {**kept, **mirror, **quiet, "PIP_CONFIG_FILE": os.devnull}


sys.exit(main())
