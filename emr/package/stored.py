"""What S3 tells about a stored file without giving it, and whether that is the file we mean."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from emr.errors import AwsRefused, PackageDamaged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emr.package.manifest import PackedFile


class S3(Protocol):
    """The calls of boto3's S3 client that are made here; boto3 documents them."""

    exceptions: Any

    def head_object(self, **kwargs: Any) -> Any: ...  # noqa: D102
    def get_object(self, **kwargs: Any) -> Any: ...  # noqa: D102
    def put_object(self, **kwargs: Any) -> Any: ...  # noqa: D102
    def create_multipart_upload(self, **kwargs: Any) -> Any: ...  # noqa: D102
    def upload_part(self, **kwargs: Any) -> Any: ...  # noqa: D102
    def complete_multipart_upload(self, **kwargs: Any) -> Any: ...  # noqa: D102
    def abort_multipart_upload(self, **kwargs: Any) -> Any: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A stored object: S3's own checksum (not every store tells one), and our notes on it.

    Of what others wrote, and S3 has no SHA-256 of, `checksum` is the ETag: `etag:…`.

    `noted` is the checksum that S3 was to compare when the object was written.
    """

    bytes: int
    checksum: str
    noted: str
    sha256: str
    content: str

    @property
    def is_ours(self) -> bool:
        """Whether we wrote it, and S3 has what we wrote."""
        return bool(self.noted and self.sha256) and self.checksum in ("", self.noted)


def split(address: str) -> tuple[str, str]:
    """Bucket and key of an `s3://` address."""
    bucket, _, key = address.removeprefix("s3://").partition("/")
    return bucket, key


def encryption(kms_key: str | None) -> dict[str, str]:
    """PutObject's arguments that encrypt with this key; the bucket's default when None."""
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}


def seen(client: S3, address: str) -> Seen | None:
    """What is stored at an address; None where nothing is, or where we may not look. One HEAD."""
    bucket, key = split(address)
    try:
        told = client.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    except client.exceptions.ClientError as error:
        # S3 says 403 for what is missing where ListBucket is not allowed.
        if status(error) in (403, 404):
            return None
        raise
    note = told.get("Metadata", {})
    # `…=-9` for an object of nine parts; some stores leave the number out.
    checksum = told.get("ChecksumSHA256", "").partition("-")[0]
    if not checksum and not note.get("checksum"):
        checksum = f"etag:{told['ETag'].strip(chr(34))}"
    return Seen(
        bytes=told["ContentLength"],
        checksum=checksum,
        noted=note.get("checksum", ""),
        sha256=note.get("sha256", ""),
        content=note.get("content", ""),
    )


def is_file(found: Seen, file: PackedFile) -> bool:
    """Whether the stored object is the file: by S3's checksum, else by our note of it."""
    if found.bytes != file.bytes:
        return False
    return (found.checksum or found.noted) == file.checksum


def accepted(file: PackedFile, found: Seen) -> PackedFile:
    """The file as it is stored.

    An environment that another machine has built may differ in its compression alone; one that
    the run names by address is what it is.

    Raises:
        PackageDamaged: something else is stored there.
    """
    if is_file(found, file):
        return file
    named = not file.sha256 and not file.checksum and file.path is None
    if named or (found.is_ours and file.content and file.content == found.content):
        checksum = found.noted or found.checksum
        return replace(file, path=None, sha256=found.sha256, bytes=found.bytes, checksum=checksum)
    raise damaged(file, found)


@dataclass(slots=True)
class Outcome:
    """Whether a conditional write wrote."""

    written: bool = True


@contextmanager
def conditional(client: S3) -> Iterator[Outcome]:
    """A write inside that finds another's object is no error: nothing was written."""
    outcome = Outcome()
    try:
        yield outcome
    except client.exceptions.ClientError as error:
        # 412: it is there. 409: another client is writing it now.
        if status(error) not in (409, 412):
            raise
        outcome.written = False


def status(error: Any) -> int:
    """The HTTP status of a botocore ClientError."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def missing(address: str) -> PackageDamaged:
    """What is said where nothing is stored."""
    return PackageDamaged(
        "a file of the package is not there", where=address, fix="submit again: it is stored anew"
    )


def damaged(file: PackedFile, found: Seen) -> PackageDamaged:
    """What is said where something else is stored."""
    return PackageDamaged(
        f"something else is stored there: {found.bytes} bytes, SHA-256 "
        f"{(found.checksum or found.sha256 or 'unknown')[:16]}…, not {file.bytes} bytes, "
        f"{(file.checksum or file.sha256)[:16]}…",
        where=file.key,
        fix="find out who wrote it, delete it, and submit again",
    )


def hidden(address: str) -> AwsRefused:
    """What is said where S3 neither shows an object nor lets us write it."""
    return AwsRefused(
        "S3 refuses to overwrite what is there, and does not let us see it",
        where=address,
        fix="allow s3:GetObject and s3:ListBucket there; `emr iam` prints the policy",
    )
