"""The variables by which Arrow and boto3 find a server on this machine instead of AWS."""

from __future__ import annotations


def find_s3(monkeypatch, url):
    """Make S3 be at `url`, with credentials that are no one's."""
    for name, value in {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
