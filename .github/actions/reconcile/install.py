"""Install `reconcile` from the checkout of the action, with locked dependencies, before any step that needs a secret.

Rules:

- A program that is started here gets only the variables in `HONOURED` from the environment, so it gets no provider's
  key.
- Only the wheels that the lock files name by hash are installed, and this checkout, built by the locked build backend.
- The working directory is a new one: nothing is imported from the user's checkout, and no configuration file there is
  read.
- `uv` installs the packages: the one of the runner, or else the one in the lock file, which pip installs.

The script runs on the runner's Python. If no Python of the runner is new enough for `reconcile`, it reports an error.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HONOURED = (
    *("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH"),  # the last one: actions/setup-python needs it
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "UV_SYSTEM_CERTS"),
    *("UV_DEFAULT_INDEX", "PIP_INDEX_URL"),  # a mirror, which cannot change a package, because of the hashes
)
PYTHONS = ("python3", "python3.14", "python3.13", "python3.12", "python3.11")
IS_NEW_ENOUGH = "import sys; sys.exit(sys.version_info < (3, 11))"
ROOT = Path(__file__).resolve().parents[3]
UV_LOCK, BUILD_LOCK, LOCK = (
    ROOT / name for name in (".ci/uv-requirements.txt", ".ci/build-requirements.txt", "requirements.txt")
)
LOCKED = ("--require-hashes", "--only-binary", ":all:")


class NotPossibleError(Exception):
    """`reconcile` cannot be installed on this runner. The message says why, and what to do."""


def main() -> int:
    """Install `reconcile`, unless this job already has, and output the path of its Python for the next step."""
    os.umask(0o077)
    temp = Path(os.environ["RUNNER_TEMP"]).resolve()
    try:
        python = _usable_python(temp)
        environment = temp / f"reconcile-{_digest(python)}"
        is_whole = environment / "installed"
        if not is_whole.exists():
            shutil.rmtree(environment, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=temp) as here:
                _install(python, environment, Path(here))
            is_whole.touch()
    except NotPossibleError as error:
        sys.stdout.write(f"::error::reconcile is not installed: {error}\n")
        return 1
    with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as output:
        output.write(f"python={environment / 'bin' / 'python'}\n")
    return 0


def _usable_python(here: Path) -> str:
    """Return the first Python of the runner that is new enough. Raises `NotPossibleError` if there is none."""
    for name in PYTHONS:
        found = shutil.which(name)
        command = [str(found), "-I", "-c", IS_NEW_ENOUGH]
        if found and subprocess.run(command, cwd=here, env=_clean(), check=False).returncode == 0:
            return str(Path(found).absolute())
    msg = "it needs Python 3.11 or later, which actions/setup-python installs"
    raise NotPossibleError(msg)


def _digest(python: str) -> str:
    """Return a digest of everything that determines the installation."""
    files = [UV_LOCK, BUILD_LOCK, LOCK, ROOT / "pyproject.toml", *sorted((ROOT / "reconciler").rglob("*.py"))]
    found = hashlib.sha256(f"{ROOT}\0{python}".encode())
    for path in files:
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:16]


def _install(python: str, environment: Path, here: Path) -> None:
    uv = [shutil.which("uv") or _fetched_uv(python, here), "--quiet", "--no-config", "--no-cache"]
    into = ["--python", str(environment / "bin" / "python")]
    _run([*uv, "venv", "--no-python-downloads", "--python", python, str(environment)], here)
    _run([*uv, "pip", "install", *into, *LOCKED, "-r", str(BUILD_LOCK), "-r", str(LOCK)], here)
    _run([*uv, "pip", "install", *into, "--offline", "--no-deps", "--no-build-isolation", str(ROOT)], here)


def _fetched_uv(python: str, here: Path) -> str:
    """Install the uv in the lock file, for a runner without uv, and return its path."""
    pip = [python, "-I", "-m", "pip", "install", "--quiet", "--no-deps"]
    _run([*pip, *LOCKED, "--target", str(here / "uv"), "-r", str(UV_LOCK)], here)
    return str(here / "uv" / "bin" / "uv")


def _run(command: list[str], here: Path) -> None:
    if subprocess.run(command, cwd=here, env=_clean(), check=False).returncode != 0:
        msg = f"`{Path(command[0]).name}` failed, for the reason above; the runner needs uv, or a Python with pip"
        raise NotPossibleError(msg)


def _clean() -> dict[str, str]:
    """Return the environment for the programs that are started here."""
    kept = {name: os.environ[name] for name in HONOURED if os.environ.get(name)}
    index = kept.get("UV_DEFAULT_INDEX") or kept.get("PIP_INDEX_URL")
    mirror = {"UV_DEFAULT_INDEX": index, "PIP_INDEX_URL": index} if index else {}
    quiet = {"PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    return {**kept, **mirror, **quiet, "PIP_CONFIG_FILE": os.devnull}


sys.exit(main())
