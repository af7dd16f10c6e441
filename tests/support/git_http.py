"""Git repositories over real HTTP, with authentication: nginx in front of git-http-backend."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import a_free_port, running
from tests.support.sandbox_client import wait_for

NGINX, FCGIWRAP = shutil.which("nginx"), shutil.which("fcgiwrap")
_BACKEND = "/usr/lib/git-core/git-http-backend"
_CONFIG = """\
{user}
worker_processes 1;
daemon off;
pid {here}/nginx.pid;
error_log {here}/nginx.error;
events {{}}
http {{
  access_log {here}/nginx.access;
  client_max_body_size 0;
  client_body_temp_path {here}/body;
  fastcgi_temp_path {here}/fastcgi;
  proxy_temp_path {here}/proxy;
  uwsgi_temp_path {here}/uwsgi;
  scgi_temp_path {here}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location = /ready {{ return 200; }}
    location / {{
      auth_basic "repositories";
      auth_basic_user_file {here}/users;
      include /etc/nginx/fastcgi_params;
      fastcgi_param SCRIPT_FILENAME {backend};
      fastcgi_param GIT_HTTP_EXPORT_ALL "";
      fastcgi_param GIT_PROJECT_ROOT {repositories};
      fastcgi_param PATH_INFO $uri;
      fastcgi_param REMOTE_USER $remote_user;
      fastcgi_pass unix:{here}/fcgi;
    }}
  }}
}}
"""


@contextmanager
def git_over_http(repositories: Path, here: Path, users: Mapping[str, str]) -> Iterator[str]:
    """Serve the repositories below a directory for fetches and pushes. Yields the URL of the directory.

    Args:
        repositories: the directory of the repositories.
        here: an empty directory for the server's files.
        users: the password of each user.
    """
    port = a_free_port()
    lines = "".join(f"{name}:{{PLAIN}}{password}\n" for name, password in users.items())
    (here / "users").write_text(lines, encoding="utf-8")
    config = here / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    config.write_text(
        _CONFIG.format(here=here, port=port, backend=_BACKEND, repositories=repositories, user=user), encoding="utf-8"
    )
    command = [str(FCGIWRAP), "-c", "4", "-s", f"unix:{here / 'fcgi'}"]
    with (
        (here / "fcgi.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True) as backend,
    ):
        try:
            wait_for((here / "fcgi").exists, "the socket of the backend exists")
            front = [str(NGINX), "-p", str(here), "-c", str(config)]
            with running(front, port, "/ready", here / "nginx.log", {}) as address:
                yield address
        finally:
            os.killpg(backend.pid, signal.SIGTERM)  # the group, because the workers would outlive the backend
