"""A package into S3: what is there is never written again, and never taken on trust.

Every write is conditional (`If-None-Match: *`), carries its SHA-256 for S3 to compare, and the
manifest goes last: where a manifest is, its files are. `client` is any boto3 S3 client, which the
caller made.

A cluster does not digest its files again when the step starts: whoever could replace the wheel or
the archive could replace the script that would do the digesting, and YARN keeps no archive to
digest. What guards them is that addresses hold hashes, that writes are conditional, `verify` just
before the step is added, and the bucket's policy. The model alone is digested again, by the driver
and every worker, against the digest in the configuration.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from emr.errors import PackageError
from emr.package.checksum import PART_BYTES, checksums_of, parts
from emr.package.manifest import (
    PackedFile,
    is_environment_address,
    manifest_text,
    read_manifest,
)
from emr.package.stored import (
    accepted,
    conditional,
    damaged,
    encryption,
    hidden,
    is_file,
    missing,
    seen,
    split,
    status,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from emr.package.manifest import LocalPackage, Package
    from emr.package.stored import S3

ATTEMPTS = 3
"""At a file that another client writes or deletes meanwhile."""
THREADS = 8


def upload(
    local: LocalPackage, client: S3, *, report: Callable[[str], None] = lambda _text: None
) -> list[str]:
    """Store what is not stored yet; the addresses that are new.

    Costs one HEAD a file, and one PUT for each that is not there (in parts above 16 MiB). Any
    number of clients may do so at once: one of them writes, the others compare.

    Raises:
        PackageDamaged: something else is stored at one of the addresses.
        PackageError: an archive that the run names is not there.
        AwsRefused: S3 does not let us see what it refuses to overwrite.
    """
    package = local.package
    store = _Store(client=client, kms_key=local.kms_key, report=report)
    with ThreadPoolExecutor(THREADS) as pool:
        done = list(pool.map(store.ensure, package.files))
    files = tuple(file for file, _new in done)
    text = manifest_text(replace(package, files=files), local.requirements).encode()
    new = [file.key for file, is_new in done if is_new]
    return [*new, package.manifest] if store.ensure_manifest(package.manifest, text) else new


def verify(package: Package, client: S3) -> None:
    """Compare what is stored with the package's manifest; one GET, and one HEAD a file.

    Raises:
        PackageDamaged: the manifest or a file is missing, or is not what it was.
    """
    bucket, key = split(package.manifest)
    try:
        text = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    except client.exceptions.ClientError as error:
        if status(error) != 404:
            raise
        raise missing(package.manifest) from error
    files = read_manifest(text.decode("utf-8", "replace"), package)
    with ThreadPoolExecutor(THREADS) as pool:
        stored = list(pool.map(lambda file: seen(client, file.key), files))
    for file, found in zip(files, stored, strict=True):
        if found is None:
            raise missing(file.key)
        if not is_file(found, file):
            raise damaged(file, found)


def environment_stored_in(client: S3) -> Callable[[str], PackedFile | None]:
    """What `pack` asks: whether an environment is stored already; what a named archive is.

    At an address of ours another's object is none; it is refused when ours is uploaded.
    """

    def stored(key: str) -> PackedFile | None:
        found = seen(client, key)
        if found is None or (is_environment_address(key) and not found.is_ours):
            return None
        return PackedFile(
            role="archive",
            key=key,
            sha256=found.sha256,
            bytes=found.bytes,
            checksum=found.noted or found.checksum,
        )

    return stored


@dataclass(frozen=True, slots=True, kw_only=True)
class _Store:
    client: S3
    kms_key: str | None
    report: Callable[[str], None]

    def ensure(self, file: PackedFile) -> tuple[PackedFile, bool]:
        """The file as it is stored now, and whether it was stored by this call."""
        for _ in range(ATTEMPTS):
            found = seen(self.client, file.key)
            if found is not None:
                return accepted(file, found), False
            if file.path is None:
                raise PackageError(
                    "it is not there", where=file.key, fix="correct environment.archive of the run"
                )
            self.report(f"upload: {file.key} ({file.bytes / 1e6:,.1f} MB)")
            put = self._in_parts if file.bytes > PART_BYTES else self._at_once
            if put(file):
                return file, True
        raise hidden(file.key)

    def ensure_manifest(self, key: str, text: bytes) -> bool:
        """Store the manifest unless the same one is there; whether it was stored now."""
        sums = checksums_of(text)
        file = PackedFile(
            role="config", key=key, sha256=sums.sha256, bytes=sums.bytes, checksum=sums.s3
        )
        for _ in range(ATTEMPTS):
            found = seen(self.client, key)
            if found is not None:
                accepted(file, found)
                return False
            if self._put(file, text):
                return True
        raise hidden(key)

    def _at_once(self, file: PackedFile) -> bool:
        assert file.path is not None  # noqa: S101 - ensure() has looked
        return self._put(file, file.path.read_bytes())

    def _put(self, file: PackedFile, data: bytes) -> bool:
        """False where somebody else was faster."""
        with conditional(self.client) as outcome:
            self.client.put_object(
                **self._named(file),
                Body=data,
                IfNoneMatch="*",
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=file.checksum,
            )
        return outcome.written

    def _in_parts(self, file: PackedFile) -> bool:
        assert file.path is not None  # noqa: S101
        client = self.client
        bucket, key = split(file.key)
        made = client.create_multipart_upload(**self._named(file), ChecksumAlgorithm="SHA256")
        where = {"Bucket": bucket, "Key": key, "UploadId": made["UploadId"]}
        try:
            sent = []
            for number, part in enumerate(parts(file.path), start=1):
                checksum = checksums_of(part).s3
                answer = client.upload_part(
                    **where, PartNumber=number, Body=part, ChecksumSHA256=checksum
                )
                sent.append(
                    {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": checksum}
                )
            with conditional(client) as outcome:
                client.complete_multipart_upload(
                    **where, MultipartUpload={"Parts": sent}, IfNoneMatch="*"
                )
        except BaseException:  # Ctrl-C as well: parts that stay behind are paid for
            self._abort(where)
            raise
        if not outcome.written:
            self._abort(where)
        return outcome.written

    def _abort(self, upload: dict[str, Any]) -> None:
        """Drop the parts, if S3 lets us: what came before is the news, not that it does not."""
        try:
            self.client.abort_multipart_upload(**upload)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must hide nothing
            left = f"s3://{upload['Bucket']}/{upload['Key']}"
            self.report(f"upload: parts of {left} stay behind ({error}); they are paid for")

    def _named(self, file: PackedFile) -> dict[str, Any]:
        bucket, key = split(file.key)
        note = {"sha256": file.sha256, "checksum": file.checksum, "content": file.content}
        return {"Bucket": bucket, "Key": key, "Metadata": note, **encryption(self.kms_key)}
