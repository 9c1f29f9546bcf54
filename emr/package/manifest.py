"""`Package`: what one run is made of, where each part is stored, and the manifest that tells it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from emr.errors import PackageDamaged

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

Role = Literal["script", "wheel", "config", "archive", "model"]

SHOWN_DIGITS = 32
"""Of a SHA-256 in an address: 128 bits tell contents apart, and the line can still be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedFile:
    """One file of a package.

    `path` is where it lies on this machine, None where it is stored already. `checksum` is the
    SHA-256 as S3 computes it (base64; over the parts' where it goes up in parts), which S3 tells
    without reading the file. `content` is the digest of an archive before compression: two builds
    of one environment may differ in their compression alone.
    """

    role: Role
    key: str
    sha256: str
    bytes: int
    checksum: str
    content: str = ""
    path: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """What a run is made of; every address is `s3://…` and holds a hash of what is there.

    `digest` is one SHA-256 over all the addresses: the same inputs, the same digest. `model` is the
    first of `models`, the folders of those that travel with the run. The address of an archive that
    the run names holds no hash: `archive_is` tells its bytes instead.
    """

    digest: str
    script: str
    archive: str
    wheel: str
    config: str
    manifest: str
    archive_is: str = ""
    models: tuple[str, ...] = ()
    files: tuple[PackedFile, ...] = ()

    @property
    def model(self) -> str | None:
        """The folder of the model that travels with the run; None where none does."""
        return self.models[0] if self.models else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPackage:
    """A package whose files are on this machine, or known to be stored.

    `notes` are for whoever reads the terminal; `requirements` are what the environment holds.
    """

    package: Package
    requirements: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    kms_key: str | None = None


def code_address(artifacts: str, sha256: str, name: str) -> str:
    """Where a script, wheel or configuration of this content is stored."""
    return f"{artifacts.rstrip('/')}/code/{sha256[:SHOWN_DIGITS]}/{name}"


def environment_address(artifacts: str, key: str) -> str:
    """Where the environment made from the inputs of this key is stored."""
    return f"{artifacts.rstrip('/')}/environments/{key[:SHOWN_DIGITS]}.tar.gz"


def is_environment_address(address: str) -> bool:
    """Whether an address is one that `environment_address` gives."""
    return re.search(rf"/environments/[0-9a-f]{{{SHOWN_DIGITS}}}\.tar\.gz\Z", address) is not None


def model_address(artifacts: str, digest: str) -> str:
    """The folder of a model's files."""
    return f"{artifacts.rstrip('/')}/models/{digest}"


def package_of(
    artifacts: str,
    *,
    script: str,
    archive: str,
    wheel: str,
    config: str,
    archive_is: str = "",
    models: tuple[str, ...] = (),
    files: tuple[PackedFile, ...] = (),
) -> Package:
    """The package of these parts, with its digest and its manifest's address."""
    own = (archive_is,) if archive_is else ()
    digest = digest_of_addresses((script, archive, wheel, config, *own, *models), files)
    manifest = f"{artifacts.rstrip('/')}/runs/{digest[:SHOWN_DIGITS]}/manifest.json"
    return Package(
        digest=digest,
        script=script,
        archive=archive,
        wheel=wheel,
        config=config,
        manifest=manifest,
        archive_is=archive_is,
        models=models,
        files=files,
    )


def digest_of_addresses(parts: Sequence[str], files: Iterable[PackedFile]) -> str:
    """One SHA-256 over the addresses, those of each model's files among them.

    Every address holds a hash of what is there, so this is one of everything.
    """
    inside = sorted(file.key for file in files if file.role == "model")
    return hashlib.sha256("\n".join([*parts, *inside]).encode()).hexdigest()


def manifest_text(package: Package, requirements: tuple[str, ...]) -> str:
    """The manifest, as it is stored: the parts, every file's SHA-256, and what is installed."""
    parts = {
        "script": package.script,
        "archive": package.archive,
        "wheel": package.wheel,
        "config": package.config,
        **({"archive_is": package.archive_is} if package.archive_is else {}),
        "models": list(package.models),
    }
    files = [
        {
            "role": file.role,
            "key": file.key,
            "sha256": file.sha256,
            "bytes": file.bytes,
            "checksum": file.checksum,
        }
        for file in sorted(package.files, key=lambda file: file.key)
    ]
    value = {"format": 1, "digest": package.digest, "parts": parts, "files": files}
    return json.dumps({**value, "requirements": list(requirements)}, indent=1) + "\n"


def read_manifest(text: str, package: Package) -> tuple[PackedFile, ...]:
    """The files that a stored manifest names, if it is this package's.

    Raises:
        PackageDamaged: it is another package's, or no manifest.
    """
    try:
        value = json.loads(text)
        parts = value["parts"]
        addresses = [parts[name] for name in ("script", "archive", "wheel", "config")]
        addresses += [parts["archive_is"]] if "archive_is" in parts else []
        files = tuple(PackedFile(**file) for file in value["files"])
        digest = digest_of_addresses((*addresses, *parts["models"]), files)
    except (ValueError, KeyError, TypeError) as error:
        raise _not_ours(package, f"it cannot be read ({error})") from error
    if digest != package.digest:
        raise _not_ours(package, "it names other files")
    for file in files:
        hashed = file.role in ("script", "wheel", "config")
        if hashed and not file.sha256.startswith(file.key.split("/")[-2]):
            raise _not_ours(package, f"{file.key} does not hold what its address says")
    return files


def _not_ours(package: Package, why: str) -> PackageDamaged:
    return PackageDamaged(
        f"the manifest is not this package's: {why}",
        where=package.manifest,
        fix="find out who changed it, delete it, and submit again",
    )
