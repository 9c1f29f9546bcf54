"""Features by hashing: a category's bucket, a text as a row of a fixed width."""

from __future__ import annotations

import zlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sparkml.errors import InputError
from sparkml.features.table import check_values
from sparkml.features.text import WHITE_SPACE

CATEGORY_BUCKET = (
    "CASE WHEN buckets < 1 THEN raise_error('category_bucket: buckets must be at least 1')"
    " ELSE int(crc32(binary(text)) % buckets) END"
)


def category_bucket(text: pa.Array, *, buckets: int = 1024) -> pa.Array:
    """The number of the bucket, 0 to `buckets` - 1, that a category's text falls into by its hash.

    CRC-32(UTF-8 of the text) mod `buckets` (the hashing trick: Weinberger et al., "Feature hashing
    for large scale multitask learning", 2009; the CRC of RFC 1952, section 8, which every language
    has): the same in every process, on every machine, in every release. Case and spaces count: see
    `normalise_text`. Different categories may share a bucket: k of them in b buckets make about
    k²/2b pairs that do. An empty text is bucket 0. Null for a null.

    Raises:
        InputError: `buckets` is less than 1. (In SQL: an error when the query runs.)

    >>> category_bucket(pa.array(["red", "Red", "grün", "", None])).to_pylist()
    [911, 367, 421, 0, None]
    """
    if buckets < 1:
        raise InputError(f"{buckets} buckets", where="category_bucket", fix="buckets => 1024")
    return _buckets(text, buckets)


def hashed_bag_of_words(text: pa.Array, *, width: int = 256) -> pa.Array:
    """How often each word occurs, as `width` counts: a word is counted at its hash's place.

    counts[CRC-32(UTF-8 of the token) mod width], added up over the tokens as `token_count` counts
    them, without a sign (the hashing trick: Weinberger et al., "Feature hashing for large scale
    multitask learning", 2009; see `category_bucket`). The sum of the counts is the number of
    tokens. Case and punctuation count: see `normalise_text`. All zeros for a text without tokens.
    Null for a null. Takes 8 · `width` bytes a row.

    Runs in Python workers: in Spark's own functions every place would look through every token.

    Raises:
        InputError: `width` is less than 1.

    >>> hashed_bag_of_words(pa.array(["to be or not to be", "", None]), width=5).to_pylist()
    [[2.0, 2.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0, 0.0], None]
    """
    if width < 1:
        raise InputError(f"a width of {width}", where="hashed_bag_of_words", fix="width => 256")
    rows = len(text)
    check_values(rows, width, where="hashed_bag_of_words")
    split = pc.split_pattern_regex(text, f"[{WHITE_SPACE}]+")
    lengths = pc.fill_null(pc.list_value_length(split), 0).to_numpy(zero_copy_only=False)
    words = pc.list_flatten(split)
    row_of = np.repeat(np.arange(rows), lengths)
    is_token = pc.not_equal(words, "").to_numpy(zero_copy_only=False)  # not so at either end
    at = row_of * width + _buckets(words, width).to_numpy(zero_copy_only=False)
    counts = np.zeros(rows * width)
    np.add.at(counts, at[is_token], 1.0)
    offsets = pa.array(np.arange(rows + 1) * width, pa.int32())
    bags = pa.ListArray.from_arrays(offsets, pa.array(counts))
    return pc.if_else(text.is_valid(), bags, pa.scalar(None, bags.type))


def _buckets(texts: pa.Array, buckets: int) -> pa.Array:
    """CRC-32 mod `buckets`, of each distinct text once."""
    distinct = texts.dictionary_encode()
    hashes = (zlib.crc32(text.encode()) % buckets for text in distinct.dictionary.to_pylist())
    return pa.array(hashes, pa.int32()).take(distinct.indices)
