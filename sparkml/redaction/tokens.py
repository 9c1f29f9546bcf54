"""What is secret by its shape: keys and tokens of known services, random keys, encoded passwords.

`detect-secrets` knows the services' tokens; here stands what it does not find, or finds only in
quotes or beside certain names.
"""

from __future__ import annotations

import logging
import re
import warnings
from functools import cache
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Finding = tuple[int, int, str]
"""Where something secret begins and ends in a text, and what it is."""

_DETECTORS = {
    "aws": "AWSKeyDetector",
    "azure_storage_key": "AzureStorageKeyDetector",
    "discord": "DiscordBotTokenDetector",
    "github_token": "GitHubTokenDetector",
    "gitlab_token": "GitLabTokenDetector",
    "jwt": "JwtTokenDetector",
    "mailchimp": "MailchimpDetector",
    "npm": "NpmDetector",
    "openai": "OpenAIDetector",
    "pypi_token": "PypiTokenDetector",
    "sendgrid": "SendGridDetector",
    "slack": "SlackDetector",
    "square_oauth": "SquareOAuthDetector",
    "stripe": "StripeDetector",
    "telegram_token": "TelegramBotTokenDetector",
    "twilio": "TwilioKeyDetector",
}
"""Those of detect-secrets that know a token when they see it. Its others go by names, which
`names.py` reads, by quotes, or find what is none: a checksum, `APACHESPARK`, a public address."""

_SHAPES = {
    "a private key": r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----[\s\w+/=:,\\-]*",
    "a GitHub token": r"(?<!\w)github_pat_\w{22,}",
    "a Slack token": r"(?<!\w)xox[abeoprs]-[\w-]{10,}",
    "a Databricks token": r"(?<!\w)dapi[0-9a-f]{32}(?:-\d)?",
    "a Hugging Face token": r"(?<!\w)hf_[A-Za-z0-9]{30,}",
    "a Google API key": r"(?<!\w)AIza[\w-]{35}",
    # Random characters, digits among them: `s3://data/sk-learn-random-forest` is none.
    "an API key": r"(?<![\w/.-])[sr]k[-_](?=[\w-]*\d)(?:[a-z]+[-_]){0,3}\w{20,}",
    "a JSON Web Token": r"(?<!\w)eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w.-]*",
    "a bearer token": r"(?<!\w)[Bb]earer\s+[^\s\x00]{16,}",
    "a user and password": r"(?<!\S)(?:-u|--(?:proxy-)?user)[\s=]+[\"']?[^\s:/\"']+:(?=\S*[A-Za-z])"
    r"(?=\S*[^A-Za-z\s\"']|\S{10,})[^\s\x00]+",
    "a command's password": r"\b(?:mysql|mariadb)\w*\s(?:[^|;&\n]{0,200}\s)?-p[^\s\x00]+"
    r"|\bsshpass\s+-p\s*[^\s\x00]+|\bredis-cli\s(?:[^|;&\n]{0,200}\s)?-a\s+[^\s\x00]+"
    r"|\blogin\s+\S+\s+password\s+[^\s\x00]+",
    "a password": r"(?i)(?<=authorization)[\"']?\s*[:=]\s*[\"']?(?!bearer\b)[a-z]+\s+[^\s\x00\"']+",
}
_SHAPE = {what: re.compile(pattern) for what, pattern in _SHAPES.items()}

_CANDIDATE = re.compile(
    r"(?<![\w-])(?=[\w-]*(?:\d|[A-Za-z]{20}))(?=[\w-]*[G-Zg-z_])[\w-]{20,}|(?<=_authToken=)\S+"
)
"""What any token of a service has in it: only where it stands, `detect-secrets` is imported."""
_ARN = re.compile(r"arn:aws[\w-]*:[\w-]*:[\w-]*:\d*:")

_RANDOM = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{40,}={0,2}(?![A-Za-z0-9+/=])")
_MIXED = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*\d)")
_PLAIN = re.compile(r"[^/]{16}")
_CHANGES = 0.25, 0.45
"""In a random key the kind of character changes from one to the next in 0.6 of all places, in
names and paths in 0.3: at least so often in an AWS secret key (40 characters), in longer ones."""
_CHECKSUM = re.compile(
    r"(?i)sha\d+-$|(?:sha\d*|md5|crc|digest|checksum|hash|etag|fingerprint|integrity)\W*.{7}$"
)


def commands_in(text: str) -> Iterator[Finding]:
    """Every password that a command in a text is given without a name."""
    for what in ("a user and password", "a command's password"):
        yield from ((*found.span(), what) for found in _SHAPE[what].finditer(text))


def tokens_in(text: str) -> Iterator[Finding]:
    """Every token and key of a text, by its shape.

    Costs 0.1 s at the first text that holds a candidate: `detect-secrets` is imported.
    """
    for what, pattern in _SHAPE.items():
        yield from ((*found.span(), what) for found in pattern.finditer(text))
    yield from _random_keys(text)
    if _CANDIDATE.search(text):
        plain = _ARN.sub(lambda found: "\0" * len(found[0]), text)
        for what, pattern, holds in _known():
            for found in pattern.finditer(plain):
                if holds(found[0]):
                    yield *found.span(), what


@cache
def _known() -> tuple[tuple[str, re.Pattern[str], Any], ...]:
    """The patterns of `detect-secrets`, each with what it is and a further check.

    Where the library is missing (a worker without it), whatever may be a token counts as one.
    """
    shown = warnings.showwarning
    try:
        rooms = {room: import_module(f"detect_secrets.plugins.{room}") for room in _DETECTORS}
    except ImportError:
        return (("what may be a token", _CANDIDATE, bool),)
    finally:
        if warnings.showwarning is not shown:  # it sends all warnings of the process to a log
            logging.captureWarnings(capture=False)
    detectors = [getattr(rooms[room], name) for room, name in _DETECTORS.items()]
    return tuple(
        (f"what looks like a secret ({d.secret_type})", p, getattr(d, "is_formally_valid", bool))
        for d in detectors
        for p in d.denylist
    )


def _random_keys(text: str) -> Iterator[Finding]:
    for found in _RANDOM.finditer(text):
        key = found[0].rstrip("=")
        of_aws = len(key) == 40
        if not _MIXED.match(key) or _changes(key) < _CHANGES[not of_aws] * len(key):
            continue
        if of_aws:
            yield *found.span(), "what looks like an AWS secret key"
        elif _PLAIN.search(key) and not _CHECKSUM.search(text[: found.start()][-40:] + key[:7]):
            yield *found.span(), "what looks like a random key"


def _changes(text: str) -> int:
    kinds = [(one.islower(), one.isupper(), one.isdigit()) for one in text]
    other = (False, False, False)
    return sum(other != before != after != other for before, after in pairwise(kinds))
