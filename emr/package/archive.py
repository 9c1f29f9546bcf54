"""A site folder as a tar.gz: stripped, checked against the cluster, the same bytes every time."""

from __future__ import annotations

import gzip
import hashlib
import re
import shutil
import struct
import tarfile
from typing import TYPE_CHECKING, Any, BinaryIO

from emr.errors import PackageError
from sparkml.models.wheels import HIDING, brought

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STRIPPED = ("bin", "pyarrow/include", *(f"{p}/**/tests" for p in ("pandas", "pyarrow", "scipy")))
"""Scripts that name this machine's Python, headers, and tests: 60 MB. NumPy imports from its tests.
"""

MACHINES = {"x86_64": 62, "arm64": 183}
"""`e_machine` of an ELF file (the ELF specification's EM_X86_64 and EM_AARCH64)."""

_TAGGED = re.compile(r"\.cpython-(\d+)")


def strip(site: Path) -> None:
    """Remove what an environment on a cluster never uses, and what tells about this machine."""
    for pattern in (*STRIPPED, "**/__pycache__"):
        for folder in list(site.glob(pattern)):
            shutil.rmtree(folder, ignore_errors=True)
    for info in site.glob("*.dist-info"):
        for name in ("uv_cache.json", "uv_build.json", "direct_url.json", "REQUESTED"):
            (info / name).unlink(missing_ok=True)
        record = info / "RECORD"
        lines = record.read_text(encoding="utf-8").splitlines() if record.is_file() else []
        kept = [line for line in lines if (site / line.rsplit(",", 2)[0].strip('"')).is_file()]
        record.write_text("".join(f"{line}\n" for line in sorted(kept)), encoding="utf-8")


def check_folder(site: Path, *, python: str, arch: str) -> None:
    """Refuse an environment that the cluster's Python could not run.

    Raises:
        PackageError: Spark or Delta in it, or a library for another processor or Python.
    """
    for module, distribution in brought(site, HIDING).items():
        raise PackageError(
            f"the environment holds {module}, which would hide the cluster's own",
            where=module,
            fix=f"take {distribution or 'it'} out of environment.requirements, or of the model's "
            "where environment: match packs them",
        )
    tag = python.replace(".", "")
    for path in _binaries(site):
        name = path.relative_to(site).as_posix()
        machine = _machine(path)
        if machine not in (None, MACHINES[arch]):
            raise _foreign(name, f"is for another processor than {arch} (ELF machine {machine})")
        tagged = _TAGGED.search(path.name)
        if tagged and tagged[1] != tag:
            raise _foreign(name, f"is for Python {tagged[1]}, the cluster's is {tag}")


def write_tar_gz(site: Path, archive: Path) -> str:
    """Write a folder as a tar.gz; the SHA-256 of the tar before compression.

    Names are sorted, owners 0, times 0: the same files give the same tar anywhere, and the same
    bytes wherever zlib is the same.
    """
    with archive.open("wb") as file:
        zipped = gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0)
        with zipped:
            digested = _Digested(zipped)
            stream: Any = digested  # tarfile needs a `write` alone
            with tarfile.open(fileobj=stream, mode="w|", format=tarfile.GNU_FORMAT) as tar:
                files = [path for path in site.rglob("*") if path.is_file()]
                for name, path in sorted((p.relative_to(site).as_posix(), p) for p in files):
                    _add(tar, path, name)
    return digested.sha256.hexdigest()


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    entry = tarfile.TarInfo(name)
    status = path.stat()
    entry.size = status.st_size
    entry.mode = 0o755 if status.st_mode & 0o100 else 0o644
    with path.open("rb") as file:
        tar.addfile(entry, file)


class _Digested:
    """Passes on what is written, and digests it."""

    def __init__(self, to: gzip.GzipFile) -> None:
        self.sha256, self._to = hashlib.sha256(), to

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        return self._to.write(data)


def _binaries(site: Path) -> Iterator[Path]:
    yield from (path for path in site.rglob("*") if ".so" in path.suffixes and path.is_file())


def _machine(path: Path) -> int | None:
    """The `e_machine` of an ELF file; None of any other."""
    with path.open("rb") as file:
        return _elf_machine(file)


def _elf_machine(file: BinaryIO) -> int | None:
    head = file.read(20)
    if len(head) < 20 or head[:4] != b"\x7fELF":
        return None
    return int(struct.unpack_from("<H", head, 18)[0])


def _foreign(name: str, why: str) -> PackageError:
    return PackageError(
        f"{name} {why}", where=name, fix="report this: uv chose a wheel that does not fit"
    )
