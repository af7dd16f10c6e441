"""The CI hosts that `reconcile` supports: one module for each, and the table of hosts.

To add a host, add a module with a class that implements the port `CiHost`, and a row to `HOSTS`. A row names its class
as text, and the class is imported when it is used, because `reconcile --help` reads the rows and must start quickly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from reconciler.ci.no_host import NO_HOST

if TYPE_CHECKING:
    from reconciler.ports import CiHost


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRow:
    """One supported host.

    Args:
        host: `module:class` below `reconciler.ci`. The class is called with the environment.
        flag: the name of the option that selects the host even if `is_here` returns False.
        help: the help text of that option.
        variable: an environment variable, and the value that it has on this host.
    """

    host: str
    flag: str
    help: str
    variable: tuple[str, str]

    def is_here(self, environ: Mapping[str, str]) -> bool:
        """Return whether the command runs on this host."""
        name, value = self.variable
        return environ.get(name) == value

    def opened(self, environ: Mapping[str, str]) -> CiHost:
        """Return the host, configured from this environment."""
        module, _, name = self.host.partition(":")
        return cast("CiHost", getattr(import_module(f"reconciler.ci.{module}"), name)(environ))


HOSTS: tuple[HostRow, ...] = (
    HostRow(
        host="github:GitHub",
        flag="github",
        help="Write annotations, a job summary and outputs for GitHub Actions. On a pull request, also write a comment "
        "if GITHUB_TOKEN is set. Enabled by default in GitHub Actions.",
        variable=("GITHUB_ACTIONS", "true"),
    ),
    HostRow(
        host="gitlab:GitLab",
        flag="gitlab",
        help="Write a section of the log for GitLab CI. With RECONCILE_REPORTS, also write files and outputs. In the "
        "pipeline of a merge request, also write a note if GITLAB_TOKEN is set. Enabled by default in GitLab CI.",
        variable=("GITLAB_CI", "true"),
    ),
)


def host_of(values: Mapping[str, Any], environ: Mapping[str, str]) -> CiHost:
    """Return the host that an option selects, otherwise the host that the command runs on, otherwise `NO_HOST`.

    `values` contains the values of the command's options, by name.
    """
    selected = next((row for row in HOSTS if values.get(row.flag)), None)
    found = selected or next((row for row in HOSTS if row.is_here(environ)), None)
    return NO_HOST if found is None else found.opened(environ)


def without_any_commands(text: str) -> str:
    """Return text with the workflow commands of every host escaped, for a message before the host is known."""
    for row in HOSTS:
        text = row.opened({}).without_commands(text)
    return text
