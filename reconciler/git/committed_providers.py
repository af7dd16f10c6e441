"""Compare Provider documents with a commit.

A document that was edited after the commit, or that is behind a link, was not reviewed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from reconciler.formats.spec_parser import read_documents
from reconciler.git.command import Git
from reconciler.model.spec import Provider
from reconciler.ports import Located

_FILES = (b"100644", b"100755")


def not_committed(git: Git, revision: str, specs: str, providers: Collection[Located[Provider]]) -> frozenset[str]:
    """Return the names of the documents that a commit does not contain as they are. Raises `GitError` if Git fails.

    Args:
        git: the repository.
        revision: the commit.
        specs: the path of the specs directory in the tree, with `/`. Empty for the root of the tree.
        providers: the documents. Their files are relative to the specs directory.
    """
    files = sorted({each.file for each in providers})
    documents = [found for file in files for found in _committed(git, revision, f"{specs}/{file}" if specs else file)]
    return frozenset(each.document.metadata.name for each in providers if each.document not in documents)


def _committed(git: Git, revision: str, path: str) -> Iterator[Provider]:
    """Yield the Provider documents in a regular file of a commit."""
    for entry in git.run("ls-tree", "-z", "--full-tree", "--end-of-options", revision, "--", path).split(b"\0")[:-1]:
        mode, _, name = entry.partition(b"\t")[0].split(b" ")
        if mode in _FILES:
            (data,) = git.read_blobs([name.decode("ascii")])
            yield from (each.document for each in read_documents(data, file=path, shown=path).providers)
