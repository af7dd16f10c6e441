from __future__ import annotations

from tests.support.cli import Checkout
from tests.support.sandbox_client import Sandbox, wait_for
from tests.support.watch_process import watching


def test_a_watch_uses_a_newly_named_key_at_once(checkout: Checkout, sandbox: Sandbox) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("runaway", job_id)
    checkout.name_provider("main", "credentials: {env: OLD_KEY}")
    host = sandbox.url.removeprefix("http://").partition("/")[0]
    trust = f"OLD_KEY=http://{host} NEW_KEY=http://{host}"

    with watching(checkout, OLD_KEY="revoked-0123456789", NEW_KEY=sandbox.key, RECONCILE_TRUST=trust) as watch:
        wait_for(lambda: "AuthenticationFailed" in watch.said(), "the watch reports that the old key is rejected")
        checkout.name_provider("main", "credentials: {env: NEW_KEY}")
        wait_for(lambda: sandbox.phase(job_id) == "cancelled", "the job is cancelled with the new key")

        assert watch.stop() == 0


def test_changes_held_back_by_settings_are_requested_once_the_settings_allow_them(
    checkout: Checkout, sandbox: Sandbox
) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("runaway", job_id)
    settings = "apiVersion: jobs.reconciler/v1\nkind: Settings\nmetadata: {{name: settings}}\nspec: {{suspend: {}}}\n"
    checkout.write("settings.yaml", settings.format("true"))

    with watching(checkout) as watch:
        wait_for((checkout.status_dir / "runaway.yaml").exists, "the first pass writes a status")
        assert checkout.status("runaway").ready.reason == "Suspended"
        checkout.write("settings.yaml", settings.format("false"))
        wait_for(lambda: sandbox.phase(job_id) == "cancelled", "the job is cancelled")

        assert watch.stop() == 0
