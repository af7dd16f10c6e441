from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from reconciler.local.operator_file import parse_rules
from reconciler.local.ownership import MisplacedFileError, check_place
from reconciler.model.operator import OPERATOR_KINDS, OperatorSpec
from reconciler.views.json_schema import json_schema

EXAMPLE = Path(__file__).parents[2] / ".github" / "deploy" / "operator.example.yaml"
HEAD = "apiVersion: jobs.reconciler/v1\nkind: OperatorConfig\nspec:\n"
CHAT = "name: a, type: slack, url: {env: U}"
SINK = "{name: a, type: webhook, url: {env: U}, secret: {env: S}}"
PRICE = "  prices: {currency: USD, list: [{provider: openai, kind: FineTuningJob, "


def wrong(text: str) -> list[str]:
    return [str(each) for each in parse_rules((HEAD + text).encode(), "operator.yaml").diagnostics]


def test_the_example_operator_file_is_valid_and_sets_its_rules() -> None:
    rules = parse_rules(EXAMPLE.read_bytes(), "example")

    assert rules.diagnostics == ()
    assert [(each.credential, str(each.endpoint), each.path) for each in rules.bindings] == [
        ("OPENAI_API_KEY", "gateway.example.org", "/v1/acme"),
        ("/run/secrets/research-key", "api.openai.com", ""),
    ]
    assert rules.hosts == ("api.openai.com:443", None)
    assert rules.spec.paths[0].specs == ("research/**",)
    assert rules.spec.safety.credentials["/run/secrets/research-key"].max_cancels == 1


def test_the_example_operator_file_matches_the_json_schema() -> None:
    schema = json.loads(json.dumps(json_schema({}, OPERATOR_KINDS)))

    jsonschema.validate(yaml.safe_load(EXAMPLE.read_text(encoding="utf-8")), schema)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "  trst: {}\n",
            "operator.yaml:4: spec.trst: unknown key; valid here: trust, paths, safety, suspend, shadow, changeWindows",
        ),
        ("  trust: {KEY: [a b]}\n", "operator.yaml:4: spec.trust.KEY[0]: a base URL must not contain blanks"),
        ("  trust: {KEY: [ftp://x]}\n", "operator.yaml:4: spec.trust.KEY[0]: a base URL must start with https://"),
        ("  trust: {KEY: x}\n", "operator.yaml:4: spec.trust.KEY: must be a list, but is 'x'"),
        (
            "  paths: [{credential: K, specs: []}]\n",
            "operator.yaml:4: spec.paths[0].specs: must have at least 1 item",
        ),
        ("  paths: [{specs: [a]}]\n", "operator.yaml:4: spec.paths[0].credential: this field is required"),
        (
            "  paths:\n  - {credential: K, host: 'a/b', specs: [a]}\n",
            "operator.yaml:5: spec.paths[0].host: a host must not have",
        ),
        ("  safety: {maxCancel: 3}\n", "did you mean 'maxCancels'?"),
        ("  safety: {kinds: {FineTuning: {}}}\n", "operator.yaml:4: spec.safety.kinds.FineTuning: 'FineTuning' is not"),
        ("  suspend: perhaps\n", "operator.yaml:4: spec.suspend: 'perhaps' is not true or false"),
        (
            "  safety: {maxCancelsCost: 500 USD}\n",
            "operator.yaml:4: spec.safety.maxCancelsCost: cannot be checked, because without spec.prices",
        ),
        (
            "  safety: {kinds: {BatchJob: {maxCancelsCost: 5 EUR}}}\n  prices: {currency: USD, list: []}\n",
            "operator.yaml:4: spec.safety.kinds.BatchJob.maxCancelsCost: cannot be checked, because spec.prices are in",
        ),
        ("  safety: {maxCancelsCost: 500}\n", "'500' is not an amount with its currency"),
        ("  safety: {unknownCost: allow}\n", "operator.yaml:4: spec.safety.unknownCost: 'allow' is not one of"),
        ("  safety: {maxCancels: -1}\n", "'-1' is not a whole number from 0 to 999999999"),
        (
            "  notify: [{name: a, type: webhook, url: {env: U}}]\n",
            "operator.yaml:4: spec.notify[0]: secret is required: write secret: {env: VARIABLE} or",
        ),
        (
            f"  notify: [{SINK}, {SINK}]\n",
            "spec.notify[1].name: 'a' is also the name of another sink: rename one of them",
        ),
        ("  notify: [{name: a, type: webhok}]\n", "spec.notify[0].type: 'webhok' is not one of webhook, slack, teams"),
        ("  notify: [{name: a, type: slack}]\n", "spec.notify[0]: url is required"),
        ("  notify: [{name: a, type: pagerduty}]\n", "spec.notify[0]: key is required"),
        (
            "  notify: [{name: a, type: teams, url: {env: U}, key: {env: K}}]\n",
            "spec.notify[0]: key is not used by the type teams: remove it",
        ),
        (
            "  notify:\n  - name: a\n    type: webhook\n    routes: [{selector: team}]\n",
            "operator.yaml:7: spec.notify[0].routes[0].selector: 'team' is not a selector: write it as team=support",
        ),
        (
            "  changeWindows: [{name: a, deny: Sun 00:00-24:00, selector: team!=support}]\n",
            "operator.yaml:4: spec.changeWindows[0].selector: 'team!' is not a label key: use at most 63",
        ),
        (
            "  changeWindows: [{name: a, deny: Sun 00:00-24:00, selector: team==support}]\n",
            "operator.yaml:4: spec.changeWindows[0].selector: '=support' is not a label value: use at most 63",
        ),
        (
            "  changeWindows: [{name: a, deny: Sun 00:00-24:00, selector: 'team=support,team=data'}]\n",
            "spec.changeWindows[0].selector: 'team=support,team=data' matches no job: a job has one value",
        ),
        (
            "  notify: [{name: a, type: webhook, routes: [{reasons: [Canceled]}]}]\n",
            "'Canceled' is not a reason: reconcile explain lists",
        ),
        ("  prices: {list: []}\n", "operator.yaml:4: spec.prices.currency: this field is required"),
        (
            f"  notify:\n  - {{{CHAT}, quietHours: {{hours: Mon-Fri 22:00-07:00, timeZone: Mars}}}}\n",
            "operator.yaml:5: spec.notify[0].quietHours.timeZone: 'Mars' is not a time zone that this machine knows",
        ),
        (
            f"  notify: [{{{CHAT}, quietHours: {{hours: nights}}}}]\n",
            "spec.notify[0].quietHours.hours: 'nights' is not days and hours: write them as Mon-Fri 08:00-18:00",
        ),
        (
            f"  notify: [{{{CHAT}, quietHours: {{hours: Mon-Sun 00:00-24:00}}}}]\n",
            "spec.notify[0].quietHours: the hours never end: leave out some of them",
        ),
        (
            f"  notify:\n  - {{{CHAT}}}\n  - {{name: b, type: slack, url: {{env: U}}, template: '{{jobs.x}}'}}\n",
            "operator.yaml:6: spec.notify[1].template: {jobs.x} is not a field of a notification: write one of text,",
        ),
        (f"  notify: [{{{CHAT}, template: '{{text!r}}'}}]\n", "{text} is not a field of a notification"),
        (f"  notify: [{{{CHAT}, template: '{{text:>99}}'}}]\n", "{text} is not a field of a notification"),
        (f"  notify: [{{{CHAT}, template: '{{0}}'}}]\n", "{0} is not a field of a notification"),
        (f"  notify: [{{{CHAT}, template: '{{text'}}]\n", "'{text' has a brace without its pair"),
        (
            f"  notify: [{{{CHAT}, templates: {{job.canceled: x}}}}]\n",
            "spec.notify[0].templates.job.canceled: 'job.canceled' is not one of job.cancelled",
        ),
        ("  changeWindows: [{name: a, allow: {days: [0]}}]\n", "must be days and hours, such as Mon-Fri 08:00-18:00"),
        (
            "  prices: {currency: usd, list: []}\n",
            "'usd' is not the code of a currency, such as USD: did you mean USD?",
        ),
        ("  prices: {currency: $, list: []}\n", "spec.prices.currency: '$' is not the code of a currency, such as USD"),
        (f"{PRICE}perHour: -3}}]}}\n", "spec.prices.list[0].perHour: '-3' is not an amount: write digits"),
        (f"{PRICE}perHour: NaN}}]}}\n", "spec.prices.list[0].perHour: 'NaN' is not an amount"),
        (f"{PRICE}perHour: Infinity}}]}}\n", "spec.prices.list[0].perHour: 'Infinity' is not an amount"),
        (f"{PRICE}perHour: 1e3}}]}}\n", "spec.prices.list[0].perHour: '1e3' is not an amount"),
        (f"{PRICE}perHour: 1_000}}]}}\n", "spec.prices.list[0].perHour: '1_000' is not an amount"),
        (f"{PRICE}perHour: 3 USD}}]}}\n", "spec.prices.list[0].perHour: '3 USD' is not an amount"),
        (f"{PRICE}perHour: 0}}]}}\n", "perHour: 0 is not plausible, because it is less than 0.001. Leave out unknown"),
        (f"{PRICE}perHour: 1000001}}]}}\n", "perHour: 1000001 is not plausible, because it is more than 1000000"),
        (
            f"{PRICE}perMillionTokens: 0.000003}}]}}\n",
            "If 0.000003 is the price of one token, write 3. Leave out unknown prices.",
        ),
        (f"{PRICE}perMilionTokens: 3}}]}}\n", "spec.prices.list[0].perMilionTokens: unknown key; valid here: provider"),
        (f"{PRICE}perMilionTokens: 3}}]}}\n", "did you mean 'perMillionTokens'?"),
        (f"{PRICE}perThousandRequests: 3}}]}}\n", "spec.prices.list[0]: perThousandRequests applies only to BatchJob"),
        (
            f"{PRICE}model: o4-mini}}]}}\n",
            "spec.prices.list[0]: must have exactly one of perHour, perMillionTokens and",
        ),
        (f"{PRICE}perHour: 3, perMillionTokens: 3}}]}}\n", "spec.prices.list[0]: must have exactly one of perHour"),
        (f"{PRICE}perHour: 3, model: o*mini}}]}}\n", "spec.prices.list[0].model: 'o*mini' is not the name of a model"),
        (f"{PRICE}perHour: 3, bound: atmost}}]}}\n", "did you mean 'atMost'?"),
        (
            (
                "  prices:\n    currency: USD\n    list:\n"
                "    - {provider: openai, kind: FineTuningJob, model: o*, perHour: 3}\n"
                "    - {provider: openai, kind: FineTuningJob, model: o*, perHour: 4}\n"
            ),
            (
                "operator.yaml:8: spec.prices.list[1]: this price is for the same jobs as spec.prices.list[0]: "
                "remove one of the two"
            ),
        ),
    ],
)
def test_a_mistake_is_reported_at_its_line_and_no_rule_applies(text: str, said: str) -> None:
    found = wrong(text)

    assert any(said in each for each in found), found
    assert parse_rules((HEAD + text).encode(), "x").spec == OperatorSpec()


def test_a_price_of_an_unknown_provider_type_is_reported_with_a_similar_type() -> None:
    text = f"{HEAD}  prices: {{currency: USD, list: [{{provider: opnai, kind: BatchJob, perMillionTokens: 1}}]}}\n"

    (found,) = parse_rules(text.encode(), "operator.yaml", ("openai", "sandbox")).diagnostics

    assert str(found) == (
        "operator.yaml:4: spec.prices.list[0].provider: 'opnai' is not one of openai, sandbox; did you mean 'openai'?"
    )


def test_a_price_of_jobs_that_the_provider_type_does_not_have_is_reported() -> None:
    rules = "{provider: hf-jobs, kind: FineTuningJob, perHour: 1}, {provider: hf-jobs, kind: BatchJob, perHour: 1}"
    text = f"{HEAD}  prices: {{currency: USD, list: [{rules}]}}\n"

    (found,) = parse_rules(text.encode(), "a.yaml", ("hf-jobs",), lambda _type: ("FineTuningJob",)).diagnostics

    assert str(found) == (
        "a.yaml:4: spec.prices.list[1].kind: hf-jobs has no BatchJob jobs, so this price never applies: remove it"
    )


@pytest.mark.parametrize("field", ["url", "secret", "key"])
@pytest.mark.parametrize("value", ["https://hooks.example/CANARY", "{env: https://CANARY}", "[CANARY]", "{CANARY: x}"])
def test_a_secret_that_is_written_into_the_file_is_refused_and_not_repeated(field: str, value: str) -> None:
    (found, *_) = wrong(f"  notify:\n  - name: a\n    type: webhook\n    {field}: {value}\n")

    assert found == (
        f"operator.yaml:7: spec.notify[0].{field}: must be {{env: VARIABLE}} or {{file: PATH}}: never write "
        "the secret itself"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must contain exactly one document, of kind OperatorConfig, but contains 0"),
        (f"{HEAD}  suspend: true\n---\n{HEAD}  suspend: true\n", "but contains 2"),
        ("- a\n", "a document must be a mapping"),
        ("{", "invalid YAML"),
        (HEAD.replace("OperatorConfig", "Settings"), "kind: must be OperatorConfig, but is 'Settings'"),
        (HEAD.replace("OperatorConfig", "OperatorConfg"), "did you mean 'OperatorConfig'?"),
        (HEAD.replace("v1", "v9"), "is newer than this reconcile"),
        (HEAD + "  suspend: true\n  suspend: false\n", "suspend"),
    ],
)
def test_an_invalid_operator_file_sets_no_rules(text: str, said: str) -> None:
    rules = parse_rules(text.encode(), "operator.yaml")

    assert any(said in str(each) for each in rules.diagnostics), rules.diagnostics
    assert rules.spec == OperatorSpec()


@pytest.mark.parametrize("where", ["specs/operator.yaml", "specs/deep/er/operator.yaml", "status/operator.yaml"])
def test_an_operator_file_among_specs_or_statuses_is_refused(tmp_path: Path, where: str) -> None:
    file = tmp_path / where
    file.parent.mkdir(parents=True)
    file.write_text(HEAD, encoding="utf-8")

    with pytest.raises(MisplacedFileError, match="can change: move it outside the specs and the statuses"):
        check_place(file, tmp_path / "specs", tmp_path / "status")


def test_an_operator_file_linked_to_or_from_the_specs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "inner.yaml").write_text(HEAD, encoding="utf-8")
    (tmp_path / "outer.yaml").write_text(HEAD, encoding="utf-8")
    (tmp_path / "specs" / "link.yaml").symlink_to(tmp_path / "outer.yaml")
    (tmp_path / "link.yaml").symlink_to(tmp_path / "specs" / "inner.yaml")

    check_place(tmp_path / "outer.yaml", tmp_path / "specs")
    for file in (tmp_path / "specs" / "link.yaml", tmp_path / "link.yaml"):
        with pytest.raises(MisplacedFileError, match="which spec authors can change"):
            check_place(file, tmp_path / "specs")


@pytest.mark.parametrize("loop", ["operator.yaml", "specs"])
def test_a_loop_of_links_is_reported_like_an_unreadable_file(tmp_path: Path, loop: str) -> None:
    for name in ("operator.yaml", "specs"):
        if name == loop:
            (tmp_path / name).symlink_to(name)
        else:
            (tmp_path / name).touch()

    if sys.version_info >= (3, 13) and loop == "specs":
        check_place(tmp_path / "operator.yaml", tmp_path / "specs")
    else:
        with pytest.raises(OSError, match="Too many levels"):
            check_place(tmp_path / "operator.yaml", tmp_path / "specs")


def a_place(root: Path) -> Path:
    """Create an operator file two directories below `root`."""
    file = root / "outer" / "home" / "operator.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(HEAD, encoding="utf-8")
    return file


@pytest.mark.parametrize("mode", [0o002, 0o020], ids=["everybody", "a group"])
@pytest.mark.parametrize("above", [0, 1, 2], ids=["the file", "its directory", "the one above"])
def test_an_operator_file_that_other_users_can_write_or_replace_is_refused(
    tmp_path: Path, above: int, mode: int
) -> None:
    file = a_place(tmp_path)
    place = (file, *file.parents)[above]
    os.chown(place, -1, a_group_of_others())
    place.chmod(place.stat().st_mode | mode)

    with pytest.raises(MisplacedFileError, match="is writable by other users"):
        check_place(file, tmp_path / "specs")


def test_an_operator_file_behind_a_link_that_others_can_replace_is_refused(tmp_path: Path) -> None:
    file = a_place(tmp_path)
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "operator.yaml").symlink_to(file)
    check_place(shared / "operator.yaml", tmp_path / "specs")
    shared.chmod(0o777)

    with pytest.raises(MisplacedFileError, match=f"because {shared} is writable"):
        check_place(shared / "operator.yaml", tmp_path / "specs")


def test_an_operator_file_in_a_sticky_directory_is_accepted(tmp_path: Path) -> None:
    file = a_place(tmp_path)
    file.parent.chmod(0o1777)

    check_place(file, tmp_path / "specs")


def a_group_of_others() -> int:
    """Return a group that this user does not belong to. Only root can run the tests that use it."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a file to any group")
    return 65_533
