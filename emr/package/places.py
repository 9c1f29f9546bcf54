"""The addresses in a job's configuration, held against what a cluster can read and write.

Their form is refused where the configuration is read (`sparkml.addresses`), for every job. Here is
what is known of a cluster of EMR besides: S3 is AWS's, with the names that it gives to buckets. And
addresses stand where no key says so: in a table's name, in a query, in options and settings.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from emr.request.forms import is_bucket
from sparkml.addresses import bucket_of, mistake_in
from sparkml.config.fields import shown
from sparkml.config.file import config_error
from sparkml.redaction import credentials_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparkml.config.fields import Section
    from sparkml.config.file import Problem

PLACES = frozenset({"path", "encoding", "result", "predictions", "artifacts", "tracking_uri"})
"""Keys whose values are addresses."""

_ADDRESSES = re.compile(
    r"(?:source|sink)(?:\.views\.\w+)?\.(?:path|options\.(?:path|location))|result|predictions"
    r"|steps\[\d+\]\.encoding|registry\.artifacts|spark\.conf\..*\.warehouse(?:\.dir)?"
    r"|models\.(?!.*\.(?:params|model_config)\.).*\.(?:uri|origin)"
)
"""The keys that hold one; what `params` and `model_config` hold is the model's affair."""
_SQL = re.compile(
    r"(?:source|sink)(?:\.views\.\w+)?\.(?:query|table|where)|steps\[\d+\]\.expr",
)
_NAMED = re.compile(r"\b(?:delta|parquet|csv|json|orc|text|avro)\.`([^`]+)`", re.IGNORECASE)
"""A table by its address, as SQL has it."""
_S3_TABLES = re.compile(r"arn:aws[\w-]*:s3tables:")
"""How a bucket of S3 Tables begins, which a catalog takes for its warehouse."""


def check_addresses(config: Section) -> None:
    """Refuse a configuration with an address that no cluster could read or write.

    Pure; what is there, nobody is asked.

    Raises:
        ConfigError: names every one, and the form to write; `problems` holds one each.
    """
    values = config.model_dump(mode="json", by_alias=True)
    problems = [problem for key, text in texts(values) for problem in _problems(key, text)]
    if problems:
        raise config_error(problems, "config")


def _problems(key: str, text: str) -> Iterator[Problem]:
    for address in _addresses(key, text):
        found = mistake_in(address, mlflow=key.startswith(("models.", "registry.")))
        bucket = bucket_of(address)
        if secret := credentials_in(found[1] if found else address):
            yield f"the address holds {secret}", key, "leave it out; roles give access"
        elif found:
            yield f"must be {found[0]}, not {shown(address)}", key, f"write {found[1]}"
        elif bucket and not is_bucket(bucket):
            what = f"{shown(address)} names a bucket that nobody can have"
            yield what, key, f"write {_instead(bucket, address)}: {_RULE} make a name"


_RULE = "3 to 63 small letters, digits, dots and hyphens"


def _instead(bucket: str, address: str) -> str:
    """The address with the name that was probably meant, or one that shows the form."""
    meant = re.sub(r"\.{2,}", ".", re.sub(r"[^a-z0-9.-]", "-", bucket.lower())).strip(".-")
    named = meant if is_bucket(meant) else "my-bucket"
    scheme, slashes, rest = address.partition("://")
    return f"{scheme}{slashes}{named}{rest[len(bucket) :]}"


def _addresses(key: str, text: str) -> Iterator[str]:
    if _ADDRESSES.fullmatch(key):
        if not (key.startswith("spark.conf.") and _S3_TABLES.match(text)):
            yield text
    elif _SQL.fullmatch(key):
        yield from _NAMED.findall(text)


def texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a tree, with its dotted key."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from texts(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from texts(item, f"{key}[{at}]")
