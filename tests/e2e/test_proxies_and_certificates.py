"""Proxies and certificates as real machines have them: a problem of one account does not affect another."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.model.exit_code import ExitCode
from tests.support.cli import Checkout
from tests.support.jobs_api import JobsApi, a_row

GATEWAY = """\
apiVersion: jobs.reconciler/v1
kind: Provider
metadata: {{name: gateway}}
spec:
  type: openai
  baseUrl: {url}
  credentials: {{env: GATEWAY_KEY}}
"""


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("variable", "value", "code"),
    [
        ("NO_PROXY", "localhost,127.0.0.1,[::1]", ExitCode.PROVIDER_UNOBSERVED),
        ("NO_PROXY", "fe11::/16", ExitCode.PROVIDER_UNOBSERVED),
        ("NO_PROXY", "[::1,,/,fe80::/999", ExitCode.PROVIDER_UNOBSERVED),
        ("ALL_PROXY", "no address", ExitCode.CONFIGURATION),
        ("ALL_PROXY", "http://прокси..example:3128", ExitCode.CONFIGURATION),
        ("ALL_PROXY", "http://user:pass@word#1@proxy.example:3128", ExitCode.CONFIGURATION),
        ("SSL_CERT_FILE", "/none/authority.pem", ExitCode.CONFIGURATION),
        ("SSL_CERT_DIR", "/none", ExitCode.CONFIGURATION),
    ],
)
def test_a_bad_proxy_or_certificate_of_one_account_does_not_affect_another(
    tmp_path: Path, variable: str, value: str, code: ExitCode
) -> None:
    api = JobsApi({"ftjob-one": a_row("ftjob-one")})
    with api.served() as url:
        environ = {
            "GATEWAY_KEY": "gateway-key-0123",
            "RECONCILE_TRUST": f"GATEWAY_KEY={url.removeprefix('http://').removesuffix('/v1')}",
            "OPENAI_API_KEY": "openai-key-0123",
            "HTTPS_PROXY": "http://127.0.0.1:9",
        }
        checkout = Checkout(tmp_path, {**environ, variable: value} | ({"HTTPS_PROXY": ""} if "ALL" in variable else {}))
        checkout.write("gateway.yaml", GATEWAY.format(url=url))
        checkout.want("one", "ftjob-one", provider="gateway")
        checkout.want("two", "ftjob-two", "observed", provider="openai")
        ran = checkout.run("--once", "--timeout", "3s")

    assert ran.code == code, ran.err
    assert api.changes() == ["ftjob-one"]
    assert checkout.status("one").receipts[0].accepted_at is not None
    assert "a bug" not in ran.out + ran.err


def test_a_bad_certificate_setting_for_heartbeats_ends_the_watch_with_a_configuration_error(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path, {"SSL_CERT_FILE": "/none/authority.pem"})
    checkout.specs.mkdir()
    ran = checkout.run("--heartbeat-url", "https://hooks.example.org/secret-path-0123")

    assert ran.code == ExitCode.CONFIGURATION
    assert "the certificates that SSL_CERT_FILE names cannot be read" in ran.err
    assert "secret-path-0123" not in ran.err
