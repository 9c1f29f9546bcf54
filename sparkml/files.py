"""From an address (a path, `file:`, `s3://`, `s3a://`, …) to a file system, and the path in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

S3 = frozenset({"s3", "s3a", "s3n"})
"""Three names of one store: Hadoop's file systems have had all of them."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):/|(file):")


def scheme_of(address: str) -> str:
    """The scheme of an address, in lower case; empty for a path of this machine."""
    found = _SCHEME.match(address)
    return (found[1] or found[2]).lower() if found else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Options:
    """How a store of the S3 kind is reached, where its client's own environment does not say it.

    `endpoint` is `host[:port]`; None: AWS's own for the region. Keys are shown nowhere.
    """

    endpoint: str | None = None
    scheme: str = "https"
    region: str | None = None
    path_style: bool = True
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    anonymous: bool = False


def open_address(address: str, s3: S3Options | None = None) -> tuple[FileSystem, str]:
    """The file system of an address, and the path in it without a slash at its end.

    Runs on the driver and in workers. A path may be relative. A `file:` address is a URI, in which
    `%20` is a space; in the others the path stands as it is, as Hadoop and the stores' own tools
    read it, and Arrow's own options may follow a `?`. `s3` says how an S3 address without such
    options is reached. Costs a request where Arrow has to ask for a bucket's region.

    Raises:
        ValueError: no such kind of address, or it names no place.
        OSError: the store does not answer.
    """
    import pyarrow as pa
    from pyarrow.fs import FileSystem, LocalFileSystem

    if not scheme_of(address):
        return LocalFileSystem(), str(Path(address).absolute())
    if s3 is not None and scheme_of(address) in S3 and "?" not in address:
        return _open_s3(address, s3)
    try:
        files, path = FileSystem.from_uri(_as_uri(address))
    except pa.ArrowNotImplementedError as error:  # this Arrow was built without that store
        raise ValueError(str(error)) from error
    if not path:
        raise ValueError(f"'{address}' names no place in the store")
    return files, path.rstrip("/") or "/"


def _open_s3(address: str, s3: S3Options) -> tuple[FileSystem, str]:
    from pyarrow.fs import S3FileSystem, resolve_s3_region

    bucket, _, key = re.sub(r"^[^:]+:/+", "", address).partition("/")
    if not bucket:
        raise ValueError(f"'{address}' names no place in the store")
    chosen: dict[str, Any] = {
        "region": s3.region or (None if s3.endpoint else resolve_s3_region(bucket)),
        "anonymous": s3.anonymous,
        "access_key": s3.access_key,
        "secret_key": s3.secret_key,
        "session_token": s3.session_token,
    }
    if s3.endpoint:
        chosen |= {
            "endpoint_override": s3.endpoint,
            "scheme": s3.scheme,
            "force_virtual_addressing": not s3.path_style,
        }
    path = f"{bucket}/{key}".rstrip("/")
    return S3FileSystem(**{k: v for k, v in chosen.items() if v is not None}), path


def _as_uri(address: str) -> str:
    scheme = scheme_of(address)
    if scheme == "file":
        return address
    known = "s3" if scheme in S3 else scheme
    rest, question, options = address[len(scheme) + 1 :].partition("?")
    # Arrow decodes a URI's path. What a `%` means in a key, it must mean to Hadoop and Arrow alike:
    # Delta's log and the files it names would otherwise lie in two places.
    _, slashes, place = rest.partition("//")
    authority, slash, path = place.partition("/") if slashes else ("", "", rest)
    return f"{known}:{slashes}{authority}{slash}{quote(path)}{question}{options}"
