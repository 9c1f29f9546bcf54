"""S3 as Spark's Hadoop configuration describes it, for Arrow; and whether workers can write there.

Spark's own readers and writers reach S3 through S3A in the JVM, the workers' Parquet files go there
through Arrow in Python: endpoint, region and keys that are configured for the one must hold for the
other. Credentials that only the JVM has (EMR gives those of a step's runtime role to S3A alone) do
not reach Python. So it is tried, before the job, where it costs nothing.
"""

from __future__ import annotations

import re
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sparkml.files import S3, S3Options, open_address, scheme_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import SparkSession

SIMPLE = ("SimpleAWSCredentialsProvider", "TemporaryAWSCredentialsProvider")
"""S3A's providers that take the keys of its configuration; they are in its default chain."""

PROBE = "_sparkml-probe-"
"""Begins the name of an object that says whether a place can be written; no table reads `_…`."""

_AWS = re.compile(r"s3[.-](?:dualstack\.)?(?:([a-z]{2}-[a-z-]+-\d)\.)?amazonaws\.com(?:\.cn)?")


def s3_options(spark: SparkSession, address: str) -> S3Options | None:
    """What `fs.s3a.*` of this session says of the address's bucket; None: nothing, or it is no S3.

    Runs on the driver of a classic session. Only keys that stand in the configuration are passed
    on; every other way to credentials is the workers' own.
    """
    if scheme_of(address) not in S3:
        return None
    conf = spark._jsparkSession.sessionState().newHadoopConf()  # noqa: SLF001 - no other way to it
    jvm: Any = spark._jvm  # noqa: SLF001 - the same
    bucket = urlsplit(address).netloc

    def setting(name: str) -> str:
        keys = (f"fs.s3a.bucket.{bucket}.{name}", f"fs.s3a.{name}")
        return next((str(found) for key in keys if (found := conf.getTrimmed(key))), "")

    def secret(name: str) -> str | None:  # it may stand in a credential store, not in the open
        for key in (f"fs.s3a.bucket.{bucket}.{name}", f"fs.s3a.{name}"):
            found = conf.getPassword(key)
            if found is not None:
                return str(jvm.java.lang.String.valueOf(found)).strip() or None
        return None

    options = options_of(setting, secret)
    return None if options == S3Options() else options


def options_of(setting: Callable[[str], str], secret: Callable[[str], str | None]) -> S3Options:
    """The same from the settings alone; `secret` reads those that may be in a credential store."""
    plain = setting("connection.ssl.enabled") == "false"
    given = setting("endpoint")
    url = urlsplit(given if "://" in given else f"{'http' if plain else 'https'}://{given}")
    aws = _AWS.fullmatch(url.netloc)
    providers = setting("aws.credentials.provider")
    own = not providers or any(name in providers for name in SIMPLE)
    access_key = secret("access.key") if own else None
    return S3Options(
        endpoint=None if aws else url.netloc or None,
        scheme=url.scheme if url.netloc and not aws else "https",
        region=setting("endpoint.region") or (aws[1] if aws else None),
        path_style=aws is not None or not url.netloc or setting("path.style.access") == "true",
        access_key=access_key,
        secret_key=secret("secret.key") if access_key else None,
        session_token=secret("session.token") if access_key else None,
        anonymous="Anonymous" in providers,
    )


def unreadable(address: str, s3: S3Options | None) -> str:
    """Why Python on this machine cannot look at an S3 address; empty if it can, or it is no S3."""
    if scheme_of(address) not in S3:
        return ""
    try:
        system, path = open_address(address, s3)
        system.get_file_info(path)
    except (OSError, ValueError) as error:
        return _brief(error)
    return ""


def unwritable_by_workers(spark: SparkSession, address: str, s3: S3Options | None) -> str:
    """Why a task's Python cannot write to an S3 address; empty if it can, or it is no S3.

    Runs one task, which puts an empty object there and deletes it: some ten milliseconds, besides
    the start of a worker, which the job needs anyway. Where there are no credentials to be found,
    the seconds that the search takes.
    """
    if scheme_of(address) not in S3:
        return ""
    found = spark.sparkContext.parallelize([address], 1).map(lambda a: unwritable(a, s3)).collect()
    return str(found[0])


def unwritable(address: str, s3: S3Options | None) -> str:
    """Why Python here cannot write to an S3 address; empty if it can."""
    try:
        system, path = open_address(address, s3)
        probe = f"{path}/{PROBE}{uuid.uuid4().hex}"
        with system.open_output_stream(probe) as stream:
            stream.write(b"")
        with suppress(OSError):  # who may write may not always delete
            system.delete_file(probe)
    except (OSError, ValueError) as error:
        return _brief(error)
    return ""


def _brief(error: Exception) -> str:
    """The store's word, such as ACCESS_DENIED, else the first line; never a signature or a key."""
    text = str(error)
    found = re.search(r"AWS Error ([A-Z_]+)", text)
    first = text.strip().partition("\n")[0]
    return found[1] if found else first[:200] or type(error).__name__
