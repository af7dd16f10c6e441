"""`reconcile init`: an empty repository becomes one that works, and nothing that exists is overwritten."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reconciler.model.exit_code import ExitCode
from tests.support.cli import Checkout

FILES = (
    "specs/provider.yaml",
    "specs/settings.yaml",
    "specs/example.yaml",
    "operator.example.yaml",
    ".github/workflows/plan.yml",
    ".github/workflows/reconcile.yml",
)


@pytest.fixture
def author(tmp_path: Path) -> Checkout:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    return Checkout(tmp_path)


def written(author: Checkout) -> dict[str, str]:
    return {file: (author.root / file).read_text() for file in FILES if (author.root / file).exists()}


def test_after_init_the_next_steps_cancel_the_example(author: Checkout) -> None:
    ran = author.run("init")

    assert ran.code == ExitCode.OK, ran.err
    assert set(written(author)) == set(FILES)
    assert author.run("validate").out == "Everything is valid.\n"
    assert "Plan: 1 to cancel." in author.run("plan").out
    assert author.run("--once", "--wait").code == ExitCode.OK
    assert "cancelled, final" in author.run("describe", "example").out


def test_a_second_init_keeps_every_file(author: Checkout) -> None:
    author.run("init")
    for file in FILES:
        (author.root / file).write_text(f"# {file}, edited\n")
    ran = author.run("init", "--provider", "openai")

    assert ran.code == ExitCode.OK
    assert written(author) == {file: f"# {file}, edited\n" for file in FILES}
    assert ran.out.count("exists, and is kept") == len(FILES)


def test_init_adds_nothing_to_a_directory_that_contains_documents(author: Checkout) -> None:
    author.name_provider("main")
    ran = author.run("init")

    assert ran.code == ExitCode.OK
    assert set(written(author)) == set(FILES[3:])
    assert ran.out.count("not written, because the directory already contains documents") == 3


def test_a_link_is_not_followed_and_not_replaced(author: Checkout, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (author.root / "specs").symlink_to(elsewhere)
    ran = author.run("init")

    assert ran.code != ExitCode.OK
    assert list(elsewhere.iterdir()) == []


def test_a_dry_run_writes_nothing(author: Checkout) -> None:
    ran = author.run("init", "--dry-run")

    assert written(author) == {}
    assert ran.out.count("would be written") == len(FILES)


def test_init_for_a_real_provider_writes_no_active_spec(author: Checkout) -> None:
    commit = "a" * 40
    ran = author.run("init", "--provider", "openai", "--action", f"acme/reconcile@{commit}")

    assert ran.code == ExitCode.OK
    assert "acme/reconcile/.github/actions/reconcile@" + commit in written(author)[FILES[4]]
    assert author.run("validate").out == "Everything is valid.\n"
    assert "No jobs found" in author.run("get").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--provider", "opnai"), "Did you mean 'openai'?"),
        (("--action", "acme/reconcile@v1"), "write OWNER/REPO@SHA with all 40 digits of a commit"),
        (("--specs", "../specs"), "--specs must be a directory below the current one"),
        (("--specs", "."), "--specs must be a directory below the current one"),
    ],
)
def test_a_wrong_option_is_reported_and_nothing_is_written(
    author: Checkout, arguments: tuple[str, ...], message: str
) -> None:
    ran = author.run("init", *arguments)

    assert ran.code == ExitCode.USAGE
    assert message in ran.err
    assert written(author) == {}


def test_init_below_the_top_of_a_repository_names_the_top(author: Checkout) -> None:
    (author.root / "services").mkdir()
    ran = Checkout(author.root / "services").run("init")

    assert ran.code == ExitCode.USAGE
    assert f"in {author.root}" in ran.err
