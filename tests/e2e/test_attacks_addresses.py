"""Attacks by an author of specs who uses addresses to make reconcile send a key to a server that it is not bound to.

Each attack is a Provider document, beside a socket that represents the author's own machine. Each test checks the
result: nothing connected to that machine, and the bound server received no request for a job with another account's
key. `RECONCILE_COMMAND` runs the same attacks on another build.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.e2e.conftest import KEY
from tests.support.cli import PROVIDER, Checkout
from tests.support.plugins import install
from tests.support.sandbox_client import Sandbox

CODES = {65, 78}
"""The exit codes for an invalid document, and for one that only an operator can allow."""


@dataclass(frozen=True, slots=True)
class Lure:
    """A checkout with a job to cancel, and the machine of an author who wants its key."""

    checkout: Checkout
    sandbox: Sandbox
    job_id: str
    listener: socket.socket

    @property
    def evil(self) -> str:
        """The address of the author's machine."""
        return f"127.0.0.1:{self.listener.getsockname()[1]}"

    @property
    def host(self) -> str:
        """The address that the key is bound to."""
        return self.sandbox.url.removeprefix("http://").removesuffix("/v1")

    def declare(self, spec: str) -> None:
        """Write the Provider document `main`, which the spec of the job names, with this `spec`."""
        self.checkout.write(
            "main.yaml", f"{PROVIDER.format(name='main', more='', concurrency=1).partition('spec:')[0]}{spec}"
        )

    def was_asked(self) -> bool:
        """Return whether a client has connected to the author's machine since the last call."""
        try:
            self.listener.accept()[0].close()
        except BlockingIOError:
            return False
        return True


@pytest.fixture
def lure(tmp_path: Path, sandbox: Sandbox) -> Iterator[Lure]:
    (job_id,) = sandbox.create(1)
    checkout = Checkout(tmp_path / "checkout", sandbox.environ)
    checkout.want("runaway", job_id)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        yield Lure(checkout, sandbox, job_id, listener)


ADDRESSES = {
    "a user": "http://HOST@EVIL/v1",
    "a user with a port": "http://HOST:443@EVIL/v1",
    "a fragment": "http://EVIL#@HOST/v1",
    "a query": "http://EVIL?@HOST/v1",
    "a backslash": "http://EVIL\\@HOST/v1",
    "the host as a prefix": "http://HOST.evil.example/v1",
    "another port": "http://EVIL/v1",
    "no port": "http://127.0.0.1/v1",
    "port 0": "http://127.0.0.1:0/v1",
    "a port in full-width digits": "http://127.0.0.1:\uff18\uff10/v1",
    "plain http to the vendor": "http://api.openai.com/v1",
    "dots in full width": "http://127\uff0e0\uff0e0\uff0e1:PORT/v1",
    "a Cyrillic letter": "https://\u0430pi.openai.com/v1",
    "punycode": "https://xn--pi-6kc.openai.com/v1",
    "a decimal address": "http://2130706433:PORT/v1",
    "a hexadecimal address": "http://0x7f000001:PORT/v1",
    "a short address": "http://127.1:PORT/v1",
    "an address of both versions": "http://[::ffff:127.0.0.1]:PORT/v1",
    "an address with a zone": "http://[fe80::1%25lo]:PORT/v1",
    "an escaped host": "http://127%2e0.0.1:PORT/v1",
    "a NUL": "http://HOST\x00.EVIL/v1",
    "a semicolon": "http://HOST;EVIL/v1",
    "a comma": "http://HOST,EVIL/v1",
    "a header": "http://EVIL/v1\r\nX-Y: z",
    "a tab": "http://HO\tST/v1",
    "a blank": "http://EVIL /v1",
    "a way up": "http://HOST/v1/../../v1",
    "an escaped way up": "http://HOST/%2e%2e/v1",
    "two slashes": "http://HOST//v1",
    "a file": "file:///etc/passwd",
    "no scheme": "//EVIL/v1",
    "a scheme without slashes": "http:EVIL/v1",
    "another scheme": "gopher://EVIL/v1",
}


@pytest.mark.sampled(8)
@pytest.mark.parametrize("how", ADDRESSES)
def test_a_crafted_base_url_sends_no_key_to_another_host(lure: Lure, how: str) -> None:
    text = ADDRESSES[how].replace("HOST", lure.host).replace("EVIL", lure.evil).replace("PORT", lure.evil.split(":")[1])
    lure.declare(f"spec: {{type: openai, baseUrl: {json.dumps(text)}}}\n")
    ran = lure.checkout.run("--once", "--timeout", "1s")

    assert not lure.was_asked()
    assert lure.sandbox.cancels(lure.job_id) == []
    assert ran.code in CODES
    assert KEY not in ran.out + ran.err


SPELLINGS = {
    "upper case": "HTTP://LOCALHOST:PORT/v1",
    "a dot at the end": "http://HOST./v1",
    "a slash": "http://HOST/v1/",
}


@pytest.mark.parametrize("how", SPELLINGS)
def test_another_spelling_of_a_base_url_is_the_same_account_or_invalid(lure: Lure, how: str) -> None:
    port = lure.host.split(":")[1]
    lure.declare(
        f"spec: {{type: openai, baseUrl: '{SPELLINGS[how].replace('HOST', lure.host).replace('PORT', port)}'}}\n"
    )
    lure.checkout.write("second.yaml", (lure.checkout.specs / "runaway.yaml").read_text().replace("main", "openai"))
    lure.checkout.run("--once", "--timeout", "1s")

    assert len(lure.sandbox.cancels(lure.job_id)) <= 1


OPTIONS = {
    "a location of Google's": "type: vertex-ai, options: {project: p, location: 'EVIL/'}",
    "a region of AWS's": "type: bedrock, options: {region: 'EVIL/#-1'}",
    "a region with a user": "type: sagemaker, options: {region: 'x@EVIL'}",
    "a resource of Azure's": "type: azure-openai, options: {resource: 'EVIL/'}",
    "a proxy": "type: openai, options: {proxy: 'http://EVIL'}",
    "an option that there is not": "type: openai, options: {base_url: 'http://EVIL'}",
    "a header in a project": 'type: openai, options: {project: "x\\r\\nHost: EVIL"}',
    "a type that is a module": "type: 'os.system'",
    "a type that is an entry point": "type: 'reconciler.cli:main'",
    "a type that is a path": "type: '../../evil'",
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("how", OPTIONS)
def test_a_crafted_option_selects_no_other_host_and_runs_no_code(lure: Lure, how: str) -> None:
    lure.declare(f"spec: {{{OPTIONS[how].replace('EVIL', lure.evil)}}}\n")
    ran = lure.checkout.run("--once", "--timeout", "1s")

    assert not lure.was_asked()
    assert ran.code in CODES
    assert "Traceback" not in ran.err


CREDENTIALS = {
    "a token of GitHub's": "{env: GITHUB_TOKEN}",
    "a key of AWS's": "{env: AWS_SECRET_ACCESS_KEY}",
    "a token of Git's": "{env: RECONCILE_GIT_TOKEN}",
    "a setting of Git's": "{env: GIT_CONFIG_VALUE_0}",
    "the path": "{env: PATH}",
    "the environment": "{file: /proc/self/environ}",
    "a file of the system": "{file: /etc/passwd}",
    "a file by a way up": "{file: SECRETS/../other/key}",
    "a file of another binding": "{file: SECRETS/theirs}",
    "a file with a dot": "{file: SECRETS/./theirs}",
    "a file with two slashes": "{file: SECRETS//theirs}",
    "the secret itself": "{value: sk-live-0123456789}",
    "a variable and a file": "{env: OPENAI_API_KEY, file: SECRETS/ours}",
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("how", CREDENTIALS)
def test_a_credential_is_not_sent_to_a_host_it_is_not_bound_to(lure: Lure, tmp_path: Path, how: str) -> None:
    for name in ("secrets/ours", "secrets/theirs", "other/key"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"sk-of-{name}-0123456789", encoding="utf-8")
    secrets = tmp_path / "secrets"
    text = CREDENTIALS[how].replace("SECRETS", str(secrets))
    lure.declare(f"spec: {{type: openai, baseUrl: 'http://{lure.evil}/v1', credentials: {text}}}\n")
    others = ("GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "RECONCILE_GIT_TOKEN", "GIT_CONFIG_VALUE_0")
    ran = lure.checkout.run(
        *("--once", "--timeout", "1s", "--secrets-dir", str(secrets)),
        RECONCILE_TRUST=f"{secrets}/ours={lure.evil},{secrets}/theirs={lure.host}",
        **dict.fromkeys(others, "ghs-canary-0123456789"),
    )

    assert not lure.was_asked()
    assert ran.code in CODES
    assert "ghs-canary-0123456789" not in ran.out + ran.err
    assert "root:" not in ran.out + ran.err


IDS = (
    "../ID",
    "ID/../other",
    "x/../ID",
    "ID%2e",
    "%2e%2e/ID",
    "ID?x",
    "ID#x",
    " ID",
    "ID/cancel",
    "-ID",
    "@ID",
    "..",
    "ID\x00",
)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("written", IDS)
def test_a_job_id_that_could_change_the_request_path_is_invalid(lure: Lure, written: str) -> None:
    lure.checkout.name_provider()
    spec = (lure.checkout.specs / "runaway.yaml").read_text(encoding="utf-8")
    lure.checkout.write("runaway.yaml", spec.replace(lure.job_id, json.dumps(written.replace("ID", lure.job_id))))
    before = len(lure.sandbox.requests())
    ran = lure.checkout.run("--once", "--timeout", "1s")

    assert ran.code == 65
    assert lure.sandbox.cancels(lure.job_id) == []
    assert [each for each in lure.sandbox.requests()[before:] if each["verb"] == "cancel"] == []


def test_a_plugin_cannot_replace_a_built_in_provider_type(lure: Lure, tmp_path_factory: pytest.TempPathFactory) -> None:
    site = tmp_path_factory.mktemp("site")
    install(site, "openai", "OPENAI_API_KEY", f"http://{lure.evil}/v1")
    lure.checkout.name_provider()
    replace(lure.checkout, plugins=[site]).run("--once", "--timeout", "3s")

    assert not lure.was_asked()


def test_settings_cannot_end_a_suspension_by_the_operator(lure: Lure) -> None:
    lure.checkout.name_provider()
    lure.checkout.write(
        "settings.yaml",
        "apiVersion: jobs.reconciler/v1\nkind: Settings\nmetadata: {name: settings}\nspec: {suspend: false}\n",
    )
    lure.checkout.run("--once", RECONCILE_SUSPEND="true")

    assert lure.sandbox.cancels(lure.job_id) == []
    assert lure.checkout.status("runaway").ready.reason == "Suspended"


def test_the_rate_limit_of_a_second_name_does_not_slow_an_account(lure: Lure) -> None:
    lure.checkout.name_provider()
    jobs = lure.sandbox.create(8)
    spec = "{type: openai, options: {project: slow}, rateLimit: {requestsPerSecond: 0.2, burst: 1, concurrency: 1}}"
    lure.checkout.write(
        "slow.yaml", f"apiVersion: jobs.reconciler/v1\nkind: Provider\nmetadata: {{name: slow}}\nspec: {spec}\n"
    )
    for number, job_id in enumerate(jobs):
        lure.checkout.want(f"slow-{number}", job_id, "observed", "slow")
    ran = lure.checkout.run("--once", "--timeout", "20s")

    assert lure.sandbox.cancels(lure.job_id) == [lure.job_id]
    assert ran.code in {0, 69, 75}
