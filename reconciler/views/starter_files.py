"""The files that `init` writes: the first documents of a repository, an operator's file, and workflows for GitHub."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.model.account_line import EMBEDDED
from reconciler.model.spec import API_VERSION
from reconciler.views.layout import listing, section, styled
from reconciler.views.render_context import RenderContext
from reconciler.views.workflow_templates import ACT, PLAN

ACTION = "OWNER/REPO@COMMIT"
"""The placeholder in the workflows for the repository of `reconcile` and one of its commits, without `--action`."""
SECRET_ENDS = ("_API_KEY", "_TOKEN")
"""The ends of variables that contain a whole credential. Other types find their credentials in several places."""

SANDBOX = f"""\
# A simulated provider, which needs no key. Its jobs are declared here. Their state is stored in your cache directory.
# To manage real jobs, replace `spec` with `{{type: openai}}`, or another type that `reconcile providers` lists.
apiVersion: {API_VERSION}
kind: Provider
metadata: {{name: main}}
spec:
  type: sandbox
  options:
    jobs:
    - id: ftjob-example
      age: 5h
      life: [{{phase: queued, for: 10m}}, {{phase: running, for: 53h}}, {{phase: succeeded}}]
"""
ACCOUNT = f"""\
# An account at a provider. The key is read from CREDENTIAL, never from a spec.
# `reconcile explain TYPE` lists the options of this type, and `reconcile providers --check` tests the account.
apiVersion: {API_VERSION}
kind: Provider
metadata: {{name: main}}
spec:
  type: TYPE
"""
SETTINGS = f"""\
# Settings of all jobs. Each value is the default.
apiVersion: {API_VERSION}
kind: Settings
metadata: {{name: settings}}
spec:
  interval: 60s
  suspend: false
  safety: {{maxCancels: 3, maxCancelPercent: 30, maxCancelsAbsolute: 20}}
"""
EXAMPLE = f"""\
# The desired state of one job. `reconcile plan` shows what would change.
apiVersion: {API_VERSION}
kind: KIND
metadata:
  name: example
  labels: {{team: research}}
spec:
  provider: main
  jobId: ftjob-example
  desiredState: cancelled
  reason: an example; nobody needs this job
  limits: {{maxAge: 7d}}
"""
OPERATOR = f"""\
# The operator's file: rules that no spec can loosen. Copy it to a place that authors of specs cannot change, remove the
# marks `# ` below, and start reconcile with --config FILE. `reconcile explain OperatorConfig` explains each field.
#
# apiVersion: {API_VERSION}
# kind: OperatorConfig
# spec:
#   suspend: false
#   trust:
#     OPENAI_API_KEY: [gateway.example.org/v1]
#   paths:
#   - credential: OPENAI_API_KEY
#     specs: ["**"]
#   safety: {{maxCancels: 3, maxCancelPercent: 30, maxCancelsAbsolute: 20}}
"""


@dataclass(frozen=True, slots=True)
class Starter:
    """The choices that the files depend on.

    Args:
        type: the provider type.
        variable: the variable of the type's default key; None if the type needs no key.
        kind: the kind of the example, which the type has.
        action: the repository of the action and one of its commits, as `OWNER/REPO@COMMIT`.
        specs: the specs directory, relative to the top of the repository.
    """

    type: str
    variable: str | None
    kind: str
    action: str
    specs: str

    @property
    def secret(self) -> str | None:
        """The variable that holds the whole credential, or None if there is no such variable."""
        return self.variable if self.variable is not None and self.variable.endswith(SECRET_ENDS) else None

    @property
    def read_secret(self) -> str:
        """The name of the secret with a key that may only read."""
        return f"{(self.secret or '').removesuffix('_API_KEY')}_READ_KEY"


@dataclass(frozen=True, slots=True)
class InitResult:
    """What was done about each file, and the choices that the files depend on."""

    files: Sequence[tuple[str, str]]
    starter: Starter


def starter_files(starter: Starter) -> dict[str, str]:
    """Return the text of each file, by its path from the top of the repository."""
    specs = starter.specs
    is_embedded = starter.type == EMBEDDED
    example = EXAMPLE.replace("KIND", starter.kind)
    return {
        f"{specs}/provider.yaml": SANDBOX if is_embedded else _account(starter),
        f"{specs}/settings.yaml": SETTINGS,
        f"{specs}/example.yaml": example if is_embedded else _commented(example),
        "operator.example.yaml": OPERATOR,
        ".github/workflows/plan.yml": _workflow(PLAN, starter),
        ".github/workflows/reconcile.yml": _workflow(ACT, starter),
    }


def next_steps(starter: Starter) -> list[tuple[str, str]]:
    """Return the commands to run next, each with what it does."""
    if starter.type == EMBEDDED:
        return [
            ("reconcile plan", "shows that the example job would be cancelled, and why"),
            ("reconcile --once --wait", "cancels it, and writes its status below the specs"),
            ("reconcile describe example", "shows what happened"),
        ]
    key = [(f"export {starter.secret}=...", "the key of the account")] if starter.secret else []
    return [
        *key,
        ("reconcile validate", f"says what {starter.specs}/provider.yaml lacks, if anything"),
        ("reconcile providers --check", "tests the account and its key"),
        ("reconcile adopt --provider main", "writes a spec for each job of the account; none is changed"),
        ("reconcile set NAME cancelled", "writes the state that a job should have into its spec"),
        ("reconcile plan", "shows what would change"),
    ]


def init_text(shown: InitResult, context: RenderContext) -> str:
    """Return a line for each file, and the next steps."""
    files = [(styled(path), styled(what)) for path, what in shown.files]
    steps = [(styled(command, "bold"), styled(what)) for command, what in next_steps(shown.starter)]
    parts = [section("Files", listing(files)), section("Next", listing(steps))]
    return context.canvas.render([*parts, *(styled(note) for note in _workflow_notes(shown.starter))])


def _workflow_notes(starter: Starter) -> list[str]:
    """Return what to do before the workflows can run."""
    environment = "On GitHub, create an environment `reconcile` that only `main` may deploy to"
    if starter.secret is not None:
        environment += f", with the secret {starter.secret}. Store a read-only key as the secret "
        environment += f"{starter.read_secret}, or delete the step with `command: plan`, which needs a key"
    if starter.action != ACTION:
        return [f"{environment}."]
    return [f"In the workflows, {ACTION} is the repository of reconcile and a full SHA in it.", f"{environment}."]


def _account(starter: Starter) -> str:
    credential = f"the variable {starter.secret}" if starter.secret else "the environment, as the vendor's client does"
    return ACCOUNT.replace("CREDENTIAL", credential).replace("TYPE", starter.type)


def _commented(text: str) -> str:
    first, *rest = text.replace("ftjob-example", "ID").splitlines()
    adopt = "# `reconcile adopt --provider main` writes such a spec for each job of the account. To write one by hand:"
    return "\n".join([first, adopt, *(f"# {line}" for line in rest)]) + "\n"


def _workflow(template: str, starter: Starter) -> str:
    repository, _, commit = starter.action.partition("@")
    text = template.replace("OWNER/REPO", repository).replace("COMMIT", commit)
    if starter.specs != "specs":
        text = text.replace("with: {command: ", f"with: {{specs: {json.dumps(starter.specs)}, command: ")
    if starter.secret is None:
        return "".join(line for line in text.splitlines(keepends=True) if "OPENAI_API_KEY" not in line)
    return text.replace("OPENAI_READ_KEY", starter.read_secret).replace("OPENAI_API_KEY", starter.secret)
