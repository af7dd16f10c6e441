"""The LiteLLM proxy between the command and the sandbox."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.model.job import Phase
from reconciler.sandbox.app import create_app
from reconciler.sandbox.config import SandboxOptions
from reconciler.sandbox.world import World
from tests.support.cli import Checkout, Ran
from tests.support.processes import a_free_port, running
from tests.support.sandbox_server import serve

LITELLM = os.environ.get("RECONCILE_LITELLM", "")
"""The path of the `litellm` command."""

pytestmark = pytest.mark.skipif(not LITELLM, reason="RECONCILE_LITELLM names no litellm: pip install 'litellm[proxy]'")

RUNAWAY = "ftjob-runaway"
UPSTREAM_KEY = "sk-upstream-of-the-proxy"
CONFIG = """\
model_list: []
general_settings: {{master_key: os.environ/LITELLM_MASTER_KEY}}
finetune_settings:
- {{custom_llm_provider: openai, api_base: {upstream}, api_key: {key}}}
"""


@pytest.fixture(scope="module")
def world() -> World:
    jobs = [{"id": RUNAWAY, "age": "1h"}]
    return World(SandboxOptions.model_validate({"jobs": jobs}), datetime.now(UTC))


@pytest.fixture(scope="module")
def proxy(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Yield the environment of a user of the proxy."""
    root = tmp_path_factory.mktemp("litellm")
    config = root / "config.yaml"
    key = f"sk-{secrets.token_hex(32)}"
    port = a_free_port()
    with serve(create_app(world, lambda: datetime.now(UTC), api_key=UPSTREAM_KEY)) as upstream:
        config.write_text(CONFIG.format(upstream=upstream, key=UPSTREAM_KEY), encoding="utf-8")
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(root),
            "LITELLM_MASTER_KEY": key,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_TELEMETRY": "False",
            "OPENAI_API_KEY": UPSTREAM_KEY,
            "OPENAI_API_BASE": upstream.removesuffix("/v1"),
        }
        command = [LITELLM, "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
        with running(command, port, "/health/liveliness", root / "log", environ) as url:
            yield {"LITELLM_PROXY_API_BASE": url, "LITELLM_PROXY_API_KEY": key}


def reconciled(root: Path, environ: dict[str, str], provider: str, *arguments: str) -> tuple[Checkout, Ran]:
    checkout = Checkout(root, environ)
    checkout.want("runaway", RUNAWAY, provider=provider)
    return checkout, checkout.run("--once", *arguments)


def test_the_native_routes_need_a_licence_and_the_error_recommends_the_pass_through(
    tmp_path: Path, world: World, proxy: dict[str, str]
) -> None:
    _, ran = reconciled(tmp_path, proxy, "litellm")

    assert ran.code != 0
    assert "Enterprise licence" in ran.out + ran.err
    assert "litellm-passthrough" in ran.out + ran.err
    assert world.retrieve(RUNAWAY, datetime.now(UTC)).phase is not Phase.CANCELLED


def test_a_wrong_key_is_reported_as_one(tmp_path: Path, proxy: dict[str, str]) -> None:
    environ = proxy | {"LITELLM_PROXY_API_KEY": f"sk-{secrets.token_hex(32)}"}
    _, ran = reconciled(tmp_path, environ, "litellm-passthrough")

    assert ran.code != 0
    assert "does not accept this key" in ran.out + ran.err


def test_once_cancels_a_job_through_the_pass_through_and_confirms_it(
    tmp_path: Path, world: World, proxy: dict[str, str]
) -> None:
    checkout, ran = reconciled(tmp_path, proxy, "litellm-passthrough", "--wait=60s")
    status = checkout.status("runaway")

    assert ran.code == 0
    assert world.retrieve(RUNAWAY, datetime.now(UTC)).phase is Phase.CANCELLED
    assert (status.phase, status.receipts[0].outcome) == (Phase.CANCELLED, "cancelled")
