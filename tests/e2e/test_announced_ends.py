"""Announced ends, by the command: each is a warning in every format, and changes no exit code and no request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.cli import Checkout
from tests.support.jobs_api import a_row
from tests.support.plugins import install
from tests.support.sandbox_server import serve

SOON = datetime.now(UTC).date() + timedelta(days=40)
MODEL_WARNING = f"openai: the model gpt-4o ends on {SOON}, in "
"""The number of days is not compared, because a test may run over midnight."""
SERVICE_WARNING = f"closing: the creation of jobs ends on {SOON}, in "


@dataclass
class Service:
    """A service with two running jobs that use one model, whose end it reports."""

    models: Response | None = None
    """The response to the request for models, instead of the list."""

    def __post_init__(self) -> None:
        """Begin with no request."""
        self.asked: list[str] = []

    def app(self) -> Starlette:
        """Return the application."""
        return Starlette(
            routes=[
                Route("/v1/models", self._models),
                Route("/v1/fine_tuning/jobs", self._jobs),
                Route("/v1/fine_tuning/jobs/{job}", self._job),
            ]
        )

    async def _models(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        ends = [{"id": "gpt-4o", "shutdown_date": str(SOON)}, {"id": "gpt-5", "shutdown_date": None}, {"id": "x"}, 7]
        return self.models or JSONResponse({"object": "list", "data": ends})

    async def _jobs(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        return JSONResponse({"object": "list", "data": [a_row("ftjob-1"), a_row("ftjob-2")], "has_more": False})

    async def _job(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        return JSONResponse(a_row(request.path_params["job"]))


@pytest.fixture
def service() -> Iterator[tuple[Service, str]]:
    """Yield the service and its address."""
    found = Service()
    with serve(found.app()) as url:
        yield found, url


def a_checkout(root: Path, url: str, site: Path | None = None, provider: str = "openai") -> Checkout:
    """Return a checkout that wants one job to run, and another one cancelled."""
    environ = {"OPENAI_API_KEY": "k-of-the-test", "OPENAI_BASE_URL": url}
    if site is not None:
        environ |= {"CLOSING_KEY": "k-of-the-test"}
    checkout = Checkout(root, environ, [] if site is None else [site])
    checkout.want("runs", "ftjob-1", "running", provider)
    checkout.want("stops", "ftjob-2", "cancelled", provider)
    return checkout


def test_a_plan_warns_once_of_a_model_that_ends_and_names_its_jobs(
    tmp_path: Path, service: tuple[Service, str]
) -> None:
    app, url = service
    ran = a_checkout(tmp_path, url).run("plan")

    assert ran.code == 0
    assert ran.out.splitlines()[-1] == "Plan: 1 to cancel; 1 as desired."
    (warning,) = ran.err.splitlines()
    assert warning.startswith(f"warning: {MODEL_WARNING}")
    assert warning.endswith(" days; 2 jobs need it: runs, stops (as the provider reports)")
    assert app.asked.count("/v1/models") == 1


def test_the_warning_is_in_json_and_markdown(tmp_path: Path, service: tuple[Service, str]) -> None:
    checkout = a_checkout(tmp_path, service[1])
    lines = [json.loads(line) for line in checkout.run("plan", "-o", "json").out.splitlines()]
    (diagnostic,) = (each["diagnostic"] for each in lines if each["type"] == "diagnostic")
    markdown = checkout.run("plan", "-o", "markdown").out.splitlines()

    assert (diagnostic["severity"], diagnostic["code"]) == ("warning", "AnnouncedEnd")
    assert diagnostic["summary"].startswith(MODEL_WARNING)
    assert lines[-1]["exitCode"] == 0
    assert sum(line.startswith("- warning: openai: the model gpt-4o ends on") for line in markdown) == 1


def test_the_warning_is_an_annotation_and_changes_no_output_of_the_step(
    tmp_path: Path, service: tuple[Service, str]
) -> None:
    checkout = a_checkout(tmp_path, service[1])
    ran = checkout.run("plan", "--github", "--detailed-exitcode", GITHUB_OUTPUT=str(tmp_path / "output"))
    without = a_checkout(tmp_path / "other", service[1])
    service[0].models = JSONResponse({"object": "list", "data": []})
    silent = without.run("plan", "--github", "--detailed-exitcode", GITHUB_OUTPUT=str(tmp_path / "silent"))
    outputs = [(tmp_path / each).read_text().split("converged<<")[1].split()[1] for each in ("output", "silent")]

    assert f"::warning title=AnnouncedEnd::{MODEL_WARNING}" in ran.err
    assert "AnnouncedEnd" not in silent.err
    assert (ran.code, silent.code) == (2, 2)
    assert outputs == ["false", "false"]


def test_a_junit_file_has_no_failure_for_an_announced_end(tmp_path: Path, service: tuple[Service, str]) -> None:
    a_checkout(tmp_path, service[1]).run("plan", "--junit", str(tmp_path / "plan.xml"))

    assert "AnnouncedEnd" not in (tmp_path / "plan.xml").read_text()


@pytest.mark.parametrize("answer", [JSONResponse({"error": {}}, 404), JSONResponse({}, 403), Response("<html>")])
def test_a_service_that_cannot_list_its_models_changes_nothing(
    tmp_path: Path, service: tuple[Service, str], answer: Response
) -> None:
    service[0].models = answer
    ran = a_checkout(tmp_path, service[1]).run("plan")

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[-1] == "Plan: 1 to cancel; 1 as desired."


@pytest.mark.parametrize("command", [("--once", "--dry-run"), ("get", "--live"), ("drift",)])
def test_only_a_plan_requests_the_ends_of_models(
    tmp_path: Path, service: tuple[Service, str], command: tuple[str, ...]
) -> None:
    app, url = service
    a_checkout(tmp_path, url).run(*command)

    assert app.asked
    assert "/v1/models" not in app.asked


@pytest.fixture
def closing(tmp_path: Path, service: tuple[Service, str]) -> Checkout:
    """Return a checkout whose jobs are at a service that announced its end, of a provider type in another package."""
    site = tmp_path / "site"
    install(site, "closing", "CLOSING_KEY", service[1])
    with (site / "of_closing.py").open("a", encoding="utf-8") as module:
        module.write(
            "from dataclasses import replace\nfrom datetime import date\nfrom reconciler.plugin import Retirement\n"
            f"SOON = date.fromisoformat('{SOON}')\n"
            "END = Retirement(what='the creation of jobs', on=SOON, source='example.org/end')\n"
            "OVER = Retirement(what='its beta', on=date(2020, 1, 1), source='example.org/beta', has_ended=True)\n"
            "TYPE = replace(TYPE, capabilities=Capabilities(retirements=(OVER, END)))\n"
        )
    checkout = a_checkout(tmp_path, service[1], site, "closing")
    for name in "abc":
        checkout.want(name, f"ftjob-{name}", "running", "closing")
    return checkout


def test_a_plan_and_providers_warn_once_of_a_service_that_ends(closing: Checkout) -> None:
    plan, providers = closing.run("plan"), closing.run("providers")

    for ran in (plan, providers):
        assert ran.code == 0
        (warning,) = ran.err.splitlines()
        assert warning.startswith(f"warning: {SERVICE_WARNING}")
        assert warning.endswith(" days (example.org/end)")
    row = next(line for line in providers.out.splitlines() if line.startswith("closing "))
    assert row.endswith(f" {SOON}")


def test_providers_shows_every_end_of_a_type_in_wide_and_json(closing: Checkout) -> None:
    wide, told = closing.run("providers", "-o", "wide"), json.loads(closing.run("providers", "-o", "json").out)
    type_ = next(each for each in told["types"] if each["name"] == "closing")
    ahead = f"the creation of jobs ends on {SOON} (example.org/end)"

    assert ahead in wide.out
    assert "its beta ended on 2020-01-01 (example.org/beta)" in wide.out
    lines = [" ".join(line.split()) for line in wide.out.partition("\nopenai, FineTuningJob\n")[2].splitlines()]
    assert "ends of models yes" in lines[: lines.index("")]
    assert type_["endsOn"] == ahead
    assert [(each["on"], each["hasEnded"]) for each in type_["retirements"]] == [
        ("2020-01-01", True),
        (str(SOON), False),
    ]
    assert told["ends"] == [
        {"account": "closing", "what": "the creation of jobs", "on": str(SOON), "source": "example.org/end"}
    ]
