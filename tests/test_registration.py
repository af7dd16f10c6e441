"""Every built-in provider type is in each list by which the tests find it. A failure shows the missing entries."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from reconciler.providers import NAMES
from tests.contract import batch_harness
from tests.contract.dialects import services
from tests.contract.dialects.services import Service
from tests.peers import test_default_addresses, test_status_words
from tests.peers.vendor_clients import CLIENTS
from tests.support.every_service import EMBEDDED, registered, simulated

ROOT = Path(__file__).parent.parent
WITHOUT_CLIENT = {
    "sagemaker": "moto serves it, and AWS's validator checks its responses: `test_moto`, `test_botocore_model`",
    EMBEDDED: "it has no vendor",
}
WITHOUT_DEFAULT_ADDRESS = {
    "azure-openai": "each account has an address of its own",
    "litellm": "everyone runs a proxy of their own",
    "litellm-passthrough": "everyone runs a proxy of their own",
    "nebius": "its documents name OpenAI's client, which does not know its address",
    "xai": "its own client speaks gRPC",
    EMBEDDED: "it needs no address",
}
WITHOUT_STATUS_WORDS = {
    "botocore": "`test_botocore_model` compares them",
    "litellm": "xAI's batches have none",
}
INSTALLED_OTHERWISE = {"openai", "botocore"}
"""The clients that an extra of this package or another client installs."""


def names_of_services(module: ModuleType) -> Iterator[str]:
    """Yield the names of the services that a module defines."""
    yield from (name for name, each in vars(module).items() if isinstance(each, Service))


def test_every_type_and_kind_has_a_simulated_service() -> None:
    shown = {(service.type, kind.name) for service, kind in simulated().values()}

    assert shown == {(type_, kind) for type_, kind in registered() if type_ != EMBEDDED}


def test_every_simulated_service_is_tested_with_the_contract() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "contract").glob("test_*.py")]
    tested = {found for text in texts for found in re.findall(r"\b(Served|Batch)Harness\(served, (\w+)\)", text)}
    jobs = {("Served", name) for name in names_of_services(services)}

    assert (jobs | {("Batch", name) for name in names_of_services(batch_harness)}) - tested == set()


def test_every_type_is_tested_with_a_third_party_client() -> None:
    tested = {service.type for _, service in CLIENTS.values()}

    assert NAMES.keys() - tested == WITHOUT_CLIENT.keys()


def test_the_default_address_of_every_type_is_compared_with_that_of_a_client() -> None:
    assert NAMES.keys() - test_default_addresses.CLIENTS.keys() == WITHOUT_DEFAULT_ADDRESS.keys()


def test_the_status_words_of_every_client_are_compared_with_those_of_the_adapter() -> None:
    modules = [module for module, _, _ in test_status_words.KNOWN.values()]
    compared = {
        package
        for prefix, package in test_status_words.DISTRIBUTIONS.items()
        if any(module.startswith(prefix) for module in modules)
    }

    assert {client.package for client, _ in CLIENTS.values()} - compared == WITHOUT_STATUS_WORDS.keys()


def test_the_lane_with_third_party_software_installs_every_client() -> None:
    text = (ROOT / ".ci" / "lanes" / "peers").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^clients=\((.*)\)$", text, re.MULTILINE)
    needed = {client.package.replace("_", "-") for client, _ in CLIENTS.values()}

    assert needed - set(listed.split()) == INSTALLED_OTHERWISE
