"""The pure parts of the benchmarks: the arithmetic, the tables, and the pages of the canned provider."""

from __future__ import annotations

import json

import pytest

from tests.benchmarks.__main__ import sizes_of
from tests.benchmarks.canned_jobs import CannedJobs
from tests.benchmarks.canned_provider import CannedProvider, Manner
from tests.benchmarks.figures import Used, growth_exponent, median_of, number, ratio, with_section
from tests.benchmarks.growth import growth
from tests.benchmarks.machine import cpu_model
from tests.benchmarks.passes import FLOOR, PLAIN_YAML, Cost, Sized
from tests.benchmarks.slowest import name_of, place

JOBS = "/a/v1/fine_tuning/jobs"


def sized(size: int, cpu_s: float, peak_mib: float = 50) -> Sized:
    """Return the costs of one size, equal for each command."""
    used = Used(wall_s=2 * cpu_s, cpu_s=cpu_s, peak_mib=peak_mib)
    return Sized(size, {name: Cost(used.plus(Used(1, 1, 0)), used) for name in (FLOOR, PLAIN_YAML, "`get`")})


def provider(manner: Manner = Manner.AT_ONCE) -> CannedProvider:
    """Return a provider with one account of 250 jobs, of which three run."""
    return CannedProvider({"a": CannedJobs("a", 250, 3)}, {"a": manner})


def asked(provider: CannedProvider, target: str, method: str = "GET") -> tuple[int, dict[str, object]]:
    """Return the status and the body that the provider answers with."""
    answered = provider.answer(method, target, 0.0)
    assert answered
    return answered[0], json.loads(answered[1])


@pytest.mark.parametrize(
    ("small", "large", "factor", "exponent"), [(1, 10, 10, 1), (1, 100, 10, 2), (3, 3, 10, 0), (1, 2, 4, 0.5)]
)
def test_the_growth_exponent_is_the_power_of_the_size(
    small: float, large: float, factor: float, exponent: float
) -> None:
    assert growth_exponent(small, large, factor) == pytest.approx(exponent)


@pytest.mark.parametrize(("small", "large"), [(0, 1), (1, 0), (-1, 1)])
def test_a_cost_that_is_not_measurable_has_no_growth_exponent(small: float, large: float) -> None:
    assert growth_exponent(small, large, 10) is None


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1,234"), (99.96, "100.0"), (12.34, "12.3"), (0.123, "0.12"), (None, "-")]
)
def test_a_larger_figure_is_rendered_with_fewer_decimals(value: float | None, text: str) -> None:
    assert number(value) == text


def test_a_ratio_to_a_peer_that_used_nothing_is_left_out() -> None:
    assert ratio(3, 2) == "1.50x"
    assert ratio(3, 0) == "-"


def test_the_median_and_the_start_are_taken_of_each_figure() -> None:
    runs = [Used(1, 9, 5), Used(2, 8, 6), Used(3, 7, 4)]

    assert median_of(runs) == Used(2, 8, 5)
    assert median_of(runs).beyond(Used(0.5, 9, 3)) == Used(1.5, 0, 5)
    assert Used(1, 2, 3).times(2) == Used(2, 4, 3)


def test_a_size_is_a_table_of_ratios_to_the_floor() -> None:
    lines = sized(1000, 0.5).rows().splitlines()

    assert lines[0].startswith("| Program | CPU, s | CPU beyond imports, s | CPU ÷ floor |")
    assert lines[-1] == "| `get` | 1.50 | 0.50 | 1.00x | 1.00x | 2.00 | 1.00x | 50.0 |"


def test_growth_is_a_table_of_costs_and_exponents_between_sizes() -> None:
    lines = growth([sized(1000, 0.5), sized(10_000, 5, peak_mib=500)]).splitlines()

    assert "| CPU exponent, 1,000 → 10,000 | Memory exponent, 1,000 → 10,000 |" in lines[0]
    assert lines[-1] == "| `get` | 500 | 500 | 1.00 | 1.00 |"


def test_a_section_of_a_document_is_replaced_between_its_comments() -> None:
    text = "before\n<!-- a -->\nold\n<!-- /a -->\nafter\n"

    assert with_section(text, "a", "new") == "before\n<!-- a -->\nnew\n<!-- /a -->\nafter\n"
    with pytest.raises(ValueError, match="no section b"):
        with_section(text, "b", "new")


def test_sizes_are_read_in_ascending_order_and_once() -> None:
    assert sizes_of("10000,1000,1000") == (1000, 10_000)


def test_the_model_of_the_processor_is_read_from_its_description() -> None:
    assert cpu_model("processor\t: 0\nmodel name\t: A Processor\nmodel name\t: A Processor\n") == "A Processor"
    assert cpu_model("").startswith("unknown")


def test_a_profile_names_functions_without_directories_of_the_machine() -> None:
    assert place("/some/where/reconciler/core/table.py") == "reconciler/core/table.py"
    assert place("/usr/lib/python3.11/enum.py") == "enum.py"
    assert name_of(("~", 0, "<built-in method posix.open>")) == "built-in method posix.open"
    assert name_of(("/x/reconciler/a.py", 3, "run")) == "run, reconciler/a.py:3"


def test_the_pages_of_the_canned_provider_contain_every_job_once() -> None:
    served, after, found = provider(), "", []
    while True:
        status, page = asked(served, f"{JOBS}?limit=100{after}")
        rows = page["data"]
        assert status == 200
        assert isinstance(rows, list)
        found += [row["id"] for row in rows]
        if not page["has_more"]:
            break
        after = f"&after={rows[-1]['id']}"

    assert found == list(CannedJobs("a", 250, 3).places)


def test_the_canned_provider_returns_twenty_jobs_if_no_limit_is_given() -> None:
    _, page = asked(provider(), JOBS)

    assert isinstance(page["data"], list)
    assert len(page["data"]) == 20


def test_a_cancel_is_seen_in_the_job_and_in_pages_that_were_already_served() -> None:
    served = provider()
    asked(served, JOBS)

    assert asked(served, f"{JOBS}/ftjob-a000001/cancel", "POST")[1]["status"] == "cancelled"
    assert asked(served, f"{JOBS}/ftjob-a000001")[1]["status"] == "cancelled"
    page = asked(served, JOBS)[1]["data"]
    assert isinstance(page, list)
    assert [row["status"] for row in page[:4]] == ["running", "cancelled", "running", "succeeded"]
    assert asked(served, "/arrivals")[1] == {"cancels": {"ftjob-a000001": 0.0}, "requests": 4}


@pytest.mark.parametrize(
    "target", ["/b/v1/fine_tuning/jobs", f"{JOBS}/ftjob-x", f"{JOBS}?after=ftjob-x", "/a/v1/files"]
)
def test_the_canned_provider_finds_no_missing_job_or_page(target: str) -> None:
    assert asked(provider(), target)[0] == 404


def test_an_account_that_hangs_is_never_answered() -> None:
    assert provider(Manner.NEVER).answer("GET", JOBS, 0.0) is None


def test_an_account_that_throttles_answers_429_beyond_two_requests_a_second() -> None:
    served = provider(Manner.THROTTLED)

    assert [asked(served, JOBS)[0] for _ in range(4)] == [200, 200, 429, 429]
