"""What a failed credential library of a vendor means, for every exception that it has.

Rules: no word of a vendor's library is repeated, because it may quote what it was given, such as a key. What went wrong
is told by a `Cause`, the name of the exception's class, and the service's own error code. A test walks the libraries'
exceptions, so that a new one gets a line here.

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
    """Why a vendor's library gave no secret, and what is said of it."""

    AWAY = "the service that issues them cannot be reached, or is in trouble"
    REFUSED = "the service that issues them refused"
    EXPIRED = "they have expired, or the login that they come from has"
    PERSON = "they need a person, for a code or in a browser, and reconcile never asks one"
    PROGRAM = "the program that prints them failed, or printed something else"
    BROKEN = "the settings that they come from are incomplete or not valid"
    MISSING = "there are none on this machine"


def _table(causes: Mapping[Cause, str]) -> Mapping[str, Cause]:
    python = {
        "Exception": Cause.BROKEN,
        "ConnectionError": Cause.AWAY,
        "TimeoutError": Cause.AWAY,
        "gaierror": Cause.AWAY,
    }
    return {**python, **{name: cause for cause, names in causes.items() for name in names.split()}}


AWS: Mapping[str, Cause] = _table(
    {
        Cause.AWAY: """
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
        # Those that no credentials can raise are about parameters and endpoints, and so about settings.
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
"""By the class's name, as in the other two; a class that is not here means what the nearest one above it does."""

GOOGLE: Mapping[str, Cause] = _table(
    {
        Cause.AWAY: "ResponseError TimeoutError TransportError",
        Cause.REFUSED: "OAuthError RefreshError",
        Cause.PERSON: "ReauthFailError ReauthSamlChallengeFailError UserAccessTokenError",
        Cause.MISSING: "DefaultCredentialsError",
        Cause.BROKEN: """
        ClientCertError GoogleAuthError InvalidOperation InvalidResource InvalidType InvalidValue MalformedError
        MutualTLSChannelError OSError
        """,
    }
)

AZURE: Mapping[str, Cause] = _table(
    {
        Cause.AWAY: """
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

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,63}")
_PASSES = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


def cause_of(error: BaseException, causes: Mapping[str, Cause]) -> Cause:
    """Return what an exception means: by the name of its class, or of the nearest one above that has a line."""
    return next(causes[each.__name__] for each in type(error).__mro__ if each.__name__ in causes)


def cause_of_status(status: int) -> Cause | None:
    """Return what an answer of that HTTP status means; None for one that is no failure."""
    if status in _PASSES or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Cause.AWAY
    return Cause.REFUSED if status >= HTTPStatus.BAD_REQUEST else None


def as_code(value: object) -> str | None:
    """Return an error code if the value looks like one, such as `AccessDenied`; None for any other text."""
    return value if isinstance(value, str) and _CODE.fullmatch(value) else None


def not_to_be_had(whose: str, cause: Cause, detail: str, hint: str) -> TransientError | PermanentError:
    """Return the error for credentials that a library did not give.

    Args:
        whose: such as `AWS`.
        cause: why not.
        detail: the name of the exception's class, or the service's code; nothing else of what was said.
        hint: what to do where waiting does not help.
    """
    msg = f"{whose} credentials could not be obtained: {cause.value} ({detail})"
    if cause is Cause.AWAY:
        return TransientError(msg, delivered=Delivered.NO)
    return PermanentError(f"{msg}; {hint}", kind=Kind.MISSING)
