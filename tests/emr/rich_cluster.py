"""A cluster that says nearly all that a spec can say, for the tests of its requests."""

from __future__ import annotations

from emr.spec import ClusterSpec

ROLE = "arn:aws:iam::123456789012:role/score"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/0123abcd"


def plain(**changes) -> ClusterSpec:
    """A small cluster of instance groups; `changes` as YAML would say them."""
    values = {
        "name": "plain",
        "artifacts": "s3://bucket/sparkml",
        "primary": {"types": "m7g.xlarge", "on_demand": 1},
        "core": {"types": "m7g.xlarge", "on_demand": 2},
    }
    return ClusterSpec.model_validate({**values, **changes})


def rich(**changes) -> ClusterSpec:
    """A cluster of fleets, with everything."""
    volume = {"gib": 100, "iops": 4_000, "throughput_mib_s": 250, "per_node": 2}
    values = {
        "name": "rich, with an 'apostrophe' and $HOME",
        "artifacts": "s3://bucket/sparkml/",
        "region": "eu-central-1",
        "layout": "fleets",
        "primary": {"types": ["m7g.xlarge", "m6g.xlarge"], "on_demand": 1},
        "core": {"types": ["m7g.2xlarge"], "on_demand": 2, "volumes": [volume]},
        "task": [
            {
                "types": [
                    {"type": "m7g.2xlarge", "weight": 1, "bid_percent": 80.0, "priority": 1.0},
                    {"type": "m7g.4xlarge", "weight": 2, "priority": 0.0},
                ],
                "spot": 4,
                "spot_strategy": "capacity-optimized-prioritized",
                "spot_timeout_action": "terminate-cluster",
            }
        ],
        "scaling": {"unit": "fleet-units", "minimum": 2, "maximum": 10, "maximum_core": 2},
        "idle_timeout_s": 600,
        "network": {
            "subnets": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
            "primary_group": "sg-0123456789abcdef0",
            "core_group": "sg-0123456789abcdef1",
            "service_group": "sg-0123456789abcdef2",
            "further_groups": ["sg-0123456789abcdef3"],
        },
        "roles": {"runtime": ROLE},
        "security": {
            "at_rest_kms_key": KEY,
            "in_transit_certificates": "s3://bucket/certificates.zip",
        },
        "logs": {"kms_key": KEY, "cloudwatch": {"prefix": "wine", "types": ["step", "executor"]}},
        "bootstrap": [
            {"name": "Say it", "script": "s3://bucket/say.sh", "args": ["a,b", 'c "d"', "e=f"]}
        ],
        "tags": {"team": "wine: red = good", "cost centre": "7"},
        "configurations": [
            {"Classification": "core-site", "Properties": {"fs.s3a.threads.max": "64"}}
        ],
    }
    return ClusterSpec.model_validate({**values, **changes})
