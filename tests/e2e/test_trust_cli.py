from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import Checkout
from tests.support.sandbox_client import Sandbox


@pytest.fixture
def elsewhere() -> Iterator[socket.socket]:
    """Yield a socket that must receive no key, and that never blocks a client."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        yield listener


def test_a_base_url_changed_in_a_spec_gets_no_key_and_no_connection(
    checkout: Checkout, sandbox: Sandbox, elsewhere: socket.socket
) -> None:
    (job_id,) = sandbox.create(1)
    host = f"127.0.0.1:{elsewhere.getsockname()[1]}"
    checkout.want("runaway", job_id)
    checkout.name_provider("main", f"baseUrl: http://{host}/v1")

    ran = checkout.run("--once", "--wait")

    assert ran.code == 78
    assert f"the operator sets RECONCILE_TRUST='OPENAI_API_KEY={host}/v1'" in ran.out + ran.err
    assert checkout.status("runaway").ready.reason == "HostNotTrusted"
    with pytest.raises(BlockingIOError):
        elsewhere.accept()


def test_following_the_advice_of_the_message_makes_the_host_trusted(checkout: Checkout, sandbox: Sandbox) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("runaway", job_id)
    checkout.name_provider("main", f"baseUrl: {sandbox.url}")
    usual = "https://api.openai.com/v1"

    refused = checkout.run("--once", OPENAI_BASE_URL=usual)
    advice = re.search(r"RECONCILE_TRUST='(.*?)'", refused.out + refused.err)
    assert advice is not None
    obeyed = checkout.run("--once", "--wait", OPENAI_BASE_URL=usual, RECONCILE_TRUST=advice[1])

    assert refused.code == 78
    assert obeyed.code == 0
    assert sandbox.phase(job_id) == "cancelled"


def test_an_account_with_two_keys_is_requested_with_neither(checkout: Checkout, sandbox: Sandbox) -> None:
    mine, theirs, alone = sandbox.create(3)
    host = sandbox.url.removeprefix("http://").partition("/")[0]
    checkout.name_provider("other", "credentials: {env: OTHER_KEY}")
    checkout.want("mine", mine)
    checkout.want("theirs", theirs, provider="other")

    ran = checkout.run("--once", OTHER_KEY="sk-of-another-project", RECONCILE_TRUST=f"OTHER_KEY=http://{host}")
    (checkout.specs / "theirs.yaml").unlink()
    checkout.want("alone", alone)
    mended = checkout.run("--once", "--wait", OTHER_KEY="sk-of-another-project")

    assert ran.code == 65
    assert "spec.credentials: the provider 'main' is the same account with a different key (OPENAI_API_KEY)" in ran.err
    assert sandbox.cancels(theirs) == []
    assert mended.code == 0
    assert (sandbox.phase(mine), sandbox.phase(alone)) == ("cancelled", "cancelled")


def test_a_trust_file_that_is_not_utf_8_is_named(checkout: Checkout, tmp_path: Path) -> None:
    file = tmp_path / "trust.txt"
    file.write_bytes(b"\xff\xfe")
    file.chmod(0o600)
    ran = checkout.run("plan", f"--trust={file}")

    assert ran.code == 78
    assert ran.err == f"reconcile: the trust file {file} (--trust) cannot be read: it is not UTF-8\n"
