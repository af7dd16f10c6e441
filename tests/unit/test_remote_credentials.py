from __future__ import annotations

import base64
from pathlib import Path

import pytest

from reconciler.git.remote_credentials import GitAccess, split_url

TOKEN = "canary-token-123456"  # noqa: S105  a canary


def sent(access: GitAccess) -> str:
    """Return the user and the token that Git is told to send."""
    header = access.environment()["GIT_CONFIG_VALUE_0"]
    return base64.b64decode(header.rpartition(" ")[2]).decode()


def test_a_token_goes_by_the_environment_and_follows_no_redirect() -> None:
    environment = GitAccess("https://git.example/specs.git", token=TOKEN).environment()

    assert environment["GIT_CONFIG_COUNT"] == "2"
    assert environment["GIT_CONFIG_KEY_0"] == "http.extraHeader"
    assert (environment["GIT_CONFIG_KEY_1"], environment["GIT_CONFIG_VALUE_1"]) == ("http.followRedirects", "false")


def test_settings_that_are_in_the_environment_stay() -> None:
    environment = GitAccess("https://git.example/specs.git", token=TOKEN).environment(3)

    assert environment["GIT_CONFIG_COUNT"] == "5"
    assert "GIT_CONFIG_KEY_2" not in environment
    assert environment["GIT_CONFIG_KEY_3"] == "http.extraHeader"


def test_without_a_secret_git_is_told_nothing() -> None:
    assert GitAccess("git@git.example:specs.git").environment() == {}


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
def test_a_secret_in_a_url_is_taken_out_of_it(url: str, token: str | None, expected: str) -> None:
    bare, user, password = split_url(url)

    assert bare == "https://git.example/specs.git"
    assert sent(GitAccess(bare, user, token=token or password)) == expected


@pytest.mark.parametrize("url", ["git@git.example:specs.git", "ssh://git@git.example/specs.git", "/srv/specs.git"])
def test_other_urls_stay_as_they_are(url: str) -> None:
    assert split_url(url) == (url, None, None)


def test_a_file_is_read_anew_so_that_a_renewed_token_is_used(tmp_path: Path) -> None:
    file = tmp_path / "token"
    access = GitAccess("https://git.example/specs.git", file=file)
    file.write_text("first\n")
    first = sent(access)
    file.write_text("second\n")

    assert (first, sent(access)) == ("x-access-token:first", "x-access-token:second")


def test_what_a_remote_echoes_is_told_without_the_secret() -> None:
    access = GitAccess("https://git.example/specs.git", token=TOKEN)
    basic = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()

    assert access.strike(f"remote: {TOKEN} or {basic}") == "remote: *** or ***"
    assert TOKEN not in repr(access)
