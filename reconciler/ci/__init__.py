"""The CI hosts that the command can run in, one module each, and the table that finds them.

A new host is a module with a class that implements the port `CiHost`, and a row here. The rows name the classes by text
and import them when they are used, because `reconcile --help` reads the rows and must not load an HTTP client.
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
    """One host that `reconcile` knows.

    Args:
        host: `module:class` below `reconciler.ci`. The class takes the environment.
        flag: the option `--flag` that selects the host wherever the command runs.
        help: the help of the option.
        variable: an environment variable and the value that only this host gives it.
    """

    host: str
    flag: str
    help: str
    variable: tuple[str, str]

    def is_here(self, environ: Mapping[str, str]) -> bool:
        """Whether the command runs on this host."""
        name, value = self.variable
        return environ.get(name) == value

    def opened(self, environ: Mapping[str, str]) -> CiHost:
        """Return the host, configured by this environment."""
        module, _, name = self.host.partition(":")
        return cast("CiHost", getattr(import_module(f"reconciler.ci.{module}"), name)(environ))


HOSTS: tuple[HostRow, ...] = (
    HostRow(
        host="github:GitHub",
        flag="github",
        help="Write annotations, a job summary and outputs for GitHub Actions, and with GITHUB_TOKEN a comment. "
        "On by default there.",
        variable=("GITHUB_ACTIONS", "true"),
    ),
)


def host_of(values: Mapping[str, Any], environ: Mapping[str, str]) -> CiHost:
    """Return the host that a flag selects, else the one that the command runs on, else `NO_HOST`."""
    selected = next((row for row in HOSTS if values.get(row.flag)), None)
    found = selected or next((row for row in HOSTS if row.is_here(environ)), None)
    return NO_HOST if found is None else found.opened(environ)


def without_any_commands(text: str) -> str:
    """Return text without the workflow commands of any host, for an error before the host is known."""
    for row in HOSTS:
        text = row.opened({}).without_commands(text)
    return text
