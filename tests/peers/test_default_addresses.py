"""Each adapter sends its requests to the address that the vendor's client uses by default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from reconciler.providers import load
from tests.contract.batch_harness import BEDROCK, VERTEX_AI
from tests.contract.dialects.services import FIREWORKS, HF_JOBS, SAGEMAKER, Service

KEY = "canary-key-of-the-client"


def address_of_aws(session: Any, service: Service) -> str:
    client = session.Session().create_client(
        service.type,
        region_name=service.options["region"],
        aws_access_key_id="id",
        aws_secret_access_key=KEY,
    )
    return str(client.meta.endpoint_url)


def address_of_google(genai: Any, **account: Any) -> str:
    client = genai.Client(**account)
    try:
        return str(client._api_client._http_options.base_url)  # noqa: SLF001 - the client shows it nowhere else
    finally:
        client.close()


def address_of_cohere(client: Any) -> str:
    with client:
        return str(client._client_wrapper.get_base_url())  # noqa: SLF001 - the client shows it nowhere else


def google_account() -> Mapping[str, Any]:
    credentials = pytest.importorskip("google.oauth2.credentials", reason="pip install google-auth")
    return {"vertexai": True, "credentials": credentials.Credentials(token=KEY), **VERTEX_AI.options}


Read = Callable[[Any], object]
CLIENTS: Mapping[str, tuple[str, str, Read, Mapping[str, str]]] = {
    "openai": ("openai", "openai", lambda sdk: sdk.OpenAI(api_key=KEY).base_url, {}),
    "anthropic": ("anthropic", "anthropic", lambda sdk: sdk.Anthropic(api_key=KEY).base_url, {}),
    "cohere": ("cohere", "cohere", lambda sdk: address_of_cohere(sdk.ClientV2(api_key=KEY)), {}),
    "together": ("together", "together", lambda sdk: sdk.Together(api_key=KEY).base_url, {}),
    "fireworks": (
        "fireworks-ai",
        "fireworks",
        lambda sdk: sdk.Fireworks(api_key=KEY, account_id="acme").base_url,
        FIREWORKS.options,
    ),
    "mistral": (
        "mistralai",
        "mistralai.client",
        lambda sdk: sdk.Mistral(api_key=KEY).sdk_configuration.get_server_details()[0],
        {},
    ),
    "hf-jobs": ("huggingface_hub", "huggingface_hub.constants", lambda hub: hub.ENDPOINT, HF_JOBS.options),
    "gemini": ("google-genai", "google.genai", lambda genai: address_of_google(genai, api_key=KEY), {}),
    "vertex-ai": (
        "google-genai",
        "google.genai",
        lambda genai: address_of_google(genai, **google_account()),
        VERTEX_AI.options,
    ),
    "bedrock": ("botocore", "botocore.session", lambda aws: address_of_aws(aws, BEDROCK), BEDROCK.options),
    "sagemaker": ("botocore", "botocore.session", lambda aws: address_of_aws(aws, SAGEMAKER), SAGEMAKER.options),
}


@pytest.mark.parametrize("name", CLIENTS)
def test_the_adapter_uses_the_default_address_of_the_client(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    package, module, read, options = CLIENTS[name]
    type_ = load(name)
    for variable in type_.url_variables:
        monkeypatch.delenv(variable, raising=False)
    sdk = pytest.importorskip(module, reason=f"pip install {package}")

    assert str(read(sdk)).rstrip("/") == type_.own_url(type_.options.model_validate(options))
