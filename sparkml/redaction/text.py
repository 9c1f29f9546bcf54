"""A text without the secrets in it: addresses, tokens, and what is named (`password=…`)."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

from sparkml.redaction.addresses import credentials, what_may_be_one
from sparkml.redaction.lines import one_line
from sparkml.redaction.names import is_secret, is_secret_name, without_placeholders
from sparkml.redaction.tokens import tokens_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparkml.redaction.tokens import Finding

MASK = "***"
_LONGEST = 20_000
"""Characters of a text that are looked at: nobody is shown more."""

_QUOTED = r"""\\?"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<plain>[^\s;&,"'{}]+)"""
_BLANK = r"[^\S\r\n]"
"""What is blank on a line, as a page or a document has it: not only what ASCII calls so."""
_NAMED = re.compile(
    rf"""(?<![\w.-])-{{0,2}}(?P<name>[A-Za-z_][\w.-]*)\\?(?P<closed>["'`\]])?\s*"""
    rf"""(?:=>|:=|=+|%3[AaDd]|:(?(closed)(?=\s*[\\"'\d])))"""
    rf"""(?(closed)\s*|(?:(?<==){_BLANK}*\r?\n{_BLANK}+|{_BLANK}*))(?:{_QUOTED})"""
)
"""`name=value` and `"name": "value"` within a text: parameters, options, JSON, SQL. After a quoted
name and a colon stands a quoted value: `near 'token': extra input` is prose. A line that goes on
after `=` is indented; one that is not is the next name's."""
_FLAG = re.compile(
    r"""(?<!\S)--?(?P<name>[A-Za-z][\w.-]*)\s+"""
    r"""(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<plain>(?!-)[^\s"']+))"""
)
_SQL = re.compile(r"""(?i)\b(?P<name>\w*password|identified\s+by)\s+'(?P<single>[^']*)'""")
_LINE = re.compile(
    rf"^{_BLANK}*(?P<name>[A-Za-z][\w.-]*){_BLANK}+(?P<plain>\S+){_BLANK}*$", re.MULTILINE
)
"""A line of `spark-defaults.conf`."""
_XML = re.compile(
    r"<(?P<name>[\w.-]+)>(?P<plain>[^<]+)</(?P=name)>"
    r"|<name>(?P<property>[^<]+)</name>\s*<value>(?P<value>[^<]+)</value>"
)

_AROUND = re.compile(
    r"""(?<![\w.-])(?P<name>[A-Za-z_][\w.-]*)\\?["']\s*:\s*(?=(?P<nested>[\[{(][^\]})]*))"""
    r"""|(?:key|name|\bk)\\?["']\s*:\s*\\?["'](?P<key>[\w.-]+)\\?["'],\s*\\?["']"""
    r"""(?:\w*values?|v)\\?["']\s*:\s*(?P<value>[^\]})]*)"""
    r"""|[\[(]\\?["'](?P<first>[\w.-]+)\\?["'],\s*(?P<second>\\?["'][^"']*)["'][\])]""",
    re.IGNORECASE,
)
"""A secret in values within a text: in a mapping or list, or beside its name in a pair."""
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{8,}={0,2}(?![A-Za-z0-9+/=])")
_USER_PASSWORD = re.compile(r"[\w.@\\-]{1,64}:(?!/|[\d.:]+$)[^\s\"'{}]{3,}")


def masked(text: str) -> str:
    """The text with `***` for each secret in it, and for parameters that may be one.

    Looks at the first 20,000 characters, and gives no more.
    """
    text = text[:_LONGEST]
    marked = without_placeholders(text)
    spans = sorted({(start, end) for start, end, _ in findings(marked, mask=True)})
    shown, at = [], 0
    for start, end in spans:
        if start >= at:
            shown += [text[at:start], MASK]
        at = max(at, end)
    return "".join([*shown, text[at:]]) if spans else text


def safe_line(text: str, limit: int | None = None) -> str:
    """The text as one line that anybody may see: masked, and in characters that are seen."""
    return one_line(masked(text), limit)


def findings(marked: str, *, mask: bool = False) -> Iterator[Finding]:
    """Where secrets stand in a text whose placeholders are NULs; `mask`: and what may be one."""
    yield from credentials(marked)
    yield from tokens_in(marked)
    yield from encoded_in(marked)
    for start, end, name in named_in(marked):
        # What is masked goes on to where it surely ends: a password may hold a comma.
        yield start, _end(marked, end) if mask else end, name
    if mask:
        yield from what_may_be_one(marked)
        for found in _AROUND.finditer(marked):
            name, group = found["name"] or found["key"] or found["first"], found.lastgroup or ""
            if is_secret_name(name):
                yield *found.span(group), name


def encoded_in(text: str) -> Iterator[Finding]:
    """Base64 of `user:password`, or of what holds a secret itself."""
    for found in _BASE64.finditer(text):
        run = found[0].rstrip("=").translate(str.maketrans("-_", "+/"))
        try:
            plain = base64.b64decode(run + "=" * (-len(run) % 4)).decode("ascii")
        except (binascii.Error, UnicodeDecodeError):
            continue
        if not plain.replace("\n", "").isprintable():
            continue
        if _USER_PASSWORD.fullmatch(plain.rstrip("\n")):
            yield *found.span(), "an encoded password"
        elif next(findings(without_placeholders(plain)), None):
            yield *found.span(), "an encoded key"


def named_in(marked: str) -> Iterator[Finding]:
    """What a name in the text says to be secret, as start, end and the name."""
    for pattern in (_NAMED, _FLAG, _LINE, _SQL, _XML):
        for found in pattern.finditer(marked):
            group = found.lastgroup or ""
            name = found["property"] if group == "value" else found["name"]
            name = "password" if " " in name else name
            # With what closes around it and without: `token:int>` is a type, as `array<int>` is.
            if all(is_secret(name, value) for value in (found[group], found[group].rstrip(">)]."))):
                yield *found.span(group), name


def _end(text: str, end: int) -> int:
    if text[end : end + 1] in ('"', "'"):
        return end
    more = re.compile(r"[^\s;&\"'}]*").match(text, end)
    return more.end() if more else end
