"""The tags that a cluster of ours has besides the spec's: a name for each."""

from __future__ import annotations

RUN_TAG = "sparkml:run"
"""What finds the cluster again before its create is repeated."""
SPEC_TAG = "sparkml:spec"
"""Where its resolved spec is stored."""
OWNER_TAG = "sparkml:owner"
UNTIL_TAG = "sparkml:until"
"""When `emr reap` may end it."""
KEY_TAG = "sparkml:key"
"""The run that it was made for: the run's key, the same for every `--again`."""
MANAGED_TAG = "for-use-with-amazon-emr-managed-policies"
"""The tag without which AmazonEMRServicePolicy_v2 lets EMR touch nothing."""

OUR_TAGS = (RUN_TAG, SPEC_TAG, OWNER_TAG, UNTIL_TAG, KEY_TAG, MANAGED_TAG)
OUR_PREFIX = "sparkml:"
MAX_TAGS = 50
"""EMR's limit, ours included."""
