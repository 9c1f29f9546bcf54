"""Features of numbers: limits, buckets, and transforms that make long tails short."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sparkml.errors import InputError

Doubles = npt.NDArray[np.float64]

WINSORISE = (
    "CASE WHEN low > high OR isnan(low) OR isnan(high) OR low IS NULL OR high IS NULL THEN NULL"
    " WHEN isnan(value) THEN value WHEN value < low THEN low WHEN value > high THEN high"
    " ELSE value END"
)
BUCKETISE = (
    "CASE WHEN value IS NOT NULL AND NOT isnan(value)"
    " AND NOT exists(splits, s -> s IS NULL OR isnan(s))"
    " AND splits = array_sort(splits) THEN size(filter(splits, s -> s <= value)) END"
)
LOG1P_SIGNED = "signum(value) * log1p(abs(value))"

_POWER = "if(value < 0, 2 - lmbda, lmbda)"
YEO_JOHNSON = (
    "CASE WHEN NOT abs(lmbda) < double('Infinity')"
    " THEN raise_error('yeo_johnson: lmbda is a finite number')"
    f" WHEN {_POWER} = 0 THEN {LOG1P_SIGNED}"
    f" ELSE signum(value) * (expm1({_POWER} * log1p(abs(value))) / {_POWER}) END"
)


def winsorise(value: pa.Array, low: pa.Array, high: pa.Array) -> pa.Array:
    """The value between two limits: `low` where it is below, `high` where it is above.

    min(max(value, low), high), for limits found elsewhere: the 1st and 99th percentile, say
    (Dixon, "Simplified estimation from censored normal samples", 1960, who names it after Winsor).
    Limits may be ±infinity: none. NaN stays NaN. Null where one of the three is null, where a limit
    is NaN, and where `low` is above `high`.

    >>> value, low, high = pa.array([-7.0, 3.0, 12.0, None]), pa.repeat(0.0, 4), pa.repeat(10.0, 4)
    >>> winsorise(value, low, high).to_pylist()
    [0.0, 3.0, 10.0, None]
    """
    inside = pc.less_equal(low, high)  # false where one of them is NaN
    nothing = pa.scalar(None, value.type)
    above = pc.if_else(pc.greater(value, high), high, value)
    limited = pc.if_else(pc.less(value, low), low, above)
    return pc.if_else(pc.fill_null(inside, False), limited, nothing)


def bucketise(value: pa.Array, splits: pa.Array) -> pa.Array:
    """The number of the bucket that the value falls into: how many of the splits are at most it.

    n ascending splits part the numbers into n + 1 buckets, each closed on the left and open on the
    right: bucket 0 is below the first split, bucket k is splits[k-1] <= value < splits[k] (counted
    from 0), and bucket n is from the last split on; so nothing is out of range, and no splits give
    bucket 0. (NumPy's `digitize` counts the same. Spark ML's Bucketizer does not: n splits there
    are n - 1 buckets, the last one closed, and an error outside.) Two equal splits have an empty
    bucket between them. Null where the value is null or NaN, and where the splits are null, hold a
    null or a NaN, or do not ascend.

    >>> value, splits = pa.array([-1.0, 0.0, 17.9, 18.0, float("nan")]), pa.array([[0.0, 18.0]] * 5)
    >>> bucketise(value, splits).to_pylist()
    [0, 1, 1, 2, None]
    """
    rows = len(value)
    lengths = pc.fill_null(pc.list_value_length(splits), 0).to_numpy(zero_copy_only=False)
    row_of = np.repeat(np.arange(rows), lengths)
    edges = _doubles(pc.list_flatten(splits))  # a null is NaN
    numbers = _doubles(value)
    falls = (edges[1:] < edges[:-1]) & (row_of[1:] == row_of[:-1])
    bad = np.isnan(numbers) | splits.is_null().to_numpy(zero_copy_only=False)
    bad[row_of[np.isnan(edges)]] = True
    bad[row_of[1:][falls]] = True
    at_most = np.bincount(row_of[edges <= numbers[row_of]], minlength=rows)
    return pa.array(at_most.astype(np.int32), mask=bad)


def log1p_signed(value: pa.Array) -> pa.Array:
    """The logarithm of one more than the value, the sign kept: sign(x) · ln(1 + |x|).

    Shortens both tails, is 0 at 0 and nearly x around it (the transform L of John and Draper, "An
    alternative family of transformations", 1980). ±infinity and NaN stay. Null for a null. Spark's
    logarithm is Java's, which may differ in the last two bits from NumPy's.

    >>> log1p_signed(pa.array([0.0, -1.0, 999.0, None])).to_pylist()
    [0.0, -0.6931471805599453, 6.907755278982137, None]
    """
    x = _doubles(value)
    return _with_nulls_of(value, np.copysign(np.log1p(np.abs(x)), x))


def yeo_johnson(value: pa.Array, *, lmbda: float = 0.0) -> pa.Array:
    """The power transform of Yeo and Johnson, for numbers of either sign.

    With λ = `lmbda`, as a fit on the training rows found it (`PowerTransformer().lambdas_`):

    * x >= 0: ((x + 1)^λ - 1) / λ, and ln(x + 1) for λ = 0
    * x < 0: -((1 - x)^(2 - λ) - 1) / (2 - λ), and -ln(1 - x) for λ = 2

    (Yeo and Johnson, "A new family of power transformations to improve normality or symmetry",
    2000.) Computed as expm1(λ · log1p(x)) / λ, exact also for λ near 0 and 2, and not standardised.
    NaN stays; a result beyond the doubles is ±infinity. Null for a null. Spark's logarithm and
    exponential are Java's, which differ from NumPy's by 1e-12 of the result at most.

    Raises:
        InputError: `lmbda` is not a finite number. (In SQL: an error when the query runs.)

    >>> yeo_johnson(pa.array([3.0, 0.0, None]), lmbda=0.5).to_pylist()
    [2.0, 0.0, None]
    >>> yeo_johnson(pa.array([1.0, -1.0])).to_pylist()
    [0.6931471805599453, -1.5]
    """
    if not math.isfinite(lmbda):
        raise InputError(f"lmbda is {lmbda}", where="yeo_johnson", fix="lmbda => 0.0")
    x = _doubles(value)
    power = np.where(x < 0, 2 - lmbda, lmbda)
    logs = np.log1p(np.abs(x))
    divisor = np.where(power == 0, 1, power)
    with np.errstate(over="ignore"):
        powers = np.expm1(divisor * logs) / divisor
    return _with_nulls_of(value, np.copysign(np.where(power == 0, logs, powers), x))


def _doubles(values: pa.Array) -> Doubles:
    """The values in NumPy, nulls as NaN."""
    return np.asarray(values.to_numpy(zero_copy_only=False), np.float64)


def _with_nulls_of(value: pa.Array, made: Doubles) -> pa.Array:
    return pa.array(made, pa.float64(), mask=value.is_null().to_numpy(zero_copy_only=False))
