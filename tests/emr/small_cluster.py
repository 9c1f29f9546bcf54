"""The smallest requests that the local EMR takes, and waiting for what comes of them."""

from __future__ import annotations

import time

LIMIT_S = 20


def small_cluster(*, keep=True, steps=(), log_uri=None, instances=None, **changes):
    """RunJobFlow's arguments: one primary node, alive without steps unless told otherwise."""
    primary = {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1}
    layout = instances or {"InstanceGroups": [primary]}
    logs = {"LogUri": log_uri} if log_uri else {}
    return {
        "Name": "small",
        "ReleaseLabel": "emr-spark-8.1.0",
        "Applications": [{"Name": "Spark"}],
        "JobFlowRole": "profile",
        "ServiceRole": "service",
        "Instances": {"KeepJobFlowAliveWhenNoSteps": keep, **layout},
        "Steps": list(steps),
        **logs,
        **changes,
    }


def shell(script, *, name="step", on_failure="CONTINUE"):
    """A step whose command is a shell script."""
    jar = {"Jar": "command-runner.jar", "Args": ["sh", "-c", script]}
    return {"Name": name, "ActionOnFailure": on_failure, "HadoopJarStep": jar}


def status_of(client, cluster_id):
    """DescribeCluster's status."""
    return client.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]


def until(client, cluster_id, *states):
    """The cluster's status, as soon as it is in one of the states."""
    return _until(lambda: status_of(client, cluster_id), states)


def until_step(client, cluster_id, step_id, *states):
    """DescribeStep's step, as soon as it is in one of the states."""

    def status():
        step = client.describe_step(ClusterId=cluster_id, StepId=step_id)["Step"]
        return {**step["Status"], "Step": step}

    return _until(status, states)["Step"]


def until_true(look):
    """What `look` returns, as soon as that is true."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        if seen := look():
            return seen
        time.sleep(0.03)
    raise AssertionError(f"nothing within {LIMIT_S} s")


def _until(look, states):
    seen = None
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        status = look()
        if status["State"] in states:
            return status
        seen = status["State"]
        time.sleep(0.03)
    raise AssertionError(f"still {seen} after {LIMIT_S} s, not {' or '.join(states)}")
