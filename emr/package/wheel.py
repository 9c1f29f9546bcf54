"""sparkml as a wheel: made from the package that runs here, the same bytes every time.

No build backend is asked: where sparkml was itself installed from a wheel there is none, nor a
project to build. The files of the package and its installed metadata are all that a wheel is.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import zipfile
from base64 import urlsafe_b64encode
from pathlib import Path

import sparkml
from emr.errors import PackageError

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that a zip can hold
_KEPT = {"", ".py", ".pyi", ".typed", ".json", ".txt"}
_TEXT = "Wheel-Version: 1.0\nGenerator: sparkml\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def wheel_name() -> str:
    """`sparkml-0.1.0-py3-none-any.whl`."""
    return f"sparkml-{sparkml.__version__}-py3-none-any.whl"


def wheel_bytes(package: Path | None = None) -> bytes:
    """The wheel of the package in a folder, the running sparkml by default; some 50 ms.

    Files are stored, not compressed: compressed bytes would depend on this machine's zlib.

    Raises:
        PackageError: the package's files cannot be read.
    """
    folder = package or Path(sparkml.__file__).parent
    if not folder.is_dir():  # such as sparkml.zip on PYTHONPATH
        raise PackageError(
            "sparkml runs from a zip here, of which no wheel is made",
            where=str(folder),
            fix="install it: pip install sparkml",
        )
    info = f"sparkml-{sparkml.__version__}.dist-info"
    entries = {
        f"sparkml/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix in _KEPT
    }
    metadata = importlib.metadata.distribution("sparkml").read_text("METADATA") or ""
    entries[f"{info}/METADATA"] = metadata.encode()
    entries[f"{info}/WHEEL"] = _TEXT.encode()
    record = [f"{name},{_digest(data)},{len(data)}" for name, data in sorted(entries.items())]
    entries[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    return _zip(entries)


def _digest(data: bytes) -> str:
    digest = urlsafe_b64encode(hashlib.sha256(data).digest()).decode("ascii").rstrip("=")
    return f"sha256={digest}"


def _zip(entries: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, data in sorted(entries.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, data)
    return made.getvalue()
