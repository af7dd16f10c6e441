"""Traces of real processes, which a collector receives on a loopback socket."""

from __future__ import annotations

import json
import sys
import time

from tests.support.cli import RECONCILE, Checkout
from tests.support.processes import a_free_port
from tests.support.sandbox_client import Sandbox, wait_for
from tests.support.trace_collector import collecting
from tests.support.watch_process import watching

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
QUICKLY = {"OTEL_BSP_SCHEDULE_DELAY": "100"}
HEADERS = {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20tok-of-the-collector"}


def test_a_watch_exports_a_span_for_each_pass_account_and_request_and_logs_their_ids(
    checkout: Checkout, sandbox: Sandbox
) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("one", job_id)

    with collecting() as collector, watching(checkout, **{ENDPOINT: collector.url}, **HEADERS, **QUICKLY) as watch:
        wait_for(lambda: collector.named("POST"), "the cancel is in a trace")
        code = watch.stop()
        lines = [json.loads(line) for line in watch.said().splitlines()]
    passes = {each.span_id: each for each in collector.named("reconcile.pass")}
    accounts = {each.span_id: each for each in collector.named("reconcile.account")}
    (cancel,) = collector.named("POST")
    (sent,) = [line for line in lines if line["message"] == "cancel sent"]

    assert code == 0
    assert cancel.attributes["url.full"] == f"{sandbox.url}/fine_tuning/jobs/{job_id}/cancel"
    assert cancel.attributes["http.response.status_code"] == 200
    account = accounts[cancel.parent_id]
    assert account.attributes["reconcile.account"] == f"openai {sandbox.url}"
    assert account.attributes["reconcile.changes"] == 1
    assert account.parent_id in passes
    assert (sent["trace_id"], sent["span_id"]) == (account.trace_id, account.span_id)
    assert collector.resource["service.name"] == "reconcile"
    assert collector.headers[0]["authorization"] == "Bearer tok-of-the-collector"
    assert sandbox.key.encode() not in b"".join(collector.bodies)


def test_a_run_belongs_to_the_trace_of_its_pipeline_and_exports_its_spans_before_it_ends(
    checkout: Checkout, sandbox: Sandbox
) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("one", job_id, "observed")
    trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    environ = {"TRACEPARENT": f"00-{trace}-{parent}-01", "OTEL_RESOURCE_ATTRIBUTES": "service.name=jobs"}

    with collecting() as collector:
        ran = checkout.run("--once", program=tuple(RECONCILE), **{ENDPOINT: collector.url}, **environ)
    (outermost,) = collector.named("reconcile.pass")

    assert ran.code == 0
    assert (outermost.trace_id, outermost.parent_id) == (trace, parent)
    assert {each.trace_id for each in collector.spans} == {trace}
    assert collector.resource["service.name"] == "jobs"


def test_a_collector_that_fails_delays_nothing_and_is_logged_once(checkout: Checkout, sandbox: Sandbox) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("one", job_id)
    environ = {ENDPOINT: f"http://127.0.0.1:{a_free_port()}", "OTEL_EXPORTER_OTLP_TIMEOUT": "1", **HEADERS, **QUICKLY}

    with watching(checkout, **environ) as watch:
        wait_for(lambda: "traces cannot be exported" in watch.said(), "the failure is logged")
        wait_for(lambda: checkout.status("one").final, "the cancel is confirmed")
        begun = time.monotonic()
        code = watch.stop()
        took_s = time.monotonic() - begun

    assert code == 0
    assert took_s < 10
    assert watch.said().count("traces cannot be exported") == 1
    assert "Traceback" not in watch.said()
    assert "tok-of-the-collector" not in watch.said()


def test_without_an_endpoint_the_library_is_not_imported(checkout: Checkout, sandbox: Sandbox) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("one", job_id, "observed")
    script = (
        "import sys; from reconciler.cli import main; code = main(['--once']); "
        "print(code, 'opentelemetry' in sys.modules)"
    )

    ran = checkout.run("-c", script, program=(sys.executable,))

    assert ran.out.splitlines()[-1] == "0 False"
