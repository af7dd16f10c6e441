from __future__ import annotations

import base64
from pathlib import Path

import pytest

from reconciler.cli.url_password import without_password
from reconciler.git.remote_credentials import RemoteCredentials, split_url
from reconciler.local.credential_policy import Trust

TOKEN = "canary-token-123456"  # noqa: S105  a canary


def sent(access: RemoteCredentials) -> str:
    """Return the user and the token in the header that Git is configured to send."""
    header = access.environment()["GIT_CONFIG_VALUE_0"]
    return base64.b64decode(header.rpartition(" ")[2]).decode()


def test_a_token_is_passed_in_the_environment_and_redirects_are_disabled() -> None:
    environment = RemoteCredentials("https://git.example/specs.git", token=TOKEN).environment()

    assert environment["GIT_CONFIG_COUNT"] == "2"
    assert environment["GIT_CONFIG_KEY_0"] == "http.extraHeader"
    assert (environment["GIT_CONFIG_KEY_1"], environment["GIT_CONFIG_VALUE_1"]) == ("http.followRedirects", "false")


def test_git_settings_already_in_the_environment_are_kept() -> None:
    environment = RemoteCredentials("https://git.example/specs.git", token=TOKEN).environment(3)

    assert environment["GIT_CONFIG_COUNT"] == "5"
    assert "GIT_CONFIG_KEY_2" not in environment
    assert environment["GIT_CONFIG_KEY_3"] == "http.extraHeader"


def test_no_git_setting_is_added_without_a_secret() -> None:
    assert RemoteCredentials("git@git.example:specs.git").environment() == {}


@pytest.mark.parametrize(
    ("url", "token", "expected"),
    [
        ("https://git.example/specs.git", TOKEN, f"x-access-token:{TOKEN}"),
        (f"https://ada:{TOKEN}@git.example/specs.git", None, f"ada:{TOKEN}"),
        ("https://oauth2@git.example/specs.git", TOKEN, f"oauth2:{TOKEN}"),
        ("https://ada:old@git.example/specs.git", TOKEN, f"ada:{TOKEN}"),
        (f"https://ada%40example.org:{TOKEN}@git.example/specs.git", None, f"ada@example.org:{TOKEN}"),
    ],
)
def test_a_secret_is_removed_from_the_url_and_sent_as_a_header(url: str, token: str | None, expected: str) -> None:
    bare, user, password = split_url(url)

    assert bare == "https://git.example/specs.git"
    assert sent(RemoteCredentials(bare, user, token=token or password)) == expected


@pytest.mark.parametrize("url", ["git@git.example:specs.git", "ssh://git@git.example/specs.git", "/srv/specs.git"])
def test_an_ssh_url_or_a_path_is_not_changed(url: str) -> None:
    assert split_url(url) == (url, None, None)


def test_a_token_file_is_read_again_so_that_a_renewed_token_is_used(tmp_path: Path) -> None:
    file = tmp_path / "token"
    access = RemoteCredentials("https://git.example/specs.git", file=file)
    file.write_text("first\n")
    first = sent(access)
    file.write_text("second\n")

    assert (first, sent(access)) == ("x-access-token:first", "x-access-token:second")


def test_a_token_echoed_by_the_remote_is_redacted() -> None:
    access = RemoteCredentials("https://git.example/specs.git", token=TOKEN)
    basic = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()

    assert access.redact(f"remote: {TOKEN} or {basic}") == "remote: *** or ***"
    assert TOKEN not in repr(access)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (["--git-url", f"https://ada:{TOKEN}@git.example/a"], ["--git-url", "https://git.example/a"]),
        ([f"--git-url=https://{TOKEN}@git.example/a"], ["--git-url=https://git.example/a"]),
        ([f"--git-url=https://ada:{TOKEN}@git.example/a=b"], ["--git-url=https://git.example/a=b"]),
    ],
)
def test_the_password_in_a_git_url_is_removed_from_the_shown_command(given: list[str], shown: list[str]) -> None:
    before, after = ["python", "-m", "reconciler", "--once"], ["--push"]

    assert without_password([*before, *given, *after]) == (
        [*before, *shown, *after],
        given[-1].removeprefix("--git-url="),
    )


@pytest.mark.parametrize(
    "given",
    [
        ["--git-url", "https://git.example/a"],
        ["--git-url", "git@git.example:a"],
        ["--git-url", "ssh://git@git.example/a"],
        ["--git-url"],
        ["--git-url=https://[/a@b"],
        ["--heartbeat-url", "https://ada:b@git.example/a"],
    ],
)
def test_a_command_without_a_password_in_its_git_url_is_not_changed(given: list[str]) -> None:
    assert without_password(given) == (given, None)


@pytest.mark.parametrize(
    ("url", "bound", "may"),
    [
        ("https://git.example/a", "", True),
        ("git@git.example:a", "", True),
        ("http://127.0.0.1:8080/a", "", True),
        ("http://localhost/a", "", True),
        ("http://git.example/a", "", False),
        ("http://git.example/a", "RECONCILE_GIT_TOKEN=git.example", False),
        ("http://git.example/a", "RECONCILE_GIT_TOKEN=http://git.example", True),
        ("http://git.example:3000/a%20b.git", "RECONCILE_GIT_TOKEN=http://git.example:3000", True),
        ("http://git.example/a", "OPENAI_API_KEY=http://git.example", False),
        ("http://[/a", "", False),
    ],
)
def test_plain_http_is_allowed_for_a_token_only_to_loopback_or_a_trusted_url(url: str, bound: str, may: bool) -> None:  # noqa: FBT001
    refused = Trust.read({"RECONCILE_TRUST": bound}, {}).check_plain("RECONCILE_GIT_TOKEN", url)

    assert (refused is None) is may
