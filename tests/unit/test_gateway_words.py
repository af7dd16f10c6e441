"""Error messages of a gateway in front of a provider, in formats that differ from the provider's own."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from reconciler.errors import PermanentError
from tests.contract.dialects.adapter_call import ask, job
from tests.support.canned_transport import CannedTransport, answer

OPTIONS: Mapping[str, Mapping[str, str]] = {
    "openai": {},
    "vertex-ai": {"project": "p", "location": "eu"},
    "bedrock": {"region": "us-east-1"},
}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"statusCode": 401, "message": "Access denied due to missing subscription key."}, "missing subscription key"),
        ({"detail": "Key is not allowed to access this route"}, "Key is not allowed"),
        (
            {"detail": [{"loc": ["path", "id"], "msg": "value is not valid"}] * 9},
            "path.id: value is not valid; path.id",
        ),
        ({"error": "tenant header is required"}, "tenant header is required"),
        ({"error": "invalid_request", "error_description": "no tenant"}, "no tenant"),
        ({"title": "Forbidden", "status": 403}, "Forbidden"),
        ({"title": "Forbidden", "detail": "not in this region"}, "not in this region"),
        ({"errors": [{"code": 1, "message": "blocked by policy"}, "and more"]}, "blocked by policy; and more"),
        ({"fault": {"faultstring": "Spike arrest violation"}}, "Spike arrest violation"),
        ({"error": {"detail": "deep inside"}}, "deep inside"),
        ({"errors": [[[["too deep"]]], {"message": 7}]}, "HTTP 400)"),
        ({"detail": [None, 3, {"msg": {}}], "error": 7}, "HTTP 400)"),
        ([], "HTTP 400)"),
    ],
)
@pytest.mark.parametrize("type_name", OPTIONS)
def test_the_error_contains_the_message_of_a_gateway_in_any_known_format(
    type_name: str, body: object, said: str
) -> None:
    key = "A:secret-0123456789" if type_name == "bedrock" else "key-0123456789"
    with pytest.raises(PermanentError) as caught:
        ask(
            type_name,
            OPTIONS[type_name],
            key,
            CannedTransport([answer(body, 400)]),
            lambda controller: controller.get_job(job(type_name, "ftjob-1")),
        )

    assert said in str(caught.value)
