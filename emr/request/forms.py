"""`form_problems`: whether a text has the form of an ARN, an id or an address, as AWS takes it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparkml.config.file import Problem

_ROLE = r"arn:aws[\w-]*:iam::\d{12}:role/[\w+=,.@/-]+"
KMS_KEY = r"arn:aws[\w-]*:kms:[\w-]+:\d{12}:key/[\w-]+"
BUCKET = r"(?!\d+\.\d+\.\d+\.\d+(?![\w.-]))(?![^/]*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
"""A bucket's name as S3 gives it: no address of a network, no two dots together. The aliases of
access points and directory buckets have the same form."""
_NAMES = {
    "account": (r"\d{12}", "its 12 digits, such as 123456789012"),
    "role": (rf"[\w+=,.@-]{{1,64}}|{_ROLE}", "a role's name, or arn:aws:iam::123456789012:role/…"),
    "profile": (
        r"[\w+=,.@-]{1,128}|arn:aws[\w-]*:iam::\d{12}:instance-profile/[\w+=,.@/-]+",
        "an instance profile's name, or its ARN",
    ),
    "role ARN": (_ROLE, "arn:aws:iam::123456789012:role/…"),
    "KMS key": (KMS_KEY, "arn:aws:kms:us-east-1:123456789012:key/…"),
    "subnet": (r"subnet-[0-9a-f]{8,17}", "subnet-0123456789abcdef0"),
    "security group": (r"sg-[0-9a-f]{8,17}", "sg-0123456789abcdef0"),
    "folder on S3": (rf"s3://{BUCKET}(?:/[^\s,#]*)?", "s3://bucket/prefix"),
    "zip file on S3": (rf"s3://{BUCKET}/.+\.zip", "s3://bucket/certificates.zip"),
    "script on S3": (rf"s3://{BUCKET}/.+", "s3://bucket/script.sh"),
    "archive on S3": (rf"s3://{BUCKET}/.+", "s3://bucket/environment.tar.gz"),
    "log group": (r"[\w./#-]{1,512}", "/sparkml/emr"),
}
_FORMS = {kind: (re.compile(form), such_as) for kind, (form, such_as) in _NAMES.items()}


def is_bucket(name: str) -> bool:
    """Whether S3 could have a bucket, or an alias of one, of this name."""
    return re.fullmatch(BUCKET, name) is not None


def form_problems(kind: str, value: str, where: str) -> Iterator[Problem]:
    """What AWS would not take for the kind of name or address that it should be."""
    form, such_as = _FORMS[kind]
    if not form.fullmatch(value):
        # A policy whose Resource is an alias grants nothing.
        told = "; aws kms describe-key --key-id ALIAS tells it" * ("alias/" in value)
        yield f"'{value}' is no {kind}", where, f"write {such_as}{told}"
