"""`refuse_secrets`: no key, token or password travels in a request.

A step's arguments, a cluster's configurations and its bootstrap arguments stand in DescribeStep,
DescribeCluster and the controller's log, for whoever may read those. Secrets belong in Secrets
Manager or SSM; their ARN may travel.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from emr.errors import SecretInRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

_END = r"""\s/?#,;"'<>)\]}|&"""
"""What ends an address's host or port, in a list or in JSON as well."""
_SHAPES = {
    "an AWS access key": r"(?<![A-Z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Z0-9])",
    "a private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY",
    "a GitHub token": r"(?<!\w)(?:gh[pousr]_\w{36}|github_pat_\w{22})",
    "a GitLab token": r"(?<!\w)glpat-[\w-]{20}",
    "a Slack token": r"(?<!\w)xox[abeoprs]-[\w-]{10}",
    "a Databricks token": r"(?<!\w)dapi[0-9a-f]{32}",
    "a Hugging Face token": r"(?<!\w)hf_[A-Za-z0-9]{30}",
    "a Google API key": r"(?<!\w)AIza[\w-]{35}",
    # Random characters, digits among them: `s3://data/sk-learn-random-forest` is none.
    "an API key": r"(?<![\w/.-])sk-(?=[\w-]*\d)(?:[a-z]+-){0,3}\w{20}",
    "a JSON Web Token": r"(?<!\w)eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.",
    "a bearer token": r"(?<!\w)[Bb]earer\s+\S{16}",
    # After a colon stands a password, which may hold a slash, or a port, which does not end in `@`.
    # The colons of an IPv6 address stand in brackets.
    "a password in an address": (
        rf"://(?!\[[^\]@\s]*\])[^{_END}@:]*:(?!\d{{1,5}}(?:[{_END}\\]|$)|\0+@)[^@\s]+@"
    ),
    # What is shorter is the name of a user or an organisation.
    "a token in an address": rf"https?://[^{_END}@:]{{16,}}@",
}
_SHAPE = {what: re.compile(pattern) for what, pattern in _SHAPES.items()}
_SECRET_KEY = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[A-Za-z0-9/+]{40}")
_CHANGES = 10
"""An AWS secret key is 40 characters that mean nothing: the kind of character changes
more than twenty times from one to the next, and in a path's folders a few times."""

_BY_NAME = "a value that its name calls secret"
_WORDS = frozenset({"pass", "secret", "token", "credential", "credentials"})
_PASSWORDS = frozenset({"password", "passwd", "passphrase", "pwd"})
_PAIRS = frozenset(
    {
        "access key",
        "api key",
        "encryption key",
        "account key",
        "private key",
        "secret key",
        "shared key",
        "auth key",
    }
)
_ONE_WORD = frozenset({"apikey", "accesskey", "secretkey", "authtoken", "accesstoken"})
_SAYS_NOTHING = frozenset({"value", "values", "string", "text", "plain", "raw", "default"})
"""Words of a name, or whole names, that leave it to what comes before: `secretValue`."""
_PLACEHOLDER = re.compile(r"\{\{.*?\}\}|\$\{.*?\}")
_POINTER = re.compile(r"\0+|arn:aws[\w-]*:(?:secretsmanager|ssm|kms|iam):\S+|EMR\.secret@\S+")
"""What points at a secret and is none: a placeholder (here NUL), an ARN, EMR's reference."""
_KMS_KEY = re.compile(r"(?:mrk-[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|alias/.+)")
"""A KMS key's id or alias: S3A's `encryption.key` names the key, or is one (SSE-C)."""
_PLACE = re.compile(r"(?:s3[an]?://|/|\.\.?/).*|<[\w|/-]+>", re.DOTALL)
"""A file that holds a token, or a tokenizer's `<pad>`. A password may begin like a path."""
_TYPE = re.compile(
    r"string|str|text|binary|bool(?:ean)?|u?int(?:eger|8|16|32|64)?|long|float(?:32|64)?|double"
    r"|(?:array|map|struct|decimal)[<(].*",
    re.IGNORECASE,
)
"""A column's type, in a schema."""
_HARMLESS = re.compile(r"|true|false|null|none|[\d.]+[smhdkgt]?", re.IGNORECASE)
_NAMED = re.compile(
    r"--?(?P<flag>[A-Za-z][\w.-]*)(?:=(?P<said>.*))?|(?P<key>[\w.-]+)=(?P<value>.*)", re.DOTALL
)
_INSIDE = re.compile(
    r"""(?:^|[=;&?,{\s"'])-{0,2}(?P<name>[A-Za-z][\w.-]*)["']?\s*[=:]\s*["']?"""
    r"""(?P<value>[^;&,\s"'{}]+)"""
)
"""`name=value` and `"name": "value"` within a text: parameters of an address, options, JSON."""
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


def secrets_in(value: Any, place: str = "", name: str = "") -> Iterator[tuple[str, str]]:
    """The places in a value that hold something like a secret, as (where, what).

    Args:
        value: a request, or a part of one.
        place: where the part stands in it.
        name: what the part is called: what is nested in a `password` is one as well.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, Mapping):
        yield from _in_mapping(value, place, name)
    elif isinstance(value, list | tuple):
        yield from _in_list(value, place, name)
    elif isinstance(value, str) and _is_secret(name, value):
        yield place, _BY_NAME
    elif isinstance(value, str):
        yield from ((place, what) for what in _told_by_shape(value))
        yield from ((f"{place} ({inside}=…)", _BY_NAME) for inside in _named_in(value))


def _in_mapping(values: Mapping[Any, Any], place: str, name: str) -> Iterator[tuple[str, str]]:
    columns = place.rpartition(".")[2] == "rename"  # names of columns, on both sides
    # {"Key": "DB_PASSWORD", "Value": "…"}, as AWS writes tags and properties
    pair = {str(key).lower(): item for key, item in values.items()}
    paired = pair.get("key") or pair.get("name")
    for key, item in values.items():
        inner, own = f"{place}.{key}".lstrip("."), str(key)
        if own.lower() == "value" and isinstance(paired, str):
            inner, own = f"{inner} (of {paired})", paired
        elif name and own.lower() in _SAYS_NOTHING:
            own = name
        yield from secrets_in(item, inner, "" if columns else own)


def _named_in(text: str) -> Iterator[str]:
    """The names in a text that say that what follows them is secret."""
    named = _NAMED.fullmatch(text)
    name = named and (named["flag"] or named["key"])
    said = named and (named["said"] or named["value"])
    if name and said and _is_secret(name, said):
        yield name
        return
    for inside in _INSIDE.finditer(_marked(text)):
        if _is_secret(inside["name"], inside["value"]):
            yield inside["name"]


def _in_list(values: Any, place: str, name: str) -> Iterator[tuple[str, str]]:
    """Items, where an option's value may be the next one: `--password`, `hunter2`."""
    option = ""
    for position, item in enumerate(values):
        at = f"{place}[{position}]"
        if option and isinstance(item, str) and _is_secret(option, item):
            yield f"{at} (after --{option})", _BY_NAME
        else:
            yield from secrets_in(item, at, name)
        named = _NAMED.fullmatch(item) if isinstance(item, str) else None
        option = named["flag"] if named and named["flag"] and named["said"] is None else ""


def _is_secret(name: str, value: str) -> bool:
    """Whether a name says that its value is secret, and the value is no reference to one."""
    words = [word.lower().rstrip("0123456789") or word for word in _CAMEL.split(name) if word]
    while len(words) > 1 and (words[-1] in _SAYS_NOTHING or words[-1].isdigit()):
        del words[-1]
    named = bool(words) and (
        words[-1] in _WORDS | _PASSWORDS | _ONE_WORD
        or (len(words) > 1 and " ".join(words[-2:]) in _PAIRS)
        or " account key " in f" {' '.join(words)} "  # the account's name comes after it
    )
    if not named or not value or _TYPE.fullmatch(value) or value.startswith("--"):
        return False
    if _POINTER.fullmatch(_marked(value)):
        return False
    if words[-2:] == ["encryption", "key"] and _KMS_KEY.fullmatch(value):
        return False
    return words[-1] in _PASSWORDS or not (_PLACE.fullmatch(value) or _HARMLESS.fullmatch(value))


def _marked(text: str) -> str:
    """The text with a NUL for each placeholder: what a name inside of it says is not looked at."""
    return _PLACEHOLDER.sub("\0", text)


def _told_by_shape(value: str) -> Iterator[str]:
    marked = _marked(value)
    yield from (what for what, pattern in _SHAPE.items() if pattern.search(marked))
    tail = value.rpartition("=")[2]
    if _SECRET_KEY.fullmatch(tail) and _changes(tail) >= _CHANGES:
        yield "what looks like an AWS secret key"


def _changes(text: str) -> int:
    kinds = [(one.islower(), one.isupper(), one.isdigit()) for one in text]
    slash = (False, False, False)
    return sum(slash != before != after != slash for before, after in pairwise(kinds))
