"""`refuse_secrets`: no key, token or password travels in a request.

A step's arguments, a cluster's configurations and its bootstrap arguments stand in DescribeStep,
DescribeCluster and the controller's log, for whoever may read those. Secrets belong in Secrets
Manager or SSM; their ARN may travel.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from emr.errors import SecretInRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHAPES = {
    "an AWS access key": r"(?<![A-Z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Z0-9])",
    "a private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY",
    "a GitHub token": r"(?<!\w)(?:gh[pousr]_\w{36}|github_pat_\w{22})",
    "a GitLab token": r"(?<!\w)glpat-[\w-]{20}",
    "a Slack token": r"(?<!\w)xox[abeoprs]-[\w-]{10}",
    "a Databricks token": r"(?<!\w)dapi[0-9a-f]{32}",
    "a Hugging Face token": r"(?<!\w)hf_[A-Za-z0-9]{30}",
    "a Google API key": r"(?<!\w)AIza[\w-]{35}",
    "an API key": r"(?<!\w)sk-[\w-]{32}",
    "a JSON Web Token": r"(?<!\w)eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.",
    "a password in an address": r"://[^/@\s:]*:[^@/\s]+@",
}
_SHAPE = {what: re.compile(pattern) for what, pattern in _SHAPES.items()}
_SECRET_KEY = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[A-Za-z0-9+][A-Za-z0-9/+]{39}")
"""An AWS secret key is 40 characters that mean nothing."""

_WORDS = frozenset({"password", "passwd", "passphrase", "pwd", "secret", "token", "credentials"})
_PAIRS = frozenset(
    {"access key", "api key", "account key", "private key", "secret key", "shared key", "auth key"}
)
_ONE_WORD = frozenset({"apikey", "accesskey", "secretkey", "authtoken", "accesstoken"})
_REFERENCE = re.compile(
    r"arn:aws[\w-]*:(?:secretsmanager|ssm|kms|iam):|\{\{|\$\{|EMR\.secret@|s3[an]?://|/|\.\.?/"
)
"""What points at a secret, and is none: an ARN, a placeholder, a file."""
_HARMLESS = re.compile(r"|true|false|null|none|[\d.]+[smhdkgt]?", re.IGNORECASE)
_NAMED = re.compile(
    r"--?(?P<flag>[A-Za-z][\w.-]*)(?:=(?P<said>.*))?|(?P<key>[\w.-]+)=(?P<value>.*)", re.DOTALL
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")


def refuse_secrets(request: Mapping[str, Any], *, where: str = "") -> None:
    """Refuse a request that carries what looks like a key, a token or a password.

    Raises:
        SecretInRequest: it does. The places are told, what stands there never.
    """
    found = list(dict.fromkeys(secrets_in(request)))
    if found:
        places = "; ".join(f"{what} in {place}" for place, what in found)
        fix = "keep it in Secrets Manager or SSM, and pass its ARN; roles replace AWS keys"
        raise SecretInRequest(f"the request holds {places}", where=where, fix=fix)


def secrets_in(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """The places in a value that hold something like a secret, as (where, what)."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            inner = f"{place}.{key}".lstrip(".")
            if isinstance(item, str) and _is_secret(str(key), item):
                yield inner, "a value that its name calls secret"
            else:
                yield from secrets_in(item, inner)
    elif isinstance(value, list | tuple):
        yield from _in_list(value, place)
    elif isinstance(value, str):
        yield from ((place, what) for what in _told_by_shape(value))
        named = _NAMED.fullmatch(value)
        name = named and (named["flag"] or named["key"])
        said = named and (named["said"] or named["value"])
        if name and said and _is_secret(name, said):
            yield f"{place} ({name}=…)", "a value that its name calls secret"


def _in_list(values: Any, place: str) -> Iterator[tuple[str, str]]:
    """Items, where an option's value may be the next one: `--password`, `hunter2`."""
    option = ""
    for position, item in enumerate(values):
        at = f"{place}[{position}]"
        if option and isinstance(item, str) and _is_secret(option, item):
            yield f"{at} (after --{option})", "a value that its name calls secret"
        else:
            yield from secrets_in(item, at)
        named = _NAMED.fullmatch(item) if isinstance(item, str) else None
        option = named["flag"] if named and named["flag"] and named["said"] is None else ""


def _is_secret(name: str, value: str) -> bool:
    """Whether a name says that its value is secret, and the value is no reference to one."""
    words = [word.lower() for word in _CAMEL.split(name) if word]
    named = bool(words) and (
        words[-1] in _WORDS | _ONE_WORD or (len(words) > 1 and " ".join(words[-2:]) in _PAIRS)
    )
    if not named or _REFERENCE.match(value) or value.startswith("--"):
        return False
    is_password = words[-1] in {"password", "passwd", "passphrase", "pwd"}
    return bool(value) and (is_password or not _HARMLESS.fullmatch(value))


def _told_by_shape(value: str) -> Iterator[str]:
    yield from (what for what, pattern in _SHAPE.items() if pattern.search(value))
    tail = value.rpartition("=")[2]
    if _SECRET_KEY.fullmatch(tail) and "/" not in tail[:1]:
        yield "what looks like an AWS secret key"
