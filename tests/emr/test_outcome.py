"""The same event has the same error whenever it is looked at, and the fix names what is left."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from emr.aws.observed import cluster_of, step_of
from emr.aws.outcome import failed_step

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
DRIVER = "application_1700000000000_0007"


def cluster(state, code=""):
    """A cluster as DescribeCluster tells it."""
    why = {"Code": code, "Message": f"because of {code}"} if code else {}
    return cluster_of(
        {"Id": "j-1", "Name": "x", "Status": {"State": state, "StateChangeReason": why}}
    )


def step(state, *, started=True, applications=(DRIVER,)):
    """A step as DescribeStep tells it."""
    times = {"StartDateTime": BEGAN} if started else {}
    return step_of(
        {
            "Id": "s-1",
            "Name": "x",
            "Status": {"State": state, "Timeline": times},
            "AdditionalInfo": {"ResourceManagerApplicationIds": list(applications)},
        }
    )


@pytest.mark.parametrize("state", ["TERMINATING", "TERMINATED_WITH_ERRORS"])
@pytest.mark.parametrize(
    ("code", "exit_status"),
    [("INSTANCE_FAILURE", 28), ("INTERNAL_ERROR", 28), ("USER_REQUEST", 27), ("STEP_FAILURE", 27)],
)
def test_a_cancelled_step_is_the_clusters_fault_whenever_the_poll_falls(state, code, exit_status):
    assert exit_status == failed_step(step("CANCELLED"), cluster(state, code)).exit_status


class TestDriverLeft:
    """Cancelling ends spark-submit alone; in cluster mode the driver is YARN's and runs on."""

    def test_it_is_to_be_ended_before_the_run_is_submitted_again(self):
        fix = failed_step(step("CANCELLED"), cluster("WAITING")).fix
        assert f"`yarn application -kill {DRIVER}` on the primary node" in fix
        assert fix.endswith("then submit it again")

    def test_it_may_be_there_although_its_id_is_not_known(self):
        error = failed_step(step("CANCELLED", applications=()), cluster("RUNNING"))
        assert "its driver may run on: `yarn application -kill APPLICATION`" in error.fix

    @pytest.mark.parametrize(
        ("seen", "where"),
        [
            (step("CANCELLED"), cluster("TERMINATING", "USER_REQUEST")),
            (step("CANCELLED"), cluster("TERMINATED", "USER_REQUEST")),
            (step("CANCELLED", started=False, applications=()), cluster("WAITING")),
        ],
        ids=["cluster-ends", "cluster-ended", "never-started"],
    )
    def test_there_is_none_without_a_cluster_or_a_start(self, seen, where):
        assert "submit it again" == failed_step(seen, where).fix
