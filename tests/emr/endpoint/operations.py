"""Which function answers which operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import catalogue, clusters, policies, steps
from .world import World

Operation = Callable[[World, Mapping[str, Any]], dict[str, Any]]

OPERATIONS: Mapping[str, Operation] = {
    "AddJobFlowSteps": steps.add_job_flow_steps,
    "AddTags": policies.add_tags,
    "CancelSteps": steps.cancel_steps,
    "CreateSecurityConfiguration": policies.create_security_configuration,
    "DeleteSecurityConfiguration": policies.delete_security_configuration,
    "DescribeCluster": clusters.describe_cluster,
    "DescribeReleaseLabel": catalogue.describe_release_label,
    "DescribeSecurityConfiguration": policies.describe_security_configuration,
    "DescribeStep": steps.describe_step,
    "GetAutoTerminationPolicy": policies.get_auto_termination,
    "GetBlockPublicAccessConfiguration": catalogue.get_block_public_access,
    "GetManagedScalingPolicy": policies.get_managed_scaling,
    "ListBootstrapActions": clusters.list_bootstrap_actions,
    "ListClusters": clusters.list_clusters,
    "ListInstanceFleets": clusters.list_instance_fleets,
    "ListInstanceGroups": clusters.list_instance_groups,
    "ListInstances": clusters.list_instances,
    "ListReleaseLabels": catalogue.list_release_labels,
    "ListSecurityConfigurations": policies.list_security_configurations,
    "ListSteps": steps.list_steps,
    "ListSupportedInstanceTypes": catalogue.list_supported_instance_types,
    "ModifyCluster": policies.modify_cluster,
    "PutAutoTerminationPolicy": policies.put_auto_termination,
    "PutManagedScalingPolicy": policies.put_managed_scaling,
    "RemoveAutoTerminationPolicy": policies.remove_auto_termination,
    "RemoveManagedScalingPolicy": policies.remove_managed_scaling,
    "RemoveTags": policies.remove_tags,
    "RunJobFlow": clusters.run_job_flow,
    "SetKeepJobFlowAliveWhenNoSteps": policies.set_keep_alive,
    "SetTerminationProtection": policies.set_termination_protection,
    "TerminateJobFlows": clusters.terminate_job_flows,
}
