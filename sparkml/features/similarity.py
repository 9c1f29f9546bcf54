"""Features of two texts: how far they are apart, how much they share."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from sparkml.errors import InputError

EDIT_DISTANCE = "levenshtein(a, b)"

# An array of one, transformed, is how SQL names what it computes once and uses several times.
_GRAMS = (
    "transform(array(split({text}, '')), c -> array_distinct(transform("
    "sequence(1, greatest(size(c) - n + 1, 1)), i -> array_join(slice(c, i, n), ''))))[0]"
)
NGRAM_SIMILARITY = (
    "CASE WHEN n < 1 THEN raise_error('ngram_similarity: n must be at least 1')"
    " WHEN a IS NULL OR b IS NULL OR n IS NULL THEN NULL"
    f" ELSE transform(array(struct({_GRAMS.format(text='a')} AS a,"
    f" {_GRAMS.format(text='b')} AS b)),"
    " g -> size(array_intersect(g.a, g.b)) / size(array_union(g.a, g.b)))[0] END"
)


def edit_distance(a: pa.Array, b: pa.Array) -> pa.Array:
    """The Levenshtein distance: the fewest insertions, deletions and replacements from a to b.

    d(i, j) = min(d(i-1, j) + 1, d(i, j-1) + 1, d(i-1, j-1) + [a_i ≠ b_j]) (Wagner and Fischer, "The
    string-to-string correction problem", 1974). Counted in Unicode code points: an emoji is one, a
    letter with a combining accent two (`normalise_text` composes them). Takes time as the product
    of the two lengths. Null where either is null.

    >>> a, b = pa.array(["kitten", "", "😀!", None]), pa.array(["sitting", "ab", "!", "x"])
    >>> edit_distance(a, b).to_pylist()
    [3, 2, 1, None]
    """
    pairs = zip(a.to_pylist(), b.to_pylist(), strict=True)
    distances = [None if x is None or y is None else _distance(x, y) for x, y in pairs]
    return pa.array(distances, pa.int32())


def _distance(a: str, b: str) -> int:
    points = np.frombuffer(b.encode("utf-32-le", "surrogatepass"), np.uint32)
    steps = np.arange(len(points) + 1)
    row = steps
    for point in np.frombuffer(a.encode("utf-32-le", "surrogatepass"), np.uint32):
        without_insertions = np.append(
            row[0] + 1, np.minimum(row[1:] + 1, row[:-1] + (points != point))
        )
        # An insertion costs 1 a step, so less j, the best way along the row is a running minimum.
        row = np.minimum.accumulate(without_insertions - steps) + steps
    return int(row[-1])


def ngram_similarity(a: pa.Array, b: pa.Array, *, n: int = 3) -> pa.Array:
    """How much two texts share, 0 to 1: the Jaccard index of their sets of character n-grams.

    |A ∩ B| / |A ∪ B| (Jaccard, 1912; Broder, "On the resemblance and containment of documents",
    1997), A and B being the distinct runs of `n` adjacent code points. A text shorter than `n` has
    one gram: itself, so two equal texts always give 1. Not padded, and case counts: see
    `normalise_text`. Null where either is null.

    Raises:
        InputError: `n` is less than 1. (In SQL: an error when the query runs.)

    >>> a, b = pa.array(["night", "ab", "ab", None]), pa.array(["nights", "ab", "abc", "x"])
    >>> ngram_similarity(a, b).to_pylist()
    [0.75, 1.0, 0.0, None]
    """
    if n < 1:
        raise InputError(f"n-grams of {n} characters", where="ngram_similarity", fix="n => 3")
    pairs = zip(a.to_pylist(), b.to_pylist(), strict=True)
    shares = [
        None if x is None or y is None else _jaccard(_grams(x, n), _grams(y, n)) for x, y in pairs
    ]
    return pa.array(shares, pa.float64())


def _grams(text: str, n: int) -> set[str]:
    return {text[i : i + n] for i in range(max(len(text) - n + 1, 1))}


def _jaccard(a: set[str], b: set[str]) -> float:
    return len(a & b) / len(a | b)
