"""Shards with standbys as processes, over many accounts, while they are killed and stopped and etcd goes away.

`python -m tests.cluster_run` prints a table of what happened, and each promise that was broken. It needs `etcd`, from
Debian's package `etcd-server`.
"""
