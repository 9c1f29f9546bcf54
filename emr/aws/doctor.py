"""`examine`: what an account lacks before a cluster of ours can run in it, each with its fix.

The questions about the account are here, those about a spec's own places in `doctor_spec.py`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Literal

from emr.aws.client import translated
from emr.aws.doctor_spec import checks_of
from emr.aws.finding import Finding
from emr.errors import AwsRefused, CredentialsMissing, NotFound
from sparkml.errors import SparkMLError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from emr.aws.client import Aws
    from emr.spec import ClusterSpec

MAX_SKEW_S = 300
"""AWS refuses a signature that is further off."""


def examine(aws: Aws, spec: ClusterSpec | None = None) -> list[Finding]:
    """Look at the account, and at all that a spec names; reads only. About a dozen calls.

    What we may not read is a warning: whoever submits needs less than whoever sets up. Without
    credentials nothing else is asked.
    """
    found = list(_asked("credentials", lambda: _credentials(aws)))
    if any(finding.mark == "fail" for finding in found):
        return found
    found += _asked("EMR", lambda: _emr(aws))
    found += _asked("public access", lambda: _public_access(aws))
    if spec is not None:
        for name, check in checks_of(aws, spec):
            found += _asked(name, check)
    return found


def _asked(name: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """A check's findings; what it raises is a finding, too."""
    try:
        yield from check()
    except (CredentialsMissing, NotFound) as error:
        yield Finding(name=name, mark="fail", said=error.what, fix=error.fix)
    except AwsRefused as error:
        fix = f"read it with other credentials, or {error.fix}" if error.fix else ""
        yield Finding(name=name, mark="warn", said=f"cannot be read: {error.what}", fix=fix)
    except SparkMLError as error:
        yield Finding(name=name, mark="fail", said=error.what, fix=error.fix)


def _credentials(aws: Aws) -> Iterator[Finding]:
    with translated():
        told = aws.client("sts").get_caller_identity()
    yield Finding(name="credentials", mark="ok", said=told["Arn"])
    date = told["ResponseMetadata"]["HTTPHeaders"].get("date")
    if date:
        yield clock(datetime.now(UTC), parsedate_to_datetime(date))


def clock(here: datetime, there: datetime) -> Finding:
    """Whether this machine's clock is near enough to AWS's."""
    skew_s = abs((here - there).total_seconds())
    said = f"{skew_s:.0f} s off AWS's"
    if skew_s < MAX_SKEW_S / 5:
        return Finding(name="clock", mark="ok", said=said)
    mark: Literal["warn", "fail"] = "fail" if skew_s >= MAX_SKEW_S else "warn"
    return Finding(
        name="clock", mark=mark, said=said, fix="set the clock: timedatectl set-ntp true"
    )


def _emr(aws: Aws) -> Iterator[Finding]:
    with translated():
        aws.emr.list_clusters(ClusterStates=["RUNNING", "WAITING"])
    yield Finding(name="EMR", mark="ok", said=f"answers in {aws.region}")


def _public_access(aws: Aws) -> Iterator[Finding]:
    with translated():
        told = aws.emr.get_block_public_access_configuration()
    blocked = told["BlockPublicAccessConfiguration"]["BlockPublicSecurityGroupRules"]
    yield Finding(
        name="public access",
        mark="ok" if blocked else "warn",
        said=f"EMR's block of public access is {'on' if blocked else 'off'}",
        fix="" if blocked else "aws emr put-block-public-access-configuration switches it on",
    )
