"""The proxies and certificates that the environment configures."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from reconciler.network_env import AUTHORITIES, is_direct, proxy_to, tls_context
from tests.support.certificates import an_authority


@pytest.mark.parametrize(
    ("no_proxy", "host", "port"),
    [
        ("*", "api.openai.com", 443),
        ("openai.com", "openai.com", 443),
        ("openai.com", "api.openai.com", 443),
        (".openai.com", "api.openai.com", 443),
        (".openai.com", "openai.com", 443),
        ("*.openai.com", "api.openai.com", 443),
        ("OpenAI.com", "api.openai.com", 443),
        ("a.example, openai.com", "api.openai.com", 443),
        ("a.example openai.com", "api.openai.com", 443),
        ("openai.com:443", "api.openai.com", 443),
        ("10.1.2.3", "10.1.2.3", 443),
        ("10.1.2.3:8443", "10.1.2.3", 8443),
        ("10.0.0.0/8", "10.1.2.3", 443),
        ("10.1.2.3/8", "10.200.2.3", 443),
        ("fe11::/16", "fe11::1", 443),
        ("[fe11::]/16,fe11::1", "fe11::1", 443),
        ("[fe11::1]", "fe11::1", 443),
        ("[fe11::1]:8443", "fe11::1", 8443),
        ("FE11:0:0::1", "fe11::1", 443),
        ("", "localhost", 443),
        ("", "127.0.0.2", 443),
        ("", "::1", 443),
    ],
)
def test_a_host_listed_in_no_proxy_is_reached_directly(no_proxy: str, host: str, port: int) -> None:
    assert is_direct(host, port, {"NO_PROXY": no_proxy})


@pytest.mark.parametrize(
    ("no_proxy", "host", "port"),
    [
        ("", "api.openai.com", 443),
        ("openai.com", "notopenai.com", 443),
        ("api.openai.com", "openai.com", 443),
        ("openai.com:80", "api.openai.com", 443),
        ("10.0.0.0/8", "11.1.2.3", 443),
        ("10.1.2.3:8443", "10.1.2.3", 443),
        ("[fe11::1]:8443", "fe11::1", 443),
        ("fe11::/16", "fe12::1", 443),
        ("[::1,fe80::/999,/8,:,.,[],10.0.0.0/99", "api.openai.com", 443),
        ("::/0", "10.1.2.3", 443),
    ],
)
def test_another_host_uses_the_proxy_and_invalid_no_proxy_entries_are_ignored(
    no_proxy: str, host: str, port: int
) -> None:
    assert not is_direct(host, port, {"NO_PROXY": no_proxy})


def test_the_lowercase_variable_takes_precedence_as_in_curl() -> None:
    assert not is_direct("api.openai.com", 443, {"no_proxy": "", "NO_PROXY": "*"})


@pytest.mark.parametrize(
    ("name", "text", "url"),
    [
        ("HTTPS_PROXY", "http://proxy.example:3128", "http://proxy.example:3128"),
        ("https_proxy", "proxy.example:3128", "http://proxy.example:3128"),
        ("ALL_PROXY", "socks5h://u:p@proxy.example", "socks5h://u:p@proxy.example"),
    ],
)
def test_a_proxy_is_read_from_the_proxy_variables(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, url: str
) -> None:
    monkeypatch.setenv(name, text)
    proxy = proxy_to("https://api.openai.com/v1", {})

    assert proxy is not None
    assert (proxy.url, proxy.host) == (url, "proxy.example")
    assert proxy_to("http://api.openai.com/v1", {}) is None
    assert proxy_to("https://api.openai.com/v1", {"NO_PROXY": "openai.com"}) is None


@pytest.mark.parametrize(
    "text",
    [
        "ftp://canary",
        "http://?canary",
        "http://[::canary",
        "http://-canary[::1]",
        "http://canary][::1",
        "canary:70000",
        "http://canary:0",
        "http://canary..пр:3128",
        "http://user:pass@canary#word@proxy.example:3128",
        "http://user:pass@canary@proxy.example:3128",
        "http://user:1/canary@proxy.example:3128",
        "http://proxy.example:3128/canary",
    ],
)
def test_the_error_for_an_invalid_proxy_does_not_contain_its_address(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", text)
    with pytest.raises(ValueError, match="HTTPS_PROXY or ALL_PROXY") as caught:
        proxy_to("https://api.openai.com/v1", {})

    assert "canary" not in str(caught.value)


def names_of(context: ssl.SSLContext | None) -> set[str]:
    assert context is not None
    subjects: list[Any] = [each["subject"] for each in context.get_ca_certs()]
    return {value for subject in subjects for ((_, value),) in subject}


@pytest.mark.parametrize("variable", AUTHORITIES)
@pytest.mark.parametrize("is_directory", [False, True], ids=["file", "directory"])
def test_each_certificate_variable_accepts_a_file_or_a_directory(
    tmp_path: Path, variable: str, *, is_directory: bool
) -> None:
    file = an_authority("One", tmp_path)

    assert names_of(tls_context({variable: str(tmp_path if is_directory else file)})) == {"One"}


def test_the_certificates_of_all_variables_are_trusted(tmp_path: Path) -> None:
    one, other, third = (tmp_path / name for name in ("one", "other", "third"))
    for directory in (one, other, third):
        directory.mkdir()
    named = {
        "SSL_CERT_FILE": str(an_authority("One", one)),
        "SSL_CERT_DIR": f"{an_authority('Other', other).parent}:{an_authority('Third', third).parent}",
        "REQUESTS_CA_BUNDLE": str(an_authority("Fourth", tmp_path)),
    }

    assert names_of(tls_context(named)) == {"One", "Other", "Third", "Fourth"}


def test_an_empty_certificate_variable_creates_no_tls_context() -> None:
    assert tls_context({"SSL_CERT_FILE": ""}) is None


@pytest.mark.parametrize("text", [None, "", "no certificate"])
def test_the_error_for_unreadable_certificates_names_the_variable_but_not_its_value(
    tmp_path: Path, text: str | None
) -> None:
    file = tmp_path / "authority.pem"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(OSError, match="the certificates that SSL_CERT_FILE names cannot be read") as caught:
        tls_context({"SSL_CERT_FILE": str(file)})

    assert str(file) not in str(caught.value)
