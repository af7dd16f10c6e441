"""The notifier that wakes a watch when its specs change."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from reconciler.controller.run_options import Paths
from reconciler.git.checked_out_specs import CheckedOutSpecs
from reconciler.git.checkout_watcher import watching_checkout
from reconciler.git.poller import polling
from reconciler.git.remote import RemoteSpecs
from reconciler.local.file_watcher import watching
from reconciler.ports import ChangeNotifier, SpecSource


def change_notifier(specs: SpecSource, paths: Paths) -> AbstractAsyncContextManager[ChangeNotifier]:
    """Return the notifier that wakes a watch: it polls the Git remote, or watches the directory of the specs."""
    if isinstance(specs, RemoteSpecs) and paths.remote is not None:
        return polling(specs, paths.remote.poll_s)
    if isinstance(specs, CheckedOutSpecs):
        return watching_checkout(specs, paths.specs.resolve(), paths.statuses.resolve())
    return watching(paths.specs.resolve(), paths.statuses.resolve())
