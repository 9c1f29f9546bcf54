"""What goes wrong on the way to a cluster and on it: the branch of sparkml's tree that is EMR's.

SparkMLError
├── ConfigError               2  a spec or a run is wrong (sparkml.errors)
└── EmrError                 20  anything of EMR that has no better name
    ├── RequestRefused       21  the request breaks a limit, a rule of ours or AWS's own model
    ├── SecretInRequest      21  a value that looks like a key, a token or a password
    ├── PackageError         22  the code or the environment cannot be packed
    │   └── PackageDamaged   22  the stored package is not what its manifest says
    ├── AwsRefused           23  AWS said no: access, a role, a subnet, a quota
    │   ├── CredentialsMissing   no credentials, or expired ones
    │   └── NotFound             no such cluster, step, bucket or application
    ├── AwsUnreachable       24  no answer, or throttled beyond every retry
    ├── ClusterFailed        25  the cluster ended with errors before or while the step ran
    │   ├── CapacityMissing      AWS has no such instances now
    │   ├── BootstrapFailed      a bootstrap action failed
    │   └── ValidationFailed     AWS refused the cluster's values at launch
    ├── StepFailed           26  the step ran and failed
    │   ├── StepCancelled    27  somebody cancelled it, or the cluster ended before it ran
    │   └── StepInterrupted  28  it was running when its cluster ended
    ├── WaitTimeout          29  it is still running; we stopped waiting
    └── PricesMissing        30  no price for an instance type, or a stale one

Statuses below 20 are those of `sparkml` itself.
"""

from __future__ import annotations

from sparkml.errors import SparkMLError


class EmrError(SparkMLError):
    """Anything that goes wrong with a cluster or on the way to one."""

    code, exit_status = "EMR", 20


class RequestRefused(EmrError, ValueError):
    """The request breaks a limit, one of our rules, or AWS's own model of it; nothing was sent."""

    code, exit_status = "EMR_REQUEST", 21


class SecretInRequest(RequestRefused):
    """A value that looks like a key, a token or a password; whoever describes the step reads it."""

    code = "EMR_SECRET"


class PackageError(EmrError):
    """The code or the environment cannot be packed."""

    code, exit_status = "EMR_PACKAGE", 22


class PackageDamaged(PackageError, ValueError):
    """A stored file is not what its manifest says."""

    code = "EMR_PACKAGE_DAMAGED"


class AwsRefused(EmrError, PermissionError):
    """AWS said no: missing access, a role or subnet it does not accept, a quota."""

    code, exit_status = "AWS_REFUSED", 23


class CredentialsMissing(AwsRefused):
    """There are no credentials, or they have expired."""

    code = "AWS_CREDENTIALS"


class NotFound(AwsRefused, LookupError):
    """There is no such cluster, step, bucket or application."""

    code = "AWS_NOT_FOUND"


class AwsUnreachable(EmrError, ConnectionError):
    """AWS did not answer, or throttled the call beyond every retry."""

    code, exit_status = "AWS_UNREACHABLE", 24


class ClusterFailed(EmrError, RuntimeError):
    """The cluster ended with errors before or while the step ran."""

    code, exit_status = "EMR_CLUSTER_FAILED", 25


class CapacityMissing(ClusterFailed):
    """AWS has no such instances now, or the account's quota does not allow them."""

    code = "EMR_CAPACITY"


class BootstrapFailed(ClusterFailed):
    """A bootstrap action failed on a node."""

    code = "EMR_BOOTSTRAP"


class ValidationFailed(ClusterFailed):
    """AWS refused the cluster's values when it was launched."""

    code = "EMR_VALIDATION"


class StepFailed(EmrError, RuntimeError):
    """The step ran and failed."""

    code, exit_status = "EMR_STEP_FAILED", 26


class StepCancelled(StepFailed):
    """Somebody cancelled the step, or its cluster ended before it ran."""

    code, exit_status = "EMR_STEP_CANCELLED", 27


class StepInterrupted(StepFailed):
    """The step was running when its cluster ended."""

    code, exit_status = "EMR_STEP_INTERRUPTED", 28


class WaitTimeout(EmrError, TimeoutError):
    """It still runs: we stopped waiting, and cancelled nothing."""

    code, exit_status = "EMR_TIMEOUT", 29


class PricesMissing(EmrError, LookupError):
    """There is no price for an instance type in a region, or only one that is too old."""

    code, exit_status = "EMR_PRICES", 30
