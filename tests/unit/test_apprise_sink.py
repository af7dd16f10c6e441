from __future__ import annotations

from importlib.util import find_spec

import pytest

from reconciler.telemetry.apprise_sink import open_service, secrets_of_service


@pytest.mark.skipif(find_spec("apprise") is not None, reason="the extra notify is installed here")
def test_without_the_extra_the_error_names_the_package_to_install() -> None:
    with pytest.raises(ValueError, match=r"^the type apprise needs .* pip install 'llm-job-reconciler\[notify\]'$"):
        open_service("mailto://user:hunter22@example.org")


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("mailtos://bot:hunter22@smtp.example.org?from=ops@example.org", ["hunter22"]),
        ("mailtos://bot:hunter.22@smtp.example.org", ["hunter.22"]),
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", ["4174216298", "JHMHI8qBe7bk2ZwO5U711o3dV_js"]),
        ("jsons://hooks.example.org/in?%2Btoken=ab%2Fcd1234", ["ab%2Fcd1234", "ab/cd1234"]),
    ],
)
def test_the_secret_parts_of_a_url_are_redacted_and_its_host_is_not(url: str, secrets: list[str]) -> None:
    found = secrets_of_service(url)

    assert {url, *secrets} <= set(found)
    assert {"smtp.example.org", "hooks.example.org"}.isdisjoint(found)
