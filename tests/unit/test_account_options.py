"""Which options of a Provider document are valid."""

from __future__ import annotations

from reconciler.controller.account_resolver import AccountResolver
from tests.support.documents import a_provider, located
from tests.support.in_memory_operator import Operator
from tests.support.spec_revisions import revision, told


def test_an_option_is_valid_only_under_the_name_that_documents_use() -> None:
    spec = {"type": "azure-openai", "baseUrl": "https://acme.openai.azure.com", "options": {"api_version": "v1"}}
    document = located(a_provider("azure", **spec), "p.yaml", 1, options=7)
    operator = Operator({"RECONCILE_TRUST": "AZURE_OPENAI_API_KEY=acme.openai.azure.com"})

    assert told(AccountResolver(revision(document), operator)) == [
        "specs/p.yaml:7: spec.options.api_version: unknown key; valid here: apiVersion; did you mean 'apiVersion'?"
    ]
