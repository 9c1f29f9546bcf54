"""What is wrong with the form of an address, told before anybody is asked what is there.

A mistyped address fails late: Spark finds no file system for it when a run is on its way, or takes
it for a path of the machine that it happens to run on. What may be right somewhere is left alone:
every scheme that some store has, and whatever stands in a path or a key.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from sparkml.files import S3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Mistake = tuple[str, str]
    """What it must be, in words, and the address to write instead."""

AZURE = frozenset({"abfs", "abfss", "wasb", "wasbs"})
IN_BUCKETS = S3 | {"gs", "oss", "cosn", "obs"} | AZURE
"""Stores whose address names a bucket or a container after two slashes."""

STORES = IN_BUCKETS | {
    "file", "hdfs", "webhdfs", "swebhdfs", "viewfs", "har", "dbfs", "adl", "ofs", "o3fs", "ks3",
    "us3", "s3bfs", "cos", "bos", "tos", "swift", "alluxio", "maprfs", "ftp", "sftp", "jfs", "dfs",
    "lakefs", "oci",
}  # fmt: skip
"""Schemes that some file system of Hadoop has; one that is not here may have one, too."""

OF_MLFLOW = frozenset({"models", "runs", "mlflow-artifacts", "databricks"})
WEB = frozenset({"http", "https"})
COMMON = (*sorted(S3), "hdfs", "abfss", "wasbs", "dbfs", "file", "https", "http")
"""What a scheme that nobody knows may be a slip of the hand for, the likeliest first."""

LONGEST = 4_000
"""Characters of an address that is looked at; no store has a longer one."""

EXAMPLE = "s3://bucket/path"

_ADDRESS = re.compile(r"([A-Za-z0-9][\w+.-]*):([/\\]*)(.*)", re.DOTALL)
_NO_COLON = re.compile(
    rf"({'|'.join(sorted({*IN_BUCKETS, 'hdfs'}, key=len)[::-1])})//+(.*)", re.IGNORECASE
)
_ARN = re.compile(r"(?:\w+:/+)?arn:aws[\w-]*:([\w-]+):[\w-]*:\d*:(.*)", re.DOTALL)
_PAGES: tuple[tuple[str, Callable[..., str]], ...] = (
    (
        r"(?:https?://)?(?:([^/]+?)\.)?s3[.-](?:[\w.-]*\.)?amazonaws\.com(?:\.cn)?(?:/([^?#]*))?",
        lambda bucket, key: f"s3://{bucket}/{key}" if bucket else f"s3://{key}",
    ),
    (
        r"https?://[^/]*console\.aws\.amazon\.com/s3/[a-z]+/([^/?#]+)(?:.*?[?&]prefix=([^&#]*))?",
        lambda bucket, key: f"s3://{bucket}/{key}",
    ),
    (
        r"https?://storage\.(?:googleapis|cloud\.google)\.com/([^/?#]+)/?([^?#]*)",
        lambda bucket, key: f"gs://{bucket}/{key}",
    ),
    (
        r"https?://([\w-]+)\.(?:blob|dfs)\.core\.windows\.net/([^?#]+)",
        lambda account, path: (
            f"abfss://{path.partition('/')[0]}@{account}.dfs.core.windows.net/"
            f"{path.partition('/')[2]}"
        ),
    ),
)
"""Web addresses of stores → the address of the same place as Spark reads it."""


def mistake_in(address: str, *, mlflow: bool = False, file: bool = False) -> Mistake | None:
    """What an address must be and is not, and the one to write instead; None where it may be right.

    Args:
        address: a path of this machine, or an address of any store.
        mlflow: whether MLflow may read it, which knows web addresses and schemes of its own.
        file: whether it is a file's: then a bucket alone is none.
    """
    if len(address) > LONGEST:
        return None
    words, instead = "", address
    for _ in range(5):  # one mistake hides another: ` S3:/bucket`
        found = _first(_rules(instead, mlflow=mlflow, file=file))
        if found is None:
            break
        words, instead = words or found[0], found[1]
    return (words, instead) if words else None


def bucket_of(address: str) -> str:
    """The bucket that an address of the S3 kind names; empty of any other address."""
    found = _ADDRESS.fullmatch(address)
    if found is None or found[1].lower() not in S3 or found[2] != "//":
        return ""
    return re.split(r"[/?#]", found[3], maxsplit=1)[0]


def _first(rules: Iterable[Callable[[], Mistake | None]]) -> Mistake | None:
    return next((found for rule in rules if (found := rule()) is not None), None)


def _rules(address: str, *, mlflow: bool, file: bool) -> Iterable[Callable[[], Mistake | None]]:
    yield lambda: None if mlflow else _blanks(address)
    yield lambda: _arn(address.strip())
    yield lambda: _page(address.strip(), mlflow=mlflow)
    yield lambda: _slashes(address.strip())
    yield lambda: _scheme(address.strip(), mlflow=mlflow)
    yield lambda: _bucket_alone(address) if file else None


def _blanks(address: str) -> Mistake | None:
    stripped = address.strip()
    if stripped == address or not (_ADDRESS.match(stripped) or _NO_COLON.match(stripped)):
        return None  # a folder of this machine may be called so
    return "an address without blanks around it", stripped


def _arn(address: str) -> Mistake | None:
    found = _ARN.fullmatch(address)
    if found is None:
        return None
    service, resource = found.groups()
    words = "an address (an ARN is none)"
    if service != "s3" or not resource:
        return words, EXAMPLE
    if resource.startswith("accesspoint"):
        return "an address; an access point's is its alias", "s3://name-s3alias/path"
    return words, f"s3://{resource}"


def _page(address: str, *, mlflow: bool) -> Mistake | None:
    words = "an address as Spark reads it, which a web page's is not"
    for pattern, instead in _PAGES:
        found = re.fullmatch(rf"{pattern}(?:[?#&].*)?", address, re.IGNORECASE | re.DOTALL)
        if found and found.lastindex:
            return words, instead(*(unquote(part or "") for part in found.groups()))
    named = _ADDRESS.fullmatch(address)
    if named and named[1].lower() in WEB and not mlflow:
        return "a place that Spark reads and writes, as the web is not", EXAMPLE
    return None


def _slashes(address: str) -> Mistake | None:
    words = "an address with '://' and a bucket"
    if found := _NO_COLON.fullmatch(address):
        rest = found[2].lstrip("/")
        return words, f"{found[1].lower()}://{rest}" if rest else EXAMPLE
    found = _ADDRESS.fullmatch(address)
    if found is None or found[1].lower() not in IN_BUCKETS:
        return None
    rest = found[3].replace("\\", "/") if "\\" in found[2] else found[3]
    if found[2] == "//" and rest[:1] not in ("", "?", "#"):
        return None
    if found[2] == "///" and found[1].lower() in AZURE and rest:
        return None  # in the container that is the cluster's default
    named = rest.lstrip("/?#")
    return words, f"{found[1]}://{named}" if named else EXAMPLE


def _scheme(address: str, *, mlflow: bool) -> Mistake | None:
    found = _ADDRESS.fullmatch(address)
    if found is None or not found[2]:
        return None
    scheme, slashes, rest = found.groups()
    lower = scheme.lower()
    if lower in STORES | (OF_MLFLOW | WEB if mlflow else frozenset()):
        if scheme == lower or mlflow:
            return None
        return "an address with its scheme in small letters", f"{lower}:{slashes}{rest}"
    meant = (*COMMON, *sorted(OF_MLFLOW)) if mlflow else COMMON
    near = next((one for one in meant if _one_slip(lower, one)), None)
    if near is None or len(scheme) < 2:  # C:/, or a store that somebody has
        return None
    return "an address whose scheme is spelt right", f"{near}:{slashes}{rest}"


def _one_slip(written: str, meant: str) -> bool:
    """Whether one letter too many, too few, another one, or two in each other's place."""
    if sorted(written) == sorted(meant):
        return sum(a != b for a, b in zip(written, meant, strict=True)) == 2
    start = next((i for i, (a, b) in enumerate(zip(written, meant, strict=False)) if a != b), None)
    if start is None:
        return abs(len(written) - len(meant)) == 1
    ends = ((1, 1), (1, 0), (0, 1))
    return any(written[start + a :] == meant[start + b :] for a, b in ends)


def _bucket_alone(address: str) -> Mistake | None:
    found = _ADDRESS.fullmatch(address)
    if found is None or found[1].lower() not in IN_BUCKETS:
        return None
    bucket, _, key = found[3].partition("/")
    return None if key.strip("/") else ("a file in the bucket", f"{found[1]}://{bucket}/file.json")
