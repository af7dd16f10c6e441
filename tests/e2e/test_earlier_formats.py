"""Files of earlier versions, read by this version: a cancel that was requested is proven, not lost and not repeated."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from reconciler.formats.plan_file import read_plan
from reconciler.formats.status_format import RECORDS
from reconciler.formats.status_parser import parse_status
from reconciler.formats.status_writer import render_status
from reconciler.local.attempt_journal import StateJournal
from reconciler.local.disk import LocalDisk
from reconciler.local.outbox import StateOutbox
from reconciler.model.status import Outcome, Receipt, Verb
from tests.support.action import skip_without_index
from tests.support.build import NOW
from tests.support.cli import RECONCILE, WORLD, Checkout, started_sandbox
from tests.support.earlier_version import FOLDER, FORMATS, STATE, VARIABLES, has_commit, install
from tests.support.sandbox_client import Sandbox
from tests.support.webhook_receiver import receiving

NAMES = tuple(FORMATS)
OPEN = ("accepted", "lost", "unanswered", "batch")
FIRST = FORMATS[NAMES[0]].commit
NOT_IN_THE_SCENE = {"author", "code", "commit", "doubtedAt", "jobs", "param", "pausedElsewhere", "refusals", "spent"}
"""The fields that the runs which wrote the formats had no reason to write."""
SLOW_CANCELS = "    faults: [{fault: late-cancel, on: cancel, for: 8s}]\n"


@pytest.fixture(params=NAMES)
def repository(request: pytest.FixtureRequest, tmp_path: Path) -> Checkout:
    """Return a copy of the repository and the state directory that a version wrote."""
    shutil.copytree(FOLDER / request.param, tmp_path, dirs_exist_ok=True)
    state = tmp_path / STATE
    for path in (state, *state.iterdir()):
        path.chmod(0o700)  # Git keeps no permissions, and the state directory must be private
    return Checkout(tmp_path, VARIABLES)


def run(repository: Checkout, *arguments: str, **environ: str) -> int:
    config = ["--config", "operator.yaml"] if (repository.root / "operator.yaml").exists() else []
    return repository.run(*arguments, "--state-dir", STATE, "--audit", "audit.jsonl", *config, **environ).code


def requested(repository: Checkout) -> list[str]:
    lines = (repository.root / "audit.jsonl").read_text(encoding="utf-8").splitlines()
    return sorted(json.loads(line)["name"] for line in lines)


def notifications(repository: Checkout) -> set[str]:
    """Return the ids of the notifications that have not been delivered."""
    outbox = repository.root / STATE / "notifications.outbox"
    rows = outbox.read_text(encoding="utf-8").splitlines()[1:] if outbox.exists() else []
    return {json.loads(row)["id"] for row in rows}


def open_cancels(repository: Checkout) -> dict[str, Receipt]:
    return {name: repository.status(name).receipts[0] for name in OPEN if (repository.specs / f"{name}.yaml").exists()}


def test_a_status_of_an_earlier_format_is_rendered_to_the_same_bytes(repository: Checkout) -> None:
    for path in repository.status_dir.rglob("*.yaml"):
        text = path.read_text(encoding="utf-8")

        assert render_status(parse_status(text)) == text


def test_open_cancels_of_an_earlier_version_are_proven_without_a_needless_request(repository: Checkout) -> None:
    before = open_cancels(repository)
    settled = {name: (repository.status_dir / name).read_bytes() for name in ("done.yaml", "ended.yaml")}
    waiting = notifications(repository)

    with receiving() as receiver:
        code = run(repository, "--once", "--wait=20s", "--timeout=20s", AUDIT_URL=receiver.url)

    assert code == 0
    assert receiver.once().keys() >= waiting
    assert not notifications(repository)
    # The first request for these two jobs had no effect. The cancels of the others are proven as they are.
    assert requested(repository) == ["lost", "unanswered"]
    for name, receipt in open_cancels(repository).items():
        assert receipt.requested_at == before[name].requested_at
        assert receipt.attempts == before[name].attempts + (name in {"lost", "unanswered"})
        assert receipt.outcome is Outcome.CANCELLED
        assert receipt.confirmed_at is not None
        assert len(repository.status(name).receipts) == 1
    assert {name: (repository.status_dir / name).read_bytes() for name in settled} == settled


def test_the_plan_of_an_earlier_version_pins_the_same_changes(repository: Checkout) -> None:
    plan = read_plan(repository.root / "plan.json")

    assert {each.name for each in plan.pins} == set(open_cancels(repository))
    assert {each.verb for each in plan.pins} == {Verb.CANCEL}


def test_the_state_directory_of_an_earlier_version_is_read(repository: Checkout) -> None:
    state = repository.root / STATE
    disk = LocalDisk(state)

    journal = StateJournal(state, disk, "", lambda: NOW)
    outbox = StateOutbox(state, disk, {"audit": ""})

    is_first = not (state / "requests.journal").exists()
    attempts = {each.name: each.receipt_at for each in journal.requested()}
    receipts = {name: each.requested_at for name, each in open_cancels(repository).items()}
    assert is_first or attempts.items() >= receipts.items()
    assert not outbox.notices
    assert outbox.is_new is not (state / "notifications.told").exists()


def test_the_formats_contain_each_field_of_a_status() -> None:
    """A new field makes a new format: see "Changing a format" in `CONTRIBUTING.md`."""
    texts = "".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*/specs/status/**/*.yaml"))
    keys = {field.key for record in RECORDS for field in record.fields}

    assert keys - set(re.findall(r"([A-Za-z]+):", texts)) == NOT_IN_THE_SCENE


@pytest.mark.long
@pytest.mark.skipif(not has_commit(FIRST), reason="the history does not contain the first format")
@pytest.mark.parametrize("is_downgrade", [True, False], ids=["downgrade", "upgrade"])
def test_a_cancel_is_requested_by_one_version_and_proven_by_another(tmp_path: Path, *, is_downgrade: bool) -> None:
    skip_without_index()
    programs = RECONCILE, install(FIRST, tmp_path / "version")
    before, after = programs if is_downgrade else programs[::-1]
    world = WORLD.format(jobs="{id: ftjob-a, life: [{phase: running}]}") + SLOW_CANCELS
    (tmp_path / "world.yaml").write_text(world, encoding="utf-8")
    with started_sandbox(tmp_path, "--port", "0", "--jobs", "world.yaml") as url:
        repository = Checkout(tmp_path, Sandbox(url).environ)
        repository.want("job", "ftjob-a", provider="openai")

        begun = repository.run("--once", "--timeout=0s", "--audit", "audit.jsonl", program=before)
        (receipt,) = repository.status("job").receipts
        ended = repository.run("--once", "--wait=20s", "--audit", "audit.jsonl", program=after)

    (proven,) = repository.status("job").receipts
    assert (begun.code, ended.code) == (0, 0)
    assert receipt.outcome is None
    assert requested(repository) == ["job"]
    assert (proven.requested_at, proven.attempts) == (receipt.requested_at, 1)
    assert proven.outcome is Outcome.CANCELLED
