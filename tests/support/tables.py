"""The tables of the README and of the reference, generated from the code.

`python -m tests.test_docs --write` rewrites them.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from reconciler.cli.group import EPILOG, VERBS, reconcile
from reconciler.cli.other_tools import OPTIONS_ELSEWHERE, VERBS_ELSEWHERE
from reconciler.cli.shared_option import Shared
from reconciler.model.capabilities import Capabilities
from reconciler.model.kind import BATCH, FINE_TUNING, JobKind
from reconciler.model.reason import Reason
from reconciler.ports import jobs_by_kind
from reconciler.providers import NAMES, load
from reconciler.views.explain_text import ADVICE, PLACE_TITLES
from reconciler.views.json_schema import field_notes
from reconciler.views.providers_text import capabilities_text
from tests.support.architecture import decisions, drawing, layers
from tests.support.concepts import cancel_life, phases, states
from tests.support.full_scrape import metrics_table
from tests.support.markdown_table import ROOT, table

README = ROOT / "README.md"
REFERENCE = ROOT / ".github" / "REFERENCE.md"
OPERATIONS = ROOT / ".github" / "OPERATIONS.md"
ARCHITECTURE = ROOT / ".github" / "ARCHITECTURE.md"
CONCEPTS = ROOT / ".github" / "CONCEPTS.md"
LINE_WIDTH = 120
OPTIONS = {name: load(name).options for name in NAMES}

LONE = (
    ("`reconcile`", "Watch specs and providers, and reconcile, until stopped."),
    ("`reconcile --once --wait`", "Reconcile once, and wait until no change is in progress."),
)
MET_FIRST = (
    Reason.CANCEL_PENDING,
    Reason.SUSPENDED,
    Reason.JOB_NOT_FOUND,
    Reason.JOB_FAILED,
    Reason.INVALID_SPEC,
    Reason.REFUSED_BY_GUARD,
    Reason.CANCEL_NOT_HONOURED,
)
"""The most frequent reasons why a job is not ready, which are in the README."""

OTHER_VARIABLES = MappingProxyType(
    {
        "RECONCILE_HEALTHCHECK_URL": "URL for `healthcheck`; by default that of `--listen`.",
        "RECONCILE_GIT_TOKEN": "The token for `--git-url`, if there is no `--git-token-file`.",
        "RECONCILE_ETCD_USER": "`NAME:PASSWORD` of a user of etcd, if there is no `--etcd-user-file`.",
        "RECONCILE_LISTEN_TOKEN": "The token of the page and of `/metrics`, if there is no `--listen-token-file`.",
        "RECONCILE_TRUST": (
            "Hosts that credentials may be sent to, such as `OPENAI_API_KEY=gateway.example.org`; separated by commas."
        ),
        "RECONCILE_REPORTS": (
            "In GitLab CI: directory, relative to `CI_PROJECT_DIR`, for the summary, the result and the outputs."
        ),
        "NO_COLOR": "Disables colours if it is set and not empty.",
        "XDG_CACHE_HOME": "Parent directory of the default `--state-dir`.",
    }
)


def verbs() -> str:
    """Return the command `reconcile` and its verbs, each with the first sentence of its help."""
    said = [(f"`reconcile {verb}`", text) for verb, text in VERBS.items()]
    return table(("Command", "What it does"), *LONE, *said)


def exit_codes() -> str:
    """Return the exit codes with their descriptions in `--help`."""
    said = re.findall(r"^ *(\d+)  (.+)$", EPILOG, re.MULTILINE)
    return table(("Code", "Meaning"), *((f"`{code}`", text) for code, text in said))


def reasons() -> str:
    """Return every reason, grouped by the place where it is reported, with the action to take."""
    parts = []
    for place, advice in ADVICE.items():
        said = PLACE_TITLES[place]
        rows = [(f"`{reason}`", reason.paragraph, what_to_do) for reason, what_to_do in advice.items()]
        parts.append(f"### {said[0].upper()}{said[1:]}\n\n" + table(("Reason", "Meaning", "What to do"), *rows))
    return "\n\n".join(parts)


def reasons_met_first() -> str:
    """Return the most frequent reasons, with the action to take."""
    to_do = {reason: what for advice in ADVICE.values() for reason, what in advice.items()}
    rows = [(f"`{reason}`", reason.paragraph, to_do[reason]) for reason in MET_FIRST]
    return table(("Reason", "Meaning", "What to do"), *rows)


def other_tools() -> str:
    """Return the verbs and options of other tools, with what to run instead."""
    rows = [*VERBS_ELSEWHERE.items(), *OPTIONS_ELSEWHERE.items()]
    return table(("Typed", "Instead"), *((", ".join(f"`{word}`" for word in words), hint) for words, hint in rows))


def stalled() -> str:
    """Return the reasons why a job is stalled, with the action to take."""
    rows = [(f"`{reason}`", reason.paragraph, what_to_do) for reason, what_to_do in ADVICE["Stalled"].items()]
    return table(("Reason", "Meaning", "What to do"), *rows)


def fields() -> str:
    """Return every field of every `spec`, without mappings that only contain other fields."""
    notes = field_notes(OPTIONS)
    holders = {note.path.rpartition(".")[0] for note in notes}
    rows = [
        (f"`{note.path}`" + (" *" if note.is_required else ""), note.type, note.description)
        for note in notes
        if ".spec." in note.path and (note.path not in holders or note.type != "mapping")
    ]
    return table(("Field (* required)", "Value", "Meaning"), *rows)


def provider_types() -> str:
    """Return the names of the included types that have each kind of job, and of those that can pause jobs."""
    found = {
        "Fine-tuning jobs": _capabilities(FINE_TUNING),
        "Fine-tuning jobs that can be paused and resumed": {
            name: can for name, can in _capabilities(FINE_TUNING).items() if can.can_pause
        },
        "Batches": _capabilities(BATCH),
    }
    lines = [f"**{title}**: {', '.join(f'`{name}`' for name in types)}" for title, types in found.items()]
    bullet = textwrap.TextWrapper(LINE_WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
    return "\n".join(bullet.fill(line) for line in lines)


def cancels() -> str:
    """Return what a change of a fine-tuning job does at each included type."""
    return _fine_tuning_table(("cancel", "a cancel loses", "charged after a cancel", "pause, resume"))


def lists() -> str:
    """Return what each included type shows of its fine-tuning jobs, and how it lists them."""
    return _fine_tuning_table(("events", "checkpoints", "order of a list", "largest page", "list filters"))


def announced_ends() -> str:
    """Return the announced end of each offer of an included type, the earliest first."""
    rows = sorted(
        (
            str(end.on) + (" (has ended)" if end.has_ended else ""),
            f"`{name}`",
            end.what.strip(","),
            f"https://{end.source}",
        )
        for kind in (FINE_TUNING, BATCH)
        for name, can in _capabilities(kind).items()
        for end in can.retirements
    )
    return table(("Day", "Type", "What ends", "Announced at"), *rows)


def _capabilities(kind: JobKind) -> Mapping[str, Capabilities]:
    """Return the capabilities of each included type that has jobs of a kind, by name."""
    kinds = {name: jobs_by_kind(load(name)) for name in sorted(NAMES)}
    return {name: each[kind.name].capabilities for name, each in kinds.items() if kind.name in each}


def _fine_tuning_table(titles: tuple[str, ...]) -> str:
    """Return some capabilities of each included type, in the words of `reconcile providers -o wide`."""
    told = {name: capabilities_text(can) for name, can in _capabilities(FINE_TUNING).items()}
    rows = [(f"`{name}`", *(can.get(title, "not documented") for title in titles)) for name, can in told.items()]
    return table(("Type", *(title.capitalize() for title in titles)), *rows)


def batches() -> str:
    """Return the batch capabilities of each included provider type."""
    rows = [
        (
            f"`{name}`",
            can.cancel_keeps or "not documented",
            can.cancel_costs or "not documented",
            can.list_order or "not promised",
            str(can.page_size_max),
        )
        for name, can in _capabilities(BATCH).items()
    ]
    return table(("Type", "A cancel keeps", "Charged after a cancel", "Order of a list", "Largest page"), *rows)


def provider_access() -> str:
    """Return the default key of each included provider type, and its environment variables."""
    rows = [
        (
            f"`{name}`",
            f"`{type_.key_variable}`" if type_.key_variable else "none needed",
            ", ".join(f"`{each}`" for each in type_.url_variables),
            "; ".join(
                f"{option}: {', '.join(f'`{each}`' for each in variables)}"
                for option, variables in type_.option_variables.items()
            ),
        )
        for name, type_ in ((name, load(name)) for name in sorted(NAMES))
    ]
    return table(
        ("Type", "Default key", "Variable of the address", "Variables of options, with the default key"), *rows
    )


def policy() -> str:
    """Return the environment variable of each shared option, and the variables without an option."""
    shared = [param for param in reconcile.params if isinstance(param, Shared)]
    rows = [(f"`{param.envvar}`", f"`{param.opts[-1]}`", param.help or "") for param in shared]
    others = [(f"`{name}`", "", meaning) for name, meaning in OTHER_VARIABLES.items()]
    return table(("Variable", "Option", "Meaning"), *rows, *others)


TABLES: Mapping[Path, Mapping[str, Callable[[], str]]] = MappingProxyType(
    {
        README: {"verbs": verbs, "reasons": reasons_met_first, "providers": provider_types},
        REFERENCE: {
            "exit-codes": exit_codes,
            "fields": fields,
            "reasons": reasons,
            "providers": provider_access,
            "cancels": cancels,
            "lists": lists,
            "ends": announced_ends,
            "batches": batches,
            "other-tools": other_tools,
            "environment": policy,
        },
        OPERATIONS: {"metrics": metrics_table, "stalled": stalled},
        ARCHITECTURE: {"layers": layers, "pass": drawing, "decisions": decisions},
        CONCEPTS: {"states": states, "phases": phases, "cancel": cancel_life},
    }
)
"""For each document, the functions that generate its tables. Each table is between two comments with its name."""


def with_tables(document: Path) -> str:
    """Return a document's text with every generated table up to date."""
    text = document.read_text(encoding="utf-8")
    for name, make in TABLES[document].items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}{make()}\n{end}{rest.partition(end)[2]}"
    return text
