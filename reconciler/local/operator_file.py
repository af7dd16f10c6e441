"""Parse the operator's file into rules.

Rules: the file is parsed as strictly as a spec. If the file has an error, the result contains only the errors and no
rules. A caller must not start a run with such a result.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from reconciler.formats.document_check import DocumentCheck, is_too_new
from reconciler.formats.spec_parser import FILE_MAX_BYTES, decode
from reconciler.formats.validation_errors import did_you_mean, not_one_of
from reconciler.formats.yaml_documents import YamlUnreadableError
from reconciler.formats.yaml_text import parse
from reconciler.local.credential_policy import Binding, binding_of, normalise_host
from reconciler.model.change_window import ChangeWindow, Period
from reconciler.model.change_window_rule import ChangeWindowRule
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.kind import KINDS
from reconciler.model.operator import OPERATOR_KINDS, CancelSafety, OperatorConfig, OperatorSpec, QuietHoursRule
from reconciler.model.price_rule import OperatorPriceRule
from reconciler.model.quiet_hours import QuietHours
from reconciler.model.scalar import quoted
from reconciler.model.selector import parse_selector

KindsOf = Callable[[str], Collection[str]]
"""Returns the names of the kinds of job that a provider type has, by the name of the type."""


@dataclass(frozen=True, slots=True)
class OperatorRules:
    """The rules in the operator's file. Without a file, all fields have their defaults."""

    spec: OperatorSpec = field(default_factory=OperatorSpec)
    bindings: tuple[Binding, ...] = ()
    windows: tuple[ChangeWindow, ...] = ()
    """The change windows, with their time zones."""
    quiet_hours: Mapping[str, QuietHours] = field(default_factory=dict)
    """The quiet hours of each sink that has some, by the name of the sink."""
    hosts: tuple[str | None, ...] = ()
    """The host of each rule in `paths`, with its port, or None if the rule does not name a host."""
    diagnostics: tuple[Diagnostic, ...] = ()
    """The errors in the file. If there are any, the other fields have their defaults."""


def every_kind(_type: str) -> Collection[str]:
    """Return the names of all kinds."""
    return KINDS


def read_rules(file: Path, provider_types: Collection[str], kinds_of: KindsOf) -> OperatorRules:
    """Return the rules in a file, or the errors in it. Raises `OSError` if the file cannot be read.

    `provider_types` are the names of the provider types that a price may be for, and `kinds_of` returns the kinds of
    job that a type has.
    """
    with file.open("rb") as stream:
        data = stream.read(FILE_MAX_BYTES + 1)
    return parse_rules(data, str(file), provider_types, kinds_of)


def parse_rules(
    data: bytes, shown: str, provider_types: Collection[str] = (), kinds_of: KindsOf = every_kind
) -> OperatorRules:
    """Return the rules in the bytes of a file, or the errors.

    Args:
        data: the content of the file.
        shown: the path of the file for diagnostics.
        provider_types: the names of the provider types that a price may be for. If it is empty, any name is accepted.
        kinds_of: returns the names of the kinds of job that a provider type has.
    """
    try:
        documents = [each for each in parse(decode(data)) if each.value is not None or each.problems]
    except YamlUnreadableError as error:
        unreadable = Diagnostic(file=shown, line=error.line, column=error.column, message=str(error))
        return OperatorRules(diagnostics=(unreadable,))
    if len(documents) != 1:
        message = f"the file must contain exactly one document, of kind OperatorConfig, but contains {len(documents)}"
        return OperatorRules(diagnostics=(Diagnostic(file=shown, message=message),))
    check = DocumentCheck(documents[0], shown, OPERATOR_KINDS)
    value, found = documents[0].value, check.problems()
    if not isinstance(value, dict):
        return OperatorRules(diagnostics=tuple(found))
    found += check.check_header(value)
    if is_too_new(value):
        return OperatorRules(diagnostics=tuple(found))
    config, errors = check.validated("OperatorConfig", value)
    if not isinstance(config, OperatorConfig):
        return OperatorRules(diagnostics=(*found, *errors))
    if config.spec.prices is not None:
        found += _price_errors(config.spec.prices.list, provider_types, kinds_of, check)
    found += _cost_limit_errors(config.spec, check)
    return _rules(config.spec, check, found)


def _rules(spec: OperatorSpec, check: DocumentCheck, found: list[Diagnostic]) -> OperatorRules:
    """Return the rules of a document, or its errors if there are any.

    `found` contains the errors that are already known. Errors in hosts, names and time zones are added.
    """
    bindings: list[Binding] = []
    for path, credential, target in _targets(spec):
        try:
            bindings.append(binding_of(credential, target))
        except ValueError as error:
            found.append(check.diagnostic(path, str(error)))
    hosts: list[str | None] = []
    for index, rule in enumerate(spec.paths):
        try:
            hosts.append(None if rule.host is None else normalise_host(rule.host))
        except ValueError as error:
            found.append(check.diagnostic(("spec", "paths", index, "host"), str(error)))
    found += _doubled_names("notify", "sink", [sink.name for sink in spec.notify], check)
    found += _doubled_names("changeWindows", "change window", [each.name for each in spec.change_windows], check)
    windows: list[ChangeWindow] = []
    for index, window in enumerate(spec.change_windows):
        try:
            windows.append(_window(window))
        except ValueError as error:
            found.append(check.diagnostic(("spec", "changeWindows", index, "timeZone"), str(error)))
    quiet_hours = _quiet_hours_of(spec, check, found)
    if found:
        return OperatorRules(diagnostics=tuple(found))
    return OperatorRules(spec, tuple(bindings), tuple(windows), quiet_hours, tuple(hosts))


def _doubled_names(key: str, what: str, names: list[str], check: DocumentCheck) -> list[Diagnostic]:
    """Return an error for each entry of a list in `spec` that has the name of an earlier entry."""
    return [
        check.diagnostic(
            ("spec", key, index, "name"), f"{name!r} is also the name of another {what}: rename one of them"
        )
        for index, name in enumerate(names)
        if name in names[:index]
    ]


def _price_errors(
    rules: tuple[OperatorPriceRule, ...], types: Collection[str], kinds_of: KindsOf, check: DocumentCheck
) -> Iterator[Diagnostic]:
    """Yield an error for each price of an unknown provider type, or of jobs that its provider type does not have."""
    for index, rule in enumerate(rules):
        path = "spec", "prices", "list", index
        if types and rule.provider not in types:
            message = not_one_of(rule.provider, types)
            yield check.diagnostic((*path, "provider"), message, did_you_mean(rule.provider, types))
        elif rule.kind not in kinds_of(rule.provider):
            message = f"{rule.provider} has no {rule.kind} jobs, so this price never applies: remove it"
            yield check.diagnostic((*path, "kind"), message)


def _cost_limit_errors(spec: OperatorSpec, check: DocumentCheck) -> Iterator[Diagnostic]:
    """Yield an error for each `maxCancelsCost` that is not in the currency of the prices."""
    safety = spec.safety
    limits: list[tuple[tuple[str, ...], CancelSafety]] = [
        ((), safety),
        *((("kinds", name), each) for name, each in safety.kinds.items()),
        *((("credentials", name), each) for name, each in safety.credentials.items()),
    ]
    currency = spec.prices.currency if spec.prices is not None else None
    for path, each in limits:
        limit = each.max_cancels_cost
        if limit is not None and limit.currency != currency:
            why = f"spec.prices are in {currency}" if currency else "without spec.prices, every cost is unknown"
            message = f"cannot be checked, because {why}"
            yield check.diagnostic(("spec", "safety", *path, "maxCancelsCost"), message)


def _zone(name: str) -> ZoneInfo:
    """Return a time zone. Raises `ValueError` if this machine does not know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        msg = (
            f"{quoted(name)} is not a time zone that this machine knows: write an IANA name such as Europe/Amsterdam, "
            "or install tzdata"
        )
        raise ValueError(msg) from None


def _quiet_hours_of(spec: OperatorSpec, check: DocumentCheck, found: list[Diagnostic]) -> dict[str, QuietHours]:
    """Return the quiet hours of each sink that has some, by its name, and add the errors in time zones to `found`."""
    hours: dict[str, QuietHours] = {}
    for index, sink in enumerate(spec.notify):
        if sink.quiet_hours is not None:
            try:
                hours[sink.name] = _quiet_hours(sink.quiet_hours)
            except ValueError as error:
                found.append(check.diagnostic(("spec", "notify", index, "quietHours", "timeZone"), str(error)))
    return hours


def _quiet_hours(rule: QuietHoursRule) -> QuietHours:
    """Return quiet hours with their time zone. Raises `ValueError` if this machine does not know the zone."""
    window = ChangeWindow(name="quietHours", is_deny=True, when=rule.hours, zone=_zone(rule.time_zone))
    return QuietHours(window, frozenset(rule.send_at_once))


def _window(rule: ChangeWindowRule) -> ChangeWindow:
    """Return a change window with its time zone. Raises `ValueError` if this machine does not know the zone."""
    when = Period(rule.freeze.from_, rule.freeze.until) if rule.freeze else rule.allow or rule.deny
    assert when is not None  # noqa: S101  the model has checked this
    return ChangeWindow(
        name=rule.name,
        is_deny=rule.allow is None,
        when=when,
        zone=_zone(rule.time_zone),
        labels=parse_selector(rule.selector or ""),
        reason=rule.reason,
    )


def _targets(spec: OperatorSpec) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """Yield each entry of `spec.trust`: its path in the document, the credential, and the target."""
    for credential, targets in spec.trust.items():
        for index, target in enumerate(targets):
            yield ("spec", "trust", credential, index), credential, target
