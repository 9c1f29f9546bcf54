"""Small files on S3: written on a condition, stored once, read up to a bound."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from contextlib import closing
from typing import TYPE_CHECKING, Any

from emr.aws.client import translated
from emr.errors import AwsRefused, NotFound, PackageDamaged
from emr.package.stored import encryption, split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emr.aws.client import Aws

ATTEMPTS = 3
"""At a file that another client writes or deletes meanwhile."""
MOST_BYTES = 16 * 2**20
"""Specs and claims are far smaller: what is larger was put there by mistake, or worse."""

_UNMET = ("PreconditionFailed", "ConditionalRequestConflict")
"""412: the condition does not hold. 409: another client is writing it now."""


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
    digest = hashlib.sha256(body)
    for attempt in range(1, ATTEMPTS + 1):
        if put_if(aws, uri, body, kms_key=kms_key, IfNoneMatch="*") is not None:
            return True
        try:
            found = hashlib.sha256(fetch(aws, uri, most_bytes=max(MOST_BYTES, len(body))))
        except NotFound:  # being written, or deleted, by somebody else
            if attempt == ATTEMPTS:
                raise
            continue
        if found.digest() == digest.digest():
            return False
        raise PackageDamaged(
            f"something else is stored there: SHA-256 {found.hexdigest()[:16]}…, "
            f"not {digest.hexdigest()[:16]}…",
            where=uri,
            fix="find out who wrote it, delete it, and try again",
        )
    raise AssertionError  # the last attempt returns or raises


def put_if(
    aws: Aws, uri: str, body: bytes, *, kms_key: str | None = None, **condition: str
) -> str | None:
    """The ETag of what was written; None when the condition does not hold. One PutObject.

    Args:
        aws: the account and region.
        uri: the address.
        body: the content, which S3 compares with its SHA-256.
        kms_key: the key to encrypt it with; the bucket's default when None.
        condition: `IfNoneMatch="*"`: nothing is there; `IfMatch`: what is there has this ETag.

    Raises:
        NotFound: there is no such bucket; or, for `IfMatch`, nothing there.
        AwsRefused: S3 does not let us write there.
    """
    bucket, key = split(uri)
    try:
        with translated():
            told = aws.s3.put_object(
                Bucket=bucket,
                Key=key,
                Body=body,
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=b64encode(hashlib.sha256(body).digest()).decode("ascii"),
                **encryption(kms_key),
                **condition,
            )
    except AwsRefused as error:
        if any(code in error.what for code in _UNMET):
            return None
        raise
    return str(told["ETag"])


def fetch(aws: Aws, uri: str, *, most_bytes: int = MOST_BYTES) -> bytes:
    """The file's content. One GetObject.

    Raises:
        NotFound: there is no such bucket or file.
        AwsRefused: S3 or KMS does not let us read it.
        PackageDamaged: it is larger than `most_bytes`.
    """
    return fetch_told(aws, uri, most_bytes=most_bytes)[0]


def fetch_told(
    aws: Aws, uri: str, *, most_bytes: int = MOST_BYTES
) -> tuple[bytes, Mapping[str, Any]]:
    """The file's content, and what S3 tells of it. One GetObject; raises what `fetch` raises."""
    bucket, key = split(uri)
    with translated():
        told = aws.s3.get_object(Bucket=bucket, Key=key)
        with closing(told["Body"]) as body:
            found = bytes(body.read(most_bytes + 1))
    if len(found) > most_bytes:
        what = f"it is larger than {most_bytes / 2**20:.0f} MiB, and no file of ours"
        raise PackageDamaged(what, where=uri, fix="find out who wrote it")
    return found, told
