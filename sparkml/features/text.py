"""Features of texts: the normal form, the number of tokens."""

from __future__ import annotations

from unicodedata import normalize

import pyarrow as pa
import pyarrow.compute as pc

WHITE_SPACE = r"\t-\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
"""Unicode's White_Space characters, for a class of RE2 and of Java alike. (Not `\\s`: RE2 and Java
mean ASCII by it, Python means this and four control characters.)"""

TOKEN = f"[^{WHITE_SPACE}]+"
"""A token: a longest run of characters that are no white space."""

TOKEN_COUNT = f"regexp_count(text, r'{TOKEN}')"


def normalise_text(text: pa.Array) -> pa.Array:
    r"""The text with its compatibility variants, its case and its white space evened out.

    NFKC(fold(NFKC(fold(NFD(text))))), fold being Unicode's full case folding (`ß` to `ss`): equal
    for two texts exactly when they are a compatibility caseless match (The Unicode Standard,
    3.13, definition D146). Then every run of Unicode White_Space becomes one space, and none is
    left at either end. Accents, punctuation and invisible characters stay. The Unicode version is
    that of the running Python (14 in 3.11). Null for a null; an empty text for an empty one.

    Runs in Python workers: Spark's own `lower` does not fold and has no normal forms.

    >>> normalise_text(pa.array(["  Ｆｕｌｌ\u3000WIDTH ", "Straße\n№ 5", "", None])).to_pylist()
    ['full width', 'strasse no 5', '', None]
    """
    if pc.all(pc.string_is_ascii(text)).as_py() is False:
        folded = pa.array(
            [None if t is None else _folded(t) for t in text.to_pylist()], pa.string()
        )
    else:
        folded = pc.ascii_lower(text)
    spaced = pc.replace_substring_regex(folded, f"[{WHITE_SPACE}]+", " ")
    return pc.utf8_trim(spaced, " ")


def _folded(text: str) -> str:
    once = normalize("NFKC", normalize("NFD", text).casefold())
    return normalize("NFKC", once.casefold())


def token_count(text: pa.Array) -> pa.Array:
    r"""How many tokens the text has: longest runs of characters that are not white space.

    White space is Unicode's White_Space property (The Unicode Standard, PropList.txt), written out
    as a class of characters, so that every engine counts the same. Punctuation belongs to the word
    it touches. Null for a null, 0 for an empty or blank text.

    >>> token_count(pa.array(["to be, or not", "zero\u00a0width", "  ", None])).to_pylist()
    [4, 2, 0, None]
    """
    return pc.count_substring_regex(text, TOKEN).cast(pa.int32())
