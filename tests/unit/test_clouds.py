"""Which host a vendor's cloud has in a region, and which cloud's tokens it accepts."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.providers import load
from reconciler.providers._entra import cloud_of

REGIONS = ("us-east-1", "eu-west-1", "us-gov-west-1", "cn-north-1", "eusc-de-east-1", "us-iso-east-1", "us-isob-east-1")


@pytest.mark.sampled(5)
@pytest.mark.parametrize("service", ["bedrock", "sagemaker"])
@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("is_fips", [False, True], ids=["", "fips"])
@pytest.mark.parametrize("is_dualstack", [False, True], ids=["", "dualstack"])
def test_the_aws_endpoint_of_a_region_equals_that_of_botocore(
    service: str,
    region: str,
    is_fips: bool,  # noqa: FBT001
    is_dualstack: bool,  # noqa: FBT001
) -> None:
    session: Any = pytest.importorskip("botocore.session").Session()
    config = pytest.importorskip("botocore.config").Config(
        use_fips_endpoint=is_fips, use_dualstack_endpoint=is_dualstack
    )
    client = session.create_client(
        service,
        region_name=region,
        config=config,
        aws_access_key_id="a",
        aws_secret_access_key="b",  # noqa: S106
    )
    type_ = load(service)
    options = type_.options.model_validate(
        {"region": region, "useFipsEndpoint": is_fips, "useDualstackEndpoint": is_dualstack}
    )

    assert type_.own_url(options) == client.meta.endpoint_url
    assert type_.scope(options) == (("region", region),)


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("global", "aiplatform.googleapis.com"),
        ("us-central1", "us-central1-aiplatform.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
    ],
)
def test_each_vertex_ai_location_has_its_own_host(location: str, host: str) -> None:
    type_ = load("vertex-ai")

    assert type_.own_url(type_.options.model_validate({"project": "p-1", "location": location})) == f"https://{host}"


@pytest.mark.parametrize(
    ("project", "named"), [("p-1", "p-1"), ("p-1", "123456789"), ("123456789", "p-1"), ("123456789", "123456789")]
)
def test_a_job_name_may_contain_the_google_project_id_or_number(project: str, named: str) -> None:
    type_ = load("vertex-ai")
    options = type_.options.model_validate({"project": project, "location": "eu"})

    assert type_.canonical_id(f"projects/{named}/locations/eu/tuningJobs/7", options) == "7"


@pytest.mark.parametrize(
    "parent", ["projects/p-2/locations/eu", "projects/123/locations/us", "projects/p-1/locations/us"]
)
def test_the_job_name_of_another_project_or_location_is_rejected(parent: str) -> None:
    type_ = load("vertex-ai")
    options = type_.options.model_validate({"project": "p-1", "location": "eu"})
    with pytest.raises(ValueError, match="is not a job of projects/p-1/locations/eu"):
        type_.canonical_id(f"{parent}/tuningJobs/7", options)


@pytest.mark.parametrize(
    ("base_url", "login", "cloud"),
    [
        ("https://a.openai.azure.com", "", "com"),
        ("https://a.openai.azure.us/x", "", "us"),
        ("https://a.openai.azure.cn", "login.microsoftonline.us", "cn"),
        ("https://gateway.example", "", "com"),
        ("https://gateway.example", "https://login.microsoftonline.us/", "us"),
        ("https://gateway.example", "login.chinacloudapi.cn", "cn"),
        ("https://gateway.example", "login.elsewhere.example", "com"),
        ("https://openai.azure.us.example", "", "com"),
    ],
)
def test_an_azure_resource_uses_the_tokens_of_its_own_cloud(base_url: str, login: str, cloud: str) -> None:
    assert cloud_of(base_url, {"AZURE_AUTHORITY_HOST": login}) == cloud
