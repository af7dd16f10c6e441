from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from reconciler.model.job import Phase
from reconciler.sandbox.config import SandboxOptions
from reconciler.sandbox.serialization import events
from reconciler.sandbox.store import open_world, save_world
from reconciler.sandbox.timeline import REQUEUED_FOR
from reconciler.sandbox.world import BatchWorld, InvalidRequestError, UnknownJobError, World

BEGAN = datetime(2026, 11, 23, 9, tzinfo=UTC)
ID = "ftjob-one"
HOURLY = [
    {"phase": "queued", "for": "1h"},
    {"phase": "running", "for": "1h"},
    {"phase": "succeeded"},
]


def at(minutes: float) -> datetime:
    return BEGAN + timedelta(minutes=minutes)


def a_world(**job: object) -> World:
    return World(SandboxOptions.model_validate({"jobs": [{"id": ID, "life": HOURLY, **job}]}), BEGAN)


def phases(world: World, *minutes: float) -> list[str]:
    return [world.retrieve(ID, at(each)).phase.value for each in minutes]


def test_the_phase_of_a_sandbox_job_depends_only_on_time() -> None:
    world = a_world()

    assert phases(world, 0, 59.9, 60, 119.9, 120, 10_000) == [
        "queued",
        "queued",
        "running",
        "running",
        "succeeded",
        "succeeded",
    ]


def test_a_declared_age_moves_the_creation_time_into_the_past() -> None:
    view = a_world(age="90m").retrieve(ID, BEGAN)

    assert (view.created_at, view.phase) == (at(-90), Phase.RUNNING)


def test_a_sandbox_job_without_a_declared_life_has_the_default_phases() -> None:
    world = World(SandboxOptions.model_validate({"jobs": [{"id": ID}]}), BEGAN)

    assert phases(world, 0, 0.5, 1.5, 121.5) == ["validating_files", "queued", "running", "succeeded"]


def test_a_running_job_has_an_estimated_finish_and_a_finished_job_its_finish_time() -> None:
    world = a_world()
    queued, running, succeeded = (world.retrieve(ID, at(each)) for each in (30, 90, 150))

    assert [view.estimated_finish_at for view in (queued, running, succeeded)] == [None, at(120), None]
    assert [view.finished_at for view in (queued, running, succeeded)] == [None, None, at(120)]


def test_a_sandbox_cancel_takes_effect_at_once_and_permanently() -> None:
    world = a_world()
    world.cancel(ID, at(90))

    assert phases(world, 89, 90, 10_000) == ["running", "cancelled", "cancelled"]
    assert world.retrieve(ID, at(200)).finished_at == at(90)


@pytest.mark.parametrize(
    ("word", "meanwhile"),
    [({}, "running"), ({"cancelWord": "cancelling"}, "cancelling")],
)
def test_a_slow_cancel_takes_effect_after_its_delay(word: dict[str, str], meanwhile: str) -> None:
    world = a_world(cancelTakes="10m", **word)
    world.cancel(ID, at(90))

    assert phases(world, 90, 99, 100) == [meanwhile, meanwhile, "cancelled"]


def test_the_phase_of_a_job_keeps_changing_until_a_slow_cancel_takes_effect() -> None:
    world = a_world(cancelTakes="10m")
    world.cancel(ID, at(55))

    assert phases(world, 55, 60, 65) == ["queued", "running", "cancelled"]


@pytest.mark.parametrize("word", [{}, {"cancelWord": "cancelling"}])
def test_a_job_that_finishes_before_a_slow_cancel_keeps_its_own_outcome(word: dict[str, str]) -> None:
    world = a_world(cancelTakes="10m", **word)
    world.cancel(ID, at(115))

    assert phases(world, 119, 120, 125, 300)[1:] == ["succeeded"] * 3
    assert world.retrieve(ID, at(300)).finished_at == at(120)


def test_repeating_a_slow_cancel_changes_nothing() -> None:
    world = a_world(cancelTakes="10m")
    world.cancel(ID, at(90))
    world.cancel(ID, at(95))

    assert world.changes == 1
    assert phases(world, 99, 100) == ["running", "cancelled"]


def test_the_cancel_delay_of_a_job_overrides_that_of_the_sandbox() -> None:
    options = {"cancelTakes": "10m", "jobs": [{"id": ID, "life": HOURLY, "cancelTakes": "0s"}]}
    world = World(SandboxOptions.model_validate(options), BEGAN)

    assert world.cancel(ID, at(10)).phase is Phase.CANCELLED


def test_a_pause_freezes_the_life_of_a_job_and_a_resume_continues_it() -> None:
    world = a_world()
    world.pause(ID, at(90))
    world.resume(ID, at(1000))
    again = 1000 + REQUEUED_FOR.total_seconds() / 60

    assert phases(world, 90, 999, 1000, again, again + 29, again + 30) == [
        "paused",
        "paused",
        "queued",
        "running",
        "running",
        "succeeded",
    ]


def test_a_job_can_be_paused_and_resumed_more_than_once() -> None:
    world = a_world()
    world.pause(ID, at(90))
    world.resume(ID, at(100))
    world.pause(ID, at(110))
    world.resume(ID, at(200))
    ran = 30 - 10 + REQUEUED_FOR.total_seconds() / 60
    end = 200 + REQUEUED_FOR.total_seconds() / 60 + ran

    assert phases(world, 110, 200, end - 0.1, end) == ["paused", "queued", "running", "succeeded"]


def test_a_slow_pause_shows_pausing_until_it_takes_effect() -> None:
    world = a_world(pauseTakes="5m")
    world.pause(ID, at(90))

    assert phases(world, 90, 94, 95) == ["pausing", "pausing", "paused"]


def test_a_paused_job_can_be_cancelled() -> None:
    world = a_world()
    world.pause(ID, at(90))
    world.cancel(ID, at(100))

    assert phases(world, 99, 100, 500) == ["paused", "cancelled", "cancelled"]


def test_a_job_that_was_declared_paused_runs_after_a_resume() -> None:
    world = a_world(life=[{"phase": "paused"}])
    world.resume(ID, at(10))

    assert phases(world, 10, 11, 10_000) == ["queued", "running", "running"]


@pytest.mark.parametrize("verb", ["cancel", "pause", "resume"])
@pytest.mark.parametrize("end", ["succeeded", "failed", "cancelled"])
def test_a_finished_sandbox_job_rejects_every_change(verb: str, end: str) -> None:
    world = a_world(life=[{"phase": end}])
    with pytest.raises(InvalidRequestError, match=f"Cannot {verb}.*{end}"):
        getattr(world, verb)(ID, BEGAN)

    assert world.changes == 0


def test_a_change_that_does_not_fit_the_phase_of_a_sandbox_job_is_rejected() -> None:
    running = a_world()
    paused = a_world(life=[{"phase": "paused"}], cancelTakes="5m")
    leaving = a_world(cancelTakes="5m")
    leaving.cancel(ID, BEGAN)
    for impossible in (running.resume, paused.pause, leaving.pause, leaving.resume):
        with pytest.raises(InvalidRequestError):
            impossible(ID, BEGAN)

    assert (running.changes, paused.changes, leaving.changes) == (0, 0, 1)


def test_a_sandbox_job_that_becomes_absent_is_neither_found_nor_listed() -> None:
    world = a_world(life=[{"phase": "running", "for": "1h"}, {"phase": "absent"}])
    with pytest.raises(UnknownJobError):
        world.retrieve(ID, at(60))

    assert world.retrieve(ID, at(59)).phase is Phase.RUNNING
    assert world.list_jobs(at(60), after=None, limit=5).jobs == ()


def test_the_sandbox_can_show_an_earlier_time() -> None:
    world = a_world()
    world.cancel(ID, at(90))

    assert phases(world, 91, 89) == ["cancelled", "running"]


def test_a_list_is_newest_first_and_its_pages_have_no_overlap_or_gap() -> None:
    jobs = [{"id": f"ftjob-{number}", "age": f"{number + 1}m"} for number in range(7)]
    world = World(SandboxOptions.model_validate({"jobs": jobs}), BEGAN)
    seen: list[str] = []
    after = None
    numbers = []
    while True:
        numbers.append(world.page_number(after, 3))
        page = world.list_jobs(BEGAN, after=after, limit=3)
        seen += [view.job.id for view in page.jobs]
        if not page.has_more:
            break
        after = seen[-1]

    assert seen == [f"ftjob-{number}" for number in range(7)]
    assert numbers == [1, 2, 3]


def test_has_more_is_false_for_a_page_that_contains_all_remaining_jobs() -> None:
    jobs = [{"id": f"ftjob-{number}"} for number in range(4)]
    world = World(SandboxOptions.model_validate({"jobs": jobs}), BEGAN)

    assert [world.list_jobs(BEGAN, after=None, limit=limit).has_more for limit in (3, 4, 5)] == [True, False, False]


@pytest.mark.parametrize(
    ("metadata", "found"),
    [(None, {"ftjob-a", "ftjob-b"}), ({"team": "x"}, {"ftjob-a"}), ({"team": "y"}, set()), ({}, {"ftjob-b"})],
)
def test_a_list_can_be_filtered_by_metadata(metadata: dict[str, str] | None, found: set[str]) -> None:
    jobs = [{"id": "ftjob-a", "metadata": {"team": "x", "tier": "1"}}, {"id": "ftjob-b"}]
    world = World(SandboxOptions.model_validate({"jobs": jobs}), BEGAN)
    page = world.list_jobs(BEGAN, after=None, limit=5, metadata=metadata)

    assert {view.job.id for view in page.jobs} == found


def test_created_jobs_get_consecutive_unused_ids() -> None:
    world = World(SandboxOptions.model_validate({"jobs": [{"id": "ftjob-created-000001"}]}), BEGAN)
    first, second = (world.create(at(1), {"model": "m", "training_file": "f"}) for _ in range(2))
    page = world.list_jobs(at(1), after=None, limit=5)

    assert [first.job.id, second.job.id] == ["ftjob-created-000002", "ftjob-created-000003"]
    assert [view.job.id for view in page.jobs] == [
        "ftjob-created-000003",
        "ftjob-created-000002",
        "ftjob-created-000001",
    ]


def test_the_events_of_a_job_are_listed_newest_first() -> None:
    world = a_world()
    world.cancel(ID, at(90))
    messages = [event["message"] for event in events(world.retrieve(ID, at(95)))]

    assert messages == [
        "Fine-tuning job cancelled",
        "Fine-tuning job started",
        "Fine-tuning job is queued",
        f"Created fine-tuning job: {ID}",
    ]


def test_the_sandbox_state_survives_serialization() -> None:
    options = SandboxOptions.model_validate(
        {
            "jobs": [{"id": ID, "life": HOURLY, "cancelTakes": "7m"}, {"id": "ftjob-two", "life": HOURLY}],
            "faults": [{"fault": "hang", "times": "1", "job": "ftjob-two"}],
        }
    )
    world = World(options, BEGAN + timedelta(microseconds=7))
    world.cancel(ID, at(90))
    world.pause("ftjob-two", at(91))
    created = world.create(at(92), {"model": "m", "training_file": "f"}).job.id
    world.cancel(created, at(93), takes=timedelta(minutes=3))
    back = World.from_json(options, world.to_json())

    assert back.to_json() == world.to_json()
    for minutes in (90, 93, 95, 96, 97, 500):
        assert back.list_jobs(at(minutes), after=None, limit=9) == world.list_jobs(at(minutes), after=None, limit=9)


def test_a_created_batch_survives_serialization() -> None:
    options = SandboxOptions()
    world = BatchWorld(options, BEGAN)
    created = world.create(at(1), {"input_file_id": "file-abc"}).job.id
    back = BatchWorld.from_json(options, world.to_json())

    assert back.retrieve(created, at(5)) == world.retrieve(created, at(5))


def test_the_state_of_a_job_that_is_no_longer_declared_is_discarded() -> None:
    world = a_world()
    world.cancel(ID, at(90))
    back = World.from_json(SandboxOptions(), world.to_json())

    assert back.list_jobs(at(100), after=None, limit=5).jobs == ()


def test_a_stored_sandbox_continues_from_the_state_of_the_last_run(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "world.json"
    options = SandboxOptions.model_validate({"jobs": [{"id": ID, "life": HOURLY}]})
    first = open_world(options, path, BEGAN)
    first.cancel(ID, at(10))
    save_world(path, first.to_json())
    second = open_world(options, path, at(999))

    assert second.began_at == BEGAN
    assert phases(second, 9, 10) == ["queued", "cancelled"]
    assert [each.name for each in path.parent.iterdir()] == ["world.json"]


def test_a_new_sandbox_is_stored_at_once_so_that_its_jobs_age(tmp_path: Path) -> None:
    path = tmp_path / "world.json"
    open_world(SandboxOptions(), path, BEGAN)

    assert open_world(SandboxOptions(), path, at(60)).began_at == BEGAN


@pytest.mark.parametrize("bytes_", [b"", b'{"beganAt": "2026-11', b"{}", b"\xff\xfe", b'{"kind":"other"}', b"[]"])
def test_an_invalid_state_file_is_replaced_by_a_new_sandbox(tmp_path: Path, bytes_: bytes) -> None:
    path = tmp_path / "world.json"
    path.write_bytes(bytes_)
    world = open_world(SandboxOptions(), path, BEGAN)

    assert world.began_at == BEGAN
    assert path.read_text() == world.to_json()


@pytest.mark.parametrize(
    ("job", "said"),
    [
        ({"id": "job-1"}, "pattern"),
        ({"id": "ftjob-a/../b"}, "pattern"),
        ({"life": []}, "at least 1"),
        ({"life": [{"phase": "running"}, {"phase": "succeeded"}]}, "set its duration"),
        ({"life": [{"phase": "running", "for": "1h"}]}, "remove its `for`"),
        (
            {"life": [{"phase": "succeeded", "for": "1h"}, {"phase": "running"}]},
            "only absent can follow succeeded",
        ),
        (
            {"life": [{"phase": "absent", "for": "1h"}, {"phase": "running"}]},
            "no stage can follow absent: make it the last one",
        ),
        ({"life": [{"phase": "unknown"}]}, "unknown-word"),
        ({"life": [{"phase": "runing"}]}, "running"),
        ({"age": "three hours"}, "is not a duration"),
        ({"cancelTakes": "-1s"}, "is not a duration"),
        ({"colour": "blue"}, "Extra inputs"),
    ],
)
def test_an_invalid_sandbox_job_is_rejected_with_the_reason(job: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        SandboxOptions.model_validate({"jobs": [{"id": ID, **job}]})


def test_a_sandbox_job_id_cannot_be_declared_twice() -> None:
    with pytest.raises(ValidationError, match=f"declared more than once: {ID}"):
        SandboxOptions.model_validate({"jobs": [{"id": ID}, {"id": ID}]})
