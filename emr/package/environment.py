"""The packed environment: libraries for the cluster's Python and processor, from wheels alone.

It is a site folder (`sparkml.models.wheels`), stripped, as an archive.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emr.errors import PackageError
from emr.package.archive import check_folder, strip, write_tar_gz
from emr.package.checksum import checksums
from sparkml.models.recorded import LEFT_OUT
from sparkml.models.wheels import INDEX, Target, UvFailed, UvMissing, install, resolve

if TYPE_CHECKING:
    from collections.abc import Callable

    from emr.machines.instances import Arch
    from emr.package.requirements import Requirements

PACKER = 1
"""Raised when the same inputs would give another archive."""

PLATFORMS = {"x86_64": "x86_64-manylinux_2_28", "arm64": "aarch64-manylinux_2_28"}
"""Amazon Linux 2023 has glibc 2.34; wheels are built for 2.28 and older."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An archive in this machine's cache; `content` is the digest before compression."""

    path: Path
    sha256: str
    checksum: str
    bytes: int
    content: str


def environment_key(requirements: Requirements, *, python: str, arch: Arch) -> str:
    """One SHA-256 over everything that the environment is made from."""
    inputs = {
        "packer": PACKER,
        "python": python,
        "platform": PLATFORMS[arch],
        "requirements": requirements.digest,
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def build_environment(
    requirements: Requirements,
    *,
    python: str,
    arch: Arch,
    cache: Path,
    report: Callable[[str], None],
) -> Built:
    """The archive of an environment, from the cache, or built now: half a minute and 600 MB.

    Raises:
        PackageError: there is no uv, a library has no wheel for the cluster, the index does not
            answer, or what was installed does not belong there.
    """
    key = environment_key(requirements, python=python, arch=arch)
    cache.mkdir(parents=True, exist_ok=True)
    archive, note = cache / f"{key[:32]}.tar.gz", cache / f"{key[:32]}.json"
    known = _known(archive, note)
    if known is not None:
        return known
    with tempfile.TemporaryDirectory(prefix=".building-", dir=cache) as scratch:
        site = Path(scratch, "site")
        report(f"environment: installing {len(requirements.names)} libraries for {PLATFORMS[arch]}")
        target = Target(python=python, platform=PLATFORMS[arch])
        _install(requirements, site, Path(scratch), target)
        strip(site)
        check_folder(site, python=python, arch=arch)
        report("environment: compressing")
        made = Path(scratch, "made.tar.gz")
        content = write_tar_gz(site, made)
        sums = checksums(made)
        made.replace(archive)
    built = Built(
        path=archive, sha256=sums.sha256, checksum=sums.s3, bytes=sums.bytes, content=content
    )
    note.write_text(json.dumps({**asdict(built), "path": None}), encoding="utf-8")
    report(f"environment: {built.bytes / 1e6:,.0f} MB")
    return built


def _known(archive: Path, note: Path) -> Built | None:
    """What the cache holds; its bytes are compared by S3, which gets their checksum with them."""
    try:
        built = Built(**{**json.loads(note.read_text(encoding="utf-8")), "path": archive})
        return built if archive.stat().st_size == built.bytes else None
    except (OSError, ValueError, TypeError):
        return None


def _install(requirements: Requirements, site: Path, scratch: Path, target: Target) -> None:
    listed, own = scratch / "requirements.txt", scratch / "own.txt"
    text, hashed = requirements.text, requirements.hashed
    try:
        if requirements.wanted:
            known = (name for name in requirements.names if "==" in name)
            found = resolve(requirements.wanted, target, preferred=known, scratch=scratch)
            kept = [str(one) for one in found if one.name not in LEFT_OUT]
            locked = {line.split()[0]: line for line in text.splitlines()}  # with its hashes
            text, hashed = "\n".join(locked.get(one, one) for one in kept), False
        listed.write_text(text, encoding="utf-8")
        install(listed, target, into=site, hashed=hashed)
        if requirements.own:
            own.write_bytes(requirements.own)
            install(own, target, into=site, hashed=True)
    except UvMissing as error:
        raise PackageError(str(error), where="PATH", fix="pip install uv") from error
    except UvFailed as error:
        raise PackageError(
            f"the environment cannot be installed: {error}",
            where="uv pip install",
            fix=f"every library needs a wheel for the cluster's Python and processor; {INDEX}",
        ) from error
