"""The CI hosts that the command runs in, one module for each, and the one list that they are found in.

A new host is a module with a class that keeps the port `CiHost`, and a row. Classes stand here by name, and are
imported when a host is there: `reconcile --help` reads the rows and must not load what speaks to a host.
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
        flag: the option `--flag` that asks for the host wherever the command runs.
        help: the option's help.
        variable: a variable of the environment and the value that it has on this host alone.
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
        """Return the host as this environment describes it."""
        module, _, name = self.host.partition(":")
        return cast("CiHost", getattr(import_module(f"reconciler.ci.{module}"), name)(environ))


HOSTS: tuple[HostRow, ...] = (
    HostRow(
        host="github:GitHub",
        flag="github",
        help="Write annotations, summary and outputs, and with GITHUB_TOKEN a comment, as GitHub Actions has them; "
        "it is so there.",
        variable=("GITHUB_ACTIONS", "true"),
    ),
)


def host_of(values: Mapping[str, Any], environ: Mapping[str, str]) -> CiHost:
    """Return the host that a flag asks for, else the one that the command runs on, else none."""
    asked = next((row for row in HOSTS if values.get(row.flag)), None)
    found = asked or next((row for row in HOSTS if row.is_here(environ)), None)
    return NO_HOST if found is None else found.opened(environ)


def harmless_everywhere(text: str) -> str:
    """Return text in which no host finds a command, for a failure before it is known where the command runs."""
    for row in HOSTS:
        text = row.opened({}).harmless(text)
    return text
