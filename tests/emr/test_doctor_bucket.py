"""`emr doctor` looks at the bucket with no more rights than the submitting user has."""

from __future__ import annotations

import pytest

from emr.aws.client import connect
from emr.aws.doctor_spec import checks_of
from tests.emr.rich_cluster import plain


def looked_at(artifacts):
    """What is said of the bucket, and which calls that took: operation and prefix."""
    aws, calls = connect("us-east-1"), []
    aws.s3.meta.events.register(
        "provide-client-params.s3.*",
        lambda params, model, **_: calls.append((model.name, params.get("Prefix"))),
    )
    question = dict(checks_of(aws, plain(artifacts=artifacts)))["bucket"]
    return [(one.name, one.mark, one.said) for one in question()], calls


@pytest.mark.parametrize(
    ("folder", "prefix"), [("/sparkml", "sparkml/"), ("/a/b/", "a/b/"), ("", "")]
)
def test_it_lists_the_folder_of_the_artifacts_only(bucket, folder, prefix):
    """HeadBucket is a ListBucket of everything, which the policy would have to allow."""
    found, calls = looked_at(f"s3://{bucket}{folder}")
    assert ("bucket", "ok", f"{bucket} is in us-east-1") == found[0]
    assert [("ListObjectsV2", prefix), ("GetPublicAccessBlock", None)] == calls


def test_a_bucket_that_is_not_there_fails(bucket):
    """Its fix makes one."""
    found, _ = looked_at("s3://none-at-all/sparkml")
    assert [("bucket", "fail", "there is no none-at-all")] == found
