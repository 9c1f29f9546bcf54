"""Small files on S3, stored once: what has the same address has the same content."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import TYPE_CHECKING

from emr.aws.client import translated
from emr.errors import AwsRefused, NotFound, PackageDamaged

if TYPE_CHECKING:
    from emr.aws.client import Aws

ATTEMPTS = 3
"""At a file that another client writes or deletes meanwhile."""


def store(aws: Aws, uri: str, body: bytes, *, kms_key: str | None = None) -> bool:
    """Store a file unless it is there; whether it was new.

    One conditional PutObject, which S3 compares with its SHA-256; where something is there, one
    GetObject, and it is compared here: nobody runs a script that another has put in its place.

    Args:
        aws: the account and region.
        uri: the address, which holds the content's hash.
        body: the content.
        kms_key: the key to encrypt it with; the bucket's default when None.

    Raises:
        NotFound: there is no such bucket.
        AwsRefused: S3 does not let us write there, or read what is there.
        PackageDamaged: something else is stored there.
    """
    bucket, key = split(uri)
    digest = hashlib.sha256(body).digest()
    kms = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with translated():
                aws.s3.put_object(
                    Bucket=bucket,
                    Key=key,
                    Body=body,
                    IfNoneMatch="*",
                    ChecksumAlgorithm="SHA256",
                    ChecksumSHA256=b64encode(digest).decode("ascii"),
                    **kms,
                )
        except AwsRefused as error:
            if not any(told in error.what for told in _THERE):
                raise
        else:
            return True
        try:
            found = hashlib.sha256(fetch(aws, uri))
        except NotFound:  # being written, or deleted, by somebody else
            if attempt == ATTEMPTS:
                raise
            continue
        if found.digest() == digest:
            return False
        raise PackageDamaged(
            f"something else is stored there: SHA-256 {found.hexdigest()[:16]}…, "
            f"not {digest.hex()[:16]}…",
            where=uri,
            fix="find out who wrote it, delete it, and try again",
        )
    raise AssertionError  # the last attempt returns or raises


_THERE = ("PreconditionFailed", "ConditionalRequestConflict")
"""412: it is there. 409: another client is writing it now."""


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
