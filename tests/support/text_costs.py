"""The cost of an external text in specs, responses, globs and commits: processor time and memory.

`python -m tests.support.text_costs [SHAPE [SIZES]]` prints the table, or the rows of one shape as JSON. Each row is
measured in its own process, forked from a process that has imported all modules, so that memory of an earlier row is
not counted. The garbage collector is off, because its duration depends on the imported modules.
"""

from __future__ import annotations

import gc
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler import wiring
from reconciler.controller.run_options import Paths, Selection
from reconciler.formats.spec_parser import FILE_MAX_BYTES, read_documents
from reconciler.formats.spec_rows import pack_documents, unpack_documents
from reconciler.formats.yaml_documents import YamlUnreadableError
from reconciler.formats.yaml_edit import Edit, YamlEditError, set_value
from reconciler.formats.yaml_text import parse
from tests.support.foreign_costs import FOREIGN

ROOT = Path(__file__).parents[2]
SIZES = tuple(FILE_MAX_BYTES // part - 4096 for part in (8, 4, 2, 1))
"""The sizes of texts, up to the largest file that is read."""
PER_BYTE = 64
"""The allowed memory for each byte of input, in addition to a constant."""
FLOOR_S, FLOOR_BYTES = 0.1, 12 * 1024**2
"""Smaller times and amounts of memory are noise, and are raised to these values."""
HEAD = "apiVersion: jobs.reconciler/v1\nkind: {kind}\nmetadata: {{name: {name}}}\n"
JOB = HEAD + "spec: {{provider: {provider}, jobId: {job}, desiredState: cancelled}}\n"
PROVIDER = HEAD + "spec: {{type: openai, baseUrl: 'https://h{host}.example.com/v1', allowedPaths: [x/**]}}\n"
DEEP = 95


def _filled(head: str, piece: Callable[[int], str], size: int, tail: str = "") -> str:
    """Return the head, the tail, and so many pieces between them that the whole has about `size` characters."""
    pieces: list[str] = []
    left = size - len(head) - len(tail)
    while left > 0:
        pieces.append(piece(len(pieces)))
        left -= len(pieces[-1])
    return head + "".join(pieces[:-1]) + tail


def _spec(piece: Callable[[int], str], kind: str = "FineTuningJob") -> Callable[[int], str]:
    return lambda size: _filled(HEAD.format(kind=kind, name="a") + "spec:\n", piece, size)


TEXTS: Mapping[str, Callable[[int], str]] = {
    "items, 95 lists deep": lambda size: _filled("[" * DEEP, lambda _: "1,", size, "1" + "]" * DEEP),
    "keys, 95 mappings deep": lambda size: _filled("{a: " * DEEP + "{", lambda n: f"k{n}: ,", size, "}" * (DEEP + 1)),
    "one key repeated, 95 mappings deep": lambda size: _filled(
        "{a: " * DEEP + "{", lambda _: "k: ,", size, "}" * (DEEP + 1)
    ),
    "unknown keys of a spec": _spec(lambda n: f"  k{n}: 1\n"),
    "unknown keys of a document": lambda size: _filled("", lambda n: f"k{n}: 1\n", size),
    "foreign tags": lambda size: _filled("", lambda _: "- !!x 1\n", size),
    "jobs of a sandbox": lambda size: _filled(
        HEAD.format(kind="Provider", name="a") + "spec:\n  type: sandbox\n  options:\n    jobs:\n",
        lambda n: f"    - {{id: ftjob-{n}, age: 1h}}\n",
        size,
    ),
    "kinds in a broken file": lambda size: _filled("", lambda n: f"kind: x{n:x}\n", size, "["),
    "aliases of a list, to the limit": lambda size: _filled(
        "a: &a [" + "1," * 300 + "]\nb: [", lambda n: "*a, " if n < 330 else "1, ", size, "]\n"
    ),
    "aliases, beyond the limit": lambda size: _filled(
        "a: &a [" + "1," * 300 + "]\nb: [", lambda _: "*a, ", size, "]\n"
    ),
    "one long text": lambda size: "a: " + "x" * size,
    "one long text in quotes": lambda size: _filled("a: '", lambda _: "''", size, "'"),
    "labels with long keys": lambda size: _filled(
        "metadata: {name: a, labels: {", lambda n: f"{'a' * 250}{n}: b, ", size, "}}\n"
    ),
    "empty lines": lambda size: "\n" * size,
    "an unclosed quote": lambda size: 'a: "' + "x\n" * (size // 2),
    "10,000 small documents": lambda size: "---\n".join([f"a: {'x' * (size // 10_000 - 9)}\n"] * 9_999),
    "jobs with long reasons": lambda size: _filled(
        "", lambda n: f"{_job(n, name='a{}' if n else 'a')[:-2]}, reason: {'x' * 300}}}\n---\n", size
    ),
}
"""Texts that grow, by the part that is repeated."""


def _many(size: int, document: Callable[[int], str]) -> str:
    """Return a file whose number of documents grows with the size, to about the maximum at the largest size."""
    return "---\n".join(document(number) for number in range(9_990 * size // SIZES[-1]))


def _job(number: int, name: str = "a{}", provider: str = "openai", job: str = "ftjob-{}") -> str:
    return JOB.format(
        kind="FineTuningJob", name=name.format(number), provider=provider.format(number), job=job.format(number)
    )


def _provider(number: int, name: str = "p{}", host: str = "{}") -> str:
    return PROVIDER.format(kind="Provider", name=name.format(number), host=host.format(number))


TREES: Mapping[str, Callable[[int], str]] = {
    "specs of one name": lambda size: _many(size, lambda n: _job(n, name="same")),
    "specs of one job": lambda size: _many(size, lambda n: _job(n, job="ftjob-same")),
    "specs with missing providers": lambda size: _many(size, lambda n: _job(n, provider="none{}")),
    "specs with missing providers, beside as many Provider documents": lambda size: _many(
        size, lambda n: _job(n, provider="none{}") if n % 2 else _provider(n)
    ),
    "Provider documents": lambda size: _many(size, _provider),
    "Provider documents of one host": lambda size: _many(size, lambda n: _provider(n, host="same")),
    "Provider documents of one name": lambda size: _many(size, lambda n: _provider(n, name="same")),
    "a spec for each of as many Provider documents": lambda size: _many(
        size, lambda n: _job(n, provider=f"p{n - 1}") if n % 2 else _provider(n)
    ),
    "Settings": lambda size: _many(size, lambda _: HEAD.format(kind="Settings", name="s") + "spec: {interval: 60s}\n"),
}
"""Files of valid documents that conflict with each other."""


def _read(text: str) -> None:
    read_documents(text.encode(), file="a.yaml", shown="a.yaml")


def _remember(text: str) -> None:
    try:
        documents = parse(text)
    except YamlUnreadableError:
        return
    row = pack_documents(b"", documents)
    unpack_documents(row, lambda _file, _digest: text, "a.yaml")


def _validate(text: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        specs = Path(directory) / "specs"
        specs.mkdir()
        (specs / "a.yaml").write_text(text, encoding="utf-8")
        wiring.validate(Paths(specs))
        wiring.read_statuses(Paths(specs), Selection())


def _edit(text: str) -> None:
    try:
        set_value(text.encode(), Edit("a", ("desiredState",), "running"))
    except YamlEditError:
        return


_EDITED = ("unknown keys of a spec", "jobs with long reasons")
SHAPES: Mapping[str, tuple[Callable[[str], None], Callable[[int], str], Sequence[int]]] = {
    **{f"read: {name}": (_read, make, SIZES) for name, make in TEXTS.items()},
    "remember: items, 95 lists deep": (_remember, TEXTS["items, 95 lists deep"], SIZES),
    **{f"validate: {name}": (_validate, make, SIZES) for name, make in TREES.items()},
    # The parser that records positions is written in Python, and is slow.
    **{f"edit: {name}": (_edit, TEXTS[name], [each // 8 for each in SIZES]) for name in _EDITED},
    **FOREIGN,
}
"""For each kind of text: the function that reads it, the function that creates it, and its sizes."""


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one text."""

    size: int
    seconds: float
    memory: int


def least(first: Sequence[Cost], second: Sequence[Cost]) -> list[Cost]:
    """Return the smaller of two measurements at each size, because other processes only make a measurement larger."""
    return [
        Cost(one.size, min(one.seconds, other.seconds), min(one.memory, other.memory))
        for one, other in zip(first, second, strict=True)
    ]


def costs(shape: str, sizes: int = len(SIZES)) -> list[Cost]:
    """Return the costs of a shape at each of its sizes, or at the given number of its smallest sizes."""
    command = [sys.executable, "-m", "tests.support.text_costs", shape, str(sizes)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [Cost(*row) for row in json.loads(told)]


def power(sizes: Iterable[float], values: Iterable[float], floor: float) -> float:
    """Return the power of the size with which values grow: the slope of the line through their logarithms."""
    points = [(math.log(size), math.log(max(value, floor))) for size, value in zip(sizes, values, strict=True)]
    x, y = (sum(each) / len(points) for each in zip(*points, strict=True))
    slope: float = sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a, _ in points)
    return slope


def _measured(work: Callable[[str], None], make: Callable[[int], str], size: int) -> tuple[int, float, int]:
    """Measure work on a text in a forked process. The peak is reset first, so the text's own memory is not counted."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        text = make(size)
        gc.collect()
        gc.disable()
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        before, begun = _peak(), _spent()
        work(text)
        told = [len(text), _spent() - begun, _peak() - before]
        os.write(writer, json.dumps(told).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        told = json.loads(stream.read())
    os.waitpid(child, 0)
    return told[0], told[1], told[2]


def _spent() -> float:
    """Return the processor time of this process and of its finished child processes, in seconds."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _peak() -> int:
    """Return the peak memory of this process, in bytes (`VmHWM` in proc(5))."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """Print the rows of one shape as JSON, or the table of all shapes."""
    if len(sys.argv) > 1:
        work, make, sizes = SHAPES[sys.argv[1]]
        if len(sys.argv) > 2:
            sizes = sizes[: int(sys.argv[2])]
        print(json.dumps([_measured(work, make, size) for size in sizes]))  # noqa: T201 - the caller of `costs` reads it
        return
    for shape in SHAPES:
        print(table_row(shape, costs(shape)))  # noqa: T201 - a table for people


def table_row(shape: str, found: list[Cost]) -> str:
    """Return a table row with the growth of a shape, and its cost at the largest size."""
    by_time, by_memory = powers(found)
    last = found[-1]
    per_byte = last.memory / last.size
    return f"{by_time:5.2f} {by_memory:5.2f} {last.seconds:6.2f} s {per_byte:6.1f} bytes a byte  {shape}"


def powers(found: list[Cost]) -> tuple[float, float]:
    """Return the powers by which time and memory grow."""
    sizes = [each.size for each in found]
    by_time = power(sizes, [each.seconds for each in found], FLOOR_S)
    return by_time, power(sizes, [each.memory for each in found], FLOOR_BYTES)


if __name__ == "__main__":
    main()
