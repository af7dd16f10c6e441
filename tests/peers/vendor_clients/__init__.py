"""The vendors' own clients, each with the simulated service whose jobs it manages."""

from __future__ import annotations

from collections.abc import Mapping

from tests.contract import batch_harness as batches
from tests.contract.dialects import services as jobs
from tests.contract.dialects.services import Service
from tests.peers.vendor_clients import aws, google, hugging_face, openai, pages, stainless
from tests.peers.vendor_clients.client import JobClient

CLIENTS: Mapping[str, tuple[type[JobClient], Service]] = {
    "openai, jobs": (openai.OpenAIJobs, jobs.OPENAI),
    "openai, jobs, nebius": (openai.OpenAIJobs, jobs.NEBIUS),
    "openai, jobs, azure classic": (openai.AzureClassicJobs, jobs.AZURE_CLASSIC),
    "openai, jobs, azure classic, token": (openai.AzureClassicTokenJobs, jobs.AZURE_CLASSIC),
    "openai, jobs, azure v1": (openai.AzureV1Jobs, jobs.AZURE_V1),
    "openai, jobs, litellm": (openai.LiteLLMJobs, jobs.LITELLM),
    "openai, jobs, litellm pass-through": (openai.PassThroughJobs, jobs.PASS_THROUGH),
    "openai, batches": (openai.OpenAIBatches, batches.OPENAI),
    "openai, batches, nebius": (openai.OpenAIBatches, batches.NEBIUS),
    "openai, batches, azure classic": (openai.AzureClassic, batches.AZURE_CLASSIC),
    "openai, batches, azure v1": (openai.AzureV1, batches.AZURE_V1),
    "openai, batches, litellm pass-through": (openai.PassThrough, batches.PASS_THROUGH),
    "anthropic, batches": (stainless.AnthropicBatches, batches.ANTHROPIC),
    "cohere, batches": (pages.CohereBatches, batches.COHERE),
    "google-genai, batches, gemini": (google.GeminiBatches, batches.GEMINI),
    "google-genai, batches, vertex": (google.VertexBatches, batches.VERTEX_AI),
    "google-genai, jobs, vertex": (google.VertexJobs, jobs.VERTEX_AI),
    "fireworks-ai, jobs": (stainless.FireworksJobs, jobs.FIREWORKS),
    "huggingface_hub, jobs": (hugging_face.HuggingFaceJobs, jobs.HF_JOBS),
    "botocore, batches, bedrock": (aws.BedrockBatches, batches.BEDROCK),
    "mistralai, batches": (pages.MistralBatches, batches.MISTRAL),
    "together, jobs": (stainless.TogetherJobs, jobs.TOGETHER),
    "together, batches": (stainless.TogetherBatches, batches.TOGETHER),
    "litellm, batches, xai": (pages.XAIBatches, batches.XAI),
}
