"""The service account of a pod, from the files that Kubernetes mounts and replaces.

Source: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from reconciler.errors import Kind, PermanentError
from reconciler.redaction import KNOWN_SECRETS

DIRECTORY = Path("/var/run/secrets/kubernetes.io/serviceaccount")
READ_AGAIN_AFTER_S = 60.0
"""After how many seconds the token is read again, because Kubernetes replaces it while the pod runs."""


class ServiceAccount:
    """The token, the namespace and the certificate authority of a pod's service account.

    Args:
        directory: the directory in which Kubernetes mounts them.
        elapsed: returns the time of a clock that never goes back, in seconds.
    """

    def __init__(self, directory: Path, elapsed: Callable[[], float]) -> None:
        self._directory = directory
        self._elapsed = elapsed
        self._token = ""
        self._read_at = float("-inf")

    @property
    def authority(self) -> Path:
        """The path of the certificate authority of the API server."""
        return self._directory / "ca.crt"

    def namespace(self) -> str:
        """Return the namespace of the pod. Raises `PermanentError(missing)` if it cannot be read."""
        return self._read("namespace")

    def token(self, is_refused: bool) -> str:  # noqa: FBT001  passed on as a callback
        """Return the token, read within the last minute, or now if the last one was refused (`is_refused`).

        Raises `PermanentError(missing)` if it cannot be read.
        """
        if is_refused or self._elapsed() >= self._read_at + READ_AGAIN_AFTER_S:
            self._token = self._read("token")
            self._read_at = self._elapsed()
            KNOWN_SECRETS.add(("lease", "token"), self._token)
        return self._token

    def _read(self, name: str) -> str:
        path = self._directory / name
        try:
            text = path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            text = ""
        if not text:
            msg = (
                f"{path} cannot be read: the pod needs the token of a service account that may use the lease "
                "(automountServiceAccountToken: true)"
            )
            raise PermanentError(msg, kind=Kind.MISSING)
        return text


def api_server_url(environ: Mapping[str, str]) -> str:
    """Return the URL of the API server, as every pod gets it. Raises `PermanentError(missing)` outside of a pod."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        msg = "KUBERNETES_SERVICE_HOST is not set, so this is not a pod of Kubernetes: use a lease in etcd instead"
        raise PermanentError(msg, kind=Kind.MISSING)
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
