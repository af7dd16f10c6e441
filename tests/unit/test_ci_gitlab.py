from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from reconciler.ci.gitlab import OUTPUTS, GitLab, Job
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.report import Report

TOLD = {
    "CI_API_V4_URL": "https://gitlab.example/api/v4",
    "CI_MERGE_REQUEST_IID": "7",
    "CI_MERGE_REQUEST_PROJECT_ID": "42",
    "CI_PROJECT_ID": "43",
    "GITLAB_TOKEN": "glpat-1",
}


def test_the_note_of_a_fork_is_on_the_merge_request_of_the_project_that_it_is_for() -> None:
    job = Job.of(TOLD)

    assert job.merge_request is not None
    assert job.merge_request.notes == "/projects/42/merge_requests/7/notes"
    assert GitLab(TOLD).comment_target == "merge request !7"


@pytest.mark.parametrize("name", sorted(set(TOLD) - {"CI_PROJECT_ID"}))
def test_without_a_token_an_api_or_a_merge_request_there_is_no_note(name: str) -> None:
    host = GitLab({**TOLD, name: ""})

    assert host.comment_target is None
    with pytest.raises(LookupError):
        asyncio.run(host.put_comment("<!-- x -->", "y"))


@pytest.mark.parametrize("value", ["../1", "7/notes", "-7", "\u0667", "7 ", "x", "9" * 19])
@pytest.mark.parametrize("name", ["CI_MERGE_REQUEST_IID", "CI_MERGE_REQUEST_PROJECT_ID"])
def test_a_number_of_another_form_is_not_used(name: str, value: str) -> None:
    assert GitLab({**TOLD, name: value}).comment_target is None


@pytest.mark.parametrize("url", ["http://gitlab.example/api/v4", "http://127.0.0.1.example.org", "ftp://x", "x"])
def test_the_token_is_sent_to_https_only(url: str) -> None:
    with pytest.raises(ValueError, match=r"http"):
        asyncio.run(GitLab({**TOLD, "CI_API_V4_URL": url}).put_comment("<!-- x -->", "y"))


def test_an_unreadable_certificate_of_the_runner_is_an_error(tmp_path: Path) -> None:
    host = GitLab({**TOLD, "CI_SERVER_TLS_CA_FILE": str(tmp_path / "missing.pem")})

    with pytest.raises(OSError, match="No such file"):
        asyncio.run(host.put_comment("<!-- x -->", "y"))


def test_files_and_outputs_are_written_only_if_a_directory_is_named(tmp_path: Path) -> None:
    host = GitLab({"CI_PROJECT_DIR": str(tmp_path)})
    host.set_outputs({"changes": "1"})

    assert not host.keeps_files
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("reports", ["reports/of-plan", "{}/reports/of-plan"])
def test_outputs_are_added_to_a_file_in_the_project(tmp_path: Path, reports: str) -> None:
    host = GitLab({"CI_PROJECT_DIR": str(tmp_path), "RECONCILE_REPORTS": reports.format(tmp_path)})
    kept = host.write_file("reconcile-plan.md", "text")
    host.set_outputs({"changes": "1", "summary-path": str(kept)})
    host.set_outputs({"comment-id": "5"})

    assert host.keeps_files
    assert kept.read_text(encoding="utf-8") == "text"
    assert (tmp_path / "reports" / "of-plan" / OUTPUTS).read_text(encoding="utf-8").splitlines() == [
        "RECONCILE_RESULT_CHANGES=1",
        "RECONCILE_RESULT_SUMMARY_PATH=reports/of-plan/reconcile-plan.md",
        "RECONCILE_RESULT_COMMENT_ID=5",
    ]


def test_a_directory_that_is_a_link_in_the_checkout_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    project = tmp_path / "project"
    project.mkdir()
    (project / "reports").symlink_to(tmp_path / "outside")
    host = GitLab({"CI_PROJECT_DIR": str(project), "RECONCILE_REPORTS": "reports/of-plan"})

    with pytest.raises(OSError, match="a part of its path is a link"):
        host.set_outputs({"changes": "1"})
    assert list((tmp_path / "outside").iterdir()) == []


def test_the_directory_of_a_project_may_be_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "project").symlink_to(tmp_path / "real")
    host = GitLab({"CI_PROJECT_DIR": str(tmp_path / "project"), "RECONCILE_REPORTS": "reports"})
    host.set_outputs({"changes": "1"})

    assert (tmp_path / "real" / "reports" / OUTPUTS).exists()


def test_a_job_has_no_summary() -> None:
    with pytest.raises(LookupError):
        GitLab({}).add_summary("text")


@pytest.mark.parametrize(("revision", "has_links"), [("a" * 40, True), ("b" * 40, False), (None, False)])
def test_the_section_has_links_only_to_the_commit_of_the_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, revision: str | None, *, has_links: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    run = {
        "CI_COMMIT_SHA": "a" * 40,
        "CI_PIPELINE_ID": "71",
        "CI_PROJECT_DIR": str(tmp_path.parent),
        "CI_PROJECT_URL": "https://gitlab.example/ada/jobs",
    }
    found = Diagnostic(file="specs/a.yaml", line=7, message="is wrong")
    text = GitLab(run).annotations(Report(diagnostics=(found,), revision=revision), Path("specs"), is_from_top=False)
    url = f"https://gitlab.example/ada/jobs/-/blob/{'a' * 40}/{tmp_path.name}/specs/a.yaml#L7"

    assert (url in text) is has_links
    assert "is wrong" in text
