"""Addresses with credentials: a password or a token before the host, secret parameters after it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from sparkml.redaction.names import HARMLESS, is_reference, is_secret, is_secret_name, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparkml.redaction.tokens import Finding

_END = r"""\s/?#,;"'<>)\]}|&"""
"""What ends an address's host or port, in a list or in JSON as well."""
# After a colon stands a password, which may hold `/`, `@` and `:`, or a port, which does not end in
# `@`. The colons of an IPv6 address stand in brackets.
_PASSWORD = re.compile(
    rf"://(?!\[[^\]@\s]*\])(?P<user>[^{_END}@:]*):(?P<password>(?!\d{{1,5}}(?:[{_END}\\]|$)|\0+@)"
    r"[^\s\"]+)@"
)
_LIKE_PORT = re.compile(
    rf"://(?P<user>[^{_END}@:.]+):(?P<password>\d{{1,5}}[/?#][^@\s\"',;]*)@"
    r"(?:[\w.-]+:\d|(?:[\w-]+\.)+[a-z]{2,}(?:[/?]|$))"
)
"""A password that begins like a port and a path: its user has no dot, and a host follows it."""
_USER = re.compile(rf"(?<![\w+.-])(?P<scheme>[\w+.-]*)://(?P<user>[^{_END}@:\0]+)@")
_ORACLE = re.compile(r"(?i)jdbc:oracle:\w+:(?P<user>[^/\s@]+)/(?P<password>[^\s@\0][^\s@]*)@")
_BARE = re.compile(
    r"(?<![\w/.:@-])(?!(?:user|group|domain|mailto|acct|sips?|xmpp|service\w*|principal\w*):)"
    r"(?P<user>[A-Za-z][\w.-]*):(?P<password>(?=[^\s@/:,;]*\d)[^\s@/:,;=\"']{4,})"
    r"@(?=[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}\b)",
    re.IGNORECASE,
)
"""`user:password@host` without a scheme."""
_CONTAINERS = frozenset({"abfs", "abfss", "wasb", "wasbs", "adl"})
"""Schemes whose address has a container where others have a user."""
_MIXED_USER = re.compile(
    rf"(?<![\w+.-])(?P<scheme>[\w+.-]*)://(?P<user>(?=[^{_END}@:]*\d)[^{_END}@:\0]{{6,}})"
    rf"(?=@|:(?!\d{{1,5}}(?:[{_END}]|$))[^\s\"]*@)"
)
_TOKEN = re.compile(r"(?=.*\d)(?=.*[A-Za-z]).{10,}|.{16,}")
"""A user of this form is a token: what is shorter is a user's or an organisation's name."""

_ADDRESS = re.compile(r"(?:(?<![\w+.-])[\w+.-]+://|jdbc:)[^\s\"'<>]*")
_PARAMETER = re.compile(r"[?&;#](?P<name>[\w.%~-]+)=(?P<value>[^&;#\s\"'<>]*)")
_SIGNED = words(
    "sig signature key x-amz-signature x-amz-credential x-amz-security-token awsaccesskeyid"
    " x-goog-signature x-goog-credential se_sig code pw p"
)
"""Parameters that are secret in addresses, though their names do not say so elsewhere."""
_HARMLESS = words(
    "region endpoint_override scheme sslmode ssl usessl encrypt charset characterencoding"
    " servertimezone timezone database databasename db dbname schema warehouse role user"
    " username version versionid format protocol driver application applicationname app"
    " retrymode request_timeout connect_timeout connecttimeout sockettimeout"
    " allow_bucket_creation authmech currentschema principal transportmode httppath catalog ref"
    " branch path prefix delimiter"
)
"""Parameters of stores and databases whose values may be shown."""


def credentials_in(address: str) -> str:
    """What an address has that only its owner may read, in words; empty where there is none.

    >>> credentials_in("https://me:pw@host/x"), credentials_in("s3://bucket/x?region=eu-west-1")
    ('a password in an address', '')
    """
    return next((what for *_, what in credentials(address)), "")


def credentials(text: str) -> Iterator[Finding]:
    """Every password and token before a host, and every secret parameter, in a text."""
    for pattern in (_PASSWORD, _LIKE_PORT, _ORACLE, _BARE):
        for found in pattern.finditer(text):
            if not is_reference(found["password"]):
                yield *found.span("password"), "a password in an address"
    for found in _USER.finditer(text):
        user = unquote_plus(unquote_plus(found["user"]))
        name, colon, password = user.partition(":")
        if (colon and password) or (
            found["scheme"].lower() not in _CONTAINERS and _TOKEN.fullmatch(name)
        ):
            yield *found.span("user"), "a token in an address"
    for found, name, value in _parameters(text):
        secret = name.lower() in _SIGNED and value and not is_reference(value)
        if secret or is_secret(name, value):
            yield *found.span("value"), f"a secret parameter ({name}=…) in an address"


def what_may_be_one(text: str) -> Iterator[Finding]:
    """What else of addresses may not be shown: users with digits, and all unknown parameters."""
    for found in _MIXED_USER.finditer(text):
        if found["scheme"].lower() not in _CONTAINERS:
            yield *found.span("user"), "a user in an address"
    for found, name, value in _parameters(text):
        known = name.lower() in _HARMLESS or HARMLESS.fullmatch(value) or is_reference(value)
        if is_secret_name(name) or not known:
            yield *found.span("value"), "a parameter of an address"


def _parameters(text: str) -> Iterator[tuple[re.Match[str], str, str]]:
    for address in _ADDRESS.finditer(text):
        for found in _PARAMETER.finditer(text, *address.span()):
            yield found, unquote_plus(found["name"]), unquote_plus(found["value"])
