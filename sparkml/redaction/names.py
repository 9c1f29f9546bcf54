"""What a name says of its value: whether it is secret, and whether this value then is one."""

from __future__ import annotations

import re


def words(text: str) -> frozenset[str]:
    """A table of words, written as text."""
    return frozenset(text.split())


SPARK = re.compile(r"secret|password|token|access[.]?key", re.IGNORECASE)
"""Spark's own `spark.redaction.regex`: what it hides of a session's settings, we hide."""

_SPLIT = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")
_PASSWORD = re.compile(r".*(?:passw(?:or)?[dt]|passphrase|passcode).*|\w{0,5}pwd")
"""Words whose values are passwords, whatever they look like: `pgpassword`, `dbpwd`."""
_LAST_PASSWORD = words("pw pin otp")
_LAST_SECRET = words("auth authorization")
"""They too, where nothing follows: `pin_memory` and `auth_to_local` are none."""
_KEYS = words(
    "access account api app auth client crypto encrypt encryption hmac license master private"
    " secret service shared signing sse ssh storage subscription"
)
"""What a key belongs to that is secret: `api key`; a `primary key` is none."""
_SECRET = re.compile(
    rf".*secret(?!ar).*|.*credentials?|.*(?:{'|'.join(_KEYS)})keys?"
    r"|.*(?<!by)(?<!com)(?<!tres)(?<!sur)(?<!low)(?<!high)(?<!band)(?<!over)(?<!under)pass"
    r"|[a-z]*(?:auth|access|api|bearer|refresh|session|sas|id)tokens?|creds?"
    r"|sas|sig|cookie|bearer|jwt|.*sessionid"
)
"""Words whose values are secret, unless they are a place, a number or a type."""
_SAYS_NOTHING = words("value values string text plain raw default")
"""Words of a name that leave it to what comes before: `secretValue`."""
_ABOUT = words(
    "age algorithm alias algorithms arn bytes bits char chars column columns count created days"
    " description dir directory dim enabled endpoint expiration expires expiry field file folder"
    " format freq frequency header hours id ids idx index indices interval kind label len length"
    " level limit location manager max method millis min minutes mode ms name names number num"
    " path pattern policy position prefix protocol provider providers ratio ref reference regex"
    " renewal required rotation scope score seconds service size source strategy timeout ttl"
    " type types uri url usage validity version width"
)
"""What is told about a secret, and is none: `token_count`, `password.file`, `secret_arn`."""
_BESIDE = _ABOUT | words("class database db host port region store user username")
"""What stands beside a secret in a mapping: the user of a password."""
_NAMED_FOR = words("database db user username")
_VOCABULARY = words(
    "pad eos bos unk mask sep cls special start end stop next prev previous per last first"
    " image audio vocab word sub additional"
)
"""What makes a token one of a text: `pad_token`."""

_PLACEHOLDER = re.compile(
    r"\{\{[^{}]*\}\}|\$\{[^{}]*\}|\$\([^()]*\)|(?<!\S)\$[A-Z][A-Z0-9_]*(?!\S)"
)
_POINTER = re.compile(
    r"\0+|arn:aws[\w-]*:(?:secretsmanager|ssm|kms|iam|sts):\S+|EMR\.secret@\S+"
    r"|(?:secretsmanager|ssm|vault|keyvault|sm)://\S+|\*+|…\W*|<[\w |/-]+>"
)
"""What points at a secret and is none: a placeholder (here NUL), an ARN, EMR's reference."""
_KMS_KEY = re.compile(r"(?:mrk-[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|alias/.+)")
"""A KMS key's id or alias: S3A's `encryption.key` names the key, or is one (SSE-C)."""
_PLACE = re.compile(
    r"(?:s3[an]?|file|hdfs|gs|abfss?|models|runs):/.*|/.*|\.\.?/.*|\[[A-Z]+\]", re.DOTALL
)
"""A file, a model, or a tokenizer's `[PAD]`. A password may begin like a path."""
HARMLESS = re.compile(
    r"|true|false|null|none|yes|no|on|off|[-+]?[\d.]+(?:e[-+]?\d+)?[a-z%]{0,2}", re.IGNORECASE
)
"""A switch, a number, a size, a duration."""
_CLASS = re.compile(r"(?:[a-z_]\w*\.){2,}[A-Z]\w*")
_WORDS = re.compile(
    r"basic|simple|kerberos|ldap|oauth2?|saml|pam|nosasl|digest|negotiate|iam|bearer", re.IGNORECASE
)
"""Ways to authenticate, which a setting named `auth` has."""

_LEAF = (
    r"\b(?:string|str|text|binary|bool(?:ean)?|u?int(?:eger|8|16|32|64)?|tinyint|smallint|bigint|long"
    r"|short|byte|float(?:16|32|64)?|double|date|timestamp(?:_ntz)?|(?:var)?char"
    r"|(?:decimal|(?:var)?char)\(\d+(?:,\s*\d+)?\))(?![\w(-])"
)
_TYPE = re.compile(_LEAF, re.IGNORECASE)
_NESTED = re.compile(
    r"(?:array|list)<\s*int\s*>|map<\s*int\s*,\s*int\s*>"
    r"|struct<\s*\w+(?:\s*:\s*|\s+)int(?:\s*,\s*\w+(?:\s*:\s*|\s+)int)*\s*>",
    re.IGNORECASE,
)


def is_secret_name(name: str) -> bool:
    """Whether a name says that its value is secret.

    >>> [is_secret_name(n) for n in ("PGPASSWORD", "db_pass_prod", "token_count", "secret.arn")]
    [True, True, False, False]
    """
    return _kind(name) != ""


def is_secret(name: str, value: str) -> bool:
    """Whether a value is a secret by its name, and no reference to one.

    A placeholder, an ARN, a column's type is none; a path, a number, a switch is none unless the
    name speaks of a password.
    """
    kind = _kind(name)
    if not kind or not value or is_reference(value) or _is_type(value) or value.startswith("--"):
        return False
    if {"encryption", "kms"} & set(_words(name)) and _KMS_KEY.fullmatch(value):
        return False
    if kind == "password":
        folder = name.rpartition(".")[2] in ("PWD", "OLDPWD") and value.startswith("/")
        return not (folder or value.lower() in ("true", "false", "null", "none"))
    return not any(p.fullmatch(value) for p in (_PLACE, HARMLESS, _CLASS, _WORDS))


def is_reference(value: str) -> bool:
    """Whether a text only points at a value that stands elsewhere."""
    return bool(_POINTER.fullmatch(without_placeholders(value)))


def is_about(name: str, *, of: str = "") -> bool:
    """Whether a name is that of something about a secret: its ARN, its provider, its user.

    Beside one password stands its user; in `passwords`, the name of what each is for.
    """
    parts = _words(name)
    each = of.lower().endswith(("passwords", "secrets"))
    return bool(parts) and parts[-1] in _BESIDE - (_NAMED_FOR if each else set())


def says_nothing(name: str) -> bool:
    """Whether a name leaves it to the one around it what stands there: `value`."""
    return name.lower() in _SAYS_NOTHING


def without_placeholders(text: str) -> str:
    """The text, each placeholder as NULs of its length: what a name inside says counts nothing."""
    return _PLACEHOLDER.sub(lambda found: "\0" * len(found[0]), text)


def _words(name: str) -> list[str]:
    return [word.lower().rstrip("0123456789") or word for word in _SPLIT.split(name) if word]


def _kind(name: str) -> str:
    """`password`, `secret` or nothing, by the last word of a name that says so."""
    parts = [] if "secretkeyref" in name.lower() else _words(name)  # Kubernetes: name and key
    for at in range(len(parts) - 1, -1, -1):
        word, before, after = parts[at], parts[at - 1] if at else "", set(parts[at + 1 :])
        if _PASSWORD.fullmatch(word) or (not after and word in _LAST_PASSWORD):
            kind = "password"
        elif _is_secret_word(word, before) or (not after and word in _LAST_SECRET):
            kind = "secret"
        else:
            continue
        account = (before, word) == ("account", "key")  # the account's name comes after it
        return kind if account or not _ABOUT & after else ""
    return ""


def _is_secret_word(word: str, before: str) -> bool:
    if word in ("key", "keys"):
        return before in _KEYS
    if word in ("token", "tokens"):
        return before not in _VOCABULARY if word == "token" else before in _KEYS
    return bool(_SECRET.fullmatch(word))


def _is_type(value: str) -> bool:
    """Whether a text is the type of a column, in a schema: whole, not only how it begins."""
    before = ""
    while before != value and len(value) <= 500:
        before, value = value, _NESTED.sub("int", _TYPE.sub("int", value))
    return bool(re.fullmatch("int|array|map|struct|decimal", value, re.IGNORECASE))
