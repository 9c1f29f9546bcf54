"""Small files on S3, stored once: what has the same address has the same content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emr.aws.client import translated
from emr.errors import AwsRefused

if TYPE_CHECKING:
    from emr.aws.client import Aws


def store(aws: Aws, uri: str, body: bytes) -> bool:
    """Store a file unless one is there; whether it was new. One conditional PutObject.

    Raises:
        NotFound: there is no such bucket.
        AwsRefused: S3 does not let us write there.
    """
    bucket, key = split(uri)
    try:
        with translated():
            aws.s3.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*")
    except AwsRefused as error:
        if "PreconditionFailed" in error.what or "ConditionalRequestConflict" in error.what:
            return False
        raise
    return True


def fetch(aws: Aws, uri: str) -> bytes:
    """The file's content. One GetObject.

    Raises:
        NotFound: there is no such bucket or file.
        AwsRefused: S3 or KMS does not let us read it.
    """
    bucket, key = split(uri)
    with translated():
        return bytes(aws.s3.get_object(Bucket=bucket, Key=key)["Body"].read())


def split(uri: str) -> tuple[str, str]:
    """Bucket and key of an address of S3."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
