"""`Aws`: the clients of one account and region; the only file that imports boto3.

Importing it is cheap: boto3 is imported when `connect` is called.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from emr.errors import AwsRefused, AwsUnreachable, CredentialsMissing, NotFound, RequestRefused
from sparkml.errors import ConfigError, ExtraMissing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emr.errors import EmrError

ATTEMPTS = 8
"""How often a call is tried before we say that AWS is out of reach; `AWS_MAX_ATTEMPTS` wins."""

_CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_THROTTLED = {
    "BandwidthLimitExceeded",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
_ABSENT = {
    "404",
    "ClusterNotFound",
    "NoSuchBucket",
    "NoSuchEntity",
    "NoSuchKey",
    "NoSuchResourceException",
    "NotFoundException",
    "ResourceNotFoundException",
}
_DENIED = {"403", "AccessDenied", "AccessDeniedException", "Forbidden", "UnauthorizedOperation"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Aws:
    """Clients of one account and region, each made when it is first used.

    Addresses may be changed by the environment, as botocore reads it (`AWS_ENDPOINT_URL`,
    `AWS_ENDPOINT_URL_EMR`, `AWS_ENDPOINT_URL_S3`, …). Calls are retried in botocore's `standard`
    mode, with jitter; `AWS_RETRY_MODE=adaptive` slows the whole client down when throttled.
    """

    region: str
    session: Any
    _made: dict[tuple[str, bool], Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def emr(self) -> Any:
        """EMR on EC2."""
        return self.client("emr")

    @property
    def emr_once(self) -> Any:
        """EMR without retries, for a call that must not be sent twice: it has no client token."""
        return self.client("emr", once=True)

    @property
    def s3(self) -> Any:
        """S3."""
        return self.client("s3")

    @property
    def logs(self) -> Any:
        """CloudWatch Logs."""
        return self.client("logs")

    @property
    def pricing(self) -> Any:
        """The Price List, which is served in few regions only."""
        return self.client("pricing")

    @property
    def ec2(self) -> Any:
        """EC2: subnets, and the history of Spot prices."""
        return self.client("ec2")

    @property
    def emr_serverless(self) -> Any:
        """EMR Serverless."""
        return self.client("emr-serverless")

    @property
    def emr_containers(self) -> Any:
        """EMR on EKS."""
        return self.client("emr-containers")

    def client(self, service: str, *, once: bool = False) -> Any:
        """A client of any service by botocore's name of it; `once` switches retries off."""
        if (service, once) not in self._made:
            region = "us-east-1" if service == "pricing" else self.region
            with translated():
                made = self.session.client(service, region_name=region, config=_config(once=once))
            self._made[service, once] = made
        return self._made[service, once]


def connect(region: str | None = None, *, profile: str | None = None) -> Aws:
    """The account that the environment or a profile names; nothing is sent yet.

    Args:
        region: such as `us-east-1`; the environment's or the profile's own when None.
        profile: a profile of `~/.aws/config`; the default chain of credentials when None.

    Raises:
        ConfigError: no region is known.
        CredentialsMissing: there is no such profile.
        ExtraMissing: boto3 is not installed.
    """
    try:
        import boto3
    except ImportError as missing:
        raise ExtraMissing("boto3 is not installed", fix="pip install 'sparkml[emr]'") from missing
    with translated():
        session = boto3.Session(profile_name=profile, region_name=region)
    if session.region_name is None:
        raise ConfigError(
            "no AWS region is known",
            where="AWS_REGION, AWS_DEFAULT_REGION and the profile",
            fix="pass --region, or a --spec that has one",
        )
    return Aws(region=session.region_name, session=session)


def _config(*, once: bool) -> Any:
    import os

    from botocore.config import Config

    retries: dict[str, Any] = {}
    if once:
        retries = {"mode": "standard", "total_max_attempts": 1}
    else:
        if "AWS_MAX_ATTEMPTS" not in os.environ:
            retries["total_max_attempts"] = ATTEMPTS
        if "AWS_RETRY_MODE" not in os.environ:
            retries["mode"] = "standard"
    return Config(
        retries=retries, connect_timeout=10, read_timeout=60, user_agent_extra="sparkml-emr"
    )


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Any error of botocore's in the block as one of ours, which says who refused what.

    Raises:
        CredentialsMissing: no credentials, or expired ones.
        NotFound: there is no such cluster, step, bucket, key or log group.
        AwsRefused: any other answer that says no; the fix names the missing access.
        AwsUnreachable: no answer, an answer of 5xx, or throttled beyond every retry.
        RequestRefused: botocore's model refuses the request; nothing was sent.
    """
    from botocore import exceptions as of_botocore

    try:
        yield
    except of_botocore.ClientError as error:
        raise _refused(error) from error
    except of_botocore.ParamValidationError as error:
        raise RequestRefused(" ".join(str(error).split())) from error
    except (
        of_botocore.NoCredentialsError,
        of_botocore.PartialCredentialsError,
        of_botocore.CredentialRetrievalError,
        of_botocore.ProfileNotFound,
        of_botocore.SSOError,
        of_botocore.TokenRetrievalError,
    ) as error:
        raise CredentialsMissing(str(error), fix=_SIGN_IN) from error
    except (
        of_botocore.HTTPClientError,
        of_botocore.ConnectionError,
        of_botocore.IncompleteReadError,
    ) as error:
        fix = "look at the network, a proxy or AWS_ENDPOINT_URL; then run it again"
        raise AwsUnreachable(str(error), fix=fix) from error
    except of_botocore.BotoCoreError as error:
        raise AwsRefused(str(error)) from error


_SIGN_IN = "sign in (`aws sso login`, `aws configure`), or name a profile in AWS_PROFILE"


def _refused(error: Any) -> EmrError:
    """The answer of AWS that says no, as an error of ours."""
    answer = error.response.get("Error", {})
    code, said = str(answer.get("Code", "")), str(answer.get("Message", ""))
    about = error.response.get("ResponseMetadata", {})
    status, request = int(about.get("HTTPStatusCode") or 0), about.get("RequestId")
    where = f"{error.operation_name} (request {request})" if request else str(error.operation_name)
    what = f"{said or 'no reason was given'} ({code})"
    if code in _CREDENTIALS:
        return CredentialsMissing(what, where=where, fix=_SIGN_IN)
    if code in _THROTTLED:
        fix = "run it again in a minute; AWS_RETRY_MODE=adaptive slows the client down"
        return AwsUnreachable(what, where=where, fix=fix)
    if status >= 500 or code in {"InternalServerError", "InternalServerException"}:
        return AwsUnreachable(what, where=where, fix="run it again in a minute")
    if code in _ABSENT or _names_nothing(code, said):
        return NotFound(what, where=where, fix="look at the name, the region and the account")
    if code in _DENIED:
        return AwsRefused(what, where=where, fix=_access(said, error.operation_name))
    return AwsRefused(what, where=where, fix="emr doctor looks for what is missing")


def throttled(error: AwsUnreachable) -> bool:
    """Whether AWS turned the call away, so that nothing of it was done."""
    return any(error.what.endswith(f"({code})") for code in _THROTTLED)


def _names_nothing(code: str, said: str) -> bool:
    """Whether an InvalidRequestException of EMR means that the id is nobody's."""
    absent = ("is not valid", "does not exist", "not found")
    subject = ("luster id", "tep id", "ecurity configuration", "job flow")
    return code == "InvalidRequestException" and (
        any(word in said for word in absent) and any(word in said for word in subject)
    )


def _access(said: str, operation: str) -> str:
    if "kms" in said.lower():
        return "grant kms:Decrypt and kms:GenerateDataKey on that key to whoever runs this"
    return f"allow {operation}: `emr iam --spec FILE` writes the policy of the submitting user"
