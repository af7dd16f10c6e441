"""The options of an account, from its document and the vendor's environment variables."""

from __future__ import annotations

from pydantic import BaseModel, ValidationError

from reconciler.controller.operator_policy import OperatorPolicy
from reconciler.controller.resolved_account import SpecProblem
from reconciler.formats.validation_errors import field_errors
from reconciler.model.reason import Reason
from reconciler.model.spec import ProviderSpec
from reconciler.ports import ProviderType


def options_of(type_: ProviderType, spec: ProviderSpec, policy: OperatorPolicy) -> BaseModel | SpecProblem:
    """Return the options of the document, or the problem with them.

    The vendor's environment variables provide the options that the document leaves out.
    """
    defaults = policy.default_options(type_, spec.credentials)
    written = {**{key: each.text for key, each in defaults.items()}, **spec.options}
    try:
        # `by_alias`: an option is named as in documents. The name of the attribute is not accepted.
        return type_.options.model_validate(written, by_alias=True, by_name=False)
    except ValidationError as error:
        first = next(field_errors(error, type_.options))
    message = first.message if first.suggestion is None else f"{first.message}; {first.suggestion}"
    option = str(first.path[0]) if first.path else ""
    if option in defaults and option not in spec.options:
        return SpecProblem(Reason.INVALID_PROVIDER, f"the variable {defaults[option].variable}: {message}")
    return SpecProblem(Reason.INVALID_PROVIDER, message, ("spec", "options", *map(str, first.path)))
