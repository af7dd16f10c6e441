"""Attacks by an author of specs who gives accounts misleading names, on the installed command.

Each attack is a directory of specs that its author prepared. Each test checks the result: no job of another team was
cancelled or blocked, no key was sent to a server that it is not bound to, and the time to process a text was linear in
its length. `RECONCILE_COMMAND` runs the same attacks on another build.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.e2e.conftest import KEY
from tests.support.cli import SPEC, Checkout, Ran
from tests.support.plugins import install
from tests.support.sandbox_client import Sandbox

SETTINGS = """\
apiVersion: jobs.reconciler/v1
kind: Settings
metadata: {{name: settings}}
spec: {spec}
"""
PROVIDER = """\
apiVersion: jobs.reconciler/v1
kind: Provider
metadata: {{name: {name}}}
spec: {spec}
"""


@dataclass(frozen=True, slots=True)
class Field:
    """A checkout in which one team has its own account, which only specs in `research` may use."""

    checkout: Checkout
    sandbox: Sandbox
    job_id: str

    def document(self, file: str, name: str, spec: str) -> None:
        """Write a Provider document."""
        self.checkout.write(file, PROVIDER.format(name=name, spec=spec))

    def spec(self, file: str, provider: str, state: str = "cancelled", job_id: str = "", name: str = "") -> None:
        """Write the spec of a job. By default it is the team's job, and the spec has the name of its file."""
        wanted = job_id or self.job_id
        self.checkout.write(
            file, SPEC.format(name=name or Path(file).stem, provider=provider, job_id=wanted, state=state)
        )

    def run(self, *arguments: str, **environ: str) -> Ran:
        """Run a command, by default a pass."""
        return self.checkout.run(*(arguments or ("--once",)), **environ)

    def reason(self, file: str) -> str:
        """Return the reason in a status."""
        return str(self.checkout.status(file).ready.reason)

    def cancels(self, *job_ids: str) -> list[str]:
        """Return the cancels that the provider received, by default those of the team's job."""
        return self.sandbox.cancels(*(job_ids or (self.job_id,)))


FAST = "rateLimit: {requestsPerSecond: 1000, burst: 1000, concurrency: 8}"


@pytest.fixture
def field(tmp_path: Path, sandbox: Sandbox) -> Field:
    (job_id,) = sandbox.create(1)
    found = Field(Checkout(tmp_path, sandbox.environ), sandbox, job_id)
    found.document("research/provider.yaml", "research", f"{{type: openai, allowedPaths: [research/**], {FAST}}}")
    return found


# Other spellings of an account that belongs to another team

SPELLINGS = {
    "the bare type": ("openai", ""),
    "a project that is made up": ("evil", "{type: openai, options: {project: p0}}"),
    "an organization that is made up": ("evil", "{type: openai, options: {organization: x}}"),
    "another path": ("evil", "{type: openai, baseUrl: 'URL/x'}"),
    "another case of the path": ("evil", "{type: openai, baseUrl: 'BASE/V1'}"),
    "another type": ("evil", "{type: litellm-passthrough, baseUrl: 'BASE', credentials: {env: OPENAI_API_KEY}}"),
    "another vendor's type": (
        "evil",
        "{type: azure-openai, baseUrl: 'BASE', credentials: {env: OPENAI_API_KEY}, options: {apiVersion: v1}}",
    ),
    "the same key in another variable": ("evil", "{type: openai, credentials: {env: OTHER_NAME}}"),
    "the same key in a file": ("evil", "{type: openai, credentials: {file: SECRETS/key}}"),
    "the same file by a link": ("evil", "{type: openai, credentials: {file: SECRETS/link}}"),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_another_spelling_of_an_account_does_not_bypass_its_allowed_paths(
    field: Field, spelling: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    secrets = tmp_path_factory.mktemp("secrets")
    (secrets / "key").write_text(f"{KEY}\n", encoding="utf-8")
    (secrets / "link").symlink_to("key")
    url = field.sandbox.url
    base = url.removesuffix("/v1")
    name, document = SPELLINGS[spelling]
    field.spec("research/wanted.yaml", "research", "observed")
    field.spec("other/evil.yaml", name)
    if document:
        text = document.replace("URL", url).replace("BASE", base).replace("SECRETS", str(secrets))
        field.document("other/provider.yaml", "evil", text)
    host = base.removeprefix("http://")
    bound = [f"{each}={host}" for each in ("OPENAI_API_KEY", "OTHER_NAME", secrets / "key", secrets / "link")]
    operator = {"OTHER_NAME": KEY, "RECONCILE_TRUST": ",".join(bound), "RECONCILE_SECRETS_DIR": str(secrets)}
    ran = field.run(**operator)

    assert field.cancels() == []
    assert ran.code == 65
    assert field.reason("other/evil") == "InvalidSpec"
    assert field.reason("research/wanted") == "AsDesired"
    assert "research/**" in ran.out


@pytest.mark.parametrize(
    "second",
    [
        "{type: openai}",
        "{type: openai, allowedPaths: [other/**]}",
        "{type: openai, options: {project: p0}}",
        "{type: openai, colour: blue}",
        "{type: nonsense}",
    ],
)
def test_a_second_provider_document_of_a_name_does_not_replace_the_first(field: Field, second: str) -> None:
    (mine,) = field.sandbox.create(1)
    field.document("zzz/provider.yaml", "research", second)
    field.spec("research/wanted.yaml", "research", "observed")
    field.spec("research/mine.yaml", "research", job_id=mine)
    field.spec("zzz/evil.yaml", "research")
    ran = field.run()

    assert field.cancels(field.job_id, mine) == []
    assert ran.code == 65
    assert field.reason("zzz/evil") == "InvalidProvider"
    assert field.reason("research/mine") == "InvalidProvider"


def test_an_unreadable_provider_document_does_not_replace_another(field: Field) -> None:
    broken = PROVIDER.format(name="research", spec="{type: openai").replace("}", "")
    field.checkout.write("zzz/provider.yaml", broken)
    field.checkout.write("zzz/settings.yaml", SETTINGS.format(spec="{}"))
    field.spec("research/wanted.yaml", "research")
    ran = field.run()

    assert field.cancels() == []
    assert ran.code == 65
    assert field.reason("research/wanted") == "InvalidProvider"


def test_a_duplicate_provider_document_still_restricts_who_may_use_its_account(field: Field) -> None:
    field.document("zzz/provider.yaml", "research", "{type: openai}")
    field.spec("zzz/evil.yaml", "openai")
    ran = field.run()

    assert field.cancels() == []
    assert ran.code == 65


# Specs that would block the job of another team

OUTSIDERS = {
    "names the job": ("other/evil.yaml", "research", "evil"),
    "names the job by another spelling": ("other/evil.yaml", "openai", "evil"),
    "takes the name": ("other/wanted.yaml", "research", "wanted"),
    "takes the name, in a file that comes first": ("a/wanted.yaml", "openai", "wanted"),
    "takes the name, and no account": ("a/wanted.yaml", "nowhere", "wanted"),
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("outsider", OUTSIDERS)
def test_a_spec_that_may_not_use_an_account_blocks_no_spec_of_it(field: Field, outsider: str) -> None:
    file, provider, name = OUTSIDERS[outsider]
    field.spec("research/wanted.yaml", "research")
    field.spec(file, provider, "observed", name=name)
    ran = field.run("--once", "--wait")
    again = field.run("--once")

    assert field.cancels() == [field.job_id]
    assert field.reason("research/wanted") == "Cancelled"
    assert field.checkout.status("research/wanted").receipts[0].outcome == "cancelled"
    assert (ran.code, again.code) == (65, 65)


def test_a_job_that_an_outsider_names_keeps_its_owners_receipts(field: Field) -> None:
    field.spec("research/wanted.yaml", "research")
    field.run("--once", "--wait")
    field.spec("a/evil.yaml", "openai")
    field.run("--once")

    assert field.reason("research/wanted") == "Cancelled"
    assert len(field.checkout.status("research/wanted").receipts) == 1
    assert field.checkout.status("a/evil").receipts == ()


@pytest.mark.parametrize(("provider", "reason"), [("openai", "InvalidProvider"), ("nowhere", "DuplicateJob")])
def test_a_spec_without_an_account_keeps_its_receipts_if_an_outsider_takes_its_name(
    field: Field, provider: str, reason: str
) -> None:
    field.spec("research/wanted.yaml", "research")
    field.run("--once", "--wait")
    field.document("zzz/provider.yaml", "research", "{type: openai}")
    field.spec("a/wanted.yaml", provider, name="wanted")
    field.run("--once")

    assert field.reason("research/wanted") == reason
    assert [each.outcome for each in field.checkout.status("research/wanted").receipts] == ["cancelled"]
    assert not (field.checkout.status_dir / "a").exists()


def test_an_outsiders_document_does_not_take_an_accounts_key_away(field: Field) -> None:
    host = field.sandbox.url.removeprefix("http://").partition("/")[0]
    field.document("research/provider.yaml", "research", "{type: openai, allowedPaths: [research/**]}")
    field.document(
        "zzz/provider.yaml", "evil", "{type: openai, credentials: {env: OTHER_KEY}, allowedPaths: [elsewhere/**]}"
    )
    field.spec("research/wanted.yaml", "research")
    field.spec("zzz/evil.yaml", "evil")
    ran = field.run("--once", OTHER_KEY="sk-of-another", RECONCILE_TRUST=f"OTHER_KEY={host}")

    assert field.cancels() == [field.job_id]
    assert ran.code == 65


@pytest.mark.parametrize("spelling", [each for each in SPELLINGS if "file" not in each and "variable" not in each])
def test_two_specs_of_one_job_under_two_account_spellings_are_duplicates(field: Field, spelling: str) -> None:
    url = field.sandbox.url
    name, document = SPELLINGS[spelling]
    field.document("research/provider.yaml", "research", f"{{type: openai, {FAST}, options: {{project: own}}}}")
    field.spec("research/wanted.yaml", "research", "observed")
    field.spec("other/evil.yaml", name)
    if document:
        text = document.replace("URL", url).replace("BASE", url.removesuffix("/v1"))
        field.document("other/provider.yaml", "evil", text)
    host = url.removeprefix("http://").partition("/")[0]
    ran = field.run("--once", RECONCILE_TRUST=f"OPENAI_API_KEY={host}")

    assert field.cancels() == []
    assert ran.code == 65
    assert {field.reason("research/wanted"), field.reason("other/evil")} == {"DuplicateJob"}


# Keys that would be sent to a host to which they are not bound


@pytest.fixture
def elsewhere() -> Iterator[socket.socket]:
    """Yield a socket that must receive no connection, and that never blocks a client."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        yield listener


def url_of(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("tenant", ["/v1/evil-tenant", "/v1/acme-evil", "/v1/ACME", "/v1", ""])
@pytest.mark.parametrize("bound", ["by the variable of the vendor", "by the operator"])
def test_a_key_is_not_sent_to_another_tenant_of_a_gateway(
    checkout: Checkout, elsewhere: socket.socket, tenant: str, bound: str
) -> None:
    ours = f"{url_of(elsewhere)}/v1/acme"
    trust = f"OPENAI_API_KEY={ours.removeprefix('http://')}"
    operator = {"OPENAI_BASE_URL": ours} if bound == "by the variable of the vendor" else {"RECONCILE_TRUST": trust}
    checkout.name_provider("main", f"baseUrl: {url_of(elsewhere)}{tenant}")
    checkout.want("runaway", "ftjob-1")
    ran = checkout.run("--once", **operator)

    assert ran.code == 78
    assert checkout.status("runaway").ready.reason == "HostNotTrusted"
    with pytest.raises(BlockingIOError):
        elsewhere.accept()


def test_a_credential_file_is_identified_by_its_resolved_path(
    checkout: Checkout, elsewhere: socket.socket, tmp_path_factory: pytest.TempPathFactory
) -> None:
    secrets = tmp_path_factory.mktemp("secrets")
    for team in ("a", "b"):
        (secrets / team).mkdir()
        (secrets / team / "key").write_text(f"sk-of-team-{team}", encoding="utf-8")
    (secrets / "b" / "inner").mkdir()
    (secrets / "a" / "link").symlink_to(secrets / "b" / "inner")
    named = secrets / "a" / "link" / ".." / "key"
    checkout.name_provider("main", f"baseUrl: {url_of(elsewhere)}/v1\n  credentials: {{file: {named}}}")
    checkout.want("runaway", "ftjob-1")
    trust = f"{secrets}/a/key={url_of(elsewhere).removeprefix('http://')}"
    ran = checkout.run("--once", RECONCILE_TRUST=trust, RECONCILE_SECRETS_DIR=str(secrets))

    assert ran.code == 78
    assert f"{secrets}/b/key is not bound to" in ran.out + ran.err
    with pytest.raises(BlockingIOError):
        elsewhere.accept()


def test_a_plugin_that_claims_a_built_in_types_variable_gets_no_key(
    checkout: Checkout, elsewhere: socket.socket, tmp_path_factory: pytest.TempPathFactory
) -> None:
    site = tmp_path_factory.mktemp("site")
    install(site, "cheeky", "OPENAI_API_KEY", f"{url_of(elsewhere)}/v1")
    checkout.want("runaway", "ftjob-1", provider="cheeky")
    ran = replace(checkout, plugins=[site]).run("--once")

    assert ran.code == 65
    assert "the provider type 'cheeky' of of_cheeky:TYPE claims OPENAI_API_KEY" in ran.out + ran.err
    with pytest.raises(BlockingIOError):
        elsewhere.accept()


@pytest.mark.sampled(1)
@pytest.mark.parametrize("address", ["", "http://169.254.169.254", "http://[fe80::1]"])
def test_a_type_without_credentials_sends_no_request_to_an_unbound_address(
    checkout: Checkout, elsewhere: socket.socket, tmp_path_factory: pytest.TempPathFactory, address: str
) -> None:
    site = tmp_path_factory.mktemp("site")
    install(site, "keyless", None, "https://keyless.example/v1")
    where = address or url_of(elsewhere)
    text = f"{{type: keyless, baseUrl: '{where}/v1'}}"
    checkout.write("provider.yaml", PROVIDER.format(name="evil", spec=text))
    checkout.want("runaway", "ftjob-1", provider="evil")
    ran = replace(checkout, plugins=[site]).run("--once", "--timeout", "0s")

    assert ran.code == 78
    assert f"keyless={'http://' if address else ''}{where.removeprefix('http://')}/v1" in ran.out + ran.err
    with pytest.raises(BlockingIOError):
        elsewhere.accept()


def test_the_bindings_that_several_accounts_need_are_printed_as_one_line(checkout: Checkout) -> None:
    for name in ("east", "west"):
        text = f"{{type: openai, baseUrl: 'https://{name}.example/v1', credentials: {{env: {name.upper()}_KEY}}}}"
        checkout.write(f"{name}/provider.yaml", PROVIDER.format(name=name, spec=text))
        checkout.write(f"{name}/{name}.yaml", SPEC.format(name=name, provider=name, job_id="ftjob-1", state="observed"))
    ran = checkout.run("--once")
    line = "EAST_KEY=east.example/v1,WEST_KEY=west.example/v1"
    mended = checkout.run("--once", "--timeout", "0s", RECONCILE_TRUST=line)

    assert ran.code == 78
    assert (ran.out + ran.err).count(f"RECONCILE_TRUST='{line}'") >= 2
    assert "HostNotTrusted" not in mended.out + mended.err


# Extreme texts and numbers


def test_a_glob_of_many_stars_is_matched_as_fast_as_any_other(checkout: Checkout) -> None:
    checkout.name_provider("main", f"allowedPaths: ['{'**/' * 24}x']")
    checkout.write(
        "/".join([*"abcdefghijk", "runaway.yaml"]),
        SPEC.format(name="runaway", provider="main", job_id="ftjob-1", state="cancelled"),
    )
    ran = checkout.run("validate")

    assert ran.code == 65
    assert "may be used only by files that match" in ran.out


def test_a_provider_document_has_a_bounded_number_of_globs(checkout: Checkout) -> None:
    checkout.name_provider("main", f"allowedPaths: [{', '.join(['a'] * 101)}]")
    ran = checkout.run("validate")

    assert ran.code == 65
    assert "spec.allowedPaths: must have at most 100 items" in ran.out


@pytest.mark.parametrize("interval", ["36500d", "25h"])
def test_the_interval_in_settings_has_an_upper_bound(checkout: Checkout, interval: str) -> None:
    checkout.write("settings.yaml", SETTINGS.format(spec=f"{{interval: {interval}}}"))
    ran = checkout.run("validate")

    assert ran.code == 65
    assert "spec.interval: must be at least 15s and at most 1d" in ran.out


@pytest.mark.parametrize("rate", ["0.000000001", "0.09"])
def test_the_rate_limit_of_an_account_has_a_lower_bound(checkout: Checkout, rate: str) -> None:
    checkout.write(
        "slow.yaml",
        "apiVersion: jobs.reconciler/v1\nkind: Provider\nmetadata: {name: slow}\n"
        f"spec: {{type: openai, rateLimit: {{requestsPerSecond: {rate}}}}}\n",
    )
    ran = checkout.run("validate")

    assert ran.code == 65
    assert "spec.rateLimit.requestsPerSecond: must be at least 0.1" in ran.out


@pytest.mark.parametrize("path", ["/v1;a=b", "/v1;", "/v%31", "/v1,x", "/v1/(a)", "/v1/'"])
def test_an_account_has_exactly_one_address(checkout: Checkout, path: str) -> None:
    host = checkout.environ["OPENAI_BASE_URL"].removesuffix("/v1")
    checkout.name_provider("main", f'baseUrl: "{host}{path}"')
    checkout.want("runaway", "ftjob-1")
    ran = checkout.run("--once")

    assert ran.code == 65
    assert "spec.baseUrl: the path of a base URL" in ran.out + ran.err


# Rules of the operator, which no file in the repository can change

RULED = """\
apiVersion: jobs.reconciler/v1
kind: OperatorConfig
spec:
  paths: [{credential: OPENAI_API_KEY, specs: [research/**]}]
"""


def ruled(tmp_path_factory: pytest.TempPathFactory, text: str = RULED) -> str:
    """Write the operator's file where no author of specs can write, and return its path."""
    file = tmp_path_factory.mktemp("etc") / "operator.yaml"
    file.write_text(text, encoding="utf-8")
    return str(file)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("state", ["no document", "a broken document", "a doubled document", "another's document"])
def test_accounts_that_the_operator_assigns_to_a_folder_cannot_be_reassigned_by_specs(
    field: Field, tmp_path_factory: pytest.TempPathFactory, spelling: str, state: str
) -> None:
    secrets = tmp_path_factory.mktemp("secrets")
    (secrets / "key").write_text(f"{KEY}\n", encoding="utf-8")
    (secrets / "link").symlink_to("key")
    url = field.sandbox.url
    base = url.removesuffix("/v1")
    name, document = SPELLINGS[spelling]
    if document:
        text = document.replace("URL", url).replace("BASE", base).replace("SECRETS", str(secrets))
        field.document("other/provider.yaml", "evil", text)
    if state == "no document":
        (field.checkout.specs / "research" / "provider.yaml").unlink()
    elif state == "a broken document":
        field.document("research/provider.yaml", "research", "{type: openai, colour: blue}")
    elif state == "a doubled document":
        field.document("zzz/provider.yaml", "research", "{type: openai}")
    else:
        field.document("research/provider.yaml", "research", "{type: openai}")
        field.document("zzz/provider.yaml", "theirs", "{type: openai, allowedPaths: [other/**]}")
    (mine,) = field.sandbox.create(1)
    field.spec("research/mine.yaml", "openai", job_id=mine)
    field.spec("other/evil.yaml", name)
    host = base.removeprefix("http://")
    bound = [f"{each}={host}" for each in ("OPENAI_API_KEY", "OTHER_NAME", secrets / "key", secrets / "link")]
    operator = {"OTHER_NAME": KEY, "RECONCILE_TRUST": ",".join(bound), "RECONCILE_SECRETS_DIR": str(secrets)}
    ran = field.run("--once", "--wait", "--config", ruled(tmp_path_factory), **operator)

    assert field.cancels() == []
    assert field.cancels(mine) == [mine]
    assert ran.code == 65
    assert field.reason("other/evil") == "InvalidSpec"
    assert "which the operator's file allows only for files that match research/**" in ran.out


def test_an_operator_file_among_the_specs_is_rejected(field: Field) -> None:
    field.spec("research/wanted.yaml", "research")
    field.checkout.write("operator.yaml", RULED)
    ran = field.run("--once", "--config", str(field.checkout.specs / "operator.yaml"))
    alone = field.run("validate")

    assert ran.code == 78
    assert "which spec authors can change" in ran.err
    assert field.cancels() == []
    assert alone.code == 65
    assert (
        "operator.yaml:2: kind: 'OperatorConfig' is not one of FineTuningJob, BatchJob, Provider, Settings" in alone.out
    )


@pytest.mark.parametrize("where", ["among the specs", "where others write"])
def test_bindings_in_a_file_writable_by_others_are_not_trusted(
    field: Field, tmp_path_factory: pytest.TempPathFactory, where: str
) -> None:
    field.spec("research/wanted.yaml", "research")
    directory = field.checkout.specs if where == "among the specs" else tmp_path_factory.mktemp("shared")
    bindings = directory / "trust.txt"
    bindings.write_text("OPENAI_API_KEY=gateway.example.org\n", encoding="utf-8")
    if where == "where others write":
        directory.chmod(0o777)
    ran = field.run("--once", "--trust", str(bindings))

    assert ran.code == 78
    assert ("which spec authors can change" if where == "among the specs" else "writable by other users") in ran.err
    assert field.cancels() == []


@pytest.mark.parametrize("verb", [("--once",), ("plan",), ("drift",), ("providers",)], ids=lambda verb: verb[0])
def test_an_invalid_operator_file_stops_every_command(
    field: Field, tmp_path_factory: pytest.TempPathFactory, verb: tuple[str, ...]
) -> None:
    field.spec("research/wanted.yaml", "research")
    config = ruled(tmp_path_factory, RULED.replace("paths:", "path:"))
    ran = field.run(*verb, "--config", config)
    checked = field.run("validate", "--config", config)

    assert ran.code == 78
    assert f"\n{config}:4: spec.path: unknown key" in ran.err
    assert field.cancels() == []
    assert checked.code == 65
    assert f"{config}:4: spec.path: unknown key" in checked.out
    assert "did you mean 'paths'?" in checked.out


def test_the_operator_file_can_be_set_by_its_variable_and_suspends_jobs(
    field: Field, tmp_path_factory: pytest.TempPathFactory
) -> None:
    field.spec("research/wanted.yaml", "research")
    field.checkout.write("settings.yaml", SETTINGS.format(spec="{suspend: false}"))
    config = ruled(tmp_path_factory, f"{RULED}  suspend: true\n")
    field.run("--once", RECONCILE_CONFIG=config)

    assert field.cancels() == []
    assert field.reason("research/wanted") == "Suspended"


def test_settings_can_tighten_but_not_loosen_the_operators_limits(
    field: Field, tmp_path_factory: pytest.TempPathFactory
) -> None:
    jobs = field.sandbox.create(6)
    for number, job_id in enumerate(jobs):
        field.spec(f"research/job-{number}.yaml", "research", job_id=job_id)
    field.checkout.write(
        "settings.yaml",
        SETTINGS.format(spec="{safety: {maxCancels: 99, maxCancelPercent: 100, maxCancelsAbsolute: 99}}"),
    )
    limits = "  safety: {credentials: {OPENAI_API_KEY: {maxCancels: 2, maxCancelPercent: 0}}}\n"
    ran = field.run("--once", "--config", ruled(tmp_path_factory, RULED + limits), "--max-cancels", "50")

    assert ran.code == 3
    assert field.cancels(*jobs) == []
    assert "the limit per hour is the larger of 2 and 0 %" in ran.err


def test_the_limits_of_a_credential_apply_under_any_provider_name(
    field: Field, tmp_path_factory: pytest.TempPathFactory
) -> None:
    jobs = field.sandbox.create(3)
    field.document("other/provider.yaml", "evil", f"{{type: openai, credentials: {{env: A_NAME}}, {FAST}}}")
    (field.checkout.specs / "research" / "provider.yaml").unlink()
    for number, job_id in enumerate(jobs):
        field.spec(f"other/job-{number}.yaml", "evil", job_id=job_id)
    limits = "apiVersion: jobs.reconciler/v1\nkind: OperatorConfig\nspec:\n"
    limits += "  safety: {credentials: {OPENAI_API_KEY: {maxCancels: 2, maxCancelPercent: 0}}}\n"
    host = field.sandbox.url.removeprefix("http://").partition("/")[0]
    config = ruled(tmp_path_factory, limits)
    ran = field.run("--once", "--config", config, A_NAME=KEY, RECONCILE_TRUST=f"A_NAME={host}")

    assert ran.code == 3
    assert field.cancels(*jobs) == []


def test_trusted_hosts_in_the_operator_file_work_like_the_variable(
    checkout: Checkout, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (job_id,) = sandbox.create(1)
    checkout.name_provider("main", f"baseUrl: {sandbox.url}\n  credentials: {{env: OTHER_KEY}}")
    checkout.want("runaway", job_id)
    host = sandbox.url.removeprefix("http://")
    file = tmp_path_factory.mktemp("etc") / "operator.yaml"
    file.write_text(
        f"apiVersion: jobs.reconciler/v1\nkind: OperatorConfig\nspec: {{trust: {{OTHER_KEY: ['{host}']}}}}\n",
        encoding="utf-8",
    )
    without = checkout.run("--once", OTHER_KEY=KEY)
    ran = checkout.run("--once", "--wait", "--config", str(file), OTHER_KEY=KEY)

    assert (without.code, ran.code) == (78, 0)
    assert sandbox.cancels(job_id) == [job_id]
