"""The vendors' own clients, each with the simulated service whose batches it manages."""

from __future__ import annotations

from collections.abc import Mapping

from tests.contract import batch_harness as services
from tests.contract.batch_harness import BatchService
from tests.peers.batch_clients import aws, google, pages, stainless
from tests.peers.batch_clients.client import BatchClient

CLIENTS: Mapping[str, tuple[type[BatchClient], BatchService]] = {
    "openai": (stainless.OpenAIClient, services.OPENAI),
    "openai, nebius": (stainless.OpenAIClient, services.NEBIUS),
    "openai, azure classic": (stainless.AzureClient, services.AZURE_CLASSIC),
    "openai, azure v1": (stainless.AzureV1Client, services.AZURE_V1),
    "openai, litellm pass-through": (stainless.PassThroughClient, services.PASS_THROUGH),
    "anthropic": (stainless.AnthropicClient, services.ANTHROPIC),
    "google-genai, gemini": (google.GeminiClient, services.GEMINI),
    "google-genai, vertex": (google.VertexClient, services.VERTEX_AI),
    "botocore, bedrock": (aws.BedrockClient, services.BEDROCK),
    "mistralai": (pages.MistralClient, services.MISTRAL),
    "together": (stainless.TogetherClient, services.TOGETHER),
    "litellm, xai": (pages.XAIClient, services.XAI),
}
