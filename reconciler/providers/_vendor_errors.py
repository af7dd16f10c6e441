"""Classification of the exceptions of the vendors' credential libraries.

The message of such an exception is never used, because it can contain a secret. Instead, an error states a `Cause` and
the name of the exception's class or the error code of the service. A test fails if a table lacks an exception of
its library.

Sources: botocore 1.44.8 `exceptions.py`; google-auth 2.63.0 `exceptions.py`; azure-core 1.41.0 `exceptions.py`;
azure-identity 1.27.0 `_exceptions.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from http import HTTPStatus

from reconciler.plugin import Delivered, Kind, PermanentError, TransientError


class Cause(Enum):
    """Why a vendor's library did not return a secret. The value is the text for the error message."""

    UNAVAILABLE = "the service that issues them is unreachable or failing"
    REFUSED = "the service that issues them refused the request"
    EXPIRED = "they, or the login that they come from, have expired"
    PERSON = "they require a code or a browser login, which reconcile does not support"
    PROGRAM = "the program that prints them failed, or its output is invalid"
    BROKEN = "the settings that they come from are incomplete or invalid"
    MISSING = "none were found on this machine"


def _table(causes: Mapping[Cause, str]) -> Mapping[str, Cause]:
    python = {
        "BaseException": Cause.BROKEN,
        "ConnectionError": Cause.UNAVAILABLE,
        "TimeoutError": Cause.UNAVAILABLE,
        "gaierror": Cause.UNAVAILABLE,
    }
    return {**python, **{name: cause for cause, names in causes.items() for name in names.split()}}


AWS: Mapping[str, Cause] = _table(
    {
        Cause.UNAVAILABLE: """
        CapacityNotAvailableError ConnectTimeoutError ConnectionClosedError ConnectionError
        EndpointConnectionError HTTPClientError IncompleteReadError MetadataRetrievalError ProxyConnectionError
        ReadTimeoutError ResponseStreamingError SSLError
        """,
        Cause.REFUSED: """
        ClientError EventStreamError LoginError LoginInsufficientPermissions
        """,
        Cause.EXPIRED: """
        LoginAuthorizationCodeError LoginRefreshRequired LoginTokenLoadError NoAuthTokenError SSOError
        SSOTokenLoadError TokenRetrievalError UnauthorizedSSOTokenError
        """,
        Cause.PERSON: "RefreshWithMFAUnsupportedError",
        Cause.MISSING: "NoCredentialsError",
        # Some of these concern only parameters or endpoints. They are listed so that the table is complete.
        Cause.BROKEN: """
        AliasConflictParameterError ApiVersionNotFoundError AwsChunkedWrapperError BaseEndpointResolverError
        BotoCoreError ChecksumError ConfigNotFound ConfigParseError CredentialRetrievalError DataNotFoundError
        EndpointProviderError EndpointResolutionError EndpointVariantError FlexibleChecksumError
        InfiniteLoopConfigError InvalidChecksumConfigError InvalidConfigError InvalidDNSNameError
        InvalidDefaultsMode InvalidEndpointConfigurationError InvalidEndpointDiscoveryConfigurationError
        InvalidExpressionError InvalidHostLabelError InvalidIMDSEndpointError InvalidIMDSEndpointModeError
        InvalidMaxRetryAttemptsError InvalidProxiesConfigError InvalidRegionError
        InvalidRetryConfigurationError InvalidRetryModeError InvalidS3AddressingStyleError
        InvalidS3UsEast1RegionalEndpointConfigError InvalidSTSRegionalEndpointsConfigError MD5UnavailableError
        MissingDependencyException MissingParametersError MissingServiceIdError NoRegionError
        OperationNotPageableError PaginationError ParamValidationError PartialCredentialsError ProfileNotFound
        RangeError ServiceNotInRegionError StubAssertionError StubResponseError UnStubbedResponseError
        UndefinedModelAttributeError UnknownClientMethodError UnknownCredentialError UnknownEndpointError
        UnknownEndpointResolutionBuiltInName UnknownFIPSEndpointError UnknownKeyError UnknownParameterError
        UnknownRegionError UnknownServiceError UnknownServiceStyle UnknownSignatureVersionError
        UnknownTokenProviderError UnseekableStreamError UnsupportedOutpostResourceError
        UnsupportedS3AccesspointConfigurationError UnsupportedS3ArnError UnsupportedS3ConfigurationError
        UnsupportedS3ControlArnError UnsupportedS3ControlConfigurationError UnsupportedServiceProtocolsError
        UnsupportedSignatureVersionError ValidationError WaiterConfigError WaiterError
        """,
    }
)
"""The causes of botocore's exceptions, by the name of the class. A class without an entry has the cause of the nearest
base class that has an entry."""

GOOGLE: Mapping[str, Cause] = _table(
    {
        Cause.UNAVAILABLE: "ResponseError TimeoutError TransportError",
        Cause.REFUSED: "OAuthError RefreshError",
        Cause.PERSON: "ReauthFailError ReauthSamlChallengeFailError UserAccessTokenError",
        Cause.MISSING: "DefaultCredentialsError",
        Cause.BROKEN: """
        ClientCertError GoogleAuthError InvalidOperation InvalidResource InvalidType InvalidValue MalformedError
        MutualTLSChannelError OSError
        """,
    }
)
"""The causes of google-auth's exceptions, as in `AWS`."""

AZURE: Mapping[str, Cause] = _table(
    {
        Cause.UNAVAILABLE: """
        AzureError DecodeError IncompleteReadError ResponseNotReadError ServiceRequestError ServiceRequestTimeoutError
        ServiceResponseError ServiceResponseTimeoutError StreamClosedError StreamConsumedError
        """,
        Cause.REFUSED: """
        ClientAuthenticationError HttpResponseError ODataV4Error ResourceExistsError ResourceModifiedError
        ResourceNotFoundError ResourceNotModifiedError TooManyRedirectsError
        """,
        Cause.PERSON: "AuthenticationRequiredError",
        Cause.MISSING: "CredentialUnavailableError",
        Cause.BROKEN: "DeserializationError SerializationError",
    }
)
"""The causes of the exceptions of azure-core and azure-identity, as in `AWS`."""

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,63}")
_TRANSIENT_STATUSES = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


def cause_of(error: BaseException, causes: Mapping[str, Cause]) -> Cause:
    """Return the cause of an exception: that of its class, or of the nearest base class with an entry in `causes`."""
    return next(causes[each.__name__] for each in type(error).__mro__ if each.__name__ in causes)


def cause_of_status(status: int) -> Cause | None:
    """Return the cause that an HTTP status shows; None if the status is not a failure."""
    if status in _TRANSIENT_STATUSES or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Cause.UNAVAILABLE
    return Cause.REFUSED if status >= HTTPStatus.BAD_REQUEST else None


def as_code(value: object) -> str | None:
    """Return a value that looks like an error code, such as `AccessDenied`; None for anything else."""
    return value if isinstance(value, str) and _CODE.fullmatch(value) else None


def credentials_error(vendor: str, cause: Cause, detail: str, hint: str) -> TransientError | PermanentError:
    """Return the provider error for credentials that could not be obtained.

    Args:
        vendor: the name of the vendor, such as `AWS`.
        cause: why they could not be obtained.
        detail: the name of the exception's class, or the service's code; never a message.
        hint: what to do if the failure is not temporary.
    """
    msg = f"{vendor} credentials could not be obtained: {cause.value} ({detail})"
    if cause is Cause.UNAVAILABLE:
        return TransientError(msg, delivered=Delivered.NO)
    return PermanentError(f"{msg}; {hint}", kind=Kind.MISSING)
