"""Decimals as the nearest floating numbers; Arrow's own cast is off by one in the last place.

It multiplies by a power of ten that no double holds, so that 0.07 may become 0.07000000000000001,
on the other side of a tree's threshold. Dividing a whole number by a power of ten, both held
exactly, is rounded once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    import numpy.typing as npt

WHOLE = 2**53
"""Up to here a double holds every whole number."""
POWERS = 22
"""So many powers of ten are doubles."""
_BYTES = 16
_MIDWAY = (1 << 29) - 1, 1 << 28
"""The bits of a double beyond a float's, and those of a number half-way between two floats."""


def to_floating(column: pa.Array, target: pa.DataType) -> pa.Array:
    """A column of decimals as `double` or `float`: the nearest number, ties to even; null stays.

    Costs about what Arrow's cast does where digits are few, 0.5 µs a value beyond 2^53.
    """
    mask = np.asarray(column.is_null())
    doubles, exact = _divided(column)
    if pa.types.is_float64(target):
        made, sure = doubles, exact
    else:
        made, sure = doubles.astype(np.float32), exact & ~_twice_rounded(doubles)
    unsure = np.flatnonzero(~(sure | mask))
    if len(unsure):
        texts = column.take(pa.array(unsure)).cast(pa.string())
        made[unsure] = texts.cast(target).to_numpy(zero_copy_only=False)
    return pa.array(made, target, mask=mask)


def _divided(column: pa.Array) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Each value by one division, and where that is known to be exact."""
    scale, width = column.type.scale, column.type.byte_width
    _, values = column.buffers()
    if width != _BYTES or not 0 <= scale <= POWERS or values is None:
        return np.zeros(len(column)), np.zeros(len(column), dtype=bool)
    words = np.frombuffer(values, dtype="<i8")
    words = words[2 * column.offset : 2 * (column.offset + len(column))].reshape(-1, 2)
    low, high = words.T
    whole = (high == low >> 63) & (np.abs(low) <= WHOLE) & (low != np.iinfo(np.int64).min)
    return low / 10.0**scale, whole


def _twice_rounded(doubles: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Where the nearest float of a double may not be that of the number it was rounded from."""
    beyond, half = _MIDWAY
    tiny = (np.abs(doubles) < np.finfo(np.float32).tiny) & (doubles != 0)
    twice: npt.NDArray[np.bool_] = tiny | (doubles.view(np.int64) & beyond == half)
    return twice
