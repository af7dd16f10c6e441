"""Words that users of kubectl, flux, argocd, terraform, gh and git type, and what to run here instead.

This module must not import anything slow: see `group`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

VERBS_ELSEWHERE: Mapping[tuple[str, ...], str] = MappingProxyType(
    {
        ("delete", "destroy", "cancel", "stop", "kill", "rm", "remove", "prune"): (
            "To cancel a job, run `reconcile set NAME cancelled`, and then `reconcile apply`. Deleting a spec does "
            "not change its job."
        ),
        ("pause",): "To pause a job, run `reconcile set NAME paused`, and then `reconcile apply`.",
        ("resume", "unpause", "start"): (
            "To resume a job, run `reconcile set NAME running`, and then `reconcile apply`. `reconcile unsuspend NAME` "
            "ends a suspension."
        ),
        ("create", "run", "new", "launch", "submit"): (
            "No job is created here. Create it at the provider, and then run `reconcile adopt`, or write a spec."
        ),
        ("status", "list", "ls", "ps", "show", "state", "output"): (
            "`reconcile get` lists jobs, and `reconcile describe NAME` shows one. `-o json` is for programs."
        ),
        ("view", "inspect", "info", "trace", "tree"): "`reconcile describe NAME` shows one job in full.",
        ("logs", "log", "tail"): (
            "`reconcile describe NAME --events` shows the provider's log of one job. `reconcile events --watch` shows "
            "new events of all jobs."
        ),
        ("history", "audit"): "`reconcile events` shows what happened, and `--audit FILE` records each change request.",
        ("top", "watch", "follow"): (
            "`reconcile get --watch` shows a live table. `reconcile events --watch` shows each new event. `reconcile` "
            "without a verb reconciles until it is stopped."
        ),
        ("sync", "reconcile", "refresh", "once", "up"): "To reconcile once, run `reconcile --once --wait`.",
        (
            "serve",
            "server",
            "daemon",
            "agent",
            "controller",
        ): "To reconcile continuously, run `reconcile`.",
        ("preview", "test", "dry-run", "simulate"): "`reconcile plan` shows what would change.",
        ("import", "discover", "scan"): "`reconcile adopt` writes a spec for each unmanaged job.",
        ("lint", "check", "verify", "fmt", "doctor"): (
            "`reconcile validate` checks the documents, and `reconcile providers --check` the accounts."
        ),
        ("edit", "patch", "label", "annotate", "scale"): (
            "Edit the spec, or run `reconcile set NAME STATE`. Labels are in `metadata.labels`."
        ),
        ("undo", "rollback", "revert", "rollout"): (
            "A cancel cannot be undone. For any other change, revert the commit of the spec, and run `reconcile apply`."
        ),
        ("approve", "force"): "To allow changes that the guard refuses, run `reconcile apply --allow-cancels N`.",
        ("unlock", "force-unlock"): "A lock ends with its process. `reconcile plan` and `reconcile get` need no lock.",
        ("login", "auth", "config", "context"): (
            "Credentials are read from variables or files. `reconcile providers` shows which, and `--check` tests them."
        ),
        ("install", "bootstrap", "setup"): "`reconcile init` writes the first files of a repository.",
        (
            "job",
            "jobs",
            "app",
            "apps",
            "pods",
        ): "The verb comes first, as in `reconcile describe NAME`.",
        ("cluster-info", "types", "api-resources"): (
            "`reconcile providers` lists provider types and accounts, and `reconcile explain` the kinds of document."
        ),
        ("help",): "`reconcile --help` lists all verbs, and `reconcile get --help` the options of one.",
    }
)
"""What to run instead, by the words that other tools use as verbs."""
OPTIONS_ELSEWHERE: Mapping[tuple[str, ...], str] = MappingProxyType(
    {
        (
            "-l",
            "--label",
            "--labels",
            "--field-selector",
            "--filter",
        ): "To select jobs, use --selector KEY=VALUE.",
        ("-w", "--tail"): "To keep watching, use --watch with `get` or `events`.",
        ("-f", "--file", "--filename"): (
            "Specs are read from the directory in --specs. To keep watching, use --watch with `get` or `events`."
        ),
        ("-A", "--all", "--all-namespaces", "-n", "--namespace"): (
            "There are no namespaces: a command without a name or --selector covers all jobs."
        ),
        (
            "--target",
            "--targets",
            "--resource",
        ): "To select jobs, use --selector, --provider or --kind.",
        ("--yes", "-y", "--force", "--assume-yes"): "To skip the question of `apply`, use --auto-approve.",
        ("--json", "--jq", "--template"): "For programs, use -o json, or -o custom-columns=HEADER:PATH with `get`.",
        (
            "--sort-by",
            "--no-headers",
        ): "For programs, use -o name, or -o custom-columns=HEADER:PATH with `get`.",
        ("--destroy", "--delete", "--prune"): "To cancel a job, run `reconcile set NAME cancelled`.",
        ("--context", "--kubeconfig", "--server", "--profile"): (
            "Accounts are Provider documents: see `reconcile providers`."
        ),
        ("--var", "--var-file", "--values", "--set"): "Specs have no variables.",
    }
)
"""What to use instead, by the options of other tools."""
ARGUMENTS_ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "apply": (
            "To select jobs, use --selector, --provider or --kind. To request only the changes of a saved plan, run "
            "`reconcile --once --plan FILE`."
        ),
        "plan": "To select jobs, use --selector, --provider or --kind.",
        "drift": "To select jobs, use --selector, --provider or --kind.",
        "adopt": "To select jobs, use --provider or --kind.",
        "validate": "`reconcile validate` checks every document in the directory of --specs.",
    }
)
"""What to use instead of an argument, by the verbs that have none, although those of other tools have one."""
_ONE_DASH = re.compile(r"-([a-z][a-z-]{2,})(=.*)?")


def verb_hint(word: str) -> str:
    """Return what to run instead of a verb of another tool; an empty text if no other tool is known to have it."""
    return next((hint for words, hint in VERBS_ELSEWHERE.items() if word.lower() in words), "")


def option_hint(option: str, arguments: Sequence[str], known: Sequence[str]) -> str:
    """Return what to use instead of an option of another tool, or an empty text if that is not known.

    Args:
        option: the option that does not exist. For `-auto-approve`, click reports only `-a`.
        arguments: the arguments of the command.
        known: the options of the command.
    """
    found = (_ONE_DASH.fullmatch(each) for each in arguments)
    long = next((f"--{each[1]}" for each in found if each and option.lstrip("-") in each[1]), option)
    if long != option and long in known:
        return f"A long option has two dashes: {long}."
    return next((hint for words, hint in OPTIONS_ELSEWHERE.items() if long in words or option in words), "")


def argument_hint(verb: str | None) -> str:
    """Return what to use instead of an argument of a verb that has none; an empty text if that is not known."""
    return ARGUMENTS_ELSEWHERE.get(verb or "", "")
