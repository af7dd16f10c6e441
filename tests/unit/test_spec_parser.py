from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from reconciler.formats.spec_parser import FILE_MAX_BYTES, read_documents
from reconciler.formats.validation_errors import LISTED_MAX, closest, field_errors
from reconciler.formats.yaml_documents import PROBLEMS_MAX, YamlUnreadableError
from reconciler.formats.yaml_text import DOCUMENTS_MAX, parse
from reconciler.local.disk import LocalDisk
from reconciler.local.specs_dir import SpecsDir
from reconciler.model.diagnostic import Severity
from reconciler.model.kind import DOCUMENTS
from reconciler.model.spec import DesiredState
from reconciler.ports import Snapshot

JOB = """\
apiVersion: jobs.reconciler/v1
kind: FineTuningJob
metadata:
  name: bot
spec:
  provider: openai
  jobId: ftjob-1
  desiredState: cancelled
"""
PROVIDER = """\
apiVersion: jobs.reconciler/v1
kind: Provider
metadata: {name: azure}
spec:
  type: azure-openai
  credentials: {env: KEY}
"""
SETTINGS = """\
apiVersion: jobs.reconciler/v1
kind: Settings
metadata: {name: settings}
spec: {interval: 60s}
"""


def read(text: str | bytes) -> Snapshot:
    data = text.encode() if isinstance(text, str) else text
    return read_documents(data, file="a.yaml", shown="specs/a.yaml")


def said(text: str | bytes) -> list[str]:
    return [str(each) for each in read(text).diagnostics]


def only(text: str | bytes) -> str:
    (message,) = said(text)
    return message


# --- valid files ---------------------------------------------------------------------------------------------


def test_a_job_is_parsed_with_its_file_and_line_numbers() -> None:
    (job,) = read(f"# a comment\n---\n{JOB}").jobs

    assert job.document.spec.desired_state is DesiredState.CANCELLED
    assert (job.file, job.line) == ("a.yaml", 3)
    assert job.lines["spec", "jobId"] == 9


def test_a_file_may_contain_documents_of_all_kinds() -> None:
    snapshot = read(f"{JOB}---\n{PROVIDER}---\n{SETTINGS}")

    assert not snapshot.diagnostics
    assert [len(snapshot.jobs), len(snapshot.providers), len(snapshot.settings)] == [1, 1, 1]


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n", "---\n---\n# end\n...\n", "\ufeff", "~"])
def test_a_file_without_documents_is_valid(text: str) -> None:
    assert read(text) == Snapshot()


@pytest.mark.parametrize("data", [b"\xef\xbb\xbf" + JOB.encode(), JOB.replace("\n", "\r\n").encode()])
def test_a_byte_order_mark_and_crlf_line_ends_are_accepted(data: bytes) -> None:
    snapshot = read(data)

    assert len(snapshot.jobs) == 1
    assert snapshot.jobs[0].lines["spec", "jobId"] == 7


@pytest.mark.parametrize(
    "text", ["no", "0123", "1:30", "1e3", "2026-12-01", "0x1F", "'null'", "!!str null", "=", "1_000"]
)
def test_scalars_are_read_as_text_without_yaml_type_conversion(text: str) -> None:
    (job,) = read(JOB.replace("ftjob-1", text)).jobs

    assert job.document.spec.job_id == text.removeprefix("!!str ").strip("'")


def test_yaml_aliases_are_resolved() -> None:
    text = JOB.replace("name: bot", "name: &it bot").replace("ftjob-1", "*it")

    assert read(text).jobs[0].document.spec.job_id == "bot"


def test_optional_fields_may_be_empty() -> None:
    (job,) = read(JOB + "  reason:\n  limits: ~\n  suspend: null\n").jobs

    assert (job.document.spec.reason, job.document.spec.limits, job.document.spec.suspend) == (None, None, None)


# --- invalid files -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (JOB.encode("utf-16"), "specs/a.yaml:1: the file is UTF-16 or UTF-32: save it as UTF-8"),
        (
            JOB.encode() + b"# caf\xe9\n",
            "specs/a.yaml:9: the file is not UTF-8: byte 0xe9 at offset 146; save it as UTF-8",
        ),
        (
            JOB.encode() + b"#\x00",
            "specs/a.yaml:9: the file contains the control character U+0000, which YAML does not allow: remove it",
        ),
        (b"#" * (FILE_MAX_BYTES + 1), "specs/a.yaml: the file is larger than 4 MiB: split the file"),
        (
            b"metadata:\n\tname: bot\n",
            "specs/a.yaml:2: invalid YAML: a tab is not allowed here: indent with spaces",
        ),
        (
            b"reason: too high: see #412\n",
            "specs/a.yaml:1: invalid YAML: a ':' is not allowed here: quote a value that contains ': '",
        ),
        (b"a: 1\nb: 'open\nc: 2\n", "specs/a.yaml:2: invalid YAML: a quote that is opened here is never closed"),
        (b"a: {b: 1\n", "specs/a.yaml:2: invalid YAML: a ',' is missing here, or a bracket is never closed"),
        (
            b"- a\nb: 1\n",
            (
                "specs/a.yaml:2: invalid YAML: this line does not continue the lines above: check the indentation and "
                "quotes"
            ),
        ),
        (
            b"a: @b\n",
            (
                "specs/a.yaml:1: invalid YAML: a value cannot begin with a special character such as @ or %: "
                "put the value in quotes"
            ),
        ),
        (b"a: *b\n", "specs/a.yaml:1: the alias *b has no anchor &b before it in this document: add the anchor"),
        (b"a: &b [*b]\n", "specs/a.yaml:1: the alias *b is inside the value that it refers to: write the value out"),
        (
            b"a: {{ name }}\n",
            "specs/a.yaml:1: a key must be text, not a list or a mapping: put a '{{' template in quotes",
        ),
        (b"a: 1\n<<<<<<< HEAD\n", "specs/a.yaml:2: a Git merge conflict is not resolved here: resolve it"),
        (b"[" * 200_000, "specs/a.yaml:1: the file is nested deeper than 100 levels: reduce the nesting"),
        (
            b"{" * 500,
            "specs/a.yaml:1: a key must be text, not a list or a mapping: put a '{{' template in quotes",
        ),
        (
            b"--- x\n" * (DOCUMENTS_MAX + 1),
            "specs/a.yaml:10001: the file contains more than 10,000 documents: split it",
        ),
    ],
)
def test_an_unparsable_file_has_one_diagnostic_and_no_jobs(data: bytes, message: str) -> None:
    snapshot = read(data)

    assert [str(each) for each in snapshot.diagnostics] == [message]
    assert snapshot.broken_files == {"a.yaml"}
    assert not snapshot.jobs


def test_a_syntax_error_in_one_document_discards_the_whole_file() -> None:
    snapshot = read(f"{JOB}---\na: [\n")

    assert not snapshot.jobs
    assert snapshot.broken_files == {"a.yaml"}


def test_an_alias_bomb_is_rejected() -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 9))

    assert only(f"l0: &l0 lol\n{levels}").endswith(
        "the aliases in this file repeat more than 100,000 values: use fewer aliases"
    )


# --- invalid documents ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "cancelled",
            "canceled",
            (
                "specs/a.yaml:8: spec.desiredState: 'canceled' is not one of running, paused, cancelled, observed; "
                "did you mean 'cancelled'?"
            ),
        ),
        ("jobId", "jobID", "specs/a.yaml:7: spec.jobID: unknown key; valid here: provider, jobId, "),
        ("  jobId: ftjob-1\n", "", "specs/a.yaml:5: spec.jobId: this field is required"),
        ("jobId: ftjob-1", "jobId:", "specs/a.yaml:7: spec.jobId: must be text, but is empty"),
        ("jobId: ftjob-1", "jobId: [x]", "specs/a.yaml:7: spec.jobId: must be text, but is a list"),
        ("name: bot", "name: Bot", "specs/a.yaml:4: metadata.name: 'Bot' is not a name"),
        ("\n  name: bot", " bot", "specs/a.yaml:3: metadata: must be a mapping, but is 'bot'"),
        ("name: bot", "name: bot\n  labels: {Te am: x}", "specs/a.yaml:5: metadata.labels.'Te am': 'Te am' is not a"),
        ("v1", "v2", "specs/a.yaml:1: apiVersion: 'jobs.reconciler/v2' is newer than this reconcile, which reads"),
        (
            "jobs.reconciler/v1",
            "job.reconciler/v1",
            "apiVersion: must be jobs.reconciler/v1, but is 'job.reconciler/v1'; did you mean",
        ),
        ("apiVersion: jobs.reconciler/v1\n", "", "apiVersion: this field is required: write jobs.reconciler/v1"),
        (
            "FineTuningJob",
            "FinetuningJob",
            "kind: 'FinetuningJob' is not one of FineTuningJob, BatchJob, Provider, Settings; did you",
        ),
        ("FineTuningJob", "Deployment", "kind: 'Deployment' is not one of FineTuningJob, BatchJob, Provider, Settings"),
        (
            "jobId: ftjob-1",
            "jobId: a\n  jobId: b",
            "specs/a.yaml:8: spec.jobId: this key is used twice, first on line 7: remove one of them",
        ),
        ("jobId: ftjob-1", "jobId: !Ref x", "specs/a.yaml:7: spec.jobId: the tag '!Ref' is not allowed"),
        ("jobId: ftjob-1", "jobId: ftjob-1\n  ~: x", "specs/a.yaml:8: spec: a key must be text: put it in quotes"),
        (
            "jobId: ftjob-1",
            "jobId: ftjob-1\n  limits: {maxAge: 6}",
            "spec.limits.maxAge: '6' is not a duration: write a",
        ),
        (
            "jobId: ftjob-1",
            "jobId: ftjob-1\n  limits: {maxAge: []}",
            "spec.limits.maxAge: must be a duration such as 90s",
        ),
    ],
)
def test_each_error_in_a_job_document_has_a_specific_message(old: str, new: str, message: str) -> None:
    assert any(message in each for each in said(JOB.replace(old, new, 1)))


def test_yaml_merge_keys_are_rejected() -> None:
    text = JOB.replace("metadata:", "x: &x {team: a}\nmetadata:").replace("name: bot", "name: bot\n  labels: {<<: *x}")

    assert any("metadata.labels.'<<': merge keys are not supported" in each for each in said(text))


def test_all_errors_of_a_document_are_reported_in_line_order() -> None:
    text = (
        JOB.replace("ftjob-1", "''").replace("cancelled", "gone").replace("kind: FineTuningJob", "kind: finetuningjob")
    )

    assert [each.line for each in read(text).diagnostics] == [2, 7, 8]


def test_an_invalid_job_is_reported_by_name_and_other_jobs_in_its_file_stay_valid() -> None:
    snapshot = read(f"{JOB.replace('cancelled', 'gone')}---\n{JOB.replace('bot', 'other')}")

    assert [each.name for each in snapshot.broken_jobs] == ["bot"]
    assert [each.document.metadata.name for each in snapshot.jobs] == ["other"]
    assert not snapshot.broken_files


@pytest.mark.parametrize("kind", ["FinetuningJob", "fine-tuning-job"])
def test_a_job_with_a_misspelt_kind_is_reported_as_an_invalid_job(kind: str) -> None:
    assert [each.name for each in read(JOB.replace("FineTuningJob", kind)).broken_jobs] == ["bot"]


@pytest.mark.parametrize(
    "text",
    [
        JOB.replace("name: bot", "nome: bot"),
        JOB.replace("name: bot", "name: bot\n  name: other"),
        JOB.replace("metadata:", "metadata: {name: other}\nmetadata:"),
        JOB.replace("kind: FineTuningJob", "kind: Deployment"),
        "just text",
        "- a\n- b\n",
    ],
)
def test_a_file_with_an_unidentifiable_document_is_broken(text: str) -> None:
    snapshot = read(text)

    assert snapshot.broken_files == {"a.yaml"}
    assert not snapshot.broken_jobs
    assert snapshot.diagnostics


def test_an_invalid_provider_is_reported_by_name() -> None:
    assert read(PROVIDER.replace("type:", "typ:")).broken_providers == {"azure"}


@pytest.mark.parametrize("text", [SETTINGS.replace("60s", "5s"), SETTINGS.replace("Settings", "Setings")])
def test_invalid_settings_are_reported_as_broken(text: str) -> None:
    assert read(text).is_settings_broken


@pytest.mark.parametrize(
    "credentials",
    ["sk-canary", "{value: sk-canary}", "{apiKey: sk-canary}", "{env: sk-canary}", "{sk-canary: }", "[sk-canary]"],
)
def test_the_error_for_a_misplaced_secret_does_not_repeat_it(credentials: str) -> None:
    message = only(PROVIDER.replace("{env: KEY}", credentials))

    assert message.startswith("specs/a.yaml:6: spec.credentials: must be {env: VARIABLE} or {file: PATH}")
    assert "canary" not in message


def test_a_diagnostic_shortens_a_value_and_removes_escape_characters() -> None:
    (message, *_) = said(JOB.replace("cancelled", '"\\e[31m' + "x" * 500 + '"'))

    assert len(message) < 250
    assert "\x1b" not in message


# --- messages ------------------------------------------------------------------------------------------------

BAD_VALUES: tuple[Any, ...] = (
    None,
    "",
    "\x07",
    "x y",
    "-1",
    "9" * 400,
    "999999999",
    "y" * 2000,
    [],
    ["\n"],
    {},
    {"q": "r"},
)


def every_path(model: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    schema = model.model_json_schema()

    def below(node: dict[str, Any]) -> Iterator[tuple[str, ...]]:
        for each in (node, *node.get("anyOf", ())):
            target = schema["$defs"][each["$ref"].rpartition("/")[2]] if "$ref" in each else each
            for key, inner in target.get("properties", {}).items():
                yield (key,)
                yield from ((key, *rest) for rest in below(inner))

    return below(schema)


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_no_validation_error_uses_the_wording_of_pydantic(kind: str) -> None:
    model = DOCUMENTS[kind]
    told = set()
    for path, value in itertools.product(every_path(model), BAD_VALUES):
        document: Any = value
        for key in reversed(path):
            document = {key: document, "surplus": "x"}
        with pytest.raises(ValidationError) as caught:
            model.model_validate(document, by_alias=True, by_name=False)
        told |= {each.message for each in field_errors(caught.value, model)}

    assert len(told) > 10
    assert not [each for each in told if "nput should" in each or "is not valid" in each]


@pytest.mark.parametrize(
    ("word", "meant"), [("canceled", "cancelled"), ("PAUSED", "paused"), ("xyz", None), ("", None)]
)
def test_only_a_similar_word_is_suggested(word: str, meant: str | None) -> None:
    assert closest(word, DesiredState) == meant


# --- directories ---------------------------------------------------------------------------------------------


def specs_in(root: Path) -> SpecsDir:
    return SpecsDir(root, root / "status", LocalDisk(root), "specs")


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def names(snapshot: Snapshot) -> list[str]:
    return [each.document.metadata.name for each in snapshot.jobs]


def test_specs_are_read_at_any_depth_and_other_files_are_ignored(tmp_path: Path) -> None:
    for index, place in enumerate(("a.yaml", "team/deep/b.yml", "team/status/c.yaml")):
        put(tmp_path / place, JOB.replace("bot", f"bot-{index}"))
    for place in ("status/bot.yaml", ".github/x.yaml", "_drafts/x.yaml", "_x.yaml", ".x.yaml", "README.md", "x.json"):
        put(tmp_path / place, "not: ours: [")

    snapshot = specs_in(tmp_path).snapshot()

    assert [each.file for each in snapshot.jobs] == ["a.yaml", "team/deep/b.yml", "team/status/c.yaml"]
    assert not snapshot.diagnostics


def test_a_status_directory_inside_the_specs_is_not_read_as_specs(tmp_path: Path) -> None:
    put(tmp_path / "state" / "x.yaml", "not: ours: [")

    snapshot = SpecsDir(tmp_path, tmp_path / "state", LocalDisk(tmp_path), "specs").snapshot()

    assert snapshot == Snapshot()


@pytest.mark.parametrize("written", ["{root}/specs/out", "specs/out", "specs/../specs/out", "link/out"])
def test_the_status_directory_is_recognized_for_every_spelling_of_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    put(tmp_path / "specs" / "out" / "x.yaml", "not: ours: [")
    (tmp_path / "link").symlink_to("specs")
    monkeypatch.chdir(tmp_path)

    status_root = Path(written.format(root=tmp_path))
    snapshot = SpecsDir(Path("specs"), status_root, LocalDisk(Path("specs")), "specs").snapshot()

    assert snapshot == Snapshot()


def test_a_missing_specs_directory_is_an_error_and_not_an_empty_one(tmp_path: Path) -> None:
    snapshot = specs_in(tmp_path / "none").snapshot()

    assert [str(each) for each in snapshot.diagnostics] == [
        "specs: there is no such directory: create it, or name the directory of the specs with --specs"
    ]
    assert snapshot.broken_files


def test_a_volume_made_of_links_is_read_before_and_after_its_swap(tmp_path: Path) -> None:
    put(tmp_path / "..2026_11_23/a.yaml", JOB)
    put(tmp_path / "..2026_11_23/team/b.yaml", JOB.replace("bot", "second"))
    (tmp_path / "..data").symlink_to("..2026_11_23")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    (tmp_path / "team").symlink_to("..data/team")
    specs = specs_in(tmp_path)

    before = names(specs.snapshot())
    put(tmp_path / "..2026_11_24/a.yaml", JOB.replace("bot", "third"))
    (tmp_path / "..fresh").symlink_to("..2026_11_24")
    (tmp_path / "..fresh").rename(tmp_path / "..data")

    assert before == ["bot", "second"]
    assert names(specs.snapshot()) == ["third"]


def test_links_that_lead_outside_the_specs_are_not_read(tmp_path: Path) -> None:
    put(tmp_path / "secret.yaml", JOB)
    put(tmp_path / "other/b.yaml", JOB)
    root = tmp_path / "specs"
    root.mkdir()
    (root / "a.yaml").symlink_to(tmp_path / "secret.yaml")
    (root / "dir").symlink_to(tmp_path / "other")
    (root / "b.yaml").symlink_to("nowhere.yaml")

    snapshot = specs_in(root).snapshot()

    assert not snapshot.jobs
    assert [(each.file, each.severity) for each in snapshot.diagnostics] == [
        ("specs/a.yaml", Severity.ERROR),
        ("specs/b.yaml", Severity.ERROR),
        ("specs/dir", Severity.WARNING),
    ]
    assert snapshot.broken_files == {"a.yaml", "b.yaml"}


def test_reading_specs_with_cyclic_links_terminates(tmp_path: Path) -> None:
    put(tmp_path / "one/a.yaml", JOB)
    put(tmp_path / "two/b.yaml", JOB.replace("bot", "second"))
    (tmp_path / "one/up").symlink_to("..")
    (tmp_path / "one/two").symlink_to("../two")
    (tmp_path / "two/one").symlink_to("../one")
    (tmp_path / "self.yaml").symlink_to("self.yaml")

    snapshot = specs_in(tmp_path).snapshot()

    assert {"bot", "second"} == set(names(snapshot))
    assert len(snapshot.jobs) < 6


def test_a_file_name_with_undecodable_or_control_characters_is_reported_and_not_read(tmp_path: Path) -> None:
    (tmp_path / "caf\udce9.yaml").write_text(JOB)
    (tmp_path / "a\x1b[31m.yaml").write_text(JOB)

    snapshot = specs_in(tmp_path).snapshot()

    assert sorted(each.file for each in snapshot.diagnostics) == [r"specs/a\x1b[31m.yaml", r"specs/caf\udce9.yaml"]
    assert not snapshot.jobs


def test_a_duplicate_name_is_reported_at_both_places(tmp_path: Path) -> None:
    put(tmp_path / "a.yaml", JOB)
    put(tmp_path / "b.yaml", f"---\n{JOB}")

    snapshot = specs_in(tmp_path).snapshot()

    assert [str(each) for each in snapshot.diagnostics] == [
        "specs/a.yaml:4: metadata.name: the name 'bot' is also used at specs/b.yaml:5: rename one of them",
        "specs/b.yaml:5: metadata.name: the name 'bot' is also used at specs/a.yaml:4: rename one of them",
    ]
    assert names(snapshot) == ["bot", "bot"]


def test_a_provider_that_is_defined_twice_is_broken(tmp_path: Path) -> None:
    put(tmp_path / "a.yaml", f"{PROVIDER}---\n{PROVIDER}")

    assert specs_in(tmp_path).snapshot().broken_providers == {"azure"}


def test_two_settings_documents_make_the_settings_broken(tmp_path: Path) -> None:
    put(tmp_path / "a.yaml", SETTINGS)
    put(tmp_path / "b.yaml", SETTINGS)

    snapshot = specs_in(tmp_path).snapshot()

    assert snapshot.is_settings_broken
    assert len(snapshot.diagnostics) == 2


def test_an_unchanged_spec_file_is_not_parsed_twice(tmp_path: Path) -> None:
    put(tmp_path / "a.yaml", JOB)
    specs = specs_in(tmp_path)

    (first,) = specs.snapshot().jobs
    (again,) = specs.snapshot().jobs
    put(tmp_path / "a.yaml", JOB.replace("cancelled", "running"))
    (changed,) = specs.snapshot().jobs

    assert again is first
    assert changed.document.spec.desired_state is DesiredState.RUNNING


def test_the_current_spec_is_read_from_disk(tmp_path: Path) -> None:
    put(tmp_path / "a.yaml", JOB)
    specs = specs_in(tmp_path)
    specs.snapshot()
    put(tmp_path / "a.yaml", JOB.replace("cancelled", "running"))

    current = specs.current("a.yaml", "bot")

    assert current is not None
    assert current.spec.desired_state is DesiredState.RUNNING
    assert specs.current("a.yaml", "other") is None


@pytest.mark.parametrize("text", [None, "a: [", JOB.replace("cancelled", "gone"), f"{JOB}---\n{JOB}"])
def test_a_deleted_invalid_or_duplicate_spec_has_no_current_version(tmp_path: Path, text: str | None) -> None:
    put(tmp_path / "a.yaml", JOB)
    specs = specs_in(tmp_path)
    specs.snapshot()
    (tmp_path / "a.yaml").unlink()
    if text is not None:
        put(tmp_path / "a.yaml", text)

    assert specs.current("a.yaml", "bot") is None


def test_a_torn_settings_file_keeps_the_settings_broken_until_it_is_deleted(tmp_path: Path) -> None:
    file, specs = tmp_path / "settings.yaml", specs_in(tmp_path)
    file.write_text("apiVersion: jobs.reconciler/v1\nkind: Settings\nmetadata: {name: s}\nspec: {suspend: true}\n")
    whole = specs.snapshot()
    file.write_text("apiVersion: jobs.reconciler/v1\nki: [")
    torn = [specs.snapshot().is_settings_broken for _ in range(2)]
    file.unlink()

    assert not whole.is_settings_broken
    assert torn == [True, True]
    assert not specs.snapshot().is_settings_broken


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("<<<<<<< HEAD\nkind: Provider\n", True),
        ('{"kind" : "Provider", [', True),
        ("kind: provder\n---\n[\n", True),
        ("<<<<<<< HEAD\nkind: FineTuningJob\n", False),
        ("just words: [", False),
    ],
)
def test_a_broken_file_may_contain_providers_if_its_text_mentions_the_kind(text: str, *, hidden: bool) -> None:
    assert bool(read(text).may_hold_providers) is hidden


def test_a_broken_file_whose_providers_were_all_parsed_hides_no_provider() -> None:
    whole = "apiVersion: jobs.reconciler/v1\nkind: Provider\nmetadata: {name: one}\nspec: {type: openai}\n"
    found = read(whole + "---\njust words\n")

    assert found.broken_files
    assert not found.may_hold_providers


# --- lines and limits ----------------------------------------------------------------------------------------------


def test_line_numbers_exist_only_for_the_paths_of_a_document() -> None:
    (raw,) = parse("a:\n- b\n- {c: 1,\n   d: 2}\ne: {}\n")
    lines = {("a",): 1, ("a", 0): 2, ("a", 1): 3, ("a", 1, "c"): 3, ("a", 1, "d"): 4, ("e",): 5}

    assert raw.lines == lines
    assert len(raw.lines) == len(lines)
    assert [path in raw.lines for path in [(), ("a", 2), ("a", "b"), ("e", "f"), ("a", 0, "b"), (0,)]] == [False] * 6


def test_a_file_with_too_many_errors_has_one_diagnostic_and_is_broken() -> None:
    found = read(JOB + "  limits: {" + "maxAge: 1h, " * (PROBLEMS_MAX + 2) + "}\n")

    assert [str(each) for each in found.diagnostics] == [
        f"specs/a.yaml:9: the file contains more than {PROBLEMS_MAX:,} errors: check whether this file is a spec"
    ]
    assert found.broken_files == {"a.yaml"}


def test_errors_above_the_listed_maximum_are_reported_as_a_number() -> None:
    found = read(JOB + "".join(f"  k{number}: 1\n" for number in range(LISTED_MAX + 1)))

    assert [str(each) for each in found.diagnostics] == [
        f"specs/a.yaml:1: the document has {LISTED_MAX + 1:,} errors: check whether this file is a spec"
    ]
    assert [each.name for each in found.broken_jobs] == ["bot"]


def test_the_alias_limit_does_not_grow_with_the_size_of_the_file() -> None:
    repeated = "a: &a [" + "1," * 1000 + "]\nb: [" + "*a, " * 101 + "]\n"

    assert only(f"{repeated}# {'x' * 1_000_000}\n").endswith(
        "the aliases in this file repeat more than 100,000 values: use fewer aliases"
    )


def test_a_broken_file_with_too_many_kinds_may_contain_providers_and_settings() -> None:
    found = read("kind: x\n" * (DOCUMENTS_MAX + 1) + "[")

    assert found.may_hold_providers == {"a.yaml"}
    assert found.is_settings_broken


@pytest.mark.parametrize("loader", [yaml.BaseLoader, getattr(yaml, "CBaseLoader", yaml.BaseLoader)])
@pytest.mark.parametrize("escape", ["110000", "99999999"])
def test_an_escape_that_is_no_character_is_an_error_with_and_without_libyaml(loader: Any, escape: str) -> None:
    with pytest.raises(YamlUnreadableError, match="invalid YAML"):
        parse(f'reason: "\\U{escape:0>8}"', loader)
