"""What raw `overrides` may not say: whatever the spec says itself, and our checks read there.

A size, a limit or a key that came in by another door would pass `limits.nodes`, the price and the
checks of GPUs unseen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparkml.config.file import Problem

_SIZES = "primary, core and task"

OWNED = {
    "Name": "name",
    "ReleaseLabel": "release",
    "AmiVersion": "release",
    "Applications": "applications",
    "LogUri": "logs.s3",
    "LogEncryptionKmsKeyId": "logs.kms_key",
    "ServiceRole": "roles.service",
    "JobFlowRole": "roles.instance_profile",
    "AutoScalingRole": "scaling",
    "StepExecutionRoleArn": "roles.runtime",
    "SecurityConfiguration": "security",
    "Configurations": "configurations",
    "BootstrapActions": "bootstrap",
    "EbsRootVolumeSize": "root_gib",
    "StepConcurrencyLevel": "step_concurrency",
    "ManagedScalingPolicy": "scaling",
    "AutoTerminationPolicy": "idle_timeout_s",
    "Steps": "`emr submit`",
    "Tags": "tags",
    "Instances.InstanceGroups": _SIZES,
    "Instances.InstanceFleets": _SIZES,
    "Instances.MasterInstanceType": _SIZES,
    "Instances.SlaveInstanceType": _SIZES,
    "Instances.InstanceCount": _SIZES,
    "Instances.KeepJobFlowAliveWhenNoSteps": "`emr up` or `emr submit --transient`",
    "Instances.TerminationProtected": "termination_protected",
    "Instances.Ec2SubnetId": "network.subnets",
    "Instances.Ec2SubnetIds": "network.subnets",
    "Instances.EmrManagedMasterSecurityGroup": "network.primary_group",
    "Instances.EmrManagedSlaveSecurityGroup": "network.core_group",
    "Instances.ServiceAccessSecurityGroup": "network.service_group",
    "Instances.AdditionalMasterSecurityGroups": "network.further_groups",
    "Instances.AdditionalSlaveSecurityGroups": "network.further_groups",
    "MonitoringConfiguration.CloudWatchLogConfiguration": "logs.cloudwatch",
}
"""Keys of RunJobFlow → what of ours says them."""


def override_problems(overrides: Mapping[str, Any]) -> Iterator[Problem]:
    """Each problem as what, where and the fix."""
    for parent in dict.fromkeys(path.rpartition(".")[0] for path in OWNED):
        inside = overrides.get(parent, {}) if parent else overrides
        if not isinstance(inside, Mapping):  # a null would take away what is ours in it
            what = f"overrides may not replace {parent} as a whole"
            yield what, f"overrides.{parent}", "name the keys in it that you change"
            continue
        for path, ours in OWNED.items():
            above, _, key = path.rpartition(".")
            if above == parent and key in inside:
                yield f"overrides may not set {path}", f"overrides.{path}", f"say it as {ours}"
