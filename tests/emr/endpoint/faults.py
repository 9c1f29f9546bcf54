"""What can go wrong, as a table of values: each fault strikes a number of times, then is spent."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Kind = Literal[
    "throttling",
    "internal-error",
    "access-denied",
    "expired-token",
    "lost-reply",
    "validation-error",
    "fleet-timeout",
    "no-capacity",
    "bootstrap-failure",
    "instance-failure",
    "step-interrupted",
    "logs-missing",
    "logs-late",
    "stale-lists",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """How a request is refused."""

    code: str
    message: str
    status: int = 400


REFUSALS: Mapping[Kind, Refusal] = {
    "throttling": Refusal(code="ThrottlingException", message="Rate exceeded"),
    "internal-error": Refusal(
        code="InternalServerException", message="An internal error occurred.", status=500
    ),
    "access-denied": Refusal(
        code="AccessDeniedException",
        message="User: arn:aws:iam::123456789012:user/tester is not authorized to perform: "
        "elasticmapreduce:{operation} because no identity-based policy allows the "
        "elasticmapreduce:{operation} action",
    ),
    "expired-token": Refusal(
        code="ExpiredTokenException",
        message="The security token included in the request is expired",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a cluster ends: in which phase, and what DescribeCluster then says of it."""

    phase: Literal["STARTING", "BOOTSTRAPPING", "RUNNING"]
    code: str
    message: str
    error_code: str
    """The code in `ErrorDetails`, finer than the reason's; none is given when empty."""


ENDINGS: Mapping[Kind, Ending] = {
    "validation-error": Ending(
        phase="STARTING",
        code="VALIDATION_ERROR",
        message="The given SSH key name was invalid",
        error_code="VALIDATION_ERROR_INVALID_SSH_KEY_NAME",
    ),
    "fleet-timeout": Ending(
        phase="STARTING",
        code="INSTANCE_FLEET_TIMEOUT",
        message="The instance fleet timed out while waiting for Spot capacity.",
        error_code="INTERNAL_ERROR_SPOT_NO_CAPACITY_PRIMARY",
    ),
    "no-capacity": Ending(
        phase="STARTING",
        code="INTERNAL_ERROR",
        message="Failed to provision: EC2 has insufficient capacity for the requested type.",
        error_code="INTERNAL_ERROR_EC2_INSUFFICIENT_CAPACITY_AZ",
    ),
    "bootstrap-failure": Ending(
        phase="BOOTSTRAPPING",
        code="BOOTSTRAP_FAILURE",
        message="On the master instance ({primary}), bootstrap action 1 returned a non-zero "
        "return code",
        error_code="BOOTSTRAP_FAILURE_PRIMARY_WITH_NON_ZERO_CODE",
    ),
    "instance-failure": Ending(
        phase="RUNNING",
        code="INSTANCE_FAILURE",
        message="The master failed: instance {primary} was terminated.",
        error_code="",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong: which, to which operation, how often, and how late."""

    kind: Kind
    operation: str = "*"
    """Refusals and lost replies strike this operation only; any when `*`."""
    times: int = 1
    after_s: float = 0.0
    """`instance-failure`, `step-interrupted`: so long after a step began. `logs-late`: so late.

    `stale-lists`: ListClusters or ListSteps does not tell of what was made since so many seconds.
    """


class Faults:
    """Those still to strike. Tests add to them while the endpoint runs."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self._left: list[tuple[Fault, int]] = []
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        """One more, after those of its kind that are there already."""
        with self._lock:
            self._left.append((fault, fault.times))

    def take(self, kinds: Iterable[Kind], operation: str = "*") -> Fault | None:
        """The first fault of these kinds that strikes now; it is used once by this."""
        wanted = set(kinds)
        with self._lock:
            for position, (fault, left) in enumerate(self._left):
                if left and fault.kind in wanted and fault.operation in ("*", operation):
                    self._left[position] = (fault, left - 1)
                    return fault
        return None
