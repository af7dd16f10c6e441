"""A careless third-party provider type: its mistakes affect only its own account and reveal no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.model.exit_code import ExitCode
from tests.support.cli import Checkout
from tests.support.jobs_api import JobsApi, a_row
from tests.support.plugins import install

KEY = "careless-key-0123456789abcdef"
OWN = '''
import base64
from contextlib import asynccontextmanager
from reconciler.plugin import Accepted, JobError, JobPage, Kind, ObservedJob, PermanentError, Phase


class Jobs:
    """It speaks to its provider in a way of its own, and repeats the key wherever it can."""

    def __init__(self, key):
        self._key = key

    async def list_page(self, query, cursor):
        return JobPage((), None)

    async def get_job(self, ref):
        if ref.id == "refused":
            echo = base64.b64encode(self._key.encode()).decode()
            raise PermanentError(f"no: {echo}", kind=Kind.REFUSED) from KeyError(self._key)
        if ref.id == "broken":
            raise ValueError(f"a bug with {self._key}")
        echo = JobError(code=self._key[::-1], message=f"it was {self._key.encode().hex()}")
        return ObservedJob(id=ref.id, phase=Phase.RUNNING, provider_status="running", model=self._key, error=echo)

    async def cancel_job(self, ref):
        return Accepted()


class Careless(type(TYPE)):
    @asynccontextmanager
    async def open(self, config, transport, credentials):
        HOW
        yield Jobs(await credentials.token())


TYPE = Careless(**{name: getattr(TYPE, name) for name in TYPE.__dataclass_fields__})
'''


@pytest.fixture
def others() -> JobsApi:
    """Return the API of an account whose provider type is built in."""
    return JobsApi({"ftjob-one": a_row("ftjob-one")})


def a_checkout(root: Path, url: str, how: str = "pass") -> Checkout:
    site = root / "site"
    install(site, "careless", "CARELESS_KEY", "https://careless.example")
    module = site / "of_careless.py"
    module.write_text(module.read_text(encoding="utf-8") + OWN.replace("HOW", how), encoding="utf-8")
    environ = {"CARELESS_KEY": KEY, "OPENAI_API_KEY": "other-key-0123", "OPENAI_BASE_URL": url}
    checkout = Checkout(root, environ, [site])
    checkout.want("one", "ftjob-one", provider="openai")
    for job_id in ("shown", "refused", "broken"):
        checkout.want(job_id, job_id, "observed", "careless")
    return checkout


def test_a_key_that_a_plugin_repeats_in_its_errors_is_redacted_everywhere(tmp_path: Path, others: JobsApi) -> None:
    with others.served() as url:
        checkout = a_checkout(tmp_path, url)
        ran = [checkout.run("--once", "--timeout", "3s", "-v"), checkout.run("plan", "-o", "json", "-v")]
    shown = "".join(each.out + each.err for each in ran)
    written = [each.read_text(encoding="utf-8") for each in checkout.status_dir.rglob("*.yaml")]
    job = checkout.status("shown").job

    assert job is not None
    assert (job.model, job.error.code if job.error else None) == ("[redacted]", "[redacted]")
    assert KEY[5:-5] not in "".join([shown, *written])
    assert KEY.encode().hex()[10:-10] not in "".join([shown, *written])
    assert others.changes() == ["ftjob-one"]


@pytest.mark.parametrize("how", ["raise ValueError(await credentials.token())", "import no_such_module", "1 / 0"])
def test_a_plugin_that_cannot_be_opened_affects_its_own_account_only(tmp_path: Path, others: JobsApi, how: str) -> None:
    with others.served() as url:
        ran = a_checkout(tmp_path, url, how).run("--once", "--timeout", "3s")

    assert ran.code in {ExitCode.PROVIDER_UNOBSERVED, ExitCode.SOFTWARE}
    assert "careless" in ran.out
    assert "in of_careless.py, line" in ran.out + ran.err
    assert KEY not in ran.out + ran.err
    assert others.changes() == ["ftjob-one"]
