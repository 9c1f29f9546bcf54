"""A package goes into S3 once, is compared with what is there, and is checked before its use.

The server is a real one over HTTP, and the client boto3's own.
"""

from __future__ import annotations

from dataclasses import replace

import boto3
import pytest

from emr.errors import PackageDamaged, PackageError
from emr.package import LocalPackage, PackedFile, environment_stored_in, upload, verify
from emr.package.checksum import PART_BYTES, checksums
from emr.package.manifest import code_address, environment_address, package_of

LARGE = PART_BYTES + 1_000


@pytest.fixture
def s3(aws_environment):
    return boto3.client("s3")


@pytest.fixture
def make(tmp_path, bucket):
    """A factory of packages of small files; the archive may be large enough to go up in parts."""

    def made(*, config=b"key: 1\n", archive=b"archive", content="c" * 64, name="a"):
        artifacts = f"s3://{bucket}/sparkml"
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        files = []
        for role, file, data in (
            ("script", "score.py", b"print()\n"),
            ("wheel", "sparkml-0.1.0-py3-none-any.whl", b"wheel"),
            ("config", "config.yaml", config),
            ("archive", "environment.tar.gz", archive),
        ):
            path = folder / file
            path.write_bytes(data)
            sums = checksums(path)
            environment = role == "archive"
            key = (
                environment_address(artifacts, "e" * 64)
                if environment
                else code_address(artifacts, sums.sha256, file)
            )
            files.append(
                PackedFile(
                    role=role,
                    key=key,
                    sha256=sums.sha256,
                    bytes=sums.bytes,
                    checksum=sums.s3,
                    content=content if environment else "",
                    path=path,
                )
            )
        keys = {file.role: file.key for file in files}
        package = package_of(artifacts, files=tuple(files), **keys)
        return LocalPackage(package=package, requirements=("numpy==2.0",))

    return made


def keys_in(s3, bucket):
    found = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    return sorted(f"s3://{bucket}/{item['Key']}" for item in found)


def key_of(package, role):
    return next(file.key for file in package.files if file.role == role)


def overwrite(s3, address, data):
    bucket, _, key = address.removeprefix("s3://").partition("/")
    s3.put_object(Bucket=bucket, Key=key, Body=data)


def test_everything_is_stored_once_and_the_manifest_last(s3, bucket, make):
    local = make()
    new = upload(local, s3)
    assert local.package.manifest == new[-1]
    assert keys_in(s3, bucket) == sorted(new)
    assert [] == upload(local, s3)
    verify(local.package, s3)


def test_another_configuration_stores_what_differs_alone(s3, make):
    """The wheel and the environment are shared by every run that has the same ones."""
    first = make()
    upload(first, s3)
    second = make(config=b"key: 2\n", name="b")
    assert [key_of(second.package, "config"), second.package.manifest] == upload(second, s3)


def test_a_large_archive_goes_up_in_parts(s3, make):
    """S3 compares each part's SHA-256, and tells one over them all afterwards."""
    local = make(archive=b"x" * LARGE)
    upload(local, s3)
    bucket, _, key = local.package.archive.removeprefix("s3://").partition("/")
    told = s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    archive = local.package.files[-1]
    assert archive.checksum == told["ChecksumSHA256"].partition("-")[0]
    assert archive.sha256 == told["Metadata"]["sha256"]
    assert b"x" * LARGE == s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    assert [] == upload(local, s3)
    verify(local.package, s3)


@pytest.mark.parametrize("role", ["script", "wheel", "config", "archive"])
def test_a_stored_file_that_was_replaced_is_refused(s3, make, role):
    """Both before a step is added and when the package is stored again; its address is told."""
    local = make()
    upload(local, s3)
    address = key_of(local.package, role)
    overwrite(s3, address, b"something else")
    with pytest.raises(PackageDamaged, match="something else is stored there") as error:
        verify(local.package, s3)
    assert address == error.value.where
    with pytest.raises(PackageDamaged):
        upload(local, s3)


def test_a_replaced_file_of_the_same_size_is_refused(s3, make):
    local = make()
    upload(local, s3)
    overwrite(s3, local.package.wheel, b"WHEEL")
    with pytest.raises(PackageDamaged):
        verify(local.package, s3)


def test_a_missing_file_and_a_missing_manifest_are_told(s3, bucket, make):
    local = make()
    upload(local, s3)
    key = local.package.wheel.removeprefix(f"s3://{bucket}/")
    s3.delete_object(Bucket=bucket, Key=key)
    with pytest.raises(PackageDamaged, match="is not there"):
        verify(local.package, s3)
    assert [local.package.wheel] == upload(local, s3)
    verify(local.package, s3)
    with pytest.raises(PackageDamaged, match="is not there"):
        verify(make(config=b"other", name="b").package, s3)


def test_a_manifest_that_names_other_files_is_refused(s3, make):
    """Its digest is in the run's step: no other manifest passes for it."""
    local, other = make(), make(config=b"other", name="b")
    upload(local, s3)
    upload(other, s3)
    bucket, _, key = other.package.manifest.removeprefix("s3://").partition("/")
    overwrite(s3, local.package.manifest, s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    with pytest.raises(PackageDamaged, match="names other files"):
        verify(local.package, s3)
    overwrite(s3, local.package.manifest, b"{}")
    with pytest.raises(PackageDamaged, match="cannot be read"):
        verify(local.package, s3)


def test_an_environment_compressed_elsewhere_is_taken_as_it_is(s3, make):
    """Two machines build the same tar; their zlib may differ, and the first one's stays."""
    first = make(archive=b"compressed here")
    upload(first, s3)
    second = make(archive=b"compressed there, longer", name="b")
    assert [] == upload(second, s3)
    verify(second.package, s3)
    third = make(archive=b"of another content", content="d" * 64, name="c")
    with pytest.raises(PackageDamaged):
        upload(third, s3)


def test_a_stored_environment_need_not_be_built(s3, make):
    local = make(archive=b"x" * LARGE)
    stored = environment_stored_in(s3)
    assert stored(local.package.archive) is None
    upload(local, s3)
    found = stored(local.package.archive)
    archive = local.package.files[-1]
    assert replace(archive, path=None, content="") == found
    files = (*local.package.files[:-1], found)
    again = replace(local, package=replace(local.package, files=files))
    assert [] == upload(again, s3)
    verify(again.package, s3)


def test_an_environment_of_somebody_else_is_built_and_then_refused(s3, make):
    """An object without our notes is no stored environment, whatever its name."""
    local = make()
    overwrite(s3, local.package.archive, b"not ours")
    assert environment_stored_in(s3)(local.package.archive) is None
    own = local.package.archive.replace("/environments/", "/own/")
    overwrite(s3, own, b"not ours")
    found = environment_stored_in(s3)(own)
    assert (8, "etag:") == (found.bytes, found.checksum[:5])
    with pytest.raises(PackageDamaged):
        upload(local, s3)


def test_an_archive_that_the_run_names_must_be_there(s3, bucket, make):
    """It is taken as it is: its size and checksum go into the manifest, and are compared then."""
    local = make()
    named = PackedFile(
        role="archive", key=f"s3://{bucket}/own.tar.gz", sha256="", bytes=0, checksum=""
    )
    parts = {role: key_of(local.package, role) for role in ("script", "wheel", "config")}
    package = package_of(
        f"s3://{bucket}/sparkml",
        archive=named.key,
        files=(*local.package.files[:-1], named),
        **parts,
    )
    own = replace(local, package=package)
    with pytest.raises(PackageError, match="is not there"):
        upload(own, s3)
    overwrite(s3, named.key, b"an archive")
    upload(own, s3)
    verify(package, s3)
    overwrite(s3, named.key, b"another one")
    with pytest.raises(PackageDamaged):
        verify(package, s3)


@pytest.mark.parametrize(
    ("operation", "part"), [("PutObject", "manifest"), ("CompleteMultipartUpload", "archive")]
)
def test_another_client_may_be_faster(s3, make, operation, part):
    """It stores the same just before our write: ours is refused, and that is no error."""
    local = make(archive=b"x" * LARGE)
    address = getattr(local.package, part)
    theirs = []

    def be_faster(params, **_event):
        if not theirs and address.endswith(params["url_path"].split("/", 2)[2]):
            theirs.append("begun")
            theirs.extend(upload(local, boto3.client("s3")))

    s3.meta.events.register(f"before-call.s3.{operation}", be_faster)
    ours = upload(local, s3)
    assert address in theirs
    assert address not in ours
    bucket = address.split("/")[2]
    assert not s3.list_multipart_uploads(Bucket=bucket).get("Uploads")
    verify(local.package, s3)


@pytest.mark.parametrize("interrupted", [False, True])
def test_parts_that_may_not_be_dropped_hide_nothing(s3, make, interrupted):
    """Whoever may not abort an upload still learns that the file is there, or that they stopped."""
    local = make(archive=b"x" * LARGE)
    said = []

    def be_faster(**_event):
        upload(local, boto3.client("s3"))

    def stop(**_event):
        raise KeyboardInterrupt

    def deny(**_event):
        answer = {"Error": {"Code": "AccessDenied"}}
        raise s3.exceptions.ClientError(answer, "AbortMultipartUpload")

    events = s3.meta.events
    events.register("before-call.s3.CompleteMultipartUpload", stop if interrupted else be_faster)
    events.register("before-call.s3.AbortMultipartUpload", deny)
    if interrupted:
        with pytest.raises(KeyboardInterrupt):
            upload(local, s3, report=said.append)
    else:
        assert local.package.archive not in upload(local, s3, report=said.append)
        verify(local.package, s3)
    assert any("stay behind" in line and "AccessDenied" in line for line in said)
