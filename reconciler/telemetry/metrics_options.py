"""The options of the metrics: whether jobs have series of their own, and the labels of specs that these series have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reconciler.model.scalar import check_label_key
from reconciler.model.shard import Shard

LABELS_MAX = 10
"""The maximum number of labels of specs that metrics have, because each of them lengthens every line of a scrape."""
_UNSAFE = re.compile(r"[^a-zA-Z0-9_]")


@dataclass(frozen=True, slots=True)
class MetricsOptions:
    """The options of the metrics of a watch."""

    version: str = "unknown"
    """The version of this program."""
    has_jobs: bool = True
    """Whether each job has series of its own."""
    shard: Shard | None = None
    """The share of the accounts that the watch handles; None if it handles all of them."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """The keys of the labels of specs that the series of a job have, each with the name of its label in the metrics."""


def metric_labels(keys: Iterable[str]) -> Mapping[str, str]:
    """Return the name of the metric label for each key: `label_example_org_team` for `example.org/team`.

    Raises `ValueError` if a key is not a label key, if there are too many keys, or if two keys have the same name.
    """
    names: dict[str, str] = {}
    for key in dict.fromkeys(keys):
        name = f"label_{_UNSAFE.sub('_', check_label_key(key))}"
        if name in names.values():
            msg = f"two of the labels are both called {name} in metrics: remove one of them"
            raise ValueError(msg)
        names[key] = name
    if len(names) > LABELS_MAX:
        msg = f"there are {len(names)} labels: name at most {LABELS_MAX}"
        raise ValueError(msg)
    return names
