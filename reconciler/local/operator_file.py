"""The operator's file: its text to what it rules.

Rules: it is read strictly, and whatever is wrong with it is said at its line, as with any document; one that is not
valid rules nothing, and nothing is done without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.formats.document_check import DocumentCheck, is_too_new
from reconciler.formats.spec_parser import FILE_MAX_BYTES, decode
from reconciler.formats.yaml_documents import YamlUnreadableError
from reconciler.formats.yaml_text import parse
from reconciler.local.credential_policy import Binding, binding_of, host_of
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.operator import OPERATOR_KINDS, OperatorConfig, OperatorSpec


@dataclass(frozen=True, slots=True)
class OperatorRules:
    """What the operator's file rules; without one, nothing."""

    spec: OperatorSpec = field(default_factory=OperatorSpec)
    bindings: tuple[Binding, ...] = ()
    hosts: tuple[str | None, ...] = ()
    """The host of each rule in `paths`, with the port."""
    diagnostics: tuple[Diagnostic, ...] = ()
    """What is wrong with it; then it rules nothing."""


def read_rules(file: Path) -> OperatorRules:
    """Return what the file rules, or what is wrong with it. Raises OSError."""
    with file.open("rb") as stream:
        data = stream.read(FILE_MAX_BYTES + 1)
    return parse_rules(data, str(file))


def parse_rules(data: bytes, shown: str) -> OperatorRules:
    """Return what a text rules, or what is wrong with it."""
    try:
        documents = [each for each in parse(decode(data)) if each.value is not None or each.problems]
    except YamlUnreadableError as error:
        return OperatorRules(diagnostics=(Diagnostic(file=shown, line=error.line, message=str(error)),))
    if len(documents) != 1:
        message = f"must hold exactly one document, of kind OperatorConfig, and holds {len(documents)}"
        return OperatorRules(diagnostics=(Diagnostic(file=shown, message=message),))
    check = DocumentCheck(documents[0], shown, OPERATOR_KINDS)
    value, said = documents[0].value, check.problems()
    if not isinstance(value, dict):
        return OperatorRules(diagnostics=tuple(said))
    said += check.check_header(value)
    if is_too_new(value):
        return OperatorRules(diagnostics=tuple(said))
    config, wrong = check.validated("OperatorConfig", value)
    if not isinstance(config, OperatorConfig):
        return OperatorRules(diagnostics=(*said, *wrong))
    return _rules(config.spec, check, said)


def _rules(spec: OperatorSpec, check: DocumentCheck, said: list[Diagnostic]) -> OperatorRules:
    """Return the rules of a valid document, whose hosts are still to be read."""
    bindings: list[Binding] = []
    for path, credential, target in _targets(spec):
        try:
            bindings.append(binding_of(credential, target))
        except ValueError as error:
            said.append(check.diagnostic(path, str(error)))
    hosts: list[str | None] = []
    for index, rule in enumerate(spec.paths):
        try:
            hosts.append(None if rule.host is None else host_of(rule.host))
        except ValueError as error:
            said.append(check.diagnostic(("spec", "paths", index, "host"), str(error)))
    if said:
        return OperatorRules(diagnostics=tuple(said))
    return OperatorRules(spec, tuple(bindings), tuple(hosts))


def _targets(spec: OperatorSpec) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """Yield each host that a credential may go to, with its path in the document."""
    for credential, targets in spec.trust.items():
        for index, target in enumerate(targets):
            yield ("spec", "trust", credential, index), credential, target
