"""A container of an image that buildah has built, run by runc with restricted permissions.

The root file system is read-only, there are no capabilities, and only its volumes are writable. The container shares
the host's network, so that it can reach a loopback server of a test.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ENDS_WITHIN_S = 30
_TAKEN = ("network", "cgroup")
"""The namespaces that a container shares with the host."""


def told(*command: str) -> str:
    """Run a command, and return its standard output, stripped. Raises `CalledProcessError` if the command fails."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@dataclass(frozen=True, slots=True)
class Image:
    """An image that was unpacked into a directory, with its configuration."""

    root: Path
    config: Mapping[str, Any]

    def environ(self) -> dict[str, str]:
        """Return the environment variables that the image sets."""
        return dict(line.split("=", 1) for line in self.config["Env"])

    def user(self) -> tuple[int, int]:
        """Return the user and group as numbers. Raises `ValueError` for names: `runAsNonRoot` needs numbers."""
        user, group = self.config["User"].split(":")
        return int(user), int(group)


@contextmanager
def unpacked(name: str) -> Iterator[Image]:
    """Yield an image that buildah has built, unpacked into a directory until the body ends."""
    container = told("buildah", "from", "--pull-never", name)
    try:
        described = json.loads(told("buildah", "inspect", "--type", "image", name))
        yield Image(Path(told("buildah", "mount", container)), described["Docker"]["config"])
    finally:
        told("buildah", "rm", container)


def size_of(name: str) -> int:
    """Return the size of an image in bytes, as precisely as buildah prints it."""
    (described,) = json.loads(told("buildah", "images", "--json", name))
    number, unit = described["size"].split()
    return int(float(number) * {"KB": 1e3, "MB": 1e6, "GB": 1e9}[unit])


@dataclass(frozen=True, slots=True)
class Container:
    """A started container."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        """Return everything that the container has written so far."""
        return self.log.read_text(encoding="utf-8")

    def execute(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run another command in the container."""
        return subprocess.run(["runc", "exec", self.name, *command], capture_output=True, text=True, check=False)

    def signal(self, name: str) -> None:
        """Send a signal to the container's first process."""
        told("runc", "kill", self.name, name)

    def stop(self) -> int:
        """Send SIGTERM to the container's first process, as container platforms do, and return the exit code."""
        self.signal("TERM")
        return self.process.wait(timeout=ENDS_WITHIN_S)


@contextmanager
def contained(
    image: Image,
    bundle: Path,
    command: Sequence[str],
    environ: Mapping[str, str],
    mounts: Mapping[str, Path],
    *,
    build: tuple[str, Path] | None = None,
    hostname: str = "container",
) -> Iterator[Container]:
    """Run a container for as long as the body lasts, or until it is stopped there.

    Args:
        image: the image.
        bundle: an empty directory for the container's files.
        command: the arguments of the entry point.
        environ: variables in addition to those of the image.
        mounts: directories of the host, by their paths in the container. They are read-only.
        build: the path in the container and the directory of a CI job's checkout, which is the working directory and
            can be written to. The container then has no entry point, as the image of a job.
        hostname: the name of the container's host.
    """
    told("runc", "spec", "--bundle", str(bundle))
    file = bundle / "config.json"
    spec = _specify(json.loads(file.read_text(encoding="utf-8")), image, command, environ, mounts)
    if build is not None:
        spec["process"].update(args=[*command], cwd=build[0])
        spec["mounts"].append(
            {"destination": build[0], "type": "bind", "source": str(build[1]), "options": ["bind", "rw"]}
        )
    spec["hostname"] = hostname
    file.write_text(json.dumps(spec), encoding="utf-8")
    name, log = f"reconcile-{os.getpid()}-{bundle.name}", bundle / "log"
    with (
        log.open("wb") as out,
        subprocess.Popen(
            ["runc", "run", "--bundle", str(bundle), name], stdin=subprocess.DEVNULL, stdout=out, stderr=out
        ) as process,
    ):
        try:
            yield Container(name, process, log)
        finally:
            subprocess.run(["runc", "delete", "--force", name], capture_output=True, check=False)


def _specify(
    spec: dict[str, Any],
    image: Image,
    command: Sequence[str],
    environ: Mapping[str, str],
    mounts: Mapping[str, Path],
) -> dict[str, Any]:
    user, group = image.user()
    spec["root"] = {"path": str(image.root), "readonly": True}
    spec["process"].update(
        terminal=False,
        args=[*image.config["Entrypoint"], *command],
        cwd=image.config["WorkingDir"],
        env=[f"{key}={value}" for key, value in {**image.environ(), **environ}.items()],
        user={"uid": user, "gid": group},
        noNewPrivileges=True,
        capabilities={each: [] for each in spec["process"]["capabilities"]},
    )
    own = [each for each in spec["linux"]["namespaces"] if each["type"] not in _TAKEN]
    spec["linux"] = {"namespaces": own, "maskedPaths": spec["linux"]["maskedPaths"]}
    usual = [each for each in spec["mounts"] if each["type"] != "cgroup" and each["destination"] != "/sys"]
    state = [f"uid={user}", f"gid={group}", "mode=0700", "nosuid", "nodev", "noexec"]
    spec["mounts"] = [
        *usual,
        *({"destination": at, "type": "tmpfs", "source": "tmpfs", "options": state} for at in image.config["Volumes"]),
        *(
            {"destination": at, "type": "bind", "source": str(source), "options": ["bind", "ro"]}
            for at, source in mounts.items()
        ),
    ]
    return spec
