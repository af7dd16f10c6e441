"""Checks against hostile authors, each weakened in one place, and the attack that detects it.

`python -m tests.support.security_mutants [WORDS]` puts each weakness whose name contains the words, or every weakness,
into its own copy of the package. It runs the weakness's attack and the random authors against that copy, as an
installed command. It prints a table, and fails if a weakness is not detected.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.scenario.bugs import Bug

ROOT = Path(__file__).resolve().parents[2]
AUTHORS = "tests/e2e/test_hostile_authors.py"
REPOSITORIES = 100
"""The number of repositories with random authors after which a weakness counts as undetected."""
NOTHING = "-"


@dataclass(frozen=True, slots=True)
class WeakenedCheck:
    """A bug, and the attack that it makes possible: a test in the file `test_attacks_TOPIC.py`."""

    bug: Bug
    topic: str
    attack: str

    @property
    def test(self) -> str:
        """The attack, as an argument of pytest."""
        return f"tests/e2e/test_attacks_{self.topic}.py::{self.attack}"


WEAKENED_CHECKS = (
    WeakenedCheck(
        Bug(
            "identify an account by its spelling",
            "controller/account_resolver.py",
            "return CredentialScope(str(account) if account.is_embedded else account.host, name)",
            "return CredentialScope(str(account), name)",
        ),
        "identity",
        "test_another_spelling_of_an_account_does_not_bypass_its_allowed_paths",
    ),
    WeakenedCheck(
        Bug(
            "let a second Provider document replace the first",
            "controller/account_resolver.py",
            "for name, count in places.items() if count > 1 or name in hidden)",
            "for name, count in places.items() if count > 9)",
        ),
        "identity",
        "test_a_second_provider_document_of_a_name_does_not_replace_the_first",
    ),
    WeakenedCheck(
        Bug(
            "let a spec claim a job whose account it may not use",
            "controller/spec_resolver.py",
            "refusal, may_claim=False)",
            "refusal)",
        ),
        "identity",
        "test_a_spec_without_an_account_keeps_its_receipts_if_an_outsider_takes_its_name",
    ),
    WeakenedCheck(
        Bug(
            "let a spec without an account claim any name",
            "controller/spec_resolver.py",
            "bool(rivals) and not any(targets.may_use(spec.source, target) for target in rivals)",
            "False",
        ),
        "identity",
        "test_a_spec_that_may_not_use_an_account_blocks_no_spec_of_it",
    ),
    WeakenedCheck(
        Bug(
            "let a spec block another if it may not use its account",
            "core/duplicates.py",
            "[claim for claim in claims if claim.may_claim]",
            "list(claims)",
        ),
        "identity",
        "test_a_spec_that_may_not_use_an_account_blocks_no_spec_of_it",
    ),
    WeakenedCheck(
        Bug(
            "give a status to the first spec of its name",
            "core/match.py",
            "(not claim.may_claim, (claim.name, claim.source) not in places)",
            "not claim.may_claim",
        ),
        "identity",
        "test_a_spec_without_an_account_keeps_its_receipts_if_an_outsider_takes_its_name",
    ),
    WeakenedCheck(
        Bug(
            "compare bound paths by prefix instead of by component",
            "local/credential_policy.py",
            'f"{path}/".startswith(f"{self.path}/")',
            "path.startswith(self.path)",
        ),
        "identity",
        "test_a_key_is_not_sent_to_another_tenant_of_a_gateway",
    ),
    WeakenedCheck(
        Bug(
            "let Settings loosen the guard",
            "core/guard.py",
            "else min(operator, repository)",
            "else repository",
        ),
        "identity",
        "test_settings_can_tighten_but_not_loosen_the_operators_limits",
    ),
    WeakenedCheck(
        Bug(
            "accept an approval that reviewers cannot see",
            "git/commits.py",
            "message=message if _shows_ascii(charset) and not _HIDING.search(message) else None,",
            "message=message if _shows_ascii(charset) else None,",
        ),
        "messages",
        "test_an_approval_line_hidden_from_reviewers_approves_nothing",
    ),
    WeakenedCheck(
        Bug(
            "accept any number as a date",
            "git/approvals.py",
            're.compile(r"([0-9]{1,11}) ([0-9a-f]{40,64})',
            're.compile(r"([0-9]+) ([0-9a-f]{40,64})',
        ),
        "messages",
        "test_a_malformed_commit_does_not_affect_other_approvals",
    ),
    WeakenedCheck(
        Bug(
            "trust an open receipt that the journal does not confirm",
            "core/past_attempts.py",
            "if change.verb is None or receipt is None or self.is_ours:",
            "if change.verb is None or receipt is None or receipt.attempts:",
        ),
        "guard",
        "test_forged_open_receipts_do_not_bypass_the_guard",
    ),
    WeakenedCheck(
        Bug(
            "ignore any number of lost statuses",
            "core/losses.py",
            'if judge("statuses", tuple(lost), 0, total, limits) is None:',
            'if judge("statuses", (), 0, total, limits) is None:',
        ),
        "guard",
        "test_many_vanished_statuses_block_every_first_request_and_report_why",
    ),
    WeakenedCheck(
        Bug(
            "pass every setting of a checkout to Git",
            "git/settings.py",
            "    return is_known\n",
            "    return True\n",
        ),
        "git",
        "test_a_git_setting_of_the_checkout_that_names_a_program_runs_nothing",
    ),
    WeakenedCheck(
        Bug(
            "ignore a bare repository among the specs",
            "local/specs_walk.py",
            'if ".git" in names or names >= _LAYOUT:',
            'if ".git" in names:',
        ),
        "git",
        "test_a_bare_repository_among_the_specs_runs_no_program",
    ),
    WeakenedCheck(
        Bug(
            "follow links among the statuses",
            "wiring/sources.py",
            "disk = LocalDisk(root, follows_links=False,",
            "disk = LocalDisk(root, follows_links=True,",
        ),
        "files",
        "test_a_status_folder_that_links_to_a_specs_folder_creates_no_file_there",
    ),
    WeakenedCheck(
        Bug(
            "use a predictable name for a temporary file",
            "local/file_writer.py",
            'f".reconcile-{secrets.token_hex(8)}.tmp"',
            'f".{target.name}.tmp"',
        ),
        "files",
        "test_a_link_at_a_temporary_file_name_is_not_written_through",
    ),
    WeakenedCheck(
        Bug(
            "trust a state directory that other users can write to",
            "local/state_dir.py",
            "    if not others:\n",
            "    if others >= 0:\n",
        ),
        "files",
        "test_a_state_directory_writable_by_others_is_not_trusted",
    ),
    WeakenedCheck(
        Bug(
            "do not redact a reversed key",
            "redaction.py",
            "for text in (secret, secret[::-1]):",
            "for text in (secret,):",
        ),
        "secrets",
        "test_an_echoed_key_in_any_encoding_is_redacted_from_statuses_and_results",
    ),
    WeakenedCheck(
        Bug(
            "accept any host name",
            "web/hosts.py",
            'return "." not in name or name in self._names or _is_address(name)',
            "return bool(name) or name in self._names or _is_address(name)",
        ),
        "health",
        "test_a_dns_rebinding_page_cannot_read_the_health_port",
    ),
    WeakenedCheck(
        Bug(
            "do not escape a number sign in Markdown",
            "views/markdown.py",
            r"    | [@\#] (?=\w)",
            r"    | [@] (?=\w)",
        ),
        "markdown",
        "test_a_reason_creates_no_link_and_no_mention_on_github",
    ),
    WeakenedCheck(
        Bug(
            "write control characters to the terminal",
            "views/text.py",
            'return " " if char.isspace() else char.encode("unicode_escape").decode()',
            "return char",
        ),
        "terminal",
        "test_author_text_cannot_send_control_sequences_to_a_terminal",
    ),
)


def main() -> None:
    """Weaken each check, and report which test or random author detects it."""
    words = " ".join(sys.argv[1:])
    missed = 0
    _tell("| Weakened check | In | An attack | Random authors |", "|---|---|---|---|")
    for each in WEAKENED_CHECKS:
        if words in each.bug.name:
            attack, authors = _noticed(each)
            missed += NOTHING in {attack} & {authors}
            _tell(f"| {each.bug.name} | `{each.bug.file}` | {attack} | {authors} |")
    sys.exit(f"{missed} weaknesses were not detected" if missed else 0)


def _noticed(weakened: WeakenedCheck) -> tuple[str, str]:
    """Return the attack that detects the weakness, and after how many repositories random authors detect it, or `-`."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        shutil.copytree(ROOT / "reconciler", place / "reconciler", ignore=shutil.ignore_patterns("__pycache__"))
        weakened.bug.plant_in(place / "reconciler")
        fell = "FAILED" in _pytest(place, weakened.test)
        found = re.search(
            r"^E? *(?:AssertionError: )?seed (\d+) ", _pytest(place, AUTHORS, f"--seeds={REPOSITORIES}"), re.MULTILINE
        )
        return f"`{weakened.attack}`" if fell else NOTHING, f"after {int(found[1]) + 1}" if found else NOTHING


def _pytest(place: Path, *arguments: str) -> str:
    """Run tests of this checkout against the copy, and return what they print."""
    command = f"env PYTHONPATH={place} {sys.executable} -m reconciler"
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-rf", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env={**os.environ, "RECONCILE_COMMAND": command},
        capture_output=True,
        text=True,
        check=False,
    ).stdout


def _tell(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)  # noqa: T201 - a table for people


if __name__ == "__main__":
    main()
