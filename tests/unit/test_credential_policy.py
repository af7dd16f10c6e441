from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from reconciler.errors import Kind, PermanentError
from reconciler.local.credential_policy import Trust, normalise_base_url
from reconciler.local.credentials import EnvCredentials, FileCredentials, NoCredentials, canonical_file
from reconciler.model.spec import CredentialSource
from reconciler.ports import Credentials, NotBound
from reconciler.providers import load

OPENAI = load("openai")
NO_OPTIONS = OPENAI.options()
USUAL = None
HOME = "https://api.openai.com/v1"


def env(variable: str) -> CredentialSource:
    return CredentialSource(env=variable)


def file(path: str) -> CredentialSource:
    return CredentialSource(file=path)


def verdict(stated: str, source: CredentialSource | None, base_url: str, **environ: str) -> str | None:
    trust = Trust.read({"RECONCILE_TRUST": stated, **environ}, {})
    found = trust.check(OPENAI, NO_OPTIONS, source, base_url)
    return None if found is None else found.message(())


@pytest.mark.parametrize("source", [USUAL, env("OPENAI_API_KEY")])
@pytest.mark.parametrize("base_url", [HOME, "https://API.OpenAI.com:443/v1", "https://api.openai.com./v1"])
def test_the_default_key_may_be_sent_to_the_default_host_of_its_type(
    source: CredentialSource | None, base_url: str
) -> None:
    assert verdict("", source, base_url) is None


@pytest.mark.parametrize(
    ("source", "base_url"),
    [
        (USUAL, "https://evil.example/v1"),
        (USUAL, "https://api.openai.com.evil.example/v1"),
        (USUAL, "https://evil-api.openai.com/v1"),
        (USUAL, "https://openai.com/v1"),
        (USUAL, "https://api.openai.com:8443/v1"),
        (USUAL, "http://api.openai.com/v1"),
        (USUAL, "http://api.openai.com:443/v1"),
        (USUAL, "https://api.openai.com@evil.example/v1"),
        (USUAL, "https://evil.example\\@api.openai.com/v1"),
        (USUAL, "https://api.openai.com\t.evil.example/v1"),
        (USUAL, "http://127.0.0.1:8080/v1"),
        (USUAL, "http://localhost:8080/v1"),
        (env("AWS_SECRET_ACCESS_KEY"), HOME),
        (env("openai_api_key"), HOME),
        (file("/run/secrets/openai"), HOME),
    ],
)
def test_a_secret_cannot_be_sent_to_a_host_without_a_binding(source: CredentialSource | None, base_url: str) -> None:
    assert verdict("", source, base_url)


@pytest.mark.parametrize(
    ("stated", "source", "base_url"),
    [
        ("OPENAI_API_KEY=llm.example", USUAL, "https://llm.example/v1"),
        ("OPENAI_API_KEY=LLM.example.", USUAL, "https://llm.example/v1"),
        ("OPENAI_API_KEY=llm.example:8443", USUAL, "https://llm.example:8443"),
        ("A=a.example, B=b.example\nOPENAI_API_KEY=llm.example", USUAL, "https://llm.example"),
        ("TEAM_KEY=api.openai.com", env("TEAM_KEY"), HOME),
        ("/run/secrets/key=api.openai.com", file("/run/secrets/key"), HOME),
        ("/run/secrets/./key=api.openai.com", file("/run/secrets/team/../key"), HOME),
        ("OPENAI_API_KEY=localhost:4000", USUAL, "http://localhost:4000"),
        ("OPENAI_API_KEY=localhost", USUAL, "http://localhost"),
        ("OPENAI_API_KEY=127.0.0.1:4000", USUAL, "http://127.0.0.1:4000"),
        ("OPENAI_API_KEY=[::1]:4000", USUAL, "http://[::1]:4000"),
        ("OPENAI_API_KEY=http://llm.internal:4000", USUAL, "http://llm.internal:4000/v1"),
        ("OPENAI_API_KEY=xn--bcher-kva.example", USUAL, "https://xn--bcher-kva.example"),
    ],
)
def test_a_credential_may_be_sent_to_a_host_that_the_operator_bound(
    stated: str, source: CredentialSource | None, base_url: str
) -> None:
    assert verdict(stated, source, base_url) is None


@pytest.mark.parametrize(
    ("stated", "source", "base_url"),
    [
        ("OPENAI_API_KEY=llm.example", USUAL, "https://llm.example:8443"),
        ("OPENAI_API_KEY=llm.example:8443", USUAL, "https://llm.example"),
        ("OPENAI_API_KEY=llm.example", USUAL, "https://sub.llm.example"),
        ("OPENAI_API_KEY=llm.example", env("OTHER"), "https://llm.example"),
        ("OPENAI_API_KEY=llm.example:4000", USUAL, "http://llm.example:4000"),
        ("OPENAI_API_KEY=http://llm.example:4000", USUAL, "https://llm.example:4000"),
        ("OPENAI_API_KEY=localhost:4000", USUAL, "http://127.0.0.1:4000"),
        ("/run/secrets/key=llm.example", file("/run/secrets/other"), "https://llm.example"),
    ],
)
def test_a_binding_does_not_cover_another_host_port_scheme_or_credential(
    stated: str, source: CredentialSource | None, base_url: str
) -> None:
    assert verdict(stated, source, base_url)


@pytest.mark.parametrize("vendor_url", ["https://llm.example/v1", "http://localhost:4000/v1"])
def test_the_vendors_url_variable_binds_only_the_default_key(vendor_url: str) -> None:
    usual = verdict("", USUAL, vendor_url, OPENAI_BASE_URL=vendor_url)
    other = verdict("", env("OTHER_KEY"), vendor_url, OPENAI_BASE_URL=vendor_url)

    assert usual is None
    assert other is not None


def test_an_invalid_vendor_url_binds_no_key() -> None:
    assert verdict("", USUAL, "https://llm.example", OPENAI_BASE_URL="llm.example")


@pytest.mark.parametrize(
    ("base_url", "needed"),
    [
        ("https://evil.example/v1", "'OPENAI_API_KEY=evil.example/v1'"),
        ("https://evil.example:8443/v1/", "'OPENAI_API_KEY=evil.example:8443/v1'"),
        ("http://evil.example/v1", "'OPENAI_API_KEY=http://evil.example/v1'"),
        ("https://evil.example", "'OPENAI_API_KEY=evil.example'"),
        ("http://localhost:4000", "'OPENAI_API_KEY=localhost:4000'"),
    ],
)
def test_the_error_for_an_unbound_host_names_the_setting_that_would_allow_it(base_url: str, needed: str) -> None:
    said = verdict("", USUAL, base_url)

    assert said is not None
    assert f"RECONCILE_TRUST={needed}" in said
    assert verdict(needed.strip("'"), USUAL, base_url) is None


@pytest.mark.parametrize(
    ("stated", "base_url", "is_trusted"),
    [
        ("", "http://sandbox.localhost/v1", True),
        ("", "http://169.254.169.254/latest", False),
        ("", "http://[fe80::1]/v1", False),
        ("", "https://intranet.example/v1", False),
        ("sandbox=intranet.example", "https://intranet.example/v1", True),
        ("sandbox=intranet.example/v1", "https://intranet.example/v2", False),
    ],
)
def test_a_type_without_a_key_is_allowed_at_its_own_host_and_at_bound_hosts(
    stated: str, base_url: str, *, is_trusted: bool
) -> None:
    trust = Trust.read({"RECONCILE_TRUST": stated}, {})

    assert (trust.check(load("sandbox"), NO_OPTIONS, None, base_url) is None) == is_trusted


@pytest.mark.parametrize(
    ("path", "is_trusted"),
    [
        ("/v1/acme", True),
        ("/v1/acme/", True),
        ("/v1/acme/openai", True),
        ("/v1/evil", False),
        ("/v1/acme-evil", False),
        ("/v1/acm", False),
        ("/v1/ACME", False),
        ("/v1", False),
        ("", False),
        ("/evil/v1/acme", False),
    ],
)
def test_a_binding_with_a_path_covers_only_that_path(path: str, *, is_trusted: bool) -> None:
    url = f"https://gateway.example{path}"

    assert (verdict("OPENAI_API_KEY=gateway.example/v1/acme", USUAL, url) is None) == is_trusted
    assert (verdict("OPENAI_API_KEY=gateway.example/v1/acme/", USUAL, url) is None) == is_trusted
    assert (verdict("", USUAL, url, OPENAI_BASE_URL="https://gateway.example/v1/acme") is None) == is_trusted
    assert verdict("OPENAI_API_KEY=gateway.example", USUAL, url) is None


def test_a_credential_file_is_bound_by_the_target_of_its_links(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "key").write_text(name, encoding="utf-8")
    (tmp_path / "a" / "link").symlink_to(tmp_path / "b")
    stated = f"{tmp_path}/a/key=api.openai.com"

    assert verdict(stated, file(f"{tmp_path}/a/../a/key"), HOME) is None
    assert verdict(stated, file(f"{tmp_path}/a/link/../key"), HOME)
    assert verdict(stated, file(f"{tmp_path}/a/link/key"), HOME)
    assert verdict(f"{tmp_path}/a/link/key=api.openai.com", file(f"{tmp_path}/b/key"), HOME) is None


def test_the_error_for_an_unbound_host_lists_the_bindings_of_other_accounts() -> None:
    one = NotBound("A is not bound", "RECONCILE_TRUST", "A=a.example")
    told = one.message(["B=b.example", "A=a.example"])

    assert told == (
        "A is not bound; to allow that, the operator sets RECONCILE_TRUST='A=a.example,B=b.example', "
        "in addition to its current value; commas separate pairs"
    )
    assert "B=b.example" not in one.message(["B=b.example" * 100])


def test_a_trust_file_adds_bindings_and_may_contain_comments() -> None:
    text = "# what we run ourselves\n\nTEAM_KEY = llm.example:8443   # the gateway\n/run/secrets/my key=llm.example\n"
    trust = Trust.read({}, {"trust.txt": text})

    assert trust.check(OPENAI, NO_OPTIONS, env("TEAM_KEY"), "https://llm.example:8443") is None
    assert trust.check(OPENAI, NO_OPTIONS, file("/run/secrets/my key"), "https://llm.example") is None
    assert trust.check(OPENAI, NO_OPTIONS, env("TEAM_KEY"), "https://llm.example") is not None


@pytest.mark.parametrize(
    "line",
    [
        "llm.example",
        "KEY=",
        "=llm.example",
        "KEY=llm.example/a//b",
        "KEY=llm.example/../b",
        "KEY=ftp://x",
        "KEY=a b",
        "KEY=x:99999",
    ],
)
def test_an_invalid_binding_is_reported_with_its_file_and_line(line: str) -> None:
    with pytest.raises(ValueError, match=r"^trust.txt:2: "):
        Trust.read({}, {"trust.txt": f"# first\n{line}\n"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://api.openai.com/v1", HOME),
        ("HTTPS://API.OpenAI.Com:443/v1/", HOME),
        ("https://api.openai.com./v1", HOME),
        ("https://llm.example", "https://llm.example"),
        ("https://llm.example:443/", "https://llm.example"),
        ("http://llm.example:80/V1", "http://llm.example/V1"),
        ("https://llm.example:08443", "https://llm.example:8443"),
        ("https://XN--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("http://[::0001]:4000/v1", "http://[::1]:4000/v1"),
    ],
)
def test_every_spelling_of_a_base_url_is_normalised_to_the_same_url(text: str, expected: str) -> None:
    assert normalise_base_url(text) == expected
    assert normalise_base_url(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "api.openai.com",
        "//api.openai.com",
        "ftp://api.openai.com",
        "https://",
        "https://user:canary@api.openai.com",
        "https://@api.openai.com",
        "https://api.openai.com?key=canary",
        "https://api.openai.com#canary",
        "https://api.openai.com/v1/../canary",
        "https://api.openai.com/v1/%2e%2e/canary",
        "https://api.openai.com//canary",
        "https://api openai.com/canary",
        "https://api.openai.com\\canary",
        "https://api.openai.com/canary\n",
        "https://api.openai.com:0/canary",
        "https://api.openai.com:99999/canary",
        "https://-canary-.example",
        "https://can%61ry.example",
        "https://api.openai.com/%763/canary",
        "https://api.openai.com/ü/canary",
        "https://canaryß.example",
        "https://[::1/canary",
    ],
)
def test_the_error_for_an_invalid_base_url_does_not_repeat_it(text: str) -> None:
    with pytest.raises(ValueError, match="base URL") as caught:
        normalise_base_url(text)

    assert "canary" not in str(caught.value)


def token(credentials: Credentials) -> str:
    return asyncio.run(credentials.token())


def refusal(credentials: Credentials) -> str:
    with pytest.raises(PermanentError) as caught:
        token(credentials)
    assert caught.value.kind is Kind.MISSING
    return str(caught.value)


def test_a_rotated_variable_is_read_again() -> None:
    environ = {"KEY": "first"}
    credentials = EnvCredentials("KEY", environ)
    first = token(credentials)
    environ["KEY"] = "second"

    assert (first, token(credentials)) == ("first", "second")


@pytest.mark.parametrize("environ", [{}, {"KEY": ""}])
def test_the_error_for_a_missing_variable_names_it(environ: dict[str, str]) -> None:
    assert refusal(EnvCredentials("KEY", environ)).startswith("KEY is not set")


@pytest.mark.parametrize("secret", ["canary\n", "canary\r\nX: y", "can ary", "canäry", "canary\x00"])
def test_the_error_for_a_secret_that_is_invalid_in_a_header_does_not_contain_it(secret: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(f"{secret}\n", encoding="utf-8")
    said = refusal(EnvCredentials("KEY", {"KEY": secret})) + refusal(FileCredentials(path, (tmp_path,)))

    assert "KEY" in said
    assert "can" not in said.replace(str(path), "")


@pytest.mark.parametrize("text", ["s3cret", "s3cret\n", "s3cret\r\n"])
def test_a_credential_file_may_end_with_a_line_break(text: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(text.encode())

    assert token(FileCredentials(path, (tmp_path,))) == "s3cret"


def test_a_mounted_secret_is_read_again_when_its_links_are_rotated(tmp_path: Path) -> None:
    for version in ("1", "2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "key").write_text(version)
    (tmp_path / "..data").symlink_to("1")
    (tmp_path / "key").symlink_to("..data/key")
    credentials = FileCredentials(tmp_path / "key", (tmp_path,))
    before = token(credentials)
    (tmp_path / "..data").unlink()
    (tmp_path / "..data").symlink_to("2")

    assert (before, token(credentials)) == ("1", "2")


@pytest.mark.parametrize("name", ["outside", "allowed/link", "allowed/../outside"])
def test_a_file_outside_the_allowed_directories_is_not_read(name: str, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("canary")
    (tmp_path / "allowed").mkdir()
    (tmp_path / "allowed" / "link").symlink_to(tmp_path / "outside")

    assert "is not read, because after links are followed it is neither below" in refusal(
        FileCredentials(tmp_path / name, (tmp_path / "allowed",))
    )


def test_the_error_for_an_unusable_credential_file_says_why(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "loop").symlink_to("loop")
    said = {name: refusal(FileCredentials(tmp_path / name, (tmp_path,))) for name in ("gone", "empty", "loop", ".")}

    assert "No such file" in said["gone"]
    assert "is empty" in said["empty"]
    assert "cannot be read" in said["loop"]
    assert "not a regular file" in said["."]


def test_a_file_of_a_kubernetes_volume_keeps_its_canonical_path_after_a_rotation(tmp_path: Path) -> None:
    for version in ("..1", "..2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "key").write_text(f"key{version}", encoding="utf-8")
    (tmp_path / "key").symlink_to("..data/key")
    named, read = [], []
    for version in ("..1", "..2"):
        (tmp_path / "..data").unlink(missing_ok=True)
        (tmp_path / "..data").symlink_to(version)
        named.append(canonical_file(f"{tmp_path}/key"))
        read.append(token(FileCredentials(tmp_path / "key", (tmp_path,), named[0])))

    assert named == [f"{tmp_path}/key"] * 2
    assert read == ["key..1", "key..2"]


def test_the_canonical_path_of_a_file_resolves_links_before_two_dots(tmp_path: Path) -> None:
    for name in ("a", "b/inner"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("a", "b"):
        (tmp_path / name / "key").write_text(f"key-of-{name}", encoding="utf-8")
    (tmp_path / "a/link").symlink_to("../b/inner")
    (tmp_path / "a/other").symlink_to("../b/key")

    assert canonical_file(f"{tmp_path}/a/link/../key") == f"{tmp_path}/b/key"
    assert canonical_file(f"{tmp_path}/a/other") == f"{tmp_path}/b/key"
    assert canonical_file(f"{tmp_path}/a//./key") == f"{tmp_path}/a/key"
    assert canonical_file(f"{tmp_path}/a/none") == f"{tmp_path}/a/none"


def test_a_credential_file_whose_target_changed_since_the_check_is_not_read(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "key").write_text(f"key-of-{name}", encoding="utf-8")
    (tmp_path / "link").symlink_to("a")
    credentials = FileCredentials(tmp_path / "link/key", (tmp_path,), canonical_file(f"{tmp_path}/link/key"))
    before = token(credentials)
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("b")

    assert before == "key-of-a"
    assert "changed its target" in refusal(credentials)


def test_the_token_of_no_credentials_is_the_empty_string() -> None:
    assert token(NoCredentials()) == ""
