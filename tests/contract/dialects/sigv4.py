"""A check of AWS Signature Version 4, written from docs.aws.amazon.com/IAM ("Create a signed AWS API request").

It does not use botocore, so that a signature is checked against the received bytes and not against botocore itself.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from urllib.parse import parse_qsl, quote

from starlette.requests import Request

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/"
    r"(?P<scope>(?P<date>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request), "
    r"SignedHeaders=(?P<headers>[a-z0-9;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)


def is_signed(request: Request, body: bytes, service: str, region: str, access_key: str, secret_key: str) -> bool:
    """Return whether the received request was signed with this key, for this service and region."""
    said = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if said is None or (said["key"], said["service"], said["region"]) != (access_key, service, region):
        return False
    names = said["headers"].split(";")
    must_be_signed = {"host", *(name for name in request.headers if name.startswith("x-amz-"))}
    query = parse_qsl(request.scope["query_string"].decode(), keep_blank_values=True)
    canonical = [
        request.method,
        quote(request.scope["raw_path"].decode(), safe="/-_.~"),
        "&".join(sorted(f"{quote(key, safe='-_.~')}={quote(value, safe='-_.~')}" for key, value in query)),
        *(f"{name}:{' '.join(request.headers[name].split())}" for name in names),
        "",
        said["headers"],
        hashlib.sha256(body).hexdigest(),
    ]
    digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{request.headers['x-amz-date']}\n{said['scope']}\n{digest}"
    key = f"AWS4{secret_key}".encode()
    for part in (said["date"], region, service, "aws4_request", to_sign):
        key = hmac.digest(key, part.encode(), "sha256")
    return must_be_signed <= set(names) and hmac.compare_digest(key.hex(), said["signature"])
