"""The packed environment: libraries for the cluster's Python and processor, from wheels alone.

It is a site folder, not a virtual environment: the cluster's own Python runs it through
PYTHONPATH. So nothing in it names a path of this machine, no interpreter travels, and a cluster of
another processor is served from here as well.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emr.errors import PackageError
from emr.package.archive import check_folder, strip, write_tar_gz
from emr.package.checksum import checksums
from emr.package.script import project_folder

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
        _install(requirements, site, Path(scratch), python=python, arch=arch)
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


def _install(
    requirements: Requirements, site: Path, scratch: Path, *, python: str, arch: Arch
) -> None:
    listed = scratch / "requirements.txt"
    listed.write_text(requirements.text, encoding="utf-8")
    options = [
        *("--quiet", "--no-deps", "--only-binary", ":all:", "--link-mode", "copy"),
        *("--target", str(site), "--python", sys.executable),
        *("--python-version", python, "--python-platform", PLATFORMS[arch]),
    ]
    hashed = ["--require-hashes"] if requirements.hashed else []
    _run([*find_uv(), "pip", "install", *options, *hashed, "-r", str(listed)])
    if requirements.own:
        own = scratch / "own.txt"
        own.write_bytes(requirements.own)
        _run([*find_uv(), "pip", "install", *options, "--require-hashes", "-r", str(own)])


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=1_800)
    if done.returncode:
        # The index's address may hold a password, and is nobody's business in a log.
        said = re.sub(r"https?://\S+", "(address)", done.stderr)
        raise PackageError(
            f"the environment cannot be installed: {' '.join(said.split())[-600:]}",
            where="uv pip install",
            fix="every library needs a wheel for the cluster's Python and processor; uv takes its "
            "index from UV_DEFAULT_INDEX or uv.toml, not from pip's settings",
        )


def find_uv() -> list[str]:
    """The command that runs uv: the machine's own, this project's, or this Python's module.

    Raises:
        PackageError: there is none.
    """
    root = project_folder()
    ours = root / ".cache" / "uv" / "bin" / "uv" if root else None
    found = shutil.which("uv") or (str(ours) if ours and ours.is_file() else None)
    if found:
        return [found]
    if importlib.util.find_spec("uv") is not None:
        return [sys.executable, "-m", "uv"]
    raise PackageError(
        "there is no uv, which installs for another Python and processor",
        where="PATH",
        fix="pip install uv",
    )
